package match

import (
	"slices"
	"sync/atomic"

	"vigil/engine/series"
)

// Candidates lists the live series that a selector matches.
func (x *Index[K, T]) Candidates(sel series.Selector) []*Live {
	var out []*Live
	take := func(ls map[series.Local]struct{}) {
		for l := range ls {
			p := x.page(l)
			k := p.known[l%pageSize]
			if !sel.MatchesKey(k.key) {
				continue
			}
			// What is watched has its labels at hand.
			if w := p.watch[l%pageSize].Load(); w != nil {
				out = append(out, &w.Live)
				continue
			}
			out = append(out, &Live{k.ref, l, k.key.Labels()})
		}
	}
	if n := sel.Name(); n != "" {
		take(x.names[n])
		return out
	}
	for _, m := range x.names {
		take(m)
	}
	return out
}

// Tap makes a tap visible to the hot path; one that is there already stays one.
func (x *Index[K, T]) Tap(lv *Live, t T) {
	slot := x.slot(lv.Local)
	old := slot.Load()
	w := &Watch[T]{Live: *lv}
	if old != nil {
		if slices.Contains(old.Taps, t) {
			return
		}
		w.Taps = append(w.Taps, old.Taps...)
	}
	w.Taps = append(w.Taps, t)
	slot.Store(w)
}

// Untap removes the taps that gone names from one series.
func (x *Index[K, T]) Untap(lv *Live, gone func(T) bool) {
	slot := x.slot(lv.Local)
	old := slot.Load()
	if old == nil {
		return
	}
	w := &Watch[T]{Live: old.Live}
	for _, t := range old.Taps {
		if !gone(t) {
			w.Taps = append(w.Taps, t)
		}
	}
	if len(w.Taps) == 0 {
		w = nil
	}
	slot.Store(w)
}

// slot is where the watch of a local index lies.
func (x *Index[K, T]) slot(l series.Local) *atomic.Pointer[Watch[T]] {
	return &x.page(l).watch[l%pageSize]
}

// page is where a local lies. Pages are only ever added.
func (x *Index[K, T]) page(l series.Local) *page[T] {
	ps := *x.pages.Load()
	if int(l/pageSize) >= len(ps) {
		ps = slices.Clone(ps)
		for int(l/pageSize) >= len(ps) {
			ps = append(ps, new(page[T]))
		}
		x.pages.Store(&ps)
	}
	return ps[l/pageSize]
}
