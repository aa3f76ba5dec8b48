package hall_test

import (
	"context"
	"strings"
	"testing"

	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// TestWhatADeeperCauseHidesStillHolds: a firing that a deeper cause suppresses has not
// gone away. What waits for it is held by the cause, and is not withdrawn.
func TestWhatADeeperCauseHidesStillHolds(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, strings.NewReplacer("name: breach", "name: db", "breach_value", "db_value").Replace(breach))
	r.put(t, strings.Replace(breach, "spec:", "spec:\n  depends_on: [db]", 1))
	r.push(t, 5, series.NoTime, "breach_value", "service", "web")
	until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
	x := r.remediations(t)[0]
	r.push(t, 5, series.NoTime, "db_value", "service", "db")
	until(t, "the cause fires", func() bool { return len(r.remediations(t)) == 2 })
	r.push(t, 5, clock.System()().Millis()+1, "breach_value", "service", "web")
	state := func() policy.State {
		for _, f := range r.Firings() {
			if f.Policy == "breach" {
				return f.State
			}
		}
		return ""
	}
	until(t, "it is suppressed", func() bool { return state() == policy.StateSuppressed })
	f, err := r.Judge.Facts(context.Background(), x, remedy.Spec{})
	if err != nil || f.Holds != 1 || f.Cause == "" {
		t.Errorf("holds %d, cause %q, %v", f.Holds, f.Cause, err)
	}
	r.push(t, 0, clock.System()().Millis()+2, "breach_value", "service", "web")
	until(t, "it is ok", func() bool { return state() == "" })
	if f, err := r.Judge.Facts(context.Background(), x, remedy.Spec{}); err != nil || f.Holds != -1 {
		t.Errorf("it cleared, and holds %d, %v", f.Holds, err)
	}
}

// TestWhatFlapsIsACause: what depends on a policy that comes and goes too often is not
// acted on while it does, whatever it says at the moment.
func TestWhatFlapsIsACause(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, strings.NewReplacer("name: breach", "name: db", "breach_value", "db_value").Replace(breach))
	r.put(t, strings.Replace(breach, "spec:", "spec:\n  depends_on: [db]", 1))
	state := func(name string) policy.State {
		for _, f := range r.Firings() {
			if f.Policy == name {
				return f.State
			}
		}
		return ""
	}
	begin := clock.System()().Millis()
	value, at := 0.0, begin
	until(t, "the cause flaps", func() bool {
		value, at = 5-value, at+1
		r.push(t, value, at, "db_value", "service", "db")
		return state("db") == policy.StateFlapping
	})
	if value > 0 { // at the moment it is well
		r.push(t, 0, at+1, "db_value", "service", "db")
	}
	r.push(t, 5, series.NoTime, "breach_value", "service", "web")
	until(t, "what depends on it is suppressed", func() bool { return state("breach") == policy.StateSuppressed })
	for _, p := range r.Policies() {
		if p.Name == "db" && p.Firing != 0 {
			t.Errorf("%d instances of the cause count as firing", p.Firing)
		}
	}
}

// TestWhatGaveUpIsNotDoubledByAStart: a firing whose remediation gave up is hidden by a
// deeper cause when vigild stops. Once it fires again after the start it has that one
// still, which wakes by itself, and no second one.
func TestWhatGaveUpIsNotDoubledByAStart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.put(t, strings.NewReplacer("name: breach", "name: db", "breach_value", "db_value").Replace(breach))
	r.put(t, strings.Replace(breach, "spec:", "spec:\n  depends_on: [db]", 1))
	at := clock.System()().Millis()
	push := func(v float64, name string) {
		at++
		r.push(t, v, at, name, "service", "web")
	}
	is := func(want policy.State) func() bool {
		return func() bool {
			for _, f := range r.Firings() {
				if f.Policy == "breach" {
					return f.State == want
				}
			}
			return false
		}
	}
	push(5, "breach_value")
	until(t, "a remediation is made", func() bool { return len(r.remediations(t)) == 1 })
	x := r.remediations(t)[0]
	v := x.Version
	x.State, x.AttemptEnd, x.Finished = remedy.GaveUp, clock.System()(), clock.System()()
	if err := r.ledger.Apply(context.Background(), v, remedy.Move{Next: x}); err != nil {
		t.Fatal(err)
	}
	push(5, "db_value")
	until(t, "the cause fires", func() bool { return len(r.remediations(t)) == 2 })
	until(t, "it is suppressed", func() bool {
		push(5, "breach_value")
		return is(policy.StateSuppressed)()
	})
	r.stop()
	r = start(t, dir)
	push(0, "db_value")
	until(t, "it fires again", func() bool {
		push(5, "breach_value") // it is looked at again with its next sample
		return is(policy.StateFiring)()
	})
	until(t, "that is on record", func() bool { return len(r.told(t, "firing.fire")) == 3 })
	n := 0
	for _, x := range r.remediations(t) {
		if x.Policy == "breach" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d remediations of one firing", n)
	}
}
