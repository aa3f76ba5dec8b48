package series

import (
	"math"
	"slices"
)

// Stat is what can be asked of a window.
type Stat uint8

// The statistics. With too few samples the answer is NaN: none for Count and
// Absent (which always answer), two for Increase, Rate, Deriv and Predict, one
// for the rest.
const (
	StatCount    Stat = iota // samples
	StatSum                  //
	StatAvg                  //
	StatMin                  //
	StatMax                  //
	StatStdDev               // of the population
	StatQuantile             // arg in [0, 1], linear between neighbours
	StatFirst                // oldest value
	StatLast                 // newest value
	StatDelta                // last - first
	StatIncrease             // of a counter: what it rose by, resets made good; nothing is extrapolated
	StatRate                 // Increase for each second between first and last sample
	StatDeriv                // slope of the least-squares line, for each second
	StatPredict              // that line, arg seconds after now
	StatChanges              // neighbours that differ
	StatResets               // neighbours that fall
	StatAbsent               // 1 when there is no sample, else 0
)

// Scratch is memory for quantiles, reused from call to call. One goroutine.
type Scratch struct {
	values    []float64
	centroids []centroid
}

// Stat answers for the window with index i at time now (Unix ms): NaN where
// there is no answer. It allocates nothing once sc has grown.
func (t *Track) Stat(i int, what Stat, arg float64, now int64, sc *Scratch) float64 {
	s := &t.spans[i]
	if s.panes == nil || t.exact(s, now) {
		t.seek(s, now)
		return t.exactStat(s, what, arg, now, sc)
	}
	return s.paneStat(what, arg, now, sc)
}

// Has reports whether the window holds a sample, which is cheaper than Stat.
func (t *Track) Has(i int, now int64) bool {
	return t.any && !t.ended && t.newest.T > now-t.spans[i].length
}

func (t *Track) exactStat(s *span, what Stat, arg float64, now int64, sc *Scratch) float64 {
	n := int(s.hi - s.lo)
	switch {
	case what == StatCount:
		return float64(n)
	case what == StatAbsent:
		return truth(n == 0)
	case n == 0:
		return math.NaN()
	case what == StatFirst:
		return t.at(s.lo).V
	case what == StatLast:
		return t.at(s.hi - 1).V
	case what == StatChanges:
		return t.changes(s)
	case s.bad > 0:
		return math.NaN()
	}
	switch what {
	case StatSum:
		return s.run.value()
	case StatAvg:
		return s.run.value() / float64(n)
	case StatMin, StatMax:
		lo, hi := math.Inf(1), math.Inf(-1)
		for q := s.lo; q < s.hi; q++ {
			v := t.at(q).V
			lo, hi = min(lo, v), max(hi, v)
		}
		if what == StatMin {
			return lo
		}
		return hi
	case StatStdDev:
		mean, dev := s.run.value()/float64(n), 0.0
		for q := s.lo; q < s.hi; q++ {
			d := t.at(q).V - mean
			dev += d * d
		}
		return math.Sqrt(dev / float64(n))
	case StatQuantile:
		sc.values = sc.values[:0]
		for q := s.lo; q < s.hi; q++ {
			sc.values = append(sc.values, t.at(q).V)
		}
		slices.Sort(sc.values)
		at := arg * float64(n-1)
		below := int(at)
		if below+1 >= n {
			return sc.values[n-1]
		}
		return sc.values[below] + (at-float64(below))*(sc.values[below+1]-sc.values[below])
	case StatResets:
		resets, _ := t.resets(s)
		return float64(resets)
	case StatDeriv, StatPredict:
		return t.line(s, what, arg, now)
	}
	_, fallen := t.resets(s)
	return between(what, t.at(s.lo), t.at(s.hi-1), fallen)
}

// between answers what depends on the first and last sample alone; fallen is
// what counters held when they were reset.
func between(what Stat, first, last Point, fallen float64) float64 {
	delta := last.V - first.V
	if what == StatDelta {
		return delta
	}
	if last.T == first.T {
		return math.NaN()
	}
	if what == StatIncrease {
		return delta + fallen
	}
	return (delta + fallen) / (float64(last.T-first.T) / 1000)
}

func (t *Track) resets(s *span) (n int, fallen float64) {
	for q := s.lo + 1; q < s.hi; q++ {
		if before := t.at(q - 1).V; t.at(q).V < before {
			n++
			fallen += before
		}
	}
	return n, fallen
}

func (t *Track) changes(s *span) float64 {
	var p pane
	for q := s.lo + 1; q < s.hi; q++ {
		p.step(t.at(q-1).V, t.at(q).V)
	}
	return float64(p.changes)
}

func (t *Track) line(s *span, what Stat, arg float64, now int64) float64 {
	n := float64(s.hi - s.lo)
	mt, mv := 0.0, s.run.value()/n
	for q := s.lo; q < s.hi; q++ {
		mt += float64(t.at(q).T-now) / 1000
	}
	mt /= n
	var ctt, ctv float64
	for q := s.lo; q < s.hi; q++ {
		p := t.at(q)
		dt := float64(p.T-now)/1000 - mt
		ctt += dt * dt
		ctv += dt * (p.V - mv)
	}
	return onLine(what, ctt, ctv, mt, mv, arg)
}

// onLine is the slope of the line through (mt, mv), or its value at second arg.
func onLine(what Stat, ctt, ctv, mt, mv, arg float64) float64 {
	if ctt == 0 {
		return math.NaN()
	}
	if what == StatDeriv {
		return ctv / ctt
	}
	return mv + ctv/ctt*(arg-mt)
}

func (s *span) paneStat(what Stat, arg float64, now int64, sc *Scratch) float64 {
	s.seekPanes(now - s.length)
	switch {
	case what == StatCount:
		return float64(s.pcount)
	case what == StatAbsent:
		return truth(s.pcount == 0)
	case s.pcount == 0:
		return math.NaN()
	case what == StatFirst:
		return s.panes[s.plo%maxPanes].first.V
	case what == StatLast:
		return s.panes[(s.pnext-1)%maxPanes].last.V
	case s.pbad > 0 && what != StatChanges:
		return math.NaN()
	case what == StatSum:
		return s.prun.value()
	case what == StatAvg:
		return s.prun.value() / float64(s.pcount)
	case what == StatQuantile:
		return s.quantile(arg, sc)
	}
	var all pane
	for q := s.plo; q < s.pnext; q++ {
		all.merge(&s.panes[q%maxPanes])
	}
	switch what {
	case StatMin:
		return all.min
	case StatMax:
		return all.max
	case StatStdDev:
		return math.Sqrt(all.deviation / float64(all.count))
	case StatChanges:
		return float64(all.changes)
	case StatResets:
		return float64(all.resets)
	case StatDeriv, StatPredict:
		return onLine(what, all.ctt, all.ctv, all.mt, all.mv, float64(now-all.origin)/1000+arg)
	}
	return between(what, all.first, all.last, all.fallen)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
