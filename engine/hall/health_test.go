package hall_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/reconcile"
)

// TestHealthy_IsProvedBySamplesAfterTheChange: by expression and by check; what
// was measured before does not count, nor does another series, and what never
// comes is told when the time is over.
func TestHealthy_IsProvedBySamplesAfterTheChange(t *testing.T) {
	r := start(t, t.TempDir())
	web := reconcile.Health{Expr: `last("1m", "up{job='web'}") == 1`, Successes: 2, Timeout: document.Duration(time.Minute)}
	check := reconcile.Health{Check: "web", Successes: 1, Timeout: document.Duration(time.Minute)}
	short := reconcile.Health{Expr: `last("1m", "gone") == 1`, Timeout: document.Duration(50 * time.Millisecond)}
	now := clock.System()
	ms := func() int64 { return now().Millis() }
	r.push(t, 1, ms()-10_000, "up", "job", "web")
	r.push(t, 1, ms()-10_000, "vigil_check_up", "check", "web", "kind", "tcp")

	if _, err := r.Healthy(t.Context(), short, now()); err == nil || !strings.Contains(err.Error(), "no sample came") {
		t.Errorf("nothing was measured: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Healthy(gone, web, now()); err == nil {
		t.Error("whoever went away was told that all is well")
	}
	for name, h := range map[string]reconcile.Health{"up": web, "vigil_check_up": check} {
		ended := make(chan error, 1)
		after := now()
		go func() { _, err := r.Healthy(t.Context(), h, after); ended <- err }()
		labels := []string{"job", "web"}
		if name != "up" {
			labels = []string{"check", "web", "kind", "tcp"}
		}
		send := func(v float64, ls ...string) {
			r.push(t, v, ms()+1, name, ls...)
			<-time.After(2 * time.Millisecond)
		}
		for range 5 { // bad ones, and good ones of somebody else
			send(0, labels...)
			send(1, labels[0], "other")
		}
		select {
		case err := <-ended:
			t.Fatalf("%s: proved by nothing: %v", name, err)
		default:
		}
		until(t, name+" is healthy", func() bool {
			send(1, labels...)
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				return true
			default:
				return false
			}
		})
	}
}

// TestHealthy_MistakesAreToldBeforehand: an expression that cannot be read, or that
// names nothing to wait for.
func TestHealthy_MistakesAreToldBeforehand(t *testing.T) {
	r := start(t, t.TempDir())
	for expr, want := range map[string]string{"value >": "", "1 < 2": "names no series", "value > 1": "names no series"} {
		if _, err := r.Healthy(t.Context(), reconcile.Health{Expr: expr}, clock.Stamp{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
