package worker_test

import (
	"context"
	"testing"
	"time"

	"vigil/engine/remedy"
)

// TestNoWaitingStarvesHealing: receivers that hang while much is to be told leave
// workers for what heals, which stands behind them; they get their turn after.
func TestNoWaitingStarvesHealing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers, r.cfg.Storm.Subjects, r.cfg.PolicyLimit.Max, r.cfg.KindLimit.Max = 2, 1000, 1000, 1000
		hang := func(ctx context.Context, _ remedy.Request) (remedy.Result, error) {
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Second):
			}
			return remedy.Result{Error: "nobody there"}, nil
		}
		notify := r.acts.add("notify", remedy.Convergent, hang)
		wait := r.acts.add("wait", remedy.Convergent, hang)
		heal := r.acts.add("heal", remedy.Convergent, nil)
		var rs []remedy.Remediation
		for _, action := range []string{"notify", "wait", "heal"} {
			rs = append(rs, remedy.Remediation{Target: action, Subject: "s:" + action, Plan: plan(action), Source: remedy.FromAPI})
		}
		r.queue(rs...)
		r.run()
		r.pass(time.Second)
		if heal.ran() != 1 {
			t.Fatalf("healing waits for receivers: %d notified, %d waited, %d healed", notify.ran(), wait.ran(), heal.ran())
		}
		if n := notify.ran() + wait.ran(); n != 1 {
			t.Errorf("%d wait at one time, want half of the workers", n)
		}
		r.pass(2 * time.Minute)
		if notify.ran() == 0 || wait.ran() == 0 {
			t.Errorf("%d notified, %d waited", notify.ran(), wait.ran())
		}
	})
}
