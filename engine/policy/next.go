package policy

import (
	"math"
	"time"

	"vigil/engine/clock"
	"vigil/engine/policy/lang"
	"vigil/engine/series"
)

// LookAt is the time at which a timer's look evaluates: the newest sample's
// time and the boot clock's since it was taken in, so that a step of the wall
// clock makes no series look silent.
func (f Firing) LookAt(now clock.Stamp) int64 {
	if f.Seen == 0 || f.SeenAt.IsZero() {
		return now.Millis()
	}
	since, _ := now.Sub(f.SeenAt)
	return f.Seen + max(0, since.Milliseconds())
}

// next is the earliest time after ev.At at which age, absent, count, firing_for
// or the hour can change the truth without a sample.
func (in *Instance) next(ev *Evaluation, has bool) int64 {
	best := int64(math.MaxInt64)
	consider := func(t int64) {
		if t > ev.At && t < math.MaxInt64 {
			best = min(best, t)
		}
	}
	u := &in.c.code.Uses
	if u.Age.Used && has {
		consider(clauseNext(u.Age, ev.At, in.in.Age))
	}
	if u.FiringFor.Used && in.in.Firing == 1 {
		consider(clauseNext(u.FiringFor, ev.At, in.in.FiringFor))
	}
	if u.Hour {
		consider((floorDiv(ev.At, 3_600_000) + 1) * 3_600_000)
	}
	for i := range in.c.code.Calls {
		call := &in.c.code.Calls[i]
		if call.Stat != series.StatAbsent && call.Stat != series.StatCount {
			continue
		}
		w := call.Window.Milliseconds()
		if in.in.Calls[i] > 0 && call.Stat == series.StatCount {
			consider(ev.At + max(1000, w/64))
		}
		if at := in.c.calls[i]; at.source == 0 {
			if has {
				consider(ev.Newest + w)
			}
		} else {
			for _, p := range in.joined[at.source].parts {
				if newest, ok := p.track.Newest(); ok {
					consider(newest.T + w)
				}
			}
		}
	}
	if best == math.MaxInt64 {
		return 0 // never
	}
	return best
}

// clauseNext is when a quantity that is at seconds now passes the next of its
// bounds: at the bound for >= and just after for >, so the later is looked at
// too. Used freely it is looked at every second. math.MaxInt64 is never.
func clauseNext(c lang.Clause, now int64, seconds float64) int64 {
	best := int64(math.MaxInt64)
	if c.Free {
		best = now + time.Second.Milliseconds()
	}
	for _, bound := range c.Bounds {
		if ms := (bound - seconds) * 1000; ms > 0 && ms < 1e15 {
			best = min(best, now+int64(math.Ceil(ms)))
		} else if ms > -0.5 && ms <= 0 {
			best = min(best, now+1)
		}
	}
	return best
}
