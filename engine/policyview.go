package engine

import (
	"cmp"
	"fmt"
	"slices"

	"vigil/engine/fault"
	"vigil/engine/policy"
)

// Policy shows one policy; NotFound if there is none.
func (e *Engine) Policy(name string) (PolicyView, error) {
	en := e.reg.entry(name)
	if en == nil {
		return PolicyView{}, fault.New(fault.NotFound, "Policy '%s' not found", name)
	}
	return en.view(), nil
}

// Policies shows all, by name.
func (e *Engine) Policies() []PolicyView {
	all := *e.reg.all.Load()
	out := make([]PolicyView, 0, len(all))
	for _, en := range all {
		out = append(out, en.view())
	}
	slices.SortFunc(out, func(a, b PolicyView) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (en *entry) view() PolicyView {
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	v := PolicyView{
		PolicyDocument: en.doc, Owner: en.owner, Place: en.place, Version: en.version,
		Instances: len(en.insts), Firing: int(en.firing.Load()), Created: en.created, Updated: en.updated,
	}
	if en.cond != nil {
		v.Bytes = en.cond.Bytes() * len(en.insts)
	}
	return v
}

// Firings shows every instance that is not ok, and with them those that are
// when all is asked for, by policy and target.
func (e *Engine) Firings() []FiringView { return e.firings(false) }

func (e *Engine) firings(all bool) []FiringView {
	var out []FiringView
	for _, en := range *e.reg.all.Load() {
		en.shard.mu.Lock()
		for _, x := range en.insts {
			if all || x.row.State.State != policy.StateOK {
				out = append(out, e.viewOf(x))
			}
		}
		en.shard.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b FiringView) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}

func (e *Engine) viewOf(x *instance) FiringView {
	st := x.row.State
	return FiringView{
		Policy: x.en.name(), Severity: x.en.doc.Severity, Fingerprint: fmt.Sprintf("%016x", x.fp), Labels: x.labels,
		Target: x.row.Target, State: st.State, Since: st.Since, Value: finite(st.Value), By: st.By, Warm: e.warmth(x, e.clock()) == "",
	}
}
