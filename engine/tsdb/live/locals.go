package live

import (
	"slices"
	"sync/atomic"

	"vigil/engine/series"
)

// locals are the live heads by their dense index. Reading takes no lock; changes
// need the registry's. Pages are only ever added.
type locals struct {
	pages atomic.Pointer[[]*localsPage]
	n     int            // indexes ever given out
	free  []series.Local // of those, the ones that nobody has
}

const localsPerPage = 1024

type localsPage [localsPerPage]atomic.Pointer[Head]

// at is the head with an index, nil for none.
func (ls *locals) at(l series.Local) *Head {
	ps := ls.pages.Load()
	if ps == nil || int(l/localsPerPage) >= len(*ps) {
		return nil
	}
	return (*ps)[l/localsPerPage][l%localsPerPage].Load()
}

// give gives h an index.
func (ls *locals) give(h *Head) {
	if n := len(ls.free); n > 0 {
		h.Local = ls.free[n-1]
		ls.free = ls.free[:n-1]
	} else {
		h.Local = series.Local(ls.n)
		ls.n++
	}
	ps := ls.pages.Load()
	if ps == nil || int(h.Local/localsPerPage) >= len(*ps) {
		var more []*localsPage
		if ps != nil {
			more = slices.Clone(*ps)
		}
		more = append(more, new(localsPage))
		ps = &more
		ls.pages.Store(ps)
	}
	(*ps)[h.Local/localsPerPage][h.Local%localsPerPage].Store(h)
}

// clear ends the way to a head; its index is not given out again before release.
func (ls *locals) clear(l series.Local) {
	(*ls.pages.Load())[l/localsPerPage][l%localsPerPage].Store(nil)
}

func (ls *locals) release(l series.Local) { ls.free = append(ls.free, l) }

// all lists the live heads by index, nil where an index is free.
func (ls *locals) all() []*Head {
	out := make([]*Head, ls.n)
	for l := range out {
		out[l] = ls.at(series.Local(l))
	}
	return out
}
