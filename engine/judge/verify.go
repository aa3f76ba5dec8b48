package judge

import (
	"context"
	"sync"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/evaluate"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/shard"
)

// unasked is the answer for a policy that is gone, or that cannot be evaluated any
// more: nothing says what would be a success, and the act did not fail.
var unasked = remedy.Verification{Unasked: true, Reason: "the policy went away while its act was verified"}

// Verify waits until samples younger than `after` show how the remedy did.
func (j *Judge) Verify(ctx context.Context, r remedy.Remediation, after, deadline clock.Stamp) (remedy.Verification, error) {
	if r.Source == remedy.FromReconcile && j.desired != nil {
		return j.desired.Verify(ctx, r)
	}
	if r.Policy == "" {
		return remedy.Verification{OK: true, Reason: "a direct action has nothing to verify"}, nil
	}
	p, ok := j.states.Lookup(r.Policy)
	if !ok || p.Cond == nil {
		return unasked, nil
	}
	v := &verification{need: 1, done: make(chan struct{})}
	cond := p.Cond
	if pv := r.Plan.Verify; pv != nil {
		v.need = max(1, pv.Successes)
		if pv.Expr != "" {
			c, is := policy.Compile(policy.Spec{Match: p.Cond.Spec.Match, Fire: pv.Expr, On: p.Cond.Spec.On})
			if err := is.Err(); err != nil {
				return remedy.Verification{}, err
			}
			cond, v.direct = c, true
		}
	}
	v.timed = cond.TimeDriven
	l := shard.Listener{Fingerprint: r.Fingerprint, After: j.here(after), Saw: v.saw}
	if !j.states.InspectOne(r.Policy, r.Fingerprint, func(k *evaluate.Look) { l.Any = k.Anchor }) {
		// Its series may come back under the act: listen to all that match.
		l.Any = true
	}
	stop := j.states.Listen(r.Policy, cond, l)
	defer stop()
	left, _ := deadline.Sub(j.clock())
	t := time.NewTimer(max(left, 0))
	defer t.Stop()
	select {
	case <-v.done:
	case <-ctx.Done():
		return remedy.Verification{}, ctx.Err()
	case <-t.C:
	}
	out := v.answer()
	if p, ok := j.states.Lookup(r.Policy); !out.OK && (!ok || p.Cond == nil) {
		return unasked, nil
	}
	return out, nil
}

// here is a moment as one of this boot: of an earlier one no more than the wall clock
// is known, and that may have been ahead.
func (j *Judge) here(s clock.Stamp) clock.Stamp {
	now := j.clock()
	if _, same := s.Sub(now); same {
		return s
	}
	return now.Add(min(0, time.Duration(s.Wall-now.Wall)*time.Microsecond))
}

// verification counts what it sees.
type verification struct {
	direct bool // an expression of its own: true is success; else fire must be false
	timed  bool // time alone may change its truth
	need   int

	mu    sync.Mutex
	got   int
	looks int
	said  policy.Truth
	last  policy.Explanation
	seen  int64
	ok    bool
	done  chan struct{}
}

// saw takes one evaluation.
func (v *verification) saw(in *policy.Instance, ev policy.Evaluation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ok || ev.Newest == 0 || (ev.Newest == v.seen && !v.timed) {
		return
	}
	v.seen = ev.Newest
	v.looks++
	v.said = ev.Fire
	if !v.direct {
		v.said = -ev.Fire
	}
	if v.said != policy.True {
		v.got = 0
		v.last = in.Explain()
		return
	}
	if v.got++; v.got < v.need {
		return
	}
	v.ok, v.last = true, in.Explain()
	close(v.done)
}

func (v *verification) answer() remedy.Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := remedy.Verification{OK: v.ok}
	switch {
	case v.ok:
		out.Reason = "samples after the act show that it worked"
	case v.looks == 0:
		out.Reason = "no sample came after the act"
		return out
	case v.said == policy.Unknown:
		out.Reason = "the samples after the act do not say (unknown is not success)"
	case v.said == policy.True:
		out.Reason = "it looked well, but not often enough in the time given"
	default:
		out.Reason = "the samples after the act say that it did not help"
	}
	out.Evidence = audit.Evidence(v.last)
	return out
}
