package shard

import (
	"context"
	"math"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/match"
	"vigil/engine/policy"
	"vigil/engine/policy/record"
	"vigil/engine/series"
)

// hit is one point on its way into the windows.
type hit struct {
	t   int64
	w   *match.Watch[Tap]
	p   series.Point
	seq int
}

// change is an instance whose state moved.
type change struct {
	inst  *Instance
	tr    policy.Transition
	ev    policy.Evaluation
	cause string
	expl  policy.Explanation
	step  *record.Step // what moved it, of a change that is told
}

// backStep is how far the wall clock must go back for the windows of before to
// be of another era: smaller steps are out-of-order samples.
const backStep = 10 * time.Second

// observe takes one batch in: per distinct timestamp, ascending, all points,
// then each touched instance once. s.Mu is held. Where alone says that no other
// batch is of this round, and all points are of one time, what changed is written
// as soon as it fills a piece (s.Mu is given up meanwhile): a storm waits in memory
// as samples, not as evidence. It returns false when ctx ended first.
func (s *Shard) observe(ctx context.Context, b *Block, alone bool, now clock.Stamp) bool {
	if !s.lastAt.IsZero() {
		d, same := b.at.Sub(s.lastAt)
		wall := time.Duration(b.at.Wall-s.lastAt.Wall) * time.Microsecond
		if same && wall < d-backStep {
			s.era++
		}
	}
	s.lastAt = b.at
	s.replaying = b.replay

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
	s.scratch = nil
	whole := true
	for i := 0; i < len(hits) && whole; {
		j := i
		for j < len(hits) && hits[j].t == hits[i].t {
			j++
		}
		// What fires and clears again within a round is one decision, so an instance
		// that may move twice in it is not written in between.
		whole = s.instant(ctx, hits[i:j], b, alone && one && !b.replay, now)
		i = j
	}
	clear(hits)
	s.scratch = hits[:0]
	return whole
}

// instant takes in the points of one timestamp and evaluates what they touched; see
// observe for what it returns.
func (s *Shard) instant(ctx context.Context, hits []hit, b *Block, byPieces bool, now clock.Stamp) bool {
	s.round++
	s.touched = s.touched[:0]
	for i := range hits {
		h := &hits[i]
		for _, t := range h.w.Taps {
			x := t.Inst
			if x.En.Shard != s || x.Dead {
				continue
			}
			if x.Cold {
				x.backlog = append(x.backlog, waiting{t.Source, h.w.Ref, h.p, b.at})
				continue
			}
			s.feed(x, t.Source, h.w.Ref, h.p, b.at)
		}
	}
	touched := s.touched
	s.touched = nil
	for _, x := range touched {
		if x.Dead || b.replay && hits[0].t <= x.Seen {
			continue
		}
		s.evaluate(x, hits[0].t, now)
		if byPieces && len(s.changes) >= pieceMost {
			s.Mu.Unlock()
			whole := s.settle(ctx, now)
			s.Mu.Lock()
			if !whole {
				return false
			}
			now = s.c.Clock()
		}
	}
	clear(touched)
	s.touched = touched[:0]
	return true
}

// feed takes one point into one instance. Points of the matched series touch
// it; joined ones are only read.
func (s *Shard) feed(x *Instance, source int, ref series.Ref, p series.Point, at clock.Stamp) {
	if x.era != s.era {
		// The wall clock went back: what the windows hold lies in a future that
		// did not come. The firing's own state stays.
		x.era = s.era
		x.In = x.En.Cond.Instance(x.Labels)
		x.Row.State.Seen = 0
	}
	if x.Beyond && !s.replaying && source == 0 {
		x.Beyond = false // else every sample were late until the clock is there again
		if now := at.Millis(); p.T <= now && x.In.Newest() > now {
			x.In = x.En.Cond.Instance(x.Labels)
			x.Row.State.Seen = 0
		}
	}
	if l := x.En.Listen; l != nil && l.old(p.T, at) {
		return
	}
	if !x.In.Observe(source, ref, p) {
		s.c.Count.Late.Add(1)
		return
	}
	if source != 0 {
		return
	}
	x.Fresh = x.Fresh || s.c.Opened.Load()
	x.Arrived = at
	x.Beyond = x.Beyond || s.replaying && p.T > at.Millis()
	if x.touched != s.round {
		x.touched = s.round
		s.touched = append(s.touched, x)
	}
}

