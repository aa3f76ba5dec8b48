package policy

import (
	"math"
	"time"

	"vigil/engine/policy/lang"
	"vigil/engine/series"
)

// Instance is the windows and scratch of one series under one condition. One
// goroutine at a time.
type Instance struct {
	Labels series.Labels
	Target string // first of the labels target, service, unit, instance, host; else the one target the spec names

	c       *Condition
	machine *lang.Machine
	in      lang.Inputs
	own     *series.Track
	joined  []join // by source, the first is not used
	scratch series.Scratch
	looked  int64 // At of the last Evaluate
	late    uint64
}

// join is the series of a joined source that belong to the instance.
type join struct {
	parts   []part
	crowded bool // more came than are kept apart
}

type part struct {
	ref   series.Ref
	track *series.Track
}

// Evaluation is the outcome of one look.
type Evaluation struct {
	At      int64 // Unix ms of the look
	Newest  int64 // Unix ms of the newest sample of Sources[0], 0 if none yet
	Value   float64
	Fire    Truth
	Clear   Truth
	NoData  bool  // the series is silent for longer than stale_after
	StaleAt int64 // Unix ms at which NoData becomes true without a further sample; 0 never

	Ended    bool          // a stale marker ended the series
	Interval time.Duration // the series' usual interval, 0 not known yet
	Gap      time.Duration // between the newest sample and the one before, 0 not known
	Next     int64         // Unix ms at which the truth may change without a sample; 0 never
}

// Instance makes the state of one matched series (or of the selector's anchor).
func (c *Condition) Instance(labels series.Labels) *Instance {
	target := TargetOf(labels)
	if target == "" {
		target = c.exact
	}
	return &Instance{
		Labels:  labels,
		Target:  target,
		c:       c,
		machine: c.code.Machine(labels, target),
		in:      lang.Inputs{Calls: make([]float64, len(c.calls))},
		own:     series.NewTrack(c.spans[0]),
		joined:  make([]join, len(c.Sources)),
	}
}

// Observe takes a point in. Points of one source and series come in time order;
// one at or before the newest is late: it is ignored, counted, and false is
// returned. A stale marker ends the series' part. No allocation once windows are
// built. Refilling after a start is the same call, point by point, before the
// first Evaluate; where a joined series was seen already its points are late.
func (in *Instance) Observe(source int, ref series.Ref, p series.Point) bool {
	track := in.own
	if source != 0 {
		if track = in.part(source, ref); track == nil {
			return false
		}
	}
	if !track.Observe(p) {
		in.late++
		return false
	}
	return true
}

// part is the track of a joined series, made when it is first seen.
func (in *Instance) part(source int, ref series.Ref) *series.Track {
	if source < 0 || source >= len(in.joined) {
		return nil
	}
	j := &in.joined[source]
	for i := range j.parts {
		if j.parts[i].ref == ref {
			return j.parts[i].track
		}
	}
	if len(j.parts) == maxParts {
		j.crowded = true
		return nil
	}
	j.parts = append(j.parts, part{ref, series.NewTrack(in.c.spans[source])})
	return j.parts[len(j.parts)-1].track
}

// Forget drops what a series that no longer exists left in a source.
func (in *Instance) Forget(source int, ref series.Ref) {
	if source == 0 {
		in.own.Reset()
		return
	}
	if source < 0 || source >= len(in.joined) {
		return
	}
	j := &in.joined[source]
	for i := range j.parts {
		if j.parts[i].ref == ref {
			j.parts = append(j.parts[:i], j.parts[i+1:]...)
			return
		}
	}
}

// NewEra empties every window, so that samples of any time are welcome: for a
// step of the wall clock, after which nothing in the windows can be compared
// with what comes. What they say is unknown until they fill again.
func (in *Instance) NewEra() {
	in.own.Reset()
	clear(in.joined)
}

// Newest is the time of the newest sample of the matched series in Unix ms, 0
// while there is none.
func (in *Instance) Newest() int64 {
	p, _ := in.own.Newest()
	return p.T
}

