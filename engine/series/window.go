package series

import (
	"math"
	"slices"
	"time"
	"unsafe"
)

// The sizes of windows: exact up to exactSamples samples in a window, beyond
// that at most maxPanes panes.
const (
	exactSamples = 256
	firstRing    = 16
	maxPanes     = 64
	gaps         = 8 // distances between samples that tell a series' interval
)

// Span is one window length a Track keeps. Quantiles says that quantiles of it
// will be asked for, which costs memory once it outgrows the exact samples.
type Span struct {
	Length    time.Duration
	Quantiles bool
}

// Track is the recent samples of one series, seen through windows of several
// lengths: at time t a window of length w holds the samples in (t-w, t].
//
// Up to 256 samples a window is exact. When more fall into it, it is answered
// from at most 64 panes on a fixed grid of sample time: the oldest pane counts
// whole as soon as one of its samples is inside, so the window reaches back at
// most w/63 further, samples after t are not left out, and quantiles are those
// of a digest (rank error under 2 %). Samples that are not finite, or beyond
// 1e300, are kept; a window that holds one answers NaN for everything but
// Count, First, Last, Changes and Absent.
//
// Memory grows to at most TrackBytes and is then reused. One goroutine.
type Track struct {
	ring    []Point // length is a power of two
	base    uint64  // sequence of the oldest sample in the ring
	next    uint64  // sequence of the next sample
	dropped int64   // time of the newest sample that left the ring; math.MinInt64: none did
	widest  int64

	newest Point
	any    bool // newest is set
	ended  bool // a stale marker came after it
	gap    [gaps]int64
	seen   uint32 // gaps seen
	usual  int64  // Interval, while it is not stale
	stale  bool

	spans []span
}

// NewTrack makes an empty track; spans are asked for by their index.
func NewTrack(spans []Span) *Track {
	t := &Track{dropped: math.MinInt64, spans: make([]span, len(spans))}
	for i, s := range spans {
		ms := max(1, s.Length.Milliseconds())
		t.spans[i] = span{length: ms, width: (ms + maxPanes - 2) / (maxPanes - 1), digests: s.Quantiles}
		t.widest = max(t.widest, ms)
	}
	return t
}

// Reach is how far back samples must be given again for a rebuilt track to
// answer as one that lived on: the length, and one pane.
func (s Span) Reach() time.Duration {
	return s.Length + s.Length/(maxPanes-1) + 2*time.Millisecond
}

// TrackBytes is the most memory a track of these spans holds.
func TrackBytes(spans []Span) int {
	n := int(unsafe.Sizeof(Track{}))
	if len(spans) > 0 {
		n += exactSamples * int(unsafe.Sizeof(Point{}))
	}
	for _, s := range spans {
		n += int(unsafe.Sizeof(span{})) + maxPanes*int(unsafe.Sizeof(pane{}))
		if s.Quantiles {
			n += maxPanes * int(unsafe.Sizeof(digest{}))
		}
	}
	return n
}

// Observe takes a sample in. One at or before the newest is late: it is left
// out and false is returned. A stale marker ends the series: its windows are
// emptied, and it begins anew with the next sample.
func (t *Track) Observe(p Point) bool {
	if t.any && p.T <= t.newest.T {
		return false
	}
	if IsStale(p.V) {
		t.empty()
		t.newest.T, t.any, t.ended = p.T, true, true
		t.newest.V = math.NaN()
		return true
	}
	if t.any && !t.ended {
		g := &t.gap[t.seen%gaps]
		t.stale = t.stale || t.seen < gaps || *g != p.T-t.newest.T
		*g = p.T - t.newest.T
		t.seen++
	}
	t.newest, t.any, t.ended = p, true, false
	if t.widest > 0 {
		t.push(p)
	}
	return true
}

