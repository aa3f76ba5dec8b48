package evaluate

import (
	"slices"
	"time"

	"vigil/engine/match"
	"vigil/engine/policy"
	"vigil/engine/shard"
)

func (e *Evaluator) newEntry(p shard.Policy) *shard.Entry {
	return shard.NewEntry(p, e.shardOf(p.Doc.Name))
}

// hook is one source of one entry: what the index subscribes.
type hook struct {
	en     *shard.Entry
	source int
}

// attach joins a live series to a source of an entry; the index is locked.
func (e *Evaluator) attach(h hook, lv *match.Live) {
	en := h.en
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	if h.source > 0 {
		for _, x := range en.Joined(h.source, lv.Labels) {
			e.index.Tap(lv, shard.Tap{Inst: x, Source: h.source})
		}
		return
	}
	if !en.Cond.Selects(lv.Labels) {
		return // its target is not the policy's
	}
	fp := lv.Labels.Fingerprint()
	if l := en.Listen; l != nil && !l.Any && fp != l.Fingerprint {
		return
	}
	x := en.Insts[fp]
	fresh := x == nil
	if fresh {
		x = shard.NewInstance(en, lv.Labels, en.Filling)
		e.restore(x)
		en.Put(x)
	}
	// Looked up and not looked for: a policy may match every series that there is.
	if old := en.Anchor; old != nil {
		if en.Anchor = nil; old != x {
			en.Shard.Retire(old, "a series that matches has appeared")
			e.part(old)
		}
	}
	e.index.Tap(lv, shard.Tap{Inst: x, Source: 0})
	if fresh {
		e.join(x)
	}
}

// join taps the joined sources of an instance; the index is locked.
func (e *Evaluator) join(x *shard.Instance) { e.joined(x, e.index.Tap) }

// part undoes join, of an instance that is retired: what it joined may live on.
func (e *Evaluator) part(x *shard.Instance) { e.joined(x, e.index.Release) }

// joined gives what an instance joins; the index is locked.
func (e *Evaluator) joined(x *shard.Instance, to func(*match.Live, shard.Tap)) {
	for i, src := range x.En.Cond.Sources {
		if i == 0 {
			continue
		}
		for _, lv := range e.index.Joined(src.Selector, x.Labels, src.On) {
			e.count.Compared.Add(1)
			if x.En.Cond.Joins(i, x.Labels, lv.Labels) {
				to(lv, shard.Tap{Inst: x, Source: i})
			}
		}
	}
}

// enter makes an entry known, with its instances; the index is locked.
func (e *Evaluator) enter(en *shard.Entry) {
	if en.Listen == nil {
		e.entries[en.Name] = en
	}
	if en.Cond == nil {
		return
	}
	en.Shard.Mu.Lock()
	en.Filling = true
	en.Shard.Mu.Unlock()
	for i, src := range en.Cond.Sources {
		e.index.Add(hook{en, i}, src.Selector)
	}
	for _, lv := range e.index.Candidates(en.Cond.Match) {
		e.attach(hook{en, 0}, lv)
	}
	e.takeOver(en)
	e.anchorOf(en)
}

// takeOver makes instances for what the policy before an edit still had a state
// for, though its series is not live.
func (e *Evaluator) takeOver(en *shard.Entry) {
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	if en.Inherit == nil {
		return
	}
	for fp, old := range en.Inherit.Insts {
		if en.Insts[fp] == nil && old.Row.State.State != policy.StateOK {
			x := shard.NewInstance(en, old.Labels, true)
			e.restore(x)
			en.Put(x)
			e.join(x)
			if en.Inherit.Anchor == old {
				en.Anchor = x
			}
		}
	}
	en.Inherit = nil
}

// anchorOf makes the instance of a selector that nothing matches, so that
// `absent` can speak; the index is locked.
func (e *Evaluator) anchorOf(en *shard.Entry) {
	ls, ok := en.Cond.Match.Anchor()
	if !ok || !en.Cond.TimeDriven || !en.Cond.Selects(ls) {
		return
	}
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	if len(en.Insts) > 0 {
		return
	}
	x := shard.NewInstance(en, ls, false)
	e.restore(x)
	en.Put(x)
	en.Anchor = x
	e.join(x)
	en.Shard.Schedule(x, e.clock().Add(time.Second))
	en.Shard.Poke() // it may sleep for an hour: no sample need come to it
}

// leave makes an entry unknown again; the index is locked.
func (e *Evaluator) leave(en *shard.Entry) {
	if e.entries[en.Name] == en {
		delete(e.entries, en.Name)
	}
	if en.Cond == nil {
		return
	}
	for i, src := range en.Cond.Sources {
		e.index.Remove(hook{en, i}, src.Selector)
	}
	gone := func(t shard.Tap) bool { return t.Inst.En == en }
	for _, src := range en.Cond.Sources {
		for _, lv := range e.index.Candidates(src.Selector) {
			e.index.Untap(lv, gone)
		}
	}
	en.Shard.Mu.Lock()
	for _, x := range en.Insts {
		en.Shard.Forget(x)
	}
	en.Shard.Mu.Unlock()
}

// link publishes the policies by name and their dependencies after a change.
func (e *Evaluator) link() {
	e.index.Mu.RLock()
	defer e.index.Mu.RUnlock()
	deps := make(map[string]*shard.Dep, len(e.entries))
	all := make(map[string]*shard.Entry, len(e.entries))
	for n, en := range e.entries {
		en.Shard.Mu.Lock()
		on := slices.Clone(en.P.Doc.DependsOn)
		en.Shard.Mu.Unlock()
		all[n], deps[n] = en, &shard.Dep{On: on, Causing: &en.Causing}
	}
	e.deps.Store(&deps)
	e.all.Store(&all)
}

// entry finds a policy without a lock; nil if there is none.
func (e *Evaluator) entry(name string) *shard.Entry { return (*e.all.Load())[name] }
