package hall_test

import (
	"strings"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/judge"
	"vigil/engine/reconcile"
)

// TestHealth_OnlyWhatCameAfterwardsProves: an older good sample proves nothing, a
// bad one after the change starts the count anew, and silence is not health.
func TestHealth_OnlyWhatCameAfterwardsProves(t *testing.T) {
	r := start(t, t.TempDir())
	push := func(v float64, name string, kv ...string) { r.push(t, v, clock.System()().Millis(), name, kv...) }
	push(1, "app_up")
	later := func() clock.Stamp { // no sample of the same millisecond counts
		at := clock.System()()
		<-time.After(3 * time.Millisecond)
		return at
	}
	<-time.After(3 * time.Millisecond)
	after := later()
	h := reconcile.Health{Expr: `last("1m", "app_up") == 1`, Timeout: document.Duration(150 * time.Millisecond)}
	if why, err := r.Healthy(t.Context(), h, after); err == nil || !strings.Contains(err.Error(), "no sample came") {
		t.Fatalf("an old sample proved it: %q %v", why, err)
	}
	soon := func(vs ...float64) {
		go func() {
			for _, v := range vs {
				<-time.After(50 * time.Millisecond)
				push(v, "app_up")
			}
		}()
	}
	h.Timeout = document.Duration(time.Minute)
	soon(1)
	if why, err := r.Healthy(t.Context(), h, after); err != nil || !strings.Contains(why, "app_up") {
		t.Fatalf("%q %v", why, err)
	}
	h.Successes, h.Timeout = 2, document.Duration(400*time.Millisecond)
	after = later()
	soon(1, 0)
	if why, err := r.Healthy(t.Context(), h, after); err == nil {
		t.Fatalf("it was not well at the end: %q", why)
	}
	after = later()
	go func() { <-time.After(50 * time.Millisecond); push(1, "vigil_check_up", "check", "web", "kind", "tcp") }()
	if why, err := r.Healthy(t.Context(), reconcile.Health{Check: "web", Timeout: document.Duration(time.Minute)}, after); err != nil {
		t.Fatalf("%q %v", why, err)
	}
}

// TestHealth_WhatCannotProveIsRefused before anything is changed.
func TestHealth_WhatCannotProveIsRefused(t *testing.T) {
	for expr, want := range map[string]string{
		`1 == 1`:                     "names no series",
		`value > 1`:                  "names no series",
		`last("1m", "app_up") = 1`:   "fire",
		`nosuch("1m", "app_up") > 1`: "nosuch",
	} {
		_, err := judge.HealthCondition(reconcile.Health{Expr: expr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