// push appends to the ring, growing it while what would fall out is still inside
// the widest window.
func (t *Track) push(p Point) {
	if t.next-t.base == uint64(len(t.ring)) {
		if len(t.ring) > 0 && t.at(t.base).T <= p.T-t.widest || len(t.ring) == exactSamples {
			t.drop(p.T)
		} else {
			t.grow()
		}
	}
	t.ring[t.next&uint64(len(t.ring)-1)] = p
	t.next++
	for i := range t.spans {
		if s := &t.spans[i]; s.panes != nil {
			s.pane(p)
		}
	}
}

func (t *Track) grow() {
	bigger := make([]Point, max(firstRing, 2*len(t.ring)))
	for q := t.base; q < t.next; q++ {
		bigger[q&uint64(len(bigger)-1)] = t.at(q)
	}
	t.ring = bigger
}

// drop lets the oldest sample of a full ring go. A span that still needs it goes
// over to panes, which are filled from the ring while it holds the whole window.
func (t *Track) drop(now int64) {
	old := t.at(t.base)
	for i := range t.spans {
		s := &t.spans[i]
		// The oldest pane of a window reaches back beyond it: a ring that can grow no
		// more goes over as soon as it begins to lose what lies in that pane.
		still := now - s.length
		if len(t.ring) == exactSamples {
			still -= s.width
		}
		if s.panes == nil && old.T > still {
			s.open()
			for q := t.base; q < t.next; q++ {
				s.pane(t.at(q))
			}
		}
		if s.lo <= t.base {
			if s.hi > s.lo {
				s.sub(old.V)
			}
			s.lo = t.base + 1
			s.hi = max(s.hi, s.lo)
		}
	}
	t.dropped = old.T
	t.base++
}

func (t *Track) at(seq uint64) Point { return t.ring[seq&uint64(len(t.ring)-1)] }

// empty forgets every sample and keeps the memory.
func (t *Track) empty() {
	t.base, t.next, t.dropped = 0, 0, math.MinInt64
	t.seen, t.usual, t.stale = 0, 0, false
	for i := range t.spans {
		t.spans[i].reset()
	}
}

// Reset makes the track as new: samples of any time are welcome again.
func (t *Track) Reset() {
	t.empty()
	t.newest, t.any, t.ended = Point{}, false, false
}

// Newest is the newest sample; ok is false while there is none, or when the
// series was ended after it (its time is then that of the end).
func (t *Track) Newest() (p Point, ok bool) { return t.newest, t.any && !t.ended }

// Ended reports whether the series was ended by a stale marker.
func (t *Track) Ended() bool { return t.ended }

// Interval is the usual distance between samples in ms (the lower median of the
// last eight), 0 while fewer than two samples came.
func (t *Track) Interval() int64 {
	if t.stale {
		n := min(int(t.seen), gaps)
		sorted := t.gap
		slices.Sort(sorted[:n])
		t.usual, t.stale = sorted[(n-1)/2], false
	}
	return t.usual
}

// Gap is the distance in ms of the newest sample from the one before, 0 while
// there are not two.
func (t *Track) Gap() int64 {
	if t.seen == 0 {
		return 0
	}
	return t.gap[(t.seen-1)%gaps]
}

// Samples appends the newest samples of a window, oldest first, at most n.
// Of a window in panes only those that are still exact are given.
func (t *Track) Samples(i int, now int64, n int, buf []Point) []Point {
	from := now - t.spans[i].length
	lo := t.next
	for lo > t.base && t.at(lo-1).T > from {
		lo--
	}
	hi := t.next
	for hi > lo && t.at(hi-1).T > now {
		hi--
	}
	if hi-lo > uint64(n) {
		lo = hi - uint64(n)
	}
	for q := lo; q < hi; q++ {
		buf = append(buf, t.at(q))
	}
	return buf
}

// Bytes is the memory the track holds now.
func (t *Track) Bytes() int {
	n := int(unsafe.Sizeof(*t)) + len(t.ring)*int(unsafe.Sizeof(Point{}))
	for i := range t.spans {
		s := &t.spans[i]
		n += int(unsafe.Sizeof(*s)) + len(s.panes)*int(unsafe.Sizeof(pane{})) + len(s.quant)*int(unsafe.Sizeof(digest{}))
	}
	return n
}
