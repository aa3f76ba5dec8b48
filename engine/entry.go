package engine

import (
	"sync/atomic"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// entry is one policy as the evaluator holds it. Its identity in memory stays
// while match and fire stay; doc and what follows from it may be replaced under
// the shard's lock.
type entry struct {
	cond  *policy.Condition
	shard *shard

	// Under shard.mu:
	doc     PolicyDocument
	owner   document.Owner
	place   string
	version int64
	created clock.Stamp
	updated clock.Stamp
	broken  string // why it cannot be evaluated, "" if it can
	insts   map[uint64]*instance

	filling bool   // windows are still to be refilled: new instances begin cold
	inherit *entry // the policy before an edit that keeps its firings

	firing atomic.Int32 // instances that fire, read by dependents of any shard

	// A verification is an entry of its own: it watches one label set and tells
	// its outcome instead of firing.
	verify *verification
}

// name is the policy's; it never changes.
func (en *entry) name() string { return en.doc.Name }

// instance is one series (or the selector's anchor) under one policy. It
// belongs to its entry's shard and is touched under that shard's lock alone.
type instance struct {
	en     *entry
	in     *policy.Instance
	fp     uint64
	labels series.Labels
	anchor bool // stands for a selector that nothing matches

	row      FiringRow // as the ledger has it (Version) with the newest State
	stored   policy.Firing
	dead     bool
	cold     bool // windows not refilled yet: points wait in backlog
	backlog  []waiting
	fresh    bool // a sample since start: warm, with the refill
	remedied bool // this episode has had its remediation
	era      uint32

	// The instance's own sample clock: when its newest sample arrived. Silence is
	// measured on the boot clock, so a step of the wall clock makes nothing old.
	arrived clock.Stamp

	touched uint64 // shard.round in which a sample touched it
	wakeAt  int64  // boot ns; 0 none
	checkAt int64  // boot ns: when a firing without a live remediation is looked at
}

type waiting struct {
	source int
	ref    series.Ref
	p      series.Point
	at     clock.Stamp
}

func newInstance(en *entry, ls series.Labels, cold bool) *instance {
	in := en.cond.Instance(ls)
	return &instance{
		en: en, in: in, fp: ls.Fingerprint(), labels: ls, cold: cold,
		row: FiringRow{
			Policy: en.name(), Fingerprint: ls.Fingerprint(), Labels: ls, Target: in.Target,
			State: policy.Firing{State: policy.StateOK},
		},
	}
}

// isFiring reports whether the condition counts as firing for people and for
// the expression language.
func (x *instance) isFiring() bool {
	s := x.row.State.State
	return s == policy.StateFiring || s == policy.StateRecovering
}

// now is the moment on the instance's own sample clock, in Unix ms.
func (x *instance) now(at clock.Stamp) int64 {
	if x.arrived.IsZero() || x.arrived.BootID != at.BootID {
		return at.Millis()
	}
	return x.arrived.Millis() + (at.Boot-x.arrived.Boot)/1e6
}

// trusted reports whether samples of this series may lead to an act.
func (x *instance) trusted(open bool) bool {
	return open || x.en.doc.Accept == series.OriginOpen || x.labels.Get(series.OriginLabel) != series.OriginOpen
}

// attach joins a live series to a source of an entry; r.mu is held for writing.
func (r *registry) attach(e *Engine, h hook, lv *live) {
	en := h.en
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	if en.broken != "" {
		return
	}
	if h.source > 0 {
		for _, x := range en.insts {
			if en.cond.Joins(h.source, x.labels, lv.labels) {
				r.publish(lv, tap{x, h.source})
			}
		}
		return
	}
	fp := lv.labels.Fingerprint()
	if v := en.verify; v != nil && !v.anchor && fp != v.fp {
		return
	}
	x := en.insts[fp]
	fresh := x == nil
	if fresh {
		x = newInstance(en, lv.labels, en.filling)
		e.restore(x)
		en.insts[fp] = x
	}
	x.anchor = false
	for ofp, o := range en.insts {
		if o.anchor && ofp != fp {
			en.shard.retire(o, "a series that matches has appeared")
		}
	}
	r.publish(lv, tap{x, 0})
	if fresh {
		r.join(x)
	}
}

// join publishes the taps of an instance's joined sources; r.mu is held.
func (r *registry) join(x *instance) {
	for i, src := range x.en.cond.Sources {
		if i == 0 {
			continue
		}
		for _, lv := range r.candidates(src.Selector) {
			if x.en.cond.Joins(i, x.labels, lv.labels) {
				r.publish(lv, tap{x, i})
			}
		}
	}
}

// drop ends what a series meant to every policy that watched it.
func (r *registry) drop(e *Engine, ref series.Ref, l series.Local) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lv := r.locals[l]
	if lv == nil || lv.ref != ref {
		return
	}
	delete(r.locals, l)
	if m := r.names[lv.labels.Name()]; m != nil {
		delete(m, ref)
		if len(m) == 0 {
			delete(r.names, lv.labels.Name())
		}
	}
	slot := r.slot(l)
	w := slot.Load()
	slot.Store(nil)
	if w == nil {
		return
	}
	for _, t := range w.taps {
		en := t.inst.en
		en.shard.mu.Lock()
		t.inst.in.Forget(t.source, ref)
		if t.source == 0 {
			en.shard.retire(t.inst, "the series was dropped from the store")
		}
		en.shard.mu.Unlock()
		if t.source == 0 {
			r.anchorOf(e, en)
		}
	}
}

// enter makes an entry known, with its instances; r.mu is held for writing.
// rows are what the ledger knows of it, by fingerprint.
func (r *registry) enter(e *Engine, en *entry) {
	if en.verify == nil {
		r.entries[en.name()] = en
	}
	if en.broken != "" {
		return
	}
	en.filling = true
	r.index(en, true)
	for _, lv := range r.candidates(en.cond.Match) {
		r.attach(e, hook{en, 0}, lv)
	}
	if old := en.inherit; old != nil {
		en.shard.mu.Lock()
		for fp, ox := range old.insts {
			if en.insts[fp] == nil && ox.row.State.State != policy.StateOK {
				x := newInstance(en, ox.labels, true)
				x.anchor = ox.anchor
				e.restore(x)
				en.insts[fp] = x
			}
		}
		en.inherit = nil
		en.shard.mu.Unlock()
	}
	r.anchorOf(e, en)
}

// anchorOf makes the instance of a selector that nothing matches, so that
// `absent` can speak.
func (r *registry) anchorOf(e *Engine, en *entry) {
	ls, ok := en.cond.Match.Anchor()
	if !ok || !en.cond.TimeDriven {
		return
	}
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	if len(en.insts) > 0 {
		return
	}
	x := newInstance(en, ls, false)
	x.anchor = true
	e.restore(x)
	en.insts[x.fp] = x
	r.join(x)
	en.shard.schedule(x, e.clock().Add(secondsOne))
}

// leave makes an entry unknown again; r.mu is held for writing.
func (r *registry) leave(en *entry) {
	if r.entries[en.name()] == en {
		delete(r.entries, en.name())
	}
	if en.broken != "" {
		return
	}
	r.index(en, false)
	gone := func(t tap) bool { return t.inst.en == en }
	for _, src := range en.cond.Sources {
		for _, lv := range r.candidates(src.Selector) {
			r.unpublish(lv, gone)
		}
	}
	en.shard.mu.Lock()
	for _, x := range en.insts {
		x.dead = true
	}
	en.shard.mu.Unlock()
}
