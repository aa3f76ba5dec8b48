package worker_test

import (
	"context"
	"testing"
	"time"

	"vigil/engine/remedy"
)

// TestStopCutsShortWhatOnlyWaits: a receiver that hangs holds up no stop, and the
// next start tells it again, as if nothing had been; what may not be repeated has
// its grace, and an end that came in time is an end.
func TestStopCutsShortWhatOnlyWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		class    remedy.Class
		answers  bool // in the very moment of the stop
		took     time.Duration
		stopped  remedy.State
		state    remedy.State
		runs     int
		whatTold string
	}{
		"hangs": {remedy.Convergent, false, 0, remedy.Running, remedy.Succeeded, 2,
			"attempt.start attempt.recovered remediation.repeat attempt.start attempt.end verify.ok"},
		"answers at last": {remedy.Convergent, true, 0, remedy.Verifying, remedy.Succeeded, 1, "attempt.start attempt.end verify.ok"},
		"may not be repeated": {remedy.Unsafe, false, 10 * time.Second, remedy.Indeterminate, remedy.Indeterminate, 1,
			"attempt.start attempt.end remediation.indeterminate"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				hangs := true
				a := r.acts.add("tell", tc.class, func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
					if !hangs {
						return remedy.Result{OK: true}, nil
					}
					<-ctx.Done()
					return remedy.Result{OK: tc.answers, Unseen: !tc.answers, Error: "not reached"}, nil
				})
				a.spec.Waits = true
				r.run()
				id := r.queue(remedy.Remediation{Plan: plan("tell")})[0]
				r.pass(time.Second)
				r.want(id, remedy.Running)
				began := time.Now()
				r.halt()
				if took := time.Since(began); took != tc.took {
					t.Errorf("stopping took %s, want %s", took, tc.took)
				}
				r.want(id, tc.stopped)
				hangs = false
				r.run()
				r.pass(time.Minute)
				r.want(id, tc.state)
				if got := r.told(id); a.ran() != tc.runs || got != tc.whatTold {
					t.Errorf("ran %d times, told %s", a.ran(), got)
				}
			})
		})
	}
}
