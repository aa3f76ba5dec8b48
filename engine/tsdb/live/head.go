// Package live holds what is in memory of every series that is alive: its labels
// under every spelling that senders use, and its newest samples.
//
// A head is a series with the chunk that is being filled, late samples beside it
// and packed chunks that wait for the cut. Of the chunk that is being filled only
// the newest points are raw: a dozen at a time they are packed, and packed again
// as one when it is full. Only the committer fills heads; the cut takes them in
// steps, and gives them back when it fails, so that a sample is always in memory,
// in rows, or for a moment in both. The registry makes series within the caps,
// announces each before anybody can find it, and keeps the definitions that are
// not yet in the log or in samples.db. What lives as long as a series is small:
// there may be a hundred thousand.
//
// It refuses I/O and clocks. All of it may be used concurrently, but for what
// says otherwise. It starts nothing.
package live

import (
	"math"
	"sync/atomic"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/index"
	"vigil/engine/tsdb/rows"
)

// Head is a live series and what of it is not in rows yet. The exported fields
// never change once it is found, but for the atomic ones; the others belong
// to the lock of Heads, or to that of the registry where they say so.
type Head struct {
	Ref    series.Ref
	Key    series.Key
	Born   time.Duration // boot clock
	Newest atomic.Int64  // newest accepted time in this era; math.MinInt64: none
	Local  series.Local
	Gone   atomic.Bool
	Owned  atomic.Bool // vigild's own measuring writes it: nobody else may
	many   atomic.Bool // several of its checks do, in turn; see own

	dirty  bool                  // in Heads.dirty
	parts  uint8                 // points in part
	moved  bool                  // from one check to another, in this run; the registry's
	era    uint32                // of its last sample
	print  uint64                // fingerprint
	share  atomic.Pointer[share] // the registry's
	own    index.Alias[Head]     // its first spelling; the registry's
	last   uint64                // log position behind its last sample
	cut    uint64                // log position up to which its samples are in rows
	mint   int64                 // over its rows; more than maxt: it has none
	maxt   int64
	part   []byte         // first points of the chunk that is being filled, packed
	open   []series.Point // its last ones, ascending
	beside *beside        // nil for nothing
}

// beside is what few heads have, or not for long.
type beside struct {
	late   []series.Point // out of order, before what is being filled; ascending
	sealed []rows.Packed  // full chunks, in the order in which they were filled
}

// aside is what h has beside the chunk that is being filled; the lock is held.
func (hs *Heads) aside(h *Head) *beside {
	if h.beside != nil {
		return h.beside
	}
	n := len(hs.spares)
	if n == 0 {
		h.beside = new(beside)
		return h.beside
	}
	h.beside, hs.spares = hs.spares[n-1], hs.spares[:n-1]
	return h.beside
}

// maxSpares is how many besides wait for the next head that needs one: twice what
// one transaction of the cut gives back, of 160 bytes each.
const maxSpares = 4096

// leave takes from h what it has beside, which is empty. The lock is held.
func (hs *Heads) leave(h *Head) {
	if b := h.beside; len(hs.spares) < maxSpares && cap(b.sealed) <= 2 {
		hs.spares = append(hs.spares, b)
	}
	h.beside = nil
}

// Resume takes over what rows say of a series, before anything runs; era is the
// present one.
func (h *Head) Resume(t rows.Tail, era uint32) {
	h.retail(t)
	h.last, h.era = t.Cut, t.Era
	if t.Era == era {
		h.Newest.Store(t.Newest)
	}
}

func (h *Head) retail(t rows.Tail) { h.cut, h.mint, h.maxt = t.Cut, t.MinT, t.MaxT }

// Cut is the log position up to which the series' samples are in rows. Before
// anything runs.
func (h *Head) Cut() uint64 { return h.cut }

// empty says whether the series holds nothing, in memory or in rows.
func (h *Head) empty() bool {
	return !h.dirty && h.maxt < h.mint && int(h.parts)+len(h.open) == 0 &&
		(h.beside == nil || len(h.beside.late)+len(h.beside.sealed) == 0)
}

// never is the newest time of a series that has none.
const never = math.MinInt64

func newHead(ref series.Ref, key series.Key, print uint64, sh *share) *Head {
	h := &Head{Ref: ref, Key: key, print: print}
	h.share.Store(sh)
	h.retail(rows.None())
	h.Newest.Store(never)
	return h
}