// Late counts the points that came too late for the windows.
func (in *Instance) Late() uint64 { return in.late }

// Bytes is the memory the instance holds now.
func (in *Instance) Bytes() int {
	n := 512 + in.c.code.Bytes() + in.own.Bytes()
	for _, j := range in.joined {
		for _, p := range j.parts {
			n += p.track.Bytes()
		}
	}
	return n
}

// Evaluate computes fire and clear at now: Unix ms, the newest sample's time
// when a sample woke it, LookAt when the timer did. A now before the newest
// sample is taken as the newest sample's time. No allocation.
func (in *Instance) Evaluate(now int64, firing bool, firingFor time.Duration) (ev Evaluation) {
	newest, has := in.own.Newest()
	ev.Value = math.NaN()
	ev.Ended = in.own.Ended()
	ev.Interval = time.Duration(in.own.Interval()) * time.Millisecond
	ev.Gap = time.Duration(in.own.Gap()) * time.Millisecond
	if newest.T > now && (has || ev.Ended) {
		now = newest.T
	}
	ev.At = now
	in.in.Value, in.in.Age = math.NaN(), math.NaN()
	if has || ev.Ended {
		ev.Newest = newest.T
	}
	if has {
		ev.Value = newest.V
		in.in.Age = float64(now-newest.T) / 1000
		if newest.V-newest.V == 0 { // finite
			in.in.Value = newest.V
		}
	}
	in.in.Firing, in.in.FiringFor = 0, 0
	if firing {
		in.in.Firing, in.in.FiringFor = 1, firingFor.Seconds()
	}
	if in.c.code.Uses.Hour {
		hours := floorDiv(now, 3_600_000)
		in.in.Hour = float64(floorMod(hours, 24))
		in.in.Weekday = float64(floorMod(floorDiv(hours, 24)+4, 7)) // 1970 began on a Thursday
	}
	for i := range in.c.calls {
		in.in.Calls[i] = in.call(i, now)
	}
	in.machine.Run(&in.in)
	ev.Fire = TruthOf(in.machine.Value(in.c.fire))
	ev.Clear = -ev.Fire
	if in.c.clear != nil {
		ev.Clear = TruthOf(in.machine.Value(in.c.clear))
	}
	in.silence(&ev, has)
	if in.c.TimeDriven {
		ev.Next = in.next(&ev, has)
	}
	in.looked = ev.At
	return ev
}

// silence says whether the series has been silent too long, and when it will
// have been. A condition that speaks of silence itself answers for itself.
func (in *Instance) silence(ev *Evaluation, has bool) {
	if in.c.code.Uses.Silence && ev.Fire != Unknown {
		return
	}
	if !has {
		ev.NoData = true
		return
	}
	at := ev.Newest + in.c.StaleAfter(ev.Interval).Milliseconds() + 1
	if ev.At >= at {
		ev.NoData = true
		return
	}
	ev.StaleAt = at
}

// call answers one window call. A join answers when exactly one series belongs
// to it; absent answers in any case.
func (in *Instance) call(i int, now int64) float64 {
	at, call := in.c.calls[i], &in.c.code.Calls[i]
	if at.source == 0 {
		return in.own.Stat(at.span, call.Stat, call.Arg, now, &in.scratch)
	}
	j := &in.joined[at.source]
	if call.Stat == series.StatAbsent {
		for _, p := range j.parts {
			if p.track.Stat(at.span, call.Stat, 0, now, &in.scratch) == 0 {
				return 0
			}
		}
		if j.crowded {
			return math.NaN()
		}
		return 1
	}
	var one *series.Track
	for _, p := range j.parts {
		if p.track.Ended() {
			continue
		}
		if one != nil {
			return math.NaN()
		}
		one = p.track
	}
	if one == nil || j.crowded {
		return math.NaN()
	}
	return one.Stat(at.span, call.Stat, call.Arg, now, &in.scratch)
}

// TruthOf is the truth that a number of the language stands for: 1, 0, or neither.
func TruthOf(v float64) Truth {
	switch v {
	case 1:
		return True
	case 0:
		return False
	}
	return Unknown
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
