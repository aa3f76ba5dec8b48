package live

import (
	"slices"
	"sync"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

// Heads are all heads under one lock: the committer fills them group by group,
// the cut and readers hold it for microseconds.
type Heads struct {
	mu      sync.RWMutex
	dirty   []*Head        // those that hold anything
	room    []*Head        // for the next list of them
	spares  []*beside      // empty, for heads that need one
	arena   []byte         // sealed chunks are cut from it
	bytes   []byte         // scratch of pack
	points  []series.Point // scratch of seal
	era     uint32
	applied uint64 // log position up to which heads are filled
	count   Counts
}

// Counts are samples by what became of them.
type Counts struct {
	Applied, Same, Overwritten, Late uint64
	Lost                             uint64 // memory was no longer what had been written to it
}

const arenaBytes = 64 << 10

// Fill takes the accepted points of a durable batch in, the first of which has
// log position at, and returns the position behind them. heads[i] is the series
// of item i.
func (hs *Heads) Fill(b *series.Batch, heads []*Head, at uint64) uint64 {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for i := range b.Items {
		it := &b.Items[i]
		for _, p := range b.Points[it.Lo:it.Hi] {
			hs.add(heads[i], p, at)
			at++
		}
	}
	hs.applied = at
	return at
}

// Add takes one replayed sample in. Only while nothing else runs.
func (hs *Heads) Add(h *Head, p series.Point, position uint64) { hs.add(h, p, position) }

// State is what a cut, or an onlooker, begins with.
type State struct {
	Era     uint32
	Applied uint64
	Dirty   int
	Counts  Counts
}

// State may be called at any time.
func (hs *Heads) State() State {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	return State{hs.era, hs.applied, len(hs.dirty), hs.count}
}

// Begin sets era and position before anything runs.
func (hs *Heads) Begin(era uint32, applied uint64) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.era, hs.applied = era, applied
}

// NewEra begins an era: what is open is sealed, and the out-of-order window of
// every series starts again.
func (hs *Heads) NewEra(era uint32, all []*Head) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.era = era
	for _, h := range all {
		if h != nil {
			hs.flush(h)
			h.Newest.Store(never)
		}
	}
}

// Take hands over the heads that hold anything, and the position up to which
// they are filled: once all of them are in rows, so is every sample before it.
// Give takes the list back.
func (hs *Heads) Take() ([]*Head, uint64) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := hs.dirty
	hs.dirty, hs.room = hs.room, nil
	return list, hs.applied
}

// Give takes back the list of a cut that is over, for the next one.
func (hs *Heads) Give(list []*Head) {
	clear(list)
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.room = list[:0]
}

// sealedAtOnce is how many heads are sealed under one hold of the lock.
const sealedAtOnce = 32

// Seal packs what taken heads hold into what rows.DB.Write wants, and appends it to
// puts. The chunks stay readable here until Settle, and are the very same: until
// then more may only come behind them.
func (hs *Heads) Seal(puts []rows.Put, list []*Head) []rows.Put {
	for from := 0; from < len(list); from += sealedAtOnce {
		hs.mu.Lock()
		for _, h := range list[from:min(len(list), from+sealedAtOnce)] {
			hs.flush(h)
			h.dirty = false
			put := rows.Put{Ref: h.Ref, Cut: h.last, Era: h.era, Newest: h.Newest.Load()}
			if h.beside != nil {
				put.Chunks = slices.Clip(h.beside.sealed)
			}
			puts = append(puts, put)
		}
		hs.mu.Unlock()
	}
	return puts
}

// Settle lets go of what has been written.
func (hs *Heads) Settle(list []*Head, puts []rows.Put) {
	for from := 0; from < len(list); from += 1024 {
		hs.mu.Lock()
		for i, h := range list[from:min(len(list), from+1024)] {
			p := &puts[from+i]
			h.retail(p.Tail)
			if b := h.beside; b != nil {
				b.sealed = slices.Delete(b.sealed, 0, len(p.Chunks))
				// A series that fills chunks between two cuts will need the list again.
				if len(p.Chunks) < 2 && len(b.sealed)+len(b.late) == 0 {
					hs.leave(h)
				}
			}
		}
		hs.mu.Unlock()
	}
}

// Soil puts heads back among those that hold something: taken ones are still
// marked but in no list; sealed ones are marked only if they were filled again,
// and then they are in the list.
func (hs *Heads) Soil(taken, sealed []*Head) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.dirty = append(hs.dirty, taken...)
	for _, h := range sealed {
		if !h.dirty {
			h.dirty = true
			hs.dirty = append(hs.dirty, h)
		}
	}
}

// Retail notes what is in rows after rows have changed under a series; all says
// that a series that is not in tails has none.
func (hs *Heads) Retail(heads []*Head, tails map[series.Ref]rows.Tail, all bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, h := range heads {
		if h == nil {
			continue
		}
		if t, ok := tails[h.Ref]; ok {
			h.retail(t)
		} else if all {
			h.retail(rows.None())
		}
	}
}

// Idle picks the heads that hold nothing, in memory or in rows, and are at least
// age old by the boot clock.
func (hs *Heads) Idle(heads []*Head, boot, age time.Duration) (out []*Head) {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	for _, h := range heads {
		if h != nil && h.empty() && boot-h.Born >= age {
			out = append(out, h)
		}
	}
	return out
}

// Read appends the points of a series in (mint, maxt] that are not in rows yet, in
// the order in which the later of two with one time wins, and says whether rows
// may hold more.
func (hs *Heads) Read(dst []series.Point, h *Head, mint, maxt int64) (pts []series.Point, more bool, err error) {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	pts, err = h.memory(dst, mint, maxt)
	return pts, mint < h.maxt && maxt >= h.mint, err
}
