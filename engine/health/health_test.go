package health

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/hall"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
	"vigil/engine/series"
	"vigil/engine/tsdb"
)

// start gives a real engine to push samples into and a prover that reads them.
func start(t *testing.T) (*Prover, func(v float64, name string, labels map[string]string)) {
	t.Helper()
	dir, now := t.TempDir(), clock.System()
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB = dir, 0
	led, err := ledger.Open(lc, ledger.Deps{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	tc := tsdb.Defaults()
	tc.Dir = dir
	st, err := tsdb.Open(tc, tsdb.Deps{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	e, err := hall.New(engine.Defaults(), engine.Deps{Samples: st, Journal: led, Reader: led, Clock: now, Notices: engine.Notices{Work: make(chan struct{}, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	<-e.Ready()
	t.Cleanup(func() {
		cancel()
		for _, err := range []error{<-ended, st.Close(), led.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	p := New(st, now)
	p.every = 5 * time.Millisecond
	return p, func(v float64, name string, labels map[string]string) {
		b := &series.Batch{Own: strings.HasPrefix(name, "vigil_")}
		b.Add(series.FromMap(name, labels), now().Millis(), v)
		if err := e.Ingest(context.Background(), b); err != nil {
			t.Error(err)
		}
		for _, it := range b.Items {
			if it.Reason != series.Accepted {
				t.Errorf("%s: %s", name, it.Reason)
			}
		}
	}
}

// TestHealth_OnlyWhatCameAfterwardsProves: an older good sample proves nothing, a
// bad one after the change starts the count anew, and silence is not health.
func TestHealth_OnlyWhatCameAfterwardsProves(t *testing.T) {
	p, push := start(t)
	push(1, "app_up", nil)
	<-time.After(5 * time.Millisecond)
	after := clock.System()()
	h := reconcile.Health{Expr: `last("1m", "app_up") == 1`, Timeout: document.Duration(150 * time.Millisecond)}
	if why, err := p.Wait(t.Context(), h, after); err == nil || !strings.Contains(err.Error(), "no sample came") {
		t.Fatalf("an old sample proved it: %q %v", why, err)
	}
	go push(1, "app_up", nil)
	h.Timeout = document.Duration(10 * time.Second)
	if why, err := p.Wait(t.Context(), h, after); err != nil || !strings.Contains(why, "app_up") {
		t.Fatalf("%q %v", why, err)
	}
	after = clock.System()()
	h.Successes, h.Timeout = 2, document.Duration(300*time.Millisecond)
	go func() {
		for _, v := range []float64{1, 0} {
			<-time.After(30 * time.Millisecond)
			push(v, "app_up", nil)
		}
	}()
	if why, err := p.Wait(t.Context(), h, after); err == nil || !strings.Contains(err.Error(), "is false") {
		t.Fatalf("it was not well at the end: %q %v", why, err)
	}
	after = clock.System()()
	check := reconcile.Health{Check: "web", Timeout: document.Duration(10 * time.Second)}
	<-time.After(5 * time.Millisecond)
	go push(1, "vigil_check_up", map[string]string{"check": "web", "kind": "tcp"})
	if why, err := p.Wait(t.Context(), check, after); err != nil {
		t.Fatalf("%q %v", why, err)
	}
}

// TestHealth_WhatCannotProveIsRefused before anything is changed.
func TestHealth_WhatCannotProveIsRefused(t *testing.T) {
	for expr, want := range map[string]string{
		`1 == 1`:                     "reads no series",
		`value > 1`:                  "reads no series",
		`last("1m", "app_up") = 1`:   "expr",
		`nosuch("1m", "app_up") > 1`: "nosuch",
	} {
		_, is := Compile(reconcile.Health{Expr: expr})
		if is.Err() == nil || !strings.Contains(is.Err().Error(), want) {
			t.Errorf("%s: %v", expr, is.Err())
		}
	}
	if _, is := Compile(reconcile.Health{Check: "a'} or 1"}); is.Err() == nil {
		t.Error("a check's name was pasted into an expression")
	}
}
