package policy

import (
	"time"

	"vigil/engine/clock"
)

// quiet recognises the look that nearly all looks are: it was ok, a sample came,
// and nothing is true. Nothing can change then, whatever the cause.
func quiet(c *Condition, prev *Firing, ev *Evaluation, now clock.Stamp) bool {
	return prev.State == StateOK && ev.Fire == False && !ev.Ended && c.Spec.Times == nil &&
		ev.Newest != 0 && ev.Newest != prev.Seen && len(prev.Changes) == 0 &&
		!prev.Since.IsZero() && !prev.Known.IsZero() && prev.Known.BootID == now.BootID &&
		prev.True.IsZero() && prev.False.IsZero() && prev.Fired.IsZero()
}

// stay is move for a quiet look.
func stay(c *Condition, next Firing, ev *Evaluation, now clock.Stamp) (Firing, Transition, clock.Stamp) {
	next.Seen, next.SeenAt, next.Known = ev.Newest, now, now
	if ev.Value-ev.Value == 0 { // finite
		next.Value = ev.Value
	}
	if ev.Interval > 0 {
		next.Every = ev.Interval.Milliseconds()
	}
	next.Before, next.By, next.Told = "", "", false
	var wake clock.Stamp
	if c.Spec.NoData != NoDataKeep && !c.code.Uses.Silence {
		wake = now.Add(c.StaleAfter(time.Duration(next.Every) * time.Millisecond))
	}
	if ev.Next != 0 && ev.Next > ev.At {
		if at := untilNext(ev, now); wake.IsZero() || wake.Reached(at) {
			wake = at
		}
	}
	return next, Transition{}, wake
}

// untilNext is the moment of ev.Next on the clocks of now.
func untilNext(ev *Evaluation, now clock.Stamp) clock.Stamp {
	return now.Add(time.Duration(min(ev.Next-ev.At, maxFor.Milliseconds())) * time.Millisecond)
}
