package series

import "math"

// pane is the samples of one cell of a span's grid, mergeable with the next.
type pane struct {
	cell        int64
	count, bad  int
	sum         twofold
	min, max    float64
	first, last Point
	resets      int
	fallen      float64 // what counters held when they were reset
	changes     int

	// Moments of value and of time in seconds since origin, for deviation and
	// regression (Chan, Golub and LeVeque's pairwise update).
	origin              int64
	mt, mv              float64
	ctt, ctv, deviation float64
}

func (s *span) open() {
	s.panes = make([]pane, maxPanes)
	if s.digests {
		s.quant = make([]digest, maxPanes)
	}
}

// pane puts a sample into its cell.
func (s *span) pane(p Point) {
	cell := p.T / s.width
	if p.T%s.width < 0 {
		cell--
	}
	if s.pnext == s.pbase || s.panes[(s.pnext-1)%maxPanes].cell != cell {
		if s.pnext-s.pbase == maxPanes {
			if s.plo == s.pbase {
				s.leave()
			}
			s.pbase++
		}
		s.panes[s.pnext%maxPanes] = pane{cell: cell, min: math.Inf(1), max: math.Inf(-1), origin: p.T}
		if s.digests {
			s.quant[s.pnext%maxPanes] = digest{}
		}
		s.pnext++
	}
	i := (s.pnext - 1) % maxPanes
	s.panes[i].observe(p)
	s.pcount++
	if summable(p.V) {
		s.prun.add(p.V)
		if s.digests {
			s.quant[i].add(p.V)
		}
	} else {
		s.pbad++
	}
}

// leave takes the oldest pane inside out of the running totals.
func (s *span) leave() {
	p := &s.panes[s.plo%maxPanes]
	s.prun.merge(p.sum, -1)
	s.pcount -= p.count
	s.pbad -= p.bad
	s.plo++
}

// seekPanes leaves inside the panes that have a sample after from.
func (s *span) seekPanes(from int64) {
	for s.plo < s.pnext && s.panes[s.plo%maxPanes].last.T <= from {
		s.leave()
	}
	for s.plo > s.pbase && s.panes[(s.plo-1)%maxPanes].last.T > from {
		s.plo--
		p := &s.panes[s.plo%maxPanes]
		s.prun.merge(p.sum, 1)
		s.pcount += p.count
		s.pbad += p.bad
	}
	if s.plo == s.pnext {
		s.prun, s.pcount, s.pbad = twofold{}, 0, 0
	}
}

func (p *pane) observe(x Point) {
	if p.count == 0 {
		p.first = x
	} else {
		p.step(p.last.V, x.V)
	}
	p.last = x
	p.count++
	if !summable(x.V) {
		p.bad++
		return
	}
	p.sum.add(x.V)
	p.min, p.max = math.Min(p.min, x.V), math.Max(p.max, x.V)
	n := float64(p.count - p.bad)
	t := float64(x.T-p.origin) / 1000
	dt, dv := t-p.mt, x.V-p.mv
	p.mt += dt / n
	p.mv += dv / n
	p.ctt += dt * (t - p.mt)
	p.ctv += dt * (x.V - p.mv)
	p.deviation += dv * (x.V - p.mv)
}

// step counts what lies between two neighbouring samples.
func (p *pane) step(before, after float64) {
	if after < before {
		p.resets++
		p.fallen += before
	}
	if after != before && !(math.IsNaN(after) && math.IsNaN(before)) {
		p.changes++
	}
}

// merge appends a later pane.
func (p *pane) merge(o *pane) {
	if p.count == 0 {
		*p = *o
		return
	}
	p.step(p.last.V, o.first.V)
	p.resets += o.resets
	p.fallen += o.fallen
	p.changes += o.changes
	p.last = o.last
	p.min, p.max = math.Min(p.min, o.min), math.Max(p.max, o.max)
	a, b := float64(p.count-p.bad), float64(o.count-o.bad)
	p.count += o.count
	p.bad += o.bad
	p.sum.merge(o.sum, 1)
	if b == 0 {
		return
	}
	if a == 0 {
		p.mt, p.mv, p.ctt, p.ctv, p.deviation, p.origin = o.mt, o.mv, o.ctt, o.ctv, o.deviation, o.origin
		return
	}
	dt := o.mt + float64(o.origin-p.origin)/1000 - p.mt
	dv := o.mv - p.mv
	share := a * b / (a + b)
	p.ctt += o.ctt + dt*dt*share
	p.ctv += o.ctv + dt*dv*share
	p.deviation += o.deviation + dv*dv*share
	p.mt += dt * b / (a + b)
	p.mv += dv * b / (a + b)
}
