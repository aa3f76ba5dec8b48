package judge

import (
	"context"
	"fmt"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/reconcile"
	"vigil/engine/shard"
)

// healthTime is how long health is waited for when its document does not say.
const healthTime = time.Minute

// HealthCondition compiles what a document calls health. An expression names its
// series itself, in its windows; the first one it names wakes it. A check is well
// when it says so. Pure.
func HealthCondition(h reconcile.Health) (*policy.Condition, error) {
	if h.Check != "" {
		return compiled(policy.Spec{Match: fmt.Sprintf("vigil_check_up{check=%q}", h.Check), Fire: "value == 1"})
	}
	// Any selector will do to find out which series the expression names.
	c, err := compiled(policy.Spec{Match: "vigil_host_cpus", Fire: h.Expr})
	if err != nil {
		return nil, err
	}
	if len(c.Sources) < 2 {
		return nil, fault.New(fault.Unprocessable, "the expression names no series").Mend(`name one in a window: last("1m", "up{job='web'}") == 1`)
	}
	return compiled(policy.Spec{Match: c.Sources[1].Selector.String(), Fire: h.Expr})
}

func compiled(s policy.Spec) (*policy.Condition, error) {
	c, is := policy.Compile(s)
	return c, is.Err()
}

// Healthy blocks until samples that are younger than after prove a thing healthy,
// and says what did; or returns why they do not, at the end of its time at the
// latest. Concurrent.
func (j *Judge) Healthy(ctx context.Context, h reconcile.Health, after clock.Stamp) (string, error) {
	cond, err := HealthCondition(h)
	if err != nil {
		return "", err
	}
	v := &verification{need: max(1, h.Successes), direct: true, timed: cond.TimeDriven, done: make(chan struct{})}
	what := h.Expr
	if h.Check != "" {
		what = "check " + h.Check
	}
	stop := j.states.Listen("health: "+what, cond, shard.Listener{Any: true, After: j.here(after), Saw: v.saw})
	defer stop()
	limit := h.Timeout.Std()
	if limit <= 0 {
		limit = healthTime
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-v.done:
		return what, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-t.C:
	}
	a := v.answer()
	return "", fault.New(fault.Conflict, "%s: not within %v: %s", what, limit, a.Reason)
}
