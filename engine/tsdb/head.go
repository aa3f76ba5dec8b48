package tsdb

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/rows"
)

// head is a live series and what of it is not in rows yet. The fields of the
// first block never change; the others belong to heads.mu, but for newest, which
// may be read without.
type head struct {
	ref    series.Ref
	local  series.Local
	labels series.Labels
	print  uint64 // fingerprint
	token  string
	born   int64 // boot clock, ns
	next   *head // with the same fingerprint; the registry's

	newest atomic.Int64 // newest accepted time in this era; math.MinInt64: none
	gone   atomic.Bool

	open   []series.Point // the chunk that is being filled, ascending
	late   []series.Point // out of order, before open; ascending
	sealed []rows.Packed  // full ones, in the order in which they were filled
	last   uint64         // log position behind its last sample
	era    uint32         // of its last sample
	dirty  bool           // in heads.dirty
	tail   rows.Tail      // what is in rows
}

// heads are all heads under one lock: the committer fills them group by group,
// the cut and readers hold it for microseconds.
type heads struct {
	mu    sync.RWMutex
	dirty []*head // those that hold anything
	arena []byte  // sealed chunks are cut from it
	era   uint32
	count counts
}

// counts are samples by what became of them.
type counts struct {
	applied, same, overwritten, late uint64
}

const arenaBytes = 64 << 10

func newHead(ref series.Ref, ls series.Labels, print uint64, token string) *head {
	h := &head{ref: ref, labels: ls, print: print, token: token, tail: rows.None()}
	h.newest.Store(math.MinInt64)
	return h
}

// add takes one durable sample in. The lock is held.
func (hs *heads) add(h *head, p series.Point, position uint64) {
	hs.count.applied++
	h.last = position + 1
	if !h.dirty {
		h.dirty = true
		hs.dirty = append(hs.dirty, h)
	}
	h.era = hs.era
	n := len(h.open)
	newest := h.newest.Load()
	switch {
	case p.T > newest:
		h.newest.Store(p.T)
		if n == chunk.Target {
			hs.seal(h, &h.open)
		}
		h.open = grow(h.open)
		h.open = append(h.open, p)
	case n > 0 && p.T >= h.open[0].T:
		hs.insert(&h.open, p)
		if len(h.open) > chunk.Target {
			hs.seal(h, &h.open)
		}
	default:
		hs.count.late++
		hs.insert(&h.late, p)
		if len(h.late) >= chunk.Target {
			hs.seal(h, &h.late)
		}
	}
}

// grow gives a chunk that is being filled room in few steps.
func grow(b []series.Point) []series.Point {
	if len(b) < cap(b) {
		return b
	}
	n := 8
	switch {
	case cap(b) >= 32:
		n = chunk.Target + 1
	case cap(b) >= 8:
		n = 32
	}
	return append(make([]series.Point, 0, max(n, len(b)+1)), b...)
}

// insert puts a point at its place; of two with one time the new one stays.
func (hs *heads) insert(b *[]series.Point, p series.Point) {
	i, found := slices.BinarySearchFunc(*b, p.T, func(q series.Point, t int64) int {
		switch {
		case q.T < t:
			return -1
		case q.T > t:
			return 1
		}
		return 0
	})
	if !found {
		*b = slices.Insert(*b, i, p)
		return
	}
	if math.Float64bits((*b)[i].V) == math.Float64bits(p.V) {
		hs.count.same++
		return
	}
	hs.count.overwritten++
	(*b)[i] = p
}

// seal packs points into a chunk and empties the list.
func (hs *heads) seal(h *head, b *[]series.Point) {
	pts := *b
	if len(pts) == 0 {
		return
	}
	if cap(hs.arena)-len(hs.arena) < 16*len(pts)+64 {
		hs.arena = make([]byte, 0, arenaBytes)
	}
	from := len(hs.arena)
	hs.arena = chunk.Append(hs.arena, pts)
	h.sealed = append(h.sealed, rows.Packed{
		MinT: pts[0].T, MaxT: pts[len(pts)-1].T, Count: len(pts),
		Bytes: hs.arena[from:len(hs.arena):len(hs.arena)],
	})
	*b = pts[:0]
}

// flush seals everything that h holds, late points last: they were written after
// what was sealed before, and share no time with what is open.
func (hs *heads) flush(h *head) {
	few := len(h.open) < cap(h.open)/4
	hs.seal(h, &h.open)
	hs.seal(h, &h.late)
	h.late = nil
	if few {
		h.open = nil
	}
}

// newEra begins an era: what is open is sealed, and the out-of-order window of
// every series starts again. The lock is held.
func (hs *heads) newEra(era uint32, all []*head) {
	hs.era = era
	for _, h := range all {
		if h != nil {
			hs.flush(h)
			h.newest.Store(math.MinInt64)
		}
	}
}

// memory appends the points in (mint, maxt] that are not in rows yet, in the
// order in which the later of two with one time wins. The lock is held for
// reading.
func (h *head) memory(dst []series.Point, mint, maxt int64) ([]series.Point, error) {
	var err error
	for _, c := range h.sealed {
		if c.MaxT <= mint || c.MinT > maxt {
			continue
		}
		if dst, err = chunk.DecodeAll(dst, c.Bytes, mint, maxt); err != nil {
			return dst, err
		}
	}
	for _, list := range [][]series.Point{h.late, h.open} {
		for _, p := range list {
			if p.T > mint && p.T <= maxt {
				dst = append(dst, p)
			}
		}
	}
	return dst, nil
}