// evaluate looks once and moves the firing on; s.Mu is held.
func (s *Shard) evaluate(x *Instance, at int64, now clock.Stamp) {
	s.c.Count.Evaluations.Add(1)
	st := &x.Row.State
	var firingFor time.Duration
	if x.IsFiring() {
		firingFor, _ = now.Sub(st.Fired)
	}
	ev := x.In.Evaluate(at, x.IsFiring(), firingFor)
	if l := x.En.Listen; l != nil {
		l.Saw(x.In, ev)
		s.rewake(x, ev, clock.Stamp{}, now)
		return
	}
	fired, caused := x.IsFiring(), x.causes()
	cause := s.c.cause(x.En)
	prev := *st
	next, tr, wake := policy.Advance(x.En.Cond, prev, ev, cause, now)
	x.Row.State = next
	x.Row.Evaluation = s.c.Count.Evaluations.Load()
	x.moved(fired, caused)
	x.Kept = x.Kept && sameState(next, prev)
	if tr.Changed() {
		c := change{inst: x, tr: tr, ev: ev, cause: cause}
		if told(tr) {
			c.expl, c.step = x.In.Explain(), record.StepOf(x.En.Cond, prev, ev, now)
		}
		s.changes = append(s.changes, c)
	} else if !x.Kept {
		s.dirty[x] = struct{}{}
	}
	s.rewake(x, ev, wake, now)
}

// rewake schedules the next look that no sample brings.
func (s *Shard) rewake(x *Instance, ev policy.Evaluation, wake, now clock.Stamp) {
	s.Schedule(x, wake)
	if ev.Next > ev.At { // a clause changes with time: age, absent, firing_for, the hour
		s.Schedule(x, now.Add(time.Duration(min(ev.Next-ev.At, int64(time.Hour/time.Millisecond)))*time.Millisecond))
	}
	if ev.StaleAt > 0 && !ev.NoData {
		s.Schedule(x, now.Add(max(time.Duration(ev.StaleAt-x.Now(now))*time.Millisecond, 0)+time.Millisecond))
	}
	if !x.IsFiring() || x.En.P.Doc.Remedy == nil {
		x.checkAt = 0
		return
	}
	switch {
	case x.checkAt == 0:
		x.checkAt = now.Boot + int64(raiseEvery)
	case now.Boot >= x.checkAt:
		x.checkAt = now.Boot + int64(raiseEvery)
		s.raises = append(s.raises, x)
	}
	s.Schedule(x, now.Add(time.Duration(x.checkAt-now.Boot)))
}

// sameState compares what must survive a restart; the value and the time last
// looked at are replayed.
func sameState(a, b policy.Firing) bool {
	a.Value, b.Value, a.Seen, b.Seen = 0, 0, 0, 0
	return a.State == b.State && a.Since == b.Since && a.Fired == b.Fired && a.True == b.True && a.False == b.False &&
		a.Before == b.Before && a.By == b.By && slices.Equal(a.Recent, b.Recent) && slices.Equal(a.Changes, b.Changes)
}

// told says whether a transition is a decision (audited) and not just state:
// what comes and goes below firing is state, but that data stopped or came back
// to a condition that was ok is told.
func told(tr policy.Transition) bool {
	quiet := func(s policy.State) bool { return s == policy.StateOK || s == policy.StatePending }
	if tr.From == policy.StatePending || tr.To == policy.StatePending {
		return !quiet(tr.From) && tr.From != policy.StateUnknown || !quiet(tr.To) && tr.To != policy.StateUnknown
	}
	return !(quiet(tr.From) && quiet(tr.To))
}

// Finite keeps JSON from refusing a value.
func Finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
