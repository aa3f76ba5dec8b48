package evaluate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/shard"
)

// Look is one instance as it stands, for the length of a callback under its
// shard's lock: what it points to must not be kept.
type Look struct {
	Policy   *shard.Policy
	Instance *policy.Instance
	Row      engine.FiringRow
	Anchor   bool
	Firing   bool
	Now      int64         // the moment on the instance's own sample clock, Unix ms
	For      time.Duration // how long it fires
	Cause    string        // the deepest cause that fires, "" none
	Cold     string        // why it may not act yet, "" when it is warm
	Trusted  bool          // samples of its series may lead to an act
}

// Lookup finds a policy by name; what it points to is shared and immutable.
func (e *Evaluator) Lookup(name string) (shard.Policy, bool) {
	en := e.entry(name)
	if en == nil {
		return shard.Policy{}, false
	}
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	return en.P, true
}

// Each calls f with every policy there is, in no order.
func (e *Evaluator) Each(f func(shard.Policy)) {
	for _, en := range *e.all.Load() {
		en.Shard.Mu.Lock()
		p := en.P
		en.Shard.Mu.Unlock()
		f(p)
	}
}

// Inspect calls f with each instance of a policy, in no order; false when there
// is no such policy. f must not block or call back.
func (e *Evaluator) Inspect(name string, f func(*Look)) bool {
	en := e.entry(name)
	if en == nil {
		return false
	}
	now := e.clock()
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	for _, x := range en.Insts {
		if !x.Dead {
			e.look(x, now, f)
		}
	}
	return true
}

// InspectOne is Inspect for one instance; found is false when there is none.
func (e *Evaluator) InspectOne(name string, fp uint64, f func(*Look)) (found bool) {
	en := e.entry(name)
	if en == nil {
		return false
	}
	now := e.clock()
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	x := en.Insts[fp]
	if x == nil || x.Dead {
		return false
	}
	e.look(x, now, f)
	return true
}

func (e *Evaluator) look(x *shard.Instance, now clock.Stamp, f func(*Look)) {
	l := Look{
		Policy: &x.En.P, Instance: x.In, Row: x.Row, Anchor: x.En.Anchor == x, Firing: x.IsFiring(), Now: x.Now(now),
		Cause: x.Cause(), Cold: e.warmth(x, now), Trusted: x.Trusted(e.cfg.AuthOpen),
	}
	if l.Firing {
		l.For, _ = now.Sub(x.Row.State.Fired)
	}
	f(&l)
}

// warmth is why an instance may not act yet, "" when it may: its windows are
// refilled and a sample has come since the start (for one that time alone moves:
// the start is longer ago than its window), and the host's boot is over.
func (e *Evaluator) warmth(x *shard.Instance, now clock.Stamp) string {
	up, _ := now.Sub(e.started)
	switch {
	case x.Cold:
		return "its windows are being refilled"
	case time.Duration(now.Boot) < e.cfg.BootGrace:
		return "the host booted less than " + e.cfg.BootGrace.String() + " ago"
	case x.Fresh, x.En.Cond.TimeDriven && up >= x.En.Cond.Widest:
		return ""
	}
	return "no sample has come since vigild started"
}

// View shows a policy; ok is false when there is none.
func (e *Evaluator) View(name string) (v engine.PolicyView, ok bool) {
	en := e.entry(name)
	if en == nil {
		return v, false
	}
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	v = engine.PolicyView{
		PolicyDocument: en.P.Doc, Owner: en.P.Owner, Place: en.P.Place, Version: en.P.Version,
		Instances: len(en.Insts), Firing: int(en.Firing.Load()), Created: en.P.Created, Updated: en.P.Updated,
	}
	if en.Cond != nil {
		v.Bytes = en.Cond.Bytes() * len(en.Insts)
	}
	return v, true
}

// Firings shows every instance that is not ok, by policy and target.
func (e *Evaluator) Firings() []engine.FiringView { return e.States(false) }

// States is Firings, with those that are ok when all is asked for.
func (e *Evaluator) States(all bool) []engine.FiringView {
	var out []engine.FiringView
	now := e.clock()
	for _, en := range *e.all.Load() {
		en.Shard.Mu.Lock()
		for _, x := range en.Insts {
			st := x.Row.State
			if !all && st.State == policy.StateOK {
				continue
			}
			out = append(out, engine.FiringView{
				Policy: en.Name, Severity: en.P.Doc.Severity, Fingerprint: fmt.Sprintf("%016x", x.FP), Labels: x.Labels,
				Target: x.Row.Target, State: st.State, Since: st.Since, Value: shard.Finite(st.Value), By: st.By,
				Warm: e.warmth(x, now) == "",
			})
		}
		en.Shard.Mu.Unlock()
	}
	slices.SortFunc(out, func(a, b engine.FiringView) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}
