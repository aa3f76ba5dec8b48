package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/launch"
	"vigil/actions/supervise"
	"vigil/engine/fault"
)

type with = map[string]any

// TestSignal_NeverHitsAReusedPid: by pid and start, and by a pidfile that is
// older than the process which has its number now.
func TestSignal_NeverHitsAReusedPid(t *testing.T) {
	other := exec.Command("/bin/sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	now, err := launch.Look(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	pidfile := filepath.Join(t.TempDir(), "x.pid")
	if err := os.WriteFile(pidfile, fmt.Append(nil, now.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(pidfile, old, old); err != nil {
		t.Fatal(err)
	}
	a := action(t, build(t, actions.Config{}, actions.Deps{}), "signal")
	for _, w := range []with{
		{"pid": float64(now.Pid), "start": float64(now.Start - 1), "signal": "KILL"},
		{"pidfile": pidfile, "signal": "KILL"},
	} {
		if res, err := a.Run(t.Context(), request("signal", w)); err == nil {
			t.Errorf("%v: %+v", w, res)
		}
	}
	if !launch.Alive(now.Pid, now.Start) {
		t.Fatal("the other process was hit")
	}
	go func() { _, _ = other.Process.Wait() }() // the zombie would be there else
	res, err := a.Run(t.Context(), request("signal", with{"pid": float64(now.Pid), "start": float64(now.Start), "wait": "5s"}))
	if err != nil || !res.OK {
		t.Errorf("the right one: %+v, %v", res, err)
	}
}

// TestSignal_PidfileTellsNothingAndIsNotBelievedFromOthers: what stands in the
// file is not repeated, for it may be any file; and whoever may write it can only
// point at what is theirs.
func TestSignal_PidfileTellsNothingAndIsNotBelievedFromOthers(t *testing.T) {
	c := exec.Command("/bin/sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	a := action(t, build(t, actions.Config{}, actions.Deps{}), "signal")
	file := filepath.Join(t.TempDir(), "x.pid")
	ask := func() error {
		_, err := a.Run(t.Context(), request("signal", with{"pidfile": file, "signal": "CONT"}))
		return err
	}
	if err := os.WriteFile(file, []byte("root:$y$j9T$secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err == nil || strings.Contains(err.Error(), "$y$") {
		t.Errorf("a file of secrets: %v", err)
	}
	if err := os.WriteFile(file, fmt.Append(nil, c.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("our own file: %v", err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := ask(); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a file that everybody may write: %v", err)
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away
	}
	if err := errors.Join(os.Chmod(file, 0o644), os.Chown(file, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if err := ask(); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a file of another user that names a process of ours: %v", err)
	}
}

func TestSignal_OneOfManyIsAmbiguous(t *testing.T) {
	exe, err := exec.LookPath("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "vigilzzz")
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, b, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := exec.Command(mine, "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	}
	a := action(t, build(t, actions.Config{}, actions.Deps{}), "signal")
	for _, w := range []with{{"name": "vigilzzz"}, {"exe": mine}} {
		w["signal"] = "CONT"
		if _, err := a.Run(t.Context(), request("signal", w)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%v: %v", w, err)
		}
		w["all"] = true
		if res, err := a.Run(t.Context(), request("signal", w)); err != nil || len(res.Data["pids"].([]int)) != 2 {
			t.Errorf("%v: %+v, %v", w, res, err)
		}
	}
}

// TestNotify_SpeaksAlertmanagersWebhook: version 4, signed, tried again after a
// failure of the other side but not after a refusal.
func TestNotify_SpeaksAlertmanagersWebhook(t *testing.T) {
	var tries atomic.Int32
	var body, sign atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := tries.Add(1)
		switch {
		case r.URL.Path == "/refuse":
			w.WriteHeader(http.StatusBadRequest)
		case n < 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			b, _ := io.ReadAll(r.Body)
			body.Store(b)
			sign.Store(r.Header.Get("X-Vigil-Signature") + " " + r.Header.Get("Idempotency-Key"))
		}
	}))
	defer srv.Close()
	t.Setenv("HOOK_KEY", "k")
	s := build(t, actions.Config{Notify: map[string]actions.Receiver{
		"a": {URL: srv.URL, Secret: "env:HOOK_KEY", Allow: []string{"127.0.0.1"}},
		"b": {URL: srv.URL + "/refuse", Allow: []string{"127.0.0.1"}},
	}}, actions.Deps{})
	a := action(t, s, "notify")
	asked := request("notify", with{"to": "a", "summary": "it is slow"})
	asked.Severity = "critical"
	res, err := a.Run(t.Context(), asked)
	if err != nil || !res.OK || res.Data["tries"] != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	var got struct {
		Version, Status, Receiver, GroupKey string
		CommonLabels                        map[string]string
		Alerts                              []struct {
			Status, Fingerprint, StartsAt string
			Labels, Annotations           map[string]string
		}
	}
	if err := json.Unmarshal(body.Load().([]byte), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "4" || got.Status != "firing" || got.Receiver != "a" || got.GroupKey == "" || len(got.Alerts) != 1 {
		t.Fatalf("body %+v", got)
	}
	al := got.Alerts[0]
	if al.Labels["alertname"] != "hot" || al.Labels["host"] != "web1" || al.Labels["severity"] != "critical" || al.Annotations["summary"] != "it is slow" || len(al.Fingerprint) != 16 || al.StartsAt == "" {
		t.Errorf("alert %+v", al)
	}
	if s := sign.Load().(string); !strings.HasPrefix(s, "sha256=") || !strings.HasSuffix(s, " 1-7-1") || len(s) != len("sha256= 1-7-1")+64 {
		t.Errorf("signature %q", s)
	}
	tries.Store(0)
	if res, err := a.Run(t.Context(), request("notify", with{"to": "b"})); err != nil || res.OK || tries.Load() != 1 {
		t.Errorf("a refusal: %+v, %v after %d tries", res, err, tries.Load())
	}
}

// TestProcess_DeathIsToldAndHealed is the walking skeleton of self-healing: a
// kill -9, the event, the act, the process again.
func TestProcess_DeathIsToldAndHealed(t *testing.T) {
	events := make(chan supervise.Event, 100)
	s := build(t, actions.Config{Processes: []supervise.Process{{Name: "w", Argv: []string{"/bin/sleep", "1000"}}}},
		actions.Deps{ProcessEvent: func(e supervise.Event) { events <- e }})
	next := func(up bool) supervise.Event {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Up == up && e.Pid != 0 {
					return e
				}
			case <-time.After(time.Minute):
				t.Fatal("no event")
			}
		}
	}
	first := next(true)
	p, err := launch.Adopt(first.Pid, s.Processes().List()[0].Start)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	_ = p.Signal(9)
	if e := next(false); e.Signal != "SIGKILL" {
		t.Errorf("told as %+v", e)
	}
	res, err := action(t, s, "process").Run(t.Context(), request("process", with{"process": "w"}))
	if err != nil || !res.OK || res.Data["changed"] != true {
		t.Errorf("%+v, %v", res, err)
	}
	if e := next(true); e.Pid == first.Pid {
		t.Error("the same pid")
	}
}

func TestService_WithoutInitSystemSaysSo(t *testing.T) {
	s := build(t, actions.Config{Root: t.TempDir()}, actions.Deps{})
	_, err := action(t, s, "service").Run(t.Context(), request("service", with{"unit": "web"}))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "/etc/init.d/web") {
		t.Errorf("got %v", err)
	}
}

// TestPlugin: from the given folders alone, by a plain file name, the stderr kept
// apart, nothing left running.
func TestPlugin(t *testing.T) {
	dir, empty := t.TempDir(), t.TempDir()
	script(t, dir, "check_it", "#!/bin/sh\necho \"OK - $1 | a=1\"\necho warn >&2\nexit 2\n")
	script(t, dir, "open", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "open"), 0o777); err != nil {
		t.Fatal(err)
	}
	s := build(t, actions.Config{}, actions.Deps{})
	run := func(name string, args ...string) (actions.Outcome, error) {
		return s.RunPlugin(context.Background(), []string{empty, dir}, name, args, "", 5*time.Second, 0)
	}
	o, err := run("check_it", "a b;$x")
	if err != nil || o.Exit != 2 || o.Output != "OK - a b;$x | a=1\n" || o.Stderr != "warn\n" {
		t.Errorf("%+v, %v", o, err)
	}
	for name, kind := range map[string]fault.Kind{"../check_it": fault.Unprocessable, "": fault.Unprocessable, ".": fault.Unprocessable, "none": fault.NotFound, "open": fault.Forbidden} {
		if _, err := run(name); fault.KindOf(err) != kind {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err = s.RunPlugin(context.Background(), nil, "check_it", nil, "", 5*time.Second, 0)
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "[checks] plugin_dirs") {
		t.Errorf("without folders: %v", err)
	}
	if _, err := run("check_it", "a\nb"); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("a control character: %v", err)
	}
}
