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

// TestLiftedWaitsForItsLaneOnly: what a pause held and now finds its lane full
// begins when the lane is free, not when the hold would have been looked at again.
func TestLiftedWaitsForItsLaneOnly(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 2
		pause := "ann: moving house"
		r.judge.facts = func(_ remedy.Remediation, f *remedy.Facts) { f.Paused = pause }
		late := func(context.Context, remedy.Request) (remedy.Result, error) {
			<-time.After(10 * time.Second)
			return remedy.Result{OK: true}, nil
		}
		notify := r.acts.add("notify", remedy.Convergent, late)
		wait := r.acts.add("wait", remedy.Convergent, late)
		r.run()
		r.queue(remedy.Remediation{Plan: plan("notify")}, remedy.Remediation{Plan: plan("wait")})
		r.pass(65 * time.Second) // looked at again at 60 s and at 120 s
		r.judge.set(func() { pause = "" })
		r.nudge()
		r.pass(5 * time.Second)
		if n := notify.ran() + wait.ran(); n != 1 {
			t.Fatalf("%d wait at one time, want half of the workers", n)
		}
		r.pass(10 * time.Second)
		if notify.ran() != 1 || wait.ran() != 1 {
			t.Errorf("%d notified, %d waited: the other's lane was free for 5 s", notify.ran(), wait.ran())
		}
	})
}
