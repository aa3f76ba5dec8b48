package series

import "math"

// span is one window length over a track: the range of ring samples inside it
// with their running sum, and, once it outgrew the ring, its panes.
type span struct {
	length int64 // ms
	width  int64 // of a pane, ms

	lo, hi uint64 // ring sequences inside
	run    twofold
	bad    int // samples inside that cannot be summed

	digests bool
	panes   []pane // a ring of maxPanes; nil: not needed yet
	quant   []digest
	pbase   uint64 // sequence of the oldest pane
	pnext   uint64
	plo     uint64 // oldest pane inside
	prun    twofold
	pbad    int
	pcount  int
}

// summable reports whether a sample may enter sums: finite, and small enough
// that no sum of samples overflows.
func summable(v float64) bool { return math.Abs(v) <= 1e300 }

func (s *span) add(v float64) {
	if summable(v) {
		s.run.add(v)
	} else {
		s.bad++
	}
}

func (s *span) sub(v float64) {
	if summable(v) {
		s.run.add(-v)
	} else {
		s.bad--
	}
}

func (s *span) reset() {
	s.lo, s.hi, s.run, s.bad = 0, 0, twofold{}, 0
	s.pbase, s.pnext, s.plo, s.prun, s.pbad, s.pcount = 0, 0, 0, twofold{}, 0, 0
}

// seek moves the range to (now-length, now]. Both ends may move both ways,
// since the time of a look may step back.
func (t *Track) seek(s *span, now int64) {
	from := now - s.length
	for s.hi < t.next && t.at(s.hi).T <= now {
		s.add(t.at(s.hi).V)
		s.hi++
	}
	for s.hi > t.base && t.at(s.hi-1).T > now {
		s.hi--
		if s.hi >= s.lo {
			s.sub(t.at(s.hi).V)
		} else {
			s.lo = s.hi
		}
	}
	for s.lo < s.hi && t.at(s.lo).T <= from {
		s.sub(t.at(s.lo).V)
		s.lo++
	}
	for s.lo > t.base && t.at(s.lo-1).T > from {
		s.lo--
		s.add(t.at(s.lo).V)
	}
	if s.lo == s.hi {
		s.run, s.bad = twofold{}, 0
	}
}

// exact reports whether the ring holds everything in (now-length, now].
func (t *Track) exact(s *span, now int64) bool { return t.dropped <= now-s.length }

// twofold is a sum in two floats (Knuth's two-sum), in which adding and taking
// away again leaves nothing behind for any data whose magnitudes lie within 2^50
// of each other; so the sum does not depend on how the window got here.
type twofold struct{ hi, lo float64 }

func (s *twofold) add(v float64) {
	sum := s.hi + v
	b := sum - s.hi
	err := (s.hi - (sum - b)) + (v - b)
	low := s.lo + err
	s.hi = sum + low
	s.lo = low - (s.hi - sum)
}

func (s *twofold) merge(o twofold, sign float64) {
	s.add(sign * o.hi)
	s.add(sign * o.lo)
}

func (s twofold) value() float64 { return s.hi + s.lo }
