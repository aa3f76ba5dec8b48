package live

import (
	"math"
	"slices"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/rows"
)

// raw is how many points of a chunk are held as they are before they are packed:
// ten times as many make a full chunk.
const raw = chunk.Target / 10

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
	if p.T > h.Newest.Load() {
		h.Newest.Store(p.T)
		if n >= raw {
			hs.pack(h)
		}
		h.open = append(room(h.open), p)
		return
	}
	if h.parts > 0 && n > 0 && p.T < h.open[0].T && p.T >= chunk.DraftStart(h.part) {
		hs.unpack(h)
		n = len(h.open)
	}
	if n > 0 && p.T >= h.open[0].T {
		hs.insert(&h.open, p)
		if int(h.parts)+len(h.open) > chunk.Target {
			hs.seal(h)
		}
		return
	}
	hs.count.Late++
	b := hs.aside(h)
	hs.insert(&b.late, p)
	if len(b.late) >= chunk.Target {
		hs.sealLate(b)
	}
}

// room makes place for a point in few steps.
func room(b []series.Point) []series.Point {
	n := len(b)
	if n < cap(b) {
		return b
	}
	size := raw
	switch {
	case n >= raw:
		size = chunk.Target + 1
	case n == 0:
		size = raw / 3
	}
	return append(make([]series.Point, 0, size), b...)
}

// pack makes the raw points of a head packed ones, and a full chunk one that
// waits for the cut. Points that came out of order keep theirs raw until it is
// full, or each of them would cost an unpacking.
func (hs *Heads) pack(h *Head) {
	n := int(h.parts) + len(h.open)
	if n >= chunk.Target {
		hs.seal(h)
		return
	}
	if cap(h.open) > raw {
		return
	}
	hs.bytes = chunk.AppendDraft(hs.bytes[:0], h.open)
	if need := len(h.part) + len(hs.bytes); need > cap(h.part) {
		// A second packing says how large all of them will be.
		size := 2 * need
		if h.parts > 0 {
			size = max(need, need*(chunk.Target-raw)/n)
		}
		h.part = append(make([]byte, 0, size), h.part...)
	}
	h.part = append(h.part, hs.bytes...)
	h.parts, h.open = uint8(n), h.open[:0]
}

// unpack makes all points of the chunk that is being filled raw.
func (hs *Heads) unpack(h *Head) {
	pts := make([]series.Point, 0, chunk.Target+1)
	pts, err := chunk.DecodeDrafts(pts, h.part)
	if err != nil {
		return // what does not read back stays as it is
	}
	h.open = append(pts, h.open...)
	h.part, h.parts = h.part[:0], 0
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
		*b = slices.Insert(room(*b), i, p)
		return
	}
	if math.Float64bits((*b)[i].V) == math.Float64bits(p.V) {
		hs.count.Same++
		return
	}
	hs.count.Overwritten++
	(*b)[i] = p
}

// seal packs the chunk that is being filled into one that waits for the cut.
func (hs *Heads) seal(h *Head) {
	if int(h.parts)+len(h.open) == 0 {
		return
	}
	pts := h.open
	if h.parts > 0 {
		var err error
		if pts, err = chunk.DecodeDrafts(hs.points[:0], h.part); err != nil {
			hs.count.Lost += uint64(h.parts)
		}
		pts = append(pts, h.open...)
		hs.points = pts[:0]
	}
	b := hs.aside(h)
	b.sealed = append(b.sealed, hs.chunk(pts))
	h.part, h.parts = h.part[:0], 0
	if h.open = h.open[:0]; cap(h.open) > raw {
		h.open = nil
	}
}

func (hs *Heads) sealLate(b *beside) {
	if len(b.late) > 0 {
		b.sealed = append(b.sealed, hs.chunk(b.late))
		b.late = b.late[:0]
	}
}

// chunk packs points into the arena.
func (hs *Heads) chunk(pts []series.Point) rows.Packed {
	if cap(hs.arena)-len(hs.arena) < chunk.Room(len(pts)) {
		hs.arena = make([]byte, 0, arenaBytes)
	}
	from := len(hs.arena)
	hs.arena = chunk.Append(hs.arena, pts)
	return rows.Packed{
		MinT: pts[0].T, MaxT: pts[len(pts)-1].T, Count: len(pts),
		Bytes: hs.arena[from:len(hs.arena):len(hs.arena)],
	}
}

// flush seals everything that h holds, late points last: they were written after
// what was sealed before, and share no time with what is open.
func (hs *Heads) flush(h *Head) {
	// What was hardly used since the last time is given back.
	if h.parts == 0 {
		h.part = nil
	}
	few := h.parts == 0 && len(h.open) < cap(h.open)/4
	hs.seal(h)
	if h.beside != nil {
		hs.sealLate(h.beside)
		h.beside.late = nil
	}
	if few {
		h.open = nil
	}
}

// memory appends the points in (mint, maxt] that are not in rows yet, in the
// order in which the later of two with one time wins. The lock is held for
// reading.
func (h *Head) memory(dst []series.Point, mint, maxt int64) ([]series.Point, error) {
	var err error
	take := func(list []series.Point) {
		for _, p := range list {
			if p.T > mint && p.T <= maxt {
				dst = append(dst, p)
			}
		}
	}
	if h.beside != nil {
		for _, c := range h.beside.sealed {
			if c.MaxT <= mint || c.MinT > maxt {
				continue
			}
			if dst, err = chunk.DecodeAll(dst, c.Bytes, mint, maxt); err != nil {
				return dst, err
			}
		}
		take(h.beside.late)
	}
	if h.parts > 0 && mint < h.open[0].T {
		var room [chunk.Target]series.Point
		pts, err := chunk.DecodeDrafts(room[:0], h.part)
		if err != nil {
			return dst, err
		}
		take(pts)
	}
	take(h.open)
	return dst, nil
}
