package engine

import (
	"context"
	"encoding/json"
	"time"

	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Facts gathers what the gates ask, as of this instant. It takes locks of
// memory only.
func (e *Engine) Facts(_ context.Context, r remedy.Remediation, spec remedy.Spec) (remedy.Facts, error) {
	now := e.clock()
	f := remedy.Facts{At: now, Spec: spec, Warm: true, Trusted: true}
	e.holds.facts(&f, r, now)
	if r.Policy == "" {
		f.Holds = int8(policy.True)
		return f, nil
	}
	en := e.reg.entry(r.Policy)
	if en == nil || en.broken != "" {
		f.Holds = int8(policy.False)
		f.Evidence = json.RawMessage(`{"reason":"the policy is gone"}`)
		return f, nil
	}
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	x := en.insts[r.Fingerprint]
	if x == nil || x.dead {
		f.Holds = int8(policy.False)
		f.Evidence = json.RawMessage(`{"reason":"its series is gone"}`)
		return f, nil
	}
	if !en.doc.Enabled || en.doc.Mode == "off" {
		f.Holds = int8(policy.False)
		f.Evidence = json.RawMessage(`{"reason":"the policy was turned off"}`)
		return f, nil
	}
	f.Evaluation, f.FiringVersion = x.row.Evaluation, x.row.Version
	f.Flapping = x.row.State.State == policy.StateFlapping
	f.Trusted = x.trusted(e.cfg.AuthOpen)
	f.Warm = e.warmth(x, now) == ""
	f.Cause = e.cause(en)
	f.Holds = int8(e.holding(x, now))
	f.Evidence, _ = json.Marshal(x.in.Explain())
	return f, nil
}

// holding looks at the condition at this instant: true while the firing has not
// cleared, unknown while an input is.
func (e *Engine) holding(x *instance, now clock.Stamp) policy.Truth {
	if !x.isFiring() && x.row.State.State != policy.StateFlapping {
		if x.row.State.State == policy.StateUnknown {
			return policy.Unknown
		}
		return policy.False
	}
	d, _ := now.Sub(x.row.State.Fired)
	ev := x.in.Evaluate(x.now(now), true, d)
	switch {
	case ev.NoData && x.en.cond.Spec.NoData == policy.NoDataFire:
		return policy.True
	case ev.Clear == policy.True:
		return policy.False
	case ev.Fire == policy.Unknown || ev.NoData:
		return policy.Unknown
	}
	return policy.True
}

// warmth is why an instance may not act yet, "" when it may: its windows are
// refilled and a sample has come since the start (for one that nothing matches:
// the start is longer ago than its window), and the host's boot is over.
func (e *Engine) warmth(x *instance, now clock.Stamp) string {
	if x.cold {
		return "its windows are being refilled"
	}
	if time.Duration(now.Boot) < e.cfg.BootGrace {
		return "the host booted less than " + e.cfg.BootGrace.String() + " ago"
	}
	if x.fresh {
		return ""
	}
	if up, _ := now.Sub(e.started); x.en.cond.TimeDriven && up >= x.en.cond.Widest {
		return ""
	}
	return "no sample has come since vigild started"
}

// Verify waits until samples younger than `after` show how the remedy did.
func (e *Engine) Verify(ctx context.Context, r remedy.Remediation, after, deadline clock.Stamp) (remedy.Verification, error) {
	if r.Policy == "" {
		return remedy.Verification{OK: true, Reason: "a direct action has nothing to verify"}, nil
	}
	en := e.reg.entry(r.Policy)
	if en == nil || en.broken != "" {
		return remedy.Verification{OK: true, Reason: "the policy is gone"}, nil
	}
	v, ven, err := e.verifier(en, r, after)
	if err != nil {
		return remedy.Verification{}, err
	}
	e.reg.mu.Lock()
	e.reg.enter(e, ven)
	e.reg.mu.Unlock()
	defer func() {
		e.reg.mu.Lock()
		e.reg.leave(ven)
		e.reg.mu.Unlock()
	}()
	// Its windows begin empty on purpose: nothing older than the act may count.
	e.warm(ven)
	left, _ := deadline.Sub(e.clock())
	t := time.NewTimer(max(left, 0))
	defer t.Stop()
	select {
	case out := <-v.done:
		return out, nil
	case <-ctx.Done():
		return remedy.Verification{}, ctx.Err()
	case <-t.C:
		return v.expired(ven), nil
	}
}

// warm ends the refill of an entry without pouring anything in.
func (e *Engine) warm(en *entry) {
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	en.filling = false
	for _, x := range en.insts {
		x.cold, x.backlog = false, nil
	}
}

// verification is the watcher of one remedy. Under the lock of its shard.
type verification struct {
	fp     uint64
	anchor bool
	after  int64 // Unix ms on the wall clock of samples
	direct bool  // an expression of its own: true is success; else fire must be false
	need   int
	got    int
	looks  int
	last   policy.Explanation
	said   policy.Truth
	seen   int64
	over   bool
	done   chan remedy.Verification
}

func (e *Engine) verifier(en *entry, r remedy.Remediation, after clock.Stamp) (*verification, *entry, error) {
	v := &verification{fp: r.Fingerprint, after: after.Millis(), need: 1, done: make(chan remedy.Verification, 1)}
	cond := en.cond
	if p := r.Plan.Verify; p != nil {
		v.need = max(1, p.Successes)
		if p.Expr != "" {
			c, is := policy.Compile(policy.Spec{Match: en.cond.Spec.Match, Fire: p.Expr, On: en.cond.Spec.On})
			if len(is) > 0 {
				return nil, nil, is
			}
			cond, v.direct = c, true
		}
	}
	_, byEquality := en.cond.Match.Anchor()
	en.shard.mu.Lock()
	if x := en.insts[r.Fingerprint]; byEquality && (x == nil || x.anchor) {
		v.anchor = true
	}
	en.shard.mu.Unlock()
	ven := &entry{doc: PolicyDocument{Name: r.Policy}, cond: cond, shard: en.shard, insts: map[uint64]*instance{}, verify: v, filling: true}
	return v, ven, nil
}

// saw takes one evaluation; the shard's lock is held.
func (v *verification) saw(x *instance, ev policy.Evaluation) {
	if v.over || ev.Newest <= v.after || (ev.Newest == v.seen && !x.en.cond.TimeDriven) {
		return
	}
	v.seen = ev.Newest
	v.looks++
	truth := ev.Fire
	if !v.direct {
		truth = -truth
	}
	v.said = truth
	if truth != policy.True {
		v.got = 0
		v.last = x.in.Explain()
		return
	}
	if v.got++; v.got < v.need {
		return
	}
	v.over = true
	evidence, _ := json.Marshal(x.in.Explain())
	v.done <- remedy.Verification{OK: true, Reason: "samples after the act show it", Evidence: evidence}
}

// expired is the answer when the time is over.
func (v *verification) expired(ven *entry) remedy.Verification {
	ven.shard.mu.Lock()
	defer ven.shard.mu.Unlock()
	select {
	case out := <-v.done:
		return out
	default:
	}
	v.over = true
	out := remedy.Verification{Reason: "no sample came after the act"}
	switch {
	case v.looks > 0 && v.said == policy.Unknown:
		out.Reason = "the samples after the act do not say (unknown is not success)"
	case v.looks > 0 && v.said == policy.True:
		out.Reason = "it looked well, but not often enough in the time given"
	case v.looks > 0:
		out.Reason = "the samples after the act say that it did not help"
	}
	if v.looks > 0 {
		out.Evidence, _ = json.Marshal(v.last)
	}
	return out
}

// pointAfter is whether a point may count for a verification at all.
func (v *verification) pointAfter(p series.Point) bool { return p.T > v.after }
