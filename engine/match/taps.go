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
			out = x.candidate(out, sel, l)
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

func (x *Index[K, T]) candidate(out []*Live, sel series.Selector, l series.Local) []*Live {
	p := x.page(l)
	k := p.known[l%pageSize]
	if !sel.MatchesKey(k.key) {
		return out
	}
	// What is watched has its labels at hand.
	if w := p.watch[l%pageSize].Load(); w != nil {
		return append(out, &w.Live)
	}
	return append(out, &Live{k.ref, l, k.key.Labels()})
}

// Joined lists those candidates of a selector that may have in common with ls what
// Side.Find says. Of a selector that names no metric all candidates may.
func (x *Index[K, T]) Joined(sel series.Selector, ls series.Labels, on []string) (out []*Live) {
	n := sel.Name()
	if n == "" {
		return x.Candidates(sel)
	}
	side := x.sides[n]
	if side == nil {
		if len(x.names[n]) == 0 {
			return nil
		}
		side = NewSide(func(l series.Local) series.Labels { return x.page(l).known[l%pageSize].key.Labels() })
		for l := range x.names[n] {
			side.Add(l)
		}
		x.sides[n] = side
	}
	for _, l := range side.Find(ls, on) {
		out = x.candidate(out, sel, l)
	}
	return out
}

// Tap makes a tap visible to the hot path. It must not be there yet: many instances
// may read one series, and none of them is looked for among the others.
func (x *Index[K, T]) Tap(lv *Live, t T) {
	slot := x.slot(lv.Local)
	w := &Watch[T]{Live: *lv}
	if old := slot.Load(); old != nil {
		// Who reads the old watch sees no further than its length.
		w.Taps = old.Taps
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

// Release says that a tap reads a series no more. It is taken out once as many are
// gone as are left: of many that go one by one, none walks through all others.
func (x *Index[K, T]) Release(lv *Live, t T) {
	w := x.slot(lv.Local).Load()
	if w == nil {
		return
	}
	gone := x.gone[lv.Local]
	if gone == nil {
		gone = map[T]struct{}{}
		x.gone[lv.Local] = gone
	}
	if gone[t] = struct{}{}; 2*len(gone) < len(w.Taps) {
		return
	}
	delete(x.gone, lv.Local)
	x.Untap(lv, func(t T) bool { _, is := gone[t]; return is })
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
