package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t testing.TB, d Deps) *World {
	t.Helper()
	w, err := New(Config{}, d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func capture(t testing.TB, w *World, subject string) map[string]any {
	t.Helper()
	b := w.Capture(t.Context(), subject)
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if len(b) > MaxBytes {
		t.Errorf("%d bytes", len(b))
	}
	return out
}

func TestCapture_ShowsTheHost(t *testing.T) {
	hog := exec.Command("/bin/sleep", "1000", "--password=hunter2", "--token", "hunter2", "postgres://u:hunter2@db/x")
	hog.Env = []string{"CANARY=hunter2"}
	hog.Args = append([]string{"/bin/sh", "-c", "while :; do :; done", "x"}, hog.Args[2:]...)
	hog.Path = "/bin/sh"
	if err := hog.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hog.Process.Kill(); _ = hog.Wait() }()
	w := build(t, Deps{
		Unit: func(context.Context, string) (map[string]any, error) {
			return map[string]any{"ActiveState": "failed"}, nil
		},
		Journal: func(_ context.Context, u string, n int) ([]byte, error) {
			return []byte(u + " says password: hunter2\n"), nil
		},
		Log: func(p string, n int) ([]byte, error) { return []byte(p + "\n"), nil },
	})
	got := capture(t, w, "systemd:web.service")
	for _, s := range []string{"unit", "log", "pressure", "memory", "processes", "sockets", "disks"} {
		part, ok := got[s]
		if m, is := part.(map[string]any); !ok || is && m["error"] != nil {
			t.Errorf("section %s: %v", s, part)
		}
	}
	text := fmt.Sprint(got)
	if strings.Contains(text, "hunter2") {
		t.Errorf("a secret is shown: %s", text)
	}
	if !strings.Contains(fmt.Sprint(got["processes"]), fmt.Sprintf("pid:%d", hog.Process.Pid)) {
		t.Error("the busiest process is not in the table")
	}
	if got := fmt.Sprint(capture(t, w, "process:worker")["log"]); got != "[worker]" {
		t.Errorf("log of a process: %s", got)
	}
	if got := capture(t, w, "file:/etc/x"); got["log"] != nil || got["unit"] != nil {
		t.Errorf("sections without a subject: %v", got)
	}
}

// TestCapture_IsBoundedWhateverHappens: in time by a section that hangs, in bytes
// by one that pours, and a failure is told and does no harm.
func TestCapture_IsBoundedWhateverHappens(t *testing.T) {
	free := make(chan struct{})
	w := build(t, Deps{
		Unit: func(context.Context, string) (map[string]any, error) { <-free; return nil, nil },
		Log:  func(string, int) ([]byte, error) { return []byte(strings.Repeat("\x01\"", 10<<20)), nil },
		Journal: func(context.Context, string, int) ([]byte, error) {
			return nil, errors.New("no journal here")
		},
	})
	w.limit = 300 * time.Millisecond
	began := time.Now()
	got := capture(t, w, "systemd:x.service")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}
	if s := fmt.Sprint(got["unit"]); !strings.Contains(s, "in time") {
		t.Errorf("unit: %s", s)
	}
	if s := fmt.Sprint(got["log"]); !strings.Contains(s, "no journal here") {
		t.Errorf("log: %s", s)
	}
	if s := fmt.Sprint(capture(t, w, "systemd:x.service")["unit"]); !strings.Contains(s, "still hangs") {
		t.Errorf("the hanging section was started again: %s", s)
	}
	close(free)
	if capture(t, w, "process:x")["log"] == nil {
		t.Error("no log")
	}
	parts := make([]json.RawMessage, len(w.sections))
	for i := range parts {
		parts[i] = text(strings.Repeat("x", 100<<10))
	}
	if b := w.join("x", parts); len(b) > MaxBytes || !json.Valid(b) || !strings.Contains(string(b), `"left_out":["pressure"`) {
		t.Errorf("%d bytes, valid %v", len(b), json.Valid(b))
	}
}

func TestCapture_WithoutProc(t *testing.T) {
	w, err := New(Config{Proc: t.TempDir()}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(capture(t, w, "x")["memory"]); !strings.Contains(s, "cannot be read") {
		t.Errorf("memory: %s", s)
	}
}

func TestCover(t *testing.T) {
	for in, want := range map[string]string{
		"--password=a b":                    "--password=*** b",
		"--db-passwd secret1":               "--db-passwd ***",
		"API_KEY=abc x":                     "API_KEY=*** x",
		"--token --verbose":                 "--token --verbose",
		"http://a:b@c/d":                    "http://***@c/d",
		"Authorization: Bearer abcdefghij":  "Authorization: *** abcdefghij",
		"--port 80 --user bob":              "--port 80 --user bob",
		"-H Authorization:Bearer_abcdefghi": "-H Authorization:***",
	} {
		if in == "Authorization: Bearer abcdefghij" {
			if got := cover(in); strings.Contains(got, "abcdefghij") {
				t.Errorf("%q: %q", in, got)
			}
			continue
		}
		if got := strings.Join(coverArgs(strings.Split(in, " ")), " "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestCover_NeverShowsAValueAfterItsName is the property behind the table.
func TestCover_NeverShowsAValueAfterItsName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"--password", "--api-key", "-token", "--client_secret", "--private-key"}).Draw(t, "name")
		value := "zq" + rapid.StringMatching(`[A-Za-z0-9/+.]{6,30}`).Draw(t, "value")
		args := []string{"prog", name, value}
		if rapid.Bool().Draw(t, "joined") {
			args = []string{"prog", name + "=" + value}
		}
		if got := strings.Join(coverArgs(args), " "); strings.Contains(got, value) {
			t.Fatalf("%q shows %q", got, value)
		}
	})
}

func BenchmarkCapture(b *testing.B) {
	w := build(b, Deps{})
	for b.Loop() {
		if len(w.Capture(b.Context(), "process:x")) == 0 {
			b.Fatal("nothing")
		}
	}
}
