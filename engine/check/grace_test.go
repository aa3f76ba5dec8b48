package check

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/series"
)

// TestStartGraceCountsFromTheProcess: a process that began just now is in grace
// although check and host are old; one that is not there, or is older than the
// grace, is down.
func TestStartGraceCountsFromTheProcess(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "271.828")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	cfg := Defaults()
	cfg.Host.Enabled = false
	r, err := New(cfg, Deps{Sink: (&sunk{}).sink, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	grace := func(pid int, length string) bool {
		spec := fmt.Sprintf("  kind: tcp\n  address: 127.0.0.1:1\n  start_grace: %s\n  started_by: {pidfile: %s}\n", length, pidfile(t, pid))
		j := newJob(read(t, spec, r.Probe()))
		o := r.attempt(context.Background(), j, new(series.Batch))
		if !o.down {
			t.Errorf("a refused connection is no result: %v", o.err)
		}
		return o.grace
	}
	if !grace(cmd.Process.Pid, "1h") {
		t.Error("a process that began just now is not in its grace of an hour")
	}
	for end := time.Now().Add(time.Minute); grace(cmd.Process.Pid, "100ms"); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a grace of 100 ms does not end")
		}
	}
	pid := cmd.Process.Pid
	cmd.Process.Kill()
	cmd.Wait()
	if grace(pid, "1h") {
		t.Error("a process that has ended is in grace")
	}
}

func pidfile(t *testing.T, pid int) string {
	t.Helper()
	p := t.TempDir() + "/pid"
	if err := os.WriteFile(p, fmt.Appendln(nil, pid), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}
