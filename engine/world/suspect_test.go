package world

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holder is a process that does something with a file and then waits; its
// arguments hold a secret.
func holder(t *testing.T, dir, script string) int {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", script+"; echo ready; read x", "--token=hunter2-hunter2", "--password", "s3cr3t-s3cr3t")
	c.Dir = dir
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = c.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return c.Process.Pid
}

// TestSuspect_NamesWhoHoldsTheFile: the likeliest first, with secrets covered.
func TestSuspect_NamesWhoHoldsTheFile(t *testing.T) {
	w, dir := build(t, Deps{}), t.TempDir()
	f := put(t, filepath.Join(dir, "motd"), "text", 0o644)
	put(t, filepath.Join(dir, "other"), "text", 0o644)
	if got := w.Suspect(t.Context(), f); !strings.HasPrefix(got, w.user(uint32(os.Geteuid()))+" by the file's owner, written at 2") {
		t.Errorf("nobody has it open: %q", got)
	}
	if got := w.Suspect(t.Context(), filepath.Join(dir, "none")); got != "" {
		t.Errorf("nothing is there: %q", got)
	}
	if holder(t, "/", "exec 9>>"+filepath.Join(dir, "other")); strings.Contains(w.Suspect(t.Context(), f), "pid") {
		t.Error("who has a neighbour open is suspected")
	}
	for _, tt := range []struct{ cwd, script, says string }{
		{dir, ":", "works in its folder"},
		{"/", "exec 9<" + dir, "has its folder open"},
		{"/", "exec 9<" + f, "has it open"},
		{"/", "exec 9>" + filepath.Join(dir, ".motd.swp"), "has a copy of it open beside it"},
		{"/", "exec 9>>" + f, "has it open for writing"},
		{"/", "exec 9>>" + f, "has it open for writing"}, // of two, the newer
		{"/", fmt.Sprintf("exec 9>>%s; rm %s; echo new >%s", f, f, f), "has it open for writing"},
	} {
		pid := holder(t, tt.cwd, tt.script)
		got := w.Suspect(t.Context(), f)
		first, rest, _ := strings.Cut(got, "; /bin/sh")
		if !strings.Contains(first, fmt.Sprintf("(pid %d, uid %d", pid, os.Geteuid())) || !strings.HasSuffix(first, " "+tt.says) {
			t.Errorf("%s: %q", tt.script, got)
		}
		if strings.Contains(got, "hunter2") || strings.Contains(got, "s3cr3t") || len(got) > suspectText+3 {
			t.Errorf("%s: %q", tt.script, got)
		}
		if tt.says != "works in its folder" && rest == "" {
			t.Errorf("%s: only one is named: %q", tt.script, got)
		}
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if got := w.Suspect(ended, f); !strings.Contains(got, "file's owner") {
		t.Errorf("without time: %q", got)
	}
}

// memory is a folder in memory where there is one: thousands of names need no disk.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "vigil-world-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestSuspect_IsBounded: on a host on which a search through all would take
// seconds, it ends when its time is over.
func TestSuspect_IsBounded(t *testing.T) {
	f, one, proc := put(t, filepath.Join(t.TempDir(), "f"), "text", 0o644), memory(t), memory(t)
	if err := os.Mkdir(one+"/fd", 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := os.Symlink("/dev/null", filepath.Join(one, "fd", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		if err := os.Symlink(one, filepath.Join(proc, fmt.Sprint(1_000_000+i))); err != nil {
			t.Fatal(err)
		}
	}
	w, err := New(Config{Proc: proc}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	began, before := time.Now(), used(t)
	if got := w.Suspect(t.Context(), f); !strings.Contains(got, "file's owner") {
		t.Errorf("%q", got)
	}
	if took := time.Since(began); took < suspectTime {
		t.Errorf("it took %v, expected %v: the test tries nothing", took, suspectTime)
	}
	if cpu := used(t) - before; cpu > 5*suspectTime { // the time of a busy machine is not ours
		t.Errorf("it used %v of CPU, expected about %v at most", cpu, suspectTime)
	}
}

// used is the processor time of this process so far.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSuspect(b *testing.B) {
	w, f := build(b, Deps{}), put(b, filepath.Join(b.TempDir(), "f"), "text", 0o644)
	for b.Loop() {
		if w.Suspect(b.Context(), f) == "" {
			b.Fatal("not even the owner")
		}
	}
}
