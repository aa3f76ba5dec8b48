package parts

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// scene records what parts do, in order.
type scene struct {
	mu   sync.Mutex
	said []string
}

func (s *scene) say(w string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, w)
}

func (s *scene) part(name string) Part {
	return Part{Name: name, Bound: time.Second, Run: func(ctx context.Context) error {
		s.say("run " + name)
		<-ctx.Done()
		s.say("stop " + name)
		return nil
	}, Ready: func(context.Context) error { s.say("ready " + name); return nil }}
}

func TestPartsStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scene
		ctx, cancel := context.WithCancel(t.Context())
		a, b := s.part("a"), s.part("b")
		a.Ready = func(context.Context) error { synctest.Wait(); s.say("ready a"); return nil }
		b.Ready = nil
		err := Run(ctx, quiet, []Part{a, b}, func() { synctest.Wait(); s.say("started"); cancel() })
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(s.said, ", "), "run a, ready a, run b, started, stop b, stop a"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestPartsStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s scene
		ctx, cancel := context.WithCancel(t.Context())
		hang := make(chan struct{})
		defer close(hang)
		stuck := Part{Name: "stuck", Bound: 3 * time.Second, Run: func(context.Context) error { <-hang; return nil }}
		a := s.part("a")
		a.Ready = nil
		began := time.Now()
		err := Run(ctx, quiet, []Part{a, stuck}, cancel)
		if !errors.Is(err, ErrLeft) || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		if s.said[len(s.said)-1] != "stop a" {
			t.Errorf("a was not stopped: %v", s.said)
		}
	})
}

// A part that dies takes the daemon down in order: half a daemon is worse than
// none, and whoever supervises it starts it again.
func TestPartsEndTogether(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		bad  Part
		want string
	}{
		{"while running", Part{Name: "bad", Bound: time.Second, Run: func(context.Context) error { return boom }}, "bad: boom"},
		{"without an error", Part{Name: "bad", Bound: time.Second, Run: func(context.Context) error { return nil }}, "bad ended by itself"},
		{"before it is ready", Part{Name: "bad", Bound: time.Second, Run: func(context.Context) error { return boom },
			Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, "bad: boom"},
		{"never ready", Part{Name: "bad", Bound: time.Second, Run: func(ctx context.Context) error { <-ctx.Done(); return nil },
			Ready: func(context.Context) error { return boom }}, "bad is not ready: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s scene
				a := s.part("a")
				err := Run(t.Context(), quiet, []Part{a, tt.bad}, func() {})
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if s.said[len(s.said)-1] != "stop a" {
					t.Errorf("a was not stopped: %v", s.said)
				}
			})
		})
	}
}
