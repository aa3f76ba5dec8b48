package engine

import (
	"math"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// hit is one point on its way into the windows.
type hit struct {
	t   int64
	w   *watch
	p   series.Point
	seq int
}

// change is an instance whose state moved.
type change struct {
	inst  *instance
	tr    policy.Transition
	ev    policy.Evaluation
	cause string
	expl  policy.Explanation
}

// backStep is how far the wall clock must go back for the windows of before to
// be of another era: smaller steps are out-of-order samples.
const backStep = 10 * time.Second

// observe takes one batch in: per distinct timestamp, ascending, all points,
// then each touched instance once. s.mu is held.
func (s *shard) observe(b *block, now clock.Stamp) {
	if !s.lastAt.IsZero() {
		d, same := b.at.Sub(s.lastAt)
		wall := time.Duration(b.at.Wall-s.lastAt.Wall) * time.Microsecond
		if same && wall < d-backStep {
			s.era++
		}
	}
	s.lastAt = b.at

	hits := s.scratch[:0]
	sorted, one := true, true
	for _, r := range b.runs {
		for _, p := range b.points[r.lo:r.hi] {
			if n := len(hits); n > 0 {
				one = one && p.T == hits[0].t
				sorted = sorted && p.T >= hits[n-1].t
			}
			hits = append(hits, hit{p.T, r.w, p, len(hits)})
		}
	}
	if !sorted {
		slices.SortStableFunc(hits, func(a, b hit) int {
			switch {
			case a.t < b.t:
				return -1
			case a.t > b.t:
				return 1
			}
			return a.seq - b.seq
		})
	}
	for i := 0; i < len(hits); {
		j := i
		for j < len(hits) && hits[j].t == hits[i].t {
			j++
		}
		s.instant(hits[i:j], b, now)
		i = j
	}
	clear(hits)
	s.scratch = hits[:0]
}

// instant takes in the points of one timestamp and evaluates what they touched.
func (s *shard) instant(hits []hit, b *block, now clock.Stamp) {
	s.round++
	s.touched = s.touched[:0]
	for i := range hits {
		h := &hits[i]
		for _, t := range h.w.taps {
			x := t.inst
			if x.en.shard != s || x.dead {
				continue
			}
			if x.cold {
				x.backlog = append(x.backlog, waiting{t.source, h.w.ref, h.p, b.at})
				continue
			}
			s.feed(x, t.source, h.w.ref, h.p, b.at)
		}
	}
	for _, x := range s.touched {
		if b.replay && hits[0].t <= x.stored.Seen {
			continue
		}
		s.evaluate(x, hits[0].t, now)
	}
}

// feed takes one point into one instance. Points of the matched series touch
// it; joined ones are only read.
func (s *shard) feed(x *instance, source int, ref series.Ref, p series.Point, at clock.Stamp) {
	if x.era != s.era {
		// The wall clock went back: what the windows hold lies in a future that
		// did not come. The firing's own state stays.
		x.era = s.era
		x.in = x.en.cond.Instance(x.labels)
		x.row.State.Seen = 0
	}
	if v := x.en.verify; v != nil && !v.pointAfter(p) {
		return
	}
	if !x.in.Observe(source, ref, p) {
		s.e.count.late.Add(1)
		return
	}
	if source != 0 {
		return
	}
	x.fresh = x.fresh || s.e.opened.Load()
	x.arrived = at
	if x.touched != s.round {
		x.touched = s.round
		s.touched = append(s.touched, x)
	}
}

// evaluate looks once and moves the firing on; s.mu is held.
func (s *shard) evaluate(x *instance, at int64, now clock.Stamp) {
	s.e.count.evaluations.Add(1)
	st := &x.row.State
	var firingFor time.Duration
	if x.isFiring() {
		firingFor, _ = now.Sub(st.Fired)
	}
	ev := x.in.Evaluate(at, x.isFiring(), firingFor)
	if x.en.verify != nil {
		x.en.verify.saw(x, ev)
		s.rewake(x, ev, clock.Stamp{}, now)
		return
	}
	was := x.isFiring()
	cause := s.e.cause(x.en)
	next, tr, wake := policy.Advance(x.en.cond, *st, ev, cause, now)
	x.row.State = next
	x.row.Evaluation = s.e.count.evaluations.Load()
	if is := x.isFiring(); is != was {
		if is {
			x.en.firing.Add(1)
		} else {
			x.en.firing.Add(-1)
		}
	}
	if tr.Changed() {
		c := change{inst: x, tr: tr, ev: ev, cause: cause}
		if told(tr) {
			c.expl = x.in.Explain()
		}
		s.changes = append(s.changes, c)
	} else if !sameState(next, x.stored) {
		s.dirty[x] = struct{}{}
	}
	s.rewake(x, ev, wake, now)
}

// rewake schedules the next look that no sample brings.
func (s *shard) rewake(x *instance, ev policy.Evaluation, wake, now clock.Stamp) {
	s.schedule(x, wake)
	if x.en.cond.TimeDriven {
		s.schedule(x, now.Add(secondsOne))
	}
	if ev.StaleAt > 0 && !ev.NoData {
		s.schedule(x, now.Add(max(time.Duration(ev.StaleAt-x.now(now))*time.Millisecond, 0)+time.Millisecond))
	}
	if !x.isFiring() || x.en.doc.Remedy == nil {
		return
	}
	switch {
	case x.checkAt == 0 || x.checkAt > now.Boot+int64(raiseEvery):
		x.checkAt = now.Boot + int64(raiseEvery)
	case now.Boot >= x.checkAt:
		x.checkAt = now.Boot + int64(raiseEvery)
		s.raises = append(s.raises, x)
	}
	s.schedule(x, now.Add(time.Duration(x.checkAt-now.Boot)))
}

// sameState compares what must survive a restart; the value and the time last
// looked at are replayed.
func sameState(a, b policy.Firing) bool {
	a.Value, b.Value, a.Seen, b.Seen = 0, 0, 0, 0
	return a.State == b.State && a.Since == b.Since && a.Fired == b.Fired && a.True == b.True && a.False == b.False &&
		a.Before == b.Before && a.By == b.By && slices.Equal(a.Recent, b.Recent) && slices.Equal(a.Changes, b.Changes)
}

// told says whether a transition is a decision (audited) and not just state.
func told(tr policy.Transition) bool {
	quiet := func(s policy.State) bool { return s == policy.StateOK || s == policy.StatePending }
	return !(quiet(tr.From) && quiet(tr.To))
}

// cause names the deepest policy that fires among those an entry depends on.
func (e *Engine) cause(en *entry) string {
	if len(en.doc.DependsOn) == 0 {
		return ""
	}
	return e.deepest(en.doc.DependsOn, 0)
}

func (e *Engine) deepest(names []string, depth int) string {
	if depth > 16 {
		return ""
	}
	deps := *e.reg.deps.Load()
	for _, n := range names {
		d := deps[n]
		if d == nil {
			continue
		}
		if deeper := e.deepest(d.on, depth+1); deeper != "" {
			return deeper
		}
		if d.firing.Load() > 0 {
			return n
		}
	}
	return ""
}

// finite keeps JSON from refusing a value.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
