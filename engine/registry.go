package engine

import (
	"sync"
	"sync/atomic"

	"vigil/engine/series"
)

// watch is what a live series means to the evaluator. Immutable once published;
// a change publishes another.
type watch struct {
	ref    series.Ref
	labels series.Labels
	taps   []tap
	shards []*shard // distinct shards of the taps
}

// tap leads from a series to a source of one instance.
type tap struct {
	inst   *instance
	source int
}

// live is a series as the registry keeps it.
type live struct {
	ref    series.Ref
	local  series.Local
	labels series.Labels
}

// registry matches series with policies: when a series is registered or a
// policy changes, never when a sample comes.
//
// Lock order: registry, then a shard. A shard never asks the registry.
type registry struct {
	pages atomic.Pointer[[]*page]
	deps  atomic.Pointer[map[string]*dep] // who depends on whom, for the evaluators
	all   atomic.Pointer[map[string]*entry]

	mu      sync.RWMutex
	names   map[string]map[series.Ref]*live // metric name -> its live series
	locals  map[series.Local]*live
	entries map[string]*entry
	byName  map[string]*nameIndex
	loose   map[*entry]int // entries with a source that names no metric
}

// nameIndex holds the sources that read one metric name, split by an equality
// label where the selector has one.
type nameIndex struct {
	equal map[series.Label][]hook
	rest  []hook
}

// hook is one source of one policy.
type hook struct {
	en     *entry
	source int
}

// dep is a policy as others depend on it.
type dep struct {
	on     []string
	firing *atomic.Int32
}

const pageSize = 4096

type page [pageSize]atomic.Pointer[watch]

func (r *registry) init() {
	r.names = map[string]map[series.Ref]*live{}
	r.locals = map[series.Local]*live{}
	r.entries = map[string]*entry{}
	r.byName = map[string]*nameIndex{}
	r.loose = map[*entry]int{}
	r.pages.Store(&[]*page{})
	r.deps.Store(&map[string]*dep{})
	r.all.Store(&map[string]*entry{})
}

// link publishes the policies by name and their dependencies after a change.
func (r *registry) link() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	deps := make(map[string]*dep, len(r.entries))
	all := make(map[string]*entry, len(r.entries))
	for n, en := range r.entries {
		all[n] = en
		deps[n] = &dep{on: en.doc.DependsOn, firing: &en.firing}
	}
	r.deps.Store(&deps)
	r.all.Store(&all)
}

// entry finds a policy without a lock; nil if there is none.
func (r *registry) entry(name string) *entry { return (*r.all.Load())[name] }

// watch is the hot path: nil for a series that no policy watches.
func (r *registry) watch(l series.Local) *watch {
	ps := *r.pages.Load()
	if int(l/pageSize) >= len(ps) {
		return nil
	}
	return ps[l/pageSize][l%pageSize].Load()
}

// slot is where the watch of a local index lies; r.mu is held for writing.
func (r *registry) slot(l series.Local) *atomic.Pointer[watch] {
	ps := *r.pages.Load()
	for int(l/pageSize) >= len(ps) {
		ps = append(ps[:len(ps):len(ps)], new(page))
	}
	r.pages.Store(&ps)
	return &ps[l/pageSize][l%pageSize]
}

func (r *registry) register(e *Engine, ref series.Ref, l series.Local, ls series.Labels) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lv := &live{ref, l, ls}
	name := ls.Name()
	if r.names[name] == nil {
		r.names[name] = map[series.Ref]*live{}
	}
	r.names[name][ref] = lv
	r.locals[l] = lv
	slot := r.slot(l)
	slot.Store(nil)
	for _, h := range r.hooksFor(ls) {
		if h.en.cond.Sources[h.source].Selector.Matches(ls) {
			r.attach(e, h, lv)
		}
	}
}

// hooksFor lists the sources that may read a series, without looking at others.
func (r *registry) hooksFor(ls series.Labels) []hook {
	var out []hook
	if ix := r.byName[ls.Name()]; ix != nil {
		out = append(out, ix.rest...)
		if len(ix.equal) > 0 {
			for _, l := range ls {
				out = append(out, ix.equal[l]...)
			}
		}
	}
	for en := range r.loose {
		for i, src := range en.cond.Sources {
			if src.Selector.Name() == "" {
				out = append(out, hook{en, i})
			}
		}
	}
	return out
}

// index adds or removes the sources of an entry.
func (r *registry) index(en *entry, add bool) {
	for i, src := range en.cond.Sources {
		name := src.Selector.Name()
		if name == "" {
			if add {
				r.loose[en]++
			} else {
				delete(r.loose, en)
			}
			continue
		}
		ix := r.byName[name]
		if ix == nil {
			ix = &nameIndex{equal: map[series.Label][]hook{}}
			r.byName[name] = ix
		}
		h, key := hook{en, i}, series.Label{}
		for _, m := range src.Selector {
			if m.Type == series.MatchEqual && m.Name != series.NameLabel && m.Value != "" {
				key = series.Label{Name: m.Name, Value: m.Value}
				break
			}
		}
		list := &ix.rest
		if key.Name != "" {
			l := ix.equal[key]
			list = &l
		}
		if add {
			*list = append(*list, h)
		} else {
			for j := range *list {
				if (*list)[j] == h {
					*list = append((*list)[:j:j], (*list)[j+1:]...)
					break
				}
			}
		}
		if key.Name != "" {
			if len(*list) == 0 {
				delete(ix.equal, key)
			} else {
				ix.equal[key] = *list
			}
		}
		if len(ix.rest) == 0 && len(ix.equal) == 0 {
			delete(r.byName, name)
		}
	}
}

// candidates lists the live series that a selector may match.
func (r *registry) candidates(sel series.Selector) []*live {
	var out []*live
	if n := sel.Name(); n != "" {
		for _, lv := range r.names[n] {
			if sel.Matches(lv.labels) {
				out = append(out, lv)
			}
		}
		return out
	}
	for _, m := range r.names {
		for _, lv := range m {
			if sel.Matches(lv.labels) {
				out = append(out, lv)
			}
		}
	}
	return out
}

// publish makes a tap visible to the hot path; r.mu is held for writing.
func (r *registry) publish(lv *live, t tap) {
	slot := r.slot(lv.local)
	old := slot.Load()
	w := &watch{ref: lv.ref, labels: lv.labels}
	if old != nil {
		w.taps = append(w.taps, old.taps...)
	}
	for _, x := range w.taps {
		if x == t {
			return
		}
	}
	w.taps = append(w.taps, t)
	w.sort()
	slot.Store(w)
}

// unpublish removes every tap of an entry from one series.
func (r *registry) unpublish(lv *live, gone func(tap) bool) {
	slot := r.slot(lv.local)
	old := slot.Load()
	if old == nil {
		return
	}
	w := &watch{ref: old.ref, labels: old.labels}
	for _, t := range old.taps {
		if !gone(t) {
			w.taps = append(w.taps, t)
		}
	}
	if len(w.taps) == 0 {
		slot.Store(nil)
		return
	}
	w.sort()
	slot.Store(w)
}

func (w *watch) sort() {
	for _, t := range w.taps {
		seen := false
		for _, s := range w.shards {
			seen = seen || s == t.inst.en.shard
		}
		if !seen {
			w.shards = append(w.shards, t.inst.en.shard)
		}
	}
}
