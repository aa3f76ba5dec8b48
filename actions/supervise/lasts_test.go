package supervise_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/actions/supervise"
	"vigil/engine/fault"
)

// TestWhatEndsAgainDidNotStand: a start is good when its process has stood for its
// hold. One that ends before is told with its exit and its life; what somebody
// stopped or restarts says nothing.
func TestWhatEndsAgainDidNotStand(t *testing.T) {
	lasts := func(h *house) string {
		t.Helper()
		fell, err := h.Lasts(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		return fell
	}
	idle := worker(t)
	idle.Argv = []string{"/no/such/program"}
	h := open(t, t.TempDir(), idle)
	h.wait(t, "told down", func(e supervise.Event) bool { return !e.Up })
	if fell := lasts(h); fell != "process web does not run" {
		t.Errorf("one that never ran: %q", fell)
	}

	// Who asks as vigild starts, for an act of before, waits until what runs was adopted.
	dir, long := t.TempDir(), worker(t)
	long.Hold = time.Hour
	before := open(t, dir, long)
	was := before.wait(t, "up", up)
	before.stop()
	again, err := build(dir, []supervise.Process{long}, nil)
	if err != nil {
		t.Fatal(err)
	}
	early, asked := make(chan error, 1), make(chan struct{})
	lookFor, enough := context.WithCancel(t.Context())
	go func() {
		close(asked)
		fell, err := again.Lasts(lookFor, "web")
		if fell != "" {
			err = errors.New(fell)
		}
		early <- err
	}()
	<-asked
	runs, over := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- again.Run(runs) }()
	eventually(t, "it is adopted", func() bool { return again.List()[0].Pid == was.Pid })
	over() // and a vigild that stops lets go of it: that is no end either
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	enough()
	if err := <-early; !errors.Is(err, context.Canceled) {
		t.Errorf("asked as vigild starts, and until it stops: %v", err)
	}

	ends := worker(t, "END=1")
	ends.Autostart, ends.Hold = off(), time.Hour
	h = open(t, t.TempDir(), ends)
	if _, err := h.Start(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // while it ends, or when it has; and asked again
		if fell := lasts(h); !strings.HasPrefix(fell, "process web exited with 7, ") || !strings.HasSuffix(fell, "s after its start") {
			t.Errorf("one that ends at once: %q", fell)
		}
	}

	stays := worker(t)
	stays.Hold = 20 * time.Millisecond
	h = open(t, t.TempDir(), stays)
	first := h.wait(t, "up", up)
	began := time.Now()
	if fell := lasts(h); fell != "" {
		t.Errorf("one that stands: %q", fell)
	}
	if since := time.Since(began); since > time.Minute {
		t.Errorf("it took %s", since)
	}
	if err := syscall.Kill(first.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.wait(t, "down", down)
	if fell := lasts(h); !strings.HasPrefix(fell, "process web ended by SIGKILL, ") {
		t.Errorf("one that was killed: %q", fell)
	}

	h = open(t, t.TempDir(), long)
	h.wait(t, "up", up)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.Lasts(ctx, "web")
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cut short: %v", err)
	}
	told := make(chan string, 1)
	go func() {
		fell, _ := h.Lasts(t.Context(), "web")
		told <- fell
	}()
	if _, err := h.Stop(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if fell := <-told; fell != "" {
		t.Errorf("a stop that was asked for: %q", fell)
	}
	if fell := lasts(h); fell != "" {
		t.Errorf("one that somebody stopped: %q", fell)
	}
	if _, err := h.Lasts(t.Context(), "wep"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("unknown process: %v", err)
	}
}
