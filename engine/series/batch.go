package series

import (
	"encoding/binary"
)

// Batch is one received request, in columns, reused from request to request so
// that nothing is allocated per sample. A decoder fills Points, Items and the
// header; the store fills Ref, Local, Seq and the verdicts.
type Batch struct {
	Points []Point
	Items  []Item

	Received int64  // Unix ms, what NoTime becomes
	Open     bool   // the caller was not authenticated: series get origin="open"
	Own      bool   // measured by vigild itself: may use the names of local checks, and owns what it writes
	Backfill bool   // points older than the out-of-order window are welcome
	Token    string // name of the caller's token, for its share of the series cap; of an own batch the check that measured

	// Seq is the log sequence of the first accepted point, set when the batch is
	// durable; point i of the accepted ones has Seq+i, counted over Items in order.
	Seq uint64

	// Reserved is how many points the evaluator keeps room for; it is the
	// engine's, from Reserve to Committed or Abandoned.
	Reserved int

	arena []byte
}

// Item is a run of points of one series: Points[Lo:Hi].
type Item struct {
	// Key is the labels as they arrived: remote write's `repeated Label labels = 1`
	// fields back to back (tag 0x0a, length, then name as field 1 and value as
	// field 2), in the order the sender chose. It aliases the request's buffer.
	Key []byte

	Lo, Hi uint32

	Ref   Ref
	Local Local

	// Refused counts points of this item that were not taken, Reason says why
	// the first was not. A refused item leaves the others untouched. Points[Lo:Hi]
	// shrinks to what was accepted.
	Refused uint32
	Reason  Reason
}

// Reason is why a point or an item was refused; the zero Reason is accepted.
type Reason uint8

// The reasons, with their stable words.
const (
	Accepted  Reason = iota
	Future           // over 10 min in the future
	TooOld           // before the out-of-order window
	BadLabels        // no name, not UTF-8, duplicate, or over a size cap
	SeriesCap        // a new series over the global cap or the token's share
	LocalName        // a name or a series that vigild's own checks write
	Lagging          // the evaluator is behind: come back after Retry-After
	Rejected         // any other refusal by the owner of the series
	reasonsCount
)

var reasonWords = [reasonsCount]string{"accepted", "future", "too_old", "bad_labels", "series_cap", "local_name", "lagging", "rejected"}

func (r Reason) String() string { return reasonWords[r] }

// Retry says whether the same sample may be accepted later.
func (r Reason) Retry() bool { return r == SeriesCap || r == Lagging }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	*b = Batch{Points: b.Points[:0], Items: b.Items[:0], arena: b.arena[:0]}
}

// Add appends an item with one point, encoding labels into the batch's arena.
// It is for callers off the hot path (checks, JSON singles).
func (b *Batch) Add(ls Labels, t int64, v float64) {
	from := len(b.arena)
	for _, l := range ls {
		b.arena = AppendLabel(b.arena, l.Name, l.Value)
	}
	lo := uint32(len(b.Points))
	b.Points = append(b.Points, Point{t, v})
	b.Items = append(b.Items, Item{Key: b.arena[from:len(b.arena):len(b.arena)], Lo: lo, Hi: lo + 1})
}

// Accepted counts the points that are in.
func (b *Batch) Accepted() (n int) {
	for i := range b.Items {
		n += int(b.Items[i].Hi - b.Items[i].Lo)
	}
	return n
}

// Newest is the time of the newest point that is in, Unix ms; 0 when none is.
func (b *Batch) Newest() (t int64) {
	for i := range b.Items {
		for _, p := range b.Points[b.Items[i].Lo:b.Items[i].Hi] {
			t = max(t, p.T)
		}
	}
	return t
}

// AppendLabel appends one label in the encoding of Item.Key.
func AppendLabel(dst []byte, name, value string) []byte {
	dst = append(dst, 0x0a)
	dst = binary.AppendUvarint(dst, uint64(bodyLen(name, value)))
	dst = append(dst, 0x0a)
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = append(dst, 0x12)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// labelLen is how many bytes AppendLabel appends.
func labelLen(name, value string) int {
	n := bodyLen(name, value)
	return 1 + uvarintLen(n) + n
}

func bodyLen(name, value string) int {
	return 1 + uvarintLen(len(name)) + len(name) + 1 + uvarintLen(len(value)) + len(value)
}

func uvarintLen(n int) (l int) {
	for l = 1; n >= 0x80; l++ {
		n >>= 7
	}
	return l
}
