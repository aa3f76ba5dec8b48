package hall_test

import (
	"testing"
	"time"

	"vigil/engine/policy"
)

// A sender whose clock is five minutes behind is not old because of it, and a
// series that has just fallen silent is found by the timer alone.
func TestAgeIsMeasuredOnTheSeriesOwnClock(t *testing.T) {
	r := start(t, t.TempDir())
	r.put(t, `
apiVersion: vigil/v1
kind: Policy
metadata: {name: old}
spec: {match: beat, fire: age + 0 > 60} # looked at every second
---
apiVersion: vigil/v1
kind: Policy
metadata: {name: silent}
spec: {match: beat, fire: age > 0.3}
`)
	state := func(name string) policy.State {
		for _, f := range r.Firings() {
			if f.Policy == name {
				return f.State
			}
		}
		return ""
	}
	r.push(t, 1, time.Now().Add(-5*time.Minute).UnixMilli(), "beat")
	until(t, "the timer finds the silence", func() bool { return state("silent") == policy.StateFiring })
	looks := r.Stats().Evaluations
	until(t, "the timer looks again", func() bool { return r.Stats().Evaluations > looks })
	if s := state("old"); s != policy.StateOK && s != "" {
		t.Errorf("a sender whose clock is behind is %s", s)
	}
}
