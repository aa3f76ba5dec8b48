// Package live holds what is in memory of every series that is alive: its labels
// under every spelling that senders use, and its newest samples.
//
// A head is a series with the chunk that is being filled, late samples beside it
// and packed chunks that wait for the cut. Only the committer fills heads; the
// cut takes them in steps, and gives them back when it fails, so that a sample is
// always in memory, in rows, or for a moment in both. The registry makes series
// within the caps, announces each before anybody can find it, and keeps the
// definitions that are not yet in the log or in samples.db.
//
// It refuses I/O and clocks. All of it may be used concurrently, but for what
// says otherwise. It starts nothing.
package live

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/rows"
)

// Head is a live series and what of it is not in rows yet. The exported fields
// never change once it is found, but for the two atomic ones; the others belong
// to the lock of Heads.
type Head struct {
	Ref    series.Ref
	Local  series.Local
	Labels series.Labels
	Token  string
	Born   time.Duration // boot clock
	Newest atomic.Int64  // newest accepted time in this era; math.MinInt64: none
	Gone   atomic.Bool

	print uint64 // fingerprint
	next  *Head  // with the same fingerprint; the registry's

	open   []series.Point // the chunk that is being filled, ascending
	late   []series.Point // out of order, before open; ascending
	sealed []rows.Packed  // full ones, in the order in which they were filled
	last   uint64         // log position behind its last sample
	era    uint32         // of its last sample
	dirty  bool           // in Heads.dirty
	tail   rows.Tail      // what is in rows
}

// Resume takes over what rows say of a series, before anything runs; era is the
// present one.
func (h *Head) Resume(t rows.Tail, era uint32) {
	h.tail, h.last, h.era = t, t.Cut, t.Era
	if t.Era == era {
		h.Newest.Store(t.Newest)
	}
}

// Cut is the log position up to which the series' samples are in rows. Before
// anything runs.
func (h *Head) Cut() uint64 { return h.tail.Cut }

// never is the newest time of a series that has none.
const never = math.MinInt64

func newHead(ref series.Ref, ls series.Labels, print uint64, token string) *Head {
	h := &Head{Ref: ref, Labels: ls, print: print, Token: token, tail: rows.None()}
	h.Newest.Store(never)
	return h
}

// add takes one durable sample in. The lock is held.
func (hs *Heads) add(h *Head, p series.Point, position uint64) {
	hs.count.Applied++
	h.last = position + 1
	if !h.dirty {
		h.dirty = true
		hs.dirty = append(hs.dirty, h)
	}
	h.era = hs.era
	n := len(h.open)
	newest := h.Newest.Load()
	switch {
	case p.T > newest:
		h.Newest.Store(p.T)
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
		hs.count.Late++
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
func (hs *Heads) insert(b *[]series.Point, p series.Point) {
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
		hs.count.Same++
		return
	}
	hs.count.Overwritten++
	(*b)[i] = p
}

// seal packs points into a chunk and empties the list.
func (hs *Heads) seal(h *Head, b *[]series.Point) {
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
func (hs *Heads) flush(h *Head) {
	few := len(h.open) < cap(h.open)/4
	hs.seal(h, &h.open)
	hs.seal(h, &h.late)
	h.late = nil
	if few {
		h.open = nil
	}
}

// memory appends the points in (mint, maxt] that are not in rows yet, in the
// order in which the later of two with one time wins. The lock is held for
// reading.
func (h *Head) memory(dst []series.Point, mint, maxt int64) ([]series.Point, error) {
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
