package policy

import (
	"slices"
	"time"

	"vigil/engine/clock"
)

// Advance moves a firing on. Pure: the same arguments give the same answer.
// cause names a deeper cause that fires ("" none). The returned wake is when to
// look again although no sample came (the end of `for`, `clear_for`, calm, or
// silence, or a clause that changes with time); zero means never.
//
//	        breach           lasted for              clear            lasted clear_for
//	ok ---------------> pending ------> firing ---------------> recovering ------> ok
//	 ^--- no breach ------'               ^---- breach, or no clear ---'
//
// Over that base lie, the first that holds being shown: unknown (nothing known
// for stale_after, the base stands still), flapping, suppressed (the base fires,
// and so does a deeper cause). Fire wins over clear. Unknown moves nothing, and
// what lasts goes on lasting across it; once the base was shown as unknown, what
// must last begins anew.
//
// All lengths are measured on the boot clock. After a reboot what must last
// begins to last anew.
func Advance(c *Condition, prev Firing, ev Evaluation, cause string, now clock.Stamp) (next Firing, tr Transition, wake clock.Stamp) {
	if quiet(c, &prev, &ev, now) {
		return stay(c, prev, &ev, now)
	}
	return move(c, prev, ev, cause, now)
}

// move is Advance in full.
func move(c *Condition, prev Firing, ev Evaluation, cause string, now clock.Stamp) (next Firing, tr Transition, wake clock.Stamp) {
	a := step{c: c, now: now, prev: prev, next: prev, base: prev.State}
	a.never = prev.State == "" || prev.State == StateOK && prev.Since.IsZero()
	switch prev.State {
	case "":
		a.base = StateOK
	case StateUnknown, StateFlapping, StateSuppressed:
		if a.base = prev.Before; a.base == "" {
			a.base = StateOK
		}
	}
	a.rebooted()
	a.take(ev)
	if !a.unknown {
		a.returned()
		a.move()
	}
	a.show(cause)
	return a.next, a.transition(ev), a.wake(ev)
}

// step is one Advance in progress.
type step struct {
	c          *Condition
	now        clock.Stamp
	prev, next Firing
	base       State // of the lower row, without what lies over it
	was        State // base before move
	why        string

	breach, clear Truth
	dark          bool // nothing known for stale_after
	unknown       bool // to be shown as unknown
	fresh         bool // a sample came since the last look
	back          bool // something is known again after stale_after without, on both clocks
	never         bool // it was never looked at before
}

// rebooted restarts what is lasting when its stamps are of another boot.
func (a *step) rebooted() {
	for _, s := range []*clock.Stamp{&a.next.True, &a.next.False, &a.next.Known} {
		if !s.IsZero() && s.BootID != a.now.BootID {
			*s = a.now
		}
	}
}

// take reads the evaluation: what is true, and whether anything is known.
func (a *step) take(ev Evaluation) {
	n := &a.next
	a.fresh = ev.Newest != 0 && ev.Newest != n.Seen
	if a.fresh {
		n.Seen, n.SeenAt = ev.Newest, a.now
	}
	if ev.Value-ev.Value == 0 { // finite
		n.Value = ev.Value
	}
	if ev.Interval > 0 {
		n.Every = ev.Interval.Milliseconds()
	}
	aware := a.c.code.Uses.Silence && ev.Fire != Unknown
	if known := ev.Fire != Unknown && (a.fresh || aware); known || n.Known.IsZero() {
		a.back = known && ev.Gap >= a.staleAfter() && a.since(n.Known) >= a.staleAfter()
		n.Known = a.now
	}
	a.dark = ev.Ended && !aware || a.since(n.Known) >= a.staleAfter()
	a.breach, a.clear = a.times(ev.Fire), ev.Clear
	if a.dark {
		switch a.c.Spec.NoData {
		case NoDataOK:
			a.breach, a.clear = False, True
		case NoDataFire:
			a.breach, a.clear = True, False
		default:
			a.breach, a.clear = Unknown, Unknown
		}
	}
	a.unknown = a.dark && a.noData() == NoDataUnknown ||
		a.breach == Unknown && (a.prev.State == StateUnknown || a.never && a.noData() != NoDataOK)
}

func (a *step) noData() NoData {
	if a.c.Spec.NoData == "" {
		return NoDataUnknown
	}
	return a.c.Spec.NoData
}

func (a *step) staleAfter() time.Duration {
	return a.c.StaleAfter(time.Duration(a.next.Every) * time.Millisecond)
}

// since is the time from s to now, on the boot clock within one boot.
func (a *step) since(s clock.Stamp) time.Duration {
	d, _ := a.now.Sub(s)
	return d
}

// times turns single looks into x breaches among the last y looks at fresh
// samples, when the spec asks for it.
func (a *step) times(fire Truth) Truth {
	t := a.c.Spec.Times
	if t == nil || fire == Unknown {
		return fire
	}
	if a.fresh {
		recent := append(slices.Clone(a.next.Recent), fire == True)
		a.next.Recent = recent[max(0, len(recent)-t.Of):]
	}
	breaches := 0
	for _, b := range a.next.Recent {
		if b {
			breaches++
		}
	}
	if breaches >= t.X {
		return True
	}
	return False
}

// returned restarts what must last after a stretch in which nothing was known,
// whether it was shown or kept silent about.
func (a *step) returned() {
	if a.prev.State != StateUnknown && !(a.back && a.noData() == NoDataKeep) {
		return
	}
	switch a.base {
	case StatePending:
		a.next.True = a.now
	case StateRecovering:
		a.next.False = a.now
	}
}

// move is the lower row of the life.
func (a *step) move() {
	n := &a.next
	a.was = a.base
	cleared := a.clear == True && a.breach != True
	switch a.base {
	case StateOK:
		if a.breach == True {
			n.True = a.now
			a.base, a.why = StatePending, a.breached()
			a.mature()
		}
	case StatePending:
		switch a.breach {
		case True:
			a.mature()
		case False:
			a.base, a.why = StateOK, "fire is no longer true"
		}
	case StateFiring:
		if cleared {
			n.False = a.now
			a.base, a.why = StateRecovering, "clear is true"
			a.heal()
		}
	case StateRecovering:
		switch {
		case a.breach == True:
			a.base, a.why = StateFiring, "fire is true again"
		case cleared:
			a.heal()
		case a.clear == False:
			a.base, a.why = StateFiring, "clear is no longer true"
		}
	}
	if a.base == StateFiring && n.Fired.IsZero() {
		n.Fired = a.now
	}
	if a.base == StateOK {
		n.Fired, n.True, n.False = clock.Stamp{}, clock.Stamp{}, clock.Stamp{}
	}
	if a.base == StateFiring {
		n.False = clock.Stamp{}
	}
	a.changes()
}

// mature makes pending firing once the breach has lasted.
func (a *step) mature() {
	if wait := a.c.Spec.For; a.since(a.next.True) >= wait.Std() {
		a.why = a.breached()
		if wait > 0 {
			a.why += ", for " + wait.String()
		}
		a.base = StateFiring
	}
}

// heal makes recovering ok once clear has lasted.
func (a *step) heal() {
	if wait := a.c.Spec.ClearFor; a.since(a.next.False) >= wait.Std() {
		a.why = "clear is true"
		if wait > 0 {
			a.why += ", for " + wait.String()
		}
		if a.dark {
			a.why = "no data counts as ok"
		}
		a.base = StateOK
	}
}

func (a *step) breached() string {
	switch {
	case a.dark:
		return "no data counts as a breach"
	case a.c.Spec.Times != nil:
		return "fire was true often enough"
	}
	return "fire is true"
}

// changes keeps the stamps that flapping counts: the newest ones, no more than
// it takes, and the last in any case, since calm is measured from it.
func (a *step) changes() {
	n := &a.next
	if (a.was == StateFiring) != (a.base == StateFiring) {
		n.Changes = append(slices.Clone(n.Changes), a.now)
		if extra := len(n.Changes) - a.c.flap.Changes; extra > 0 {
			n.Changes = n.Changes[extra:]
		}
	}
	old := 0
	for old < len(n.Changes)-1 && a.since(n.Changes[old]) >= a.c.flap.Within.Std() {
		old++
	}
	if old > 0 {
		n.Changes = slices.Clone(n.Changes[old:])
	}
	if len(n.Changes) == 1 && a.since(n.Changes[0]) >= max(a.c.flap.Within.Std(), a.c.flap.Calm.Std()) {
		n.Changes = nil
	}
}

// flapping begins with enough changes and lasts until none came for calm.
func (a *step) flapping() bool {
	n := &a.next
	if len(n.Changes) == 0 {
		return false
	}
	if a.prev.State != StateFlapping && len(n.Changes) < a.c.flap.Changes {
		return false
	}
	if a.since(n.Changes[len(n.Changes)-1]) < a.c.flap.Calm.Std() {
		return true
	}
	n.Changes = nil
	return false
}

// show lays over the base what hides it.
func (a *step) show(cause string) {
	n := &a.next
	n.Before, n.By = a.base, ""
	switch {
	case a.unknown:
		n.State = StateUnknown
	case a.flapping():
		n.State = StateFlapping
	case cause != "" && (a.base == StateFiring || a.base == StateRecovering):
		n.State, n.By = StateSuppressed, cause
	default:
		n.State, n.Before = a.base, ""
	}
	if n.State != a.prev.State || a.never {
		n.Since = a.now
	}
	switch n.State {
	case StateFiring:
		n.Told = true
	case StateOK:
		n.Told = false
	}
}

// wake is the earliest moment at which a further look may change something.
func (a *step) wake(ev Evaluation) (wake clock.Stamp) {
	n := &a.next
	consider := func(s clock.Stamp) {
		if !a.now.Reached(s) && (wake.IsZero() || wake.Reached(s)) {
			wake = s
		}
	}
	if !a.unknown {
		switch a.base {
		case StatePending:
			consider(n.True.Add(a.c.Spec.For.Std()))
		case StateRecovering:
			consider(n.False.Add(a.c.Spec.ClearFor.Std()))
		}
		if n.State == StateFlapping {
			consider(a.now.Add(a.c.flap.Calm.Std() - a.since(n.Changes[len(n.Changes)-1])))
		}
	}
	if !a.dark && a.noData() != NoDataKeep && !(a.c.code.Uses.Silence && ev.Fire != Unknown) {
		consider(a.now.Add(a.staleAfter() - a.since(n.Known)))
	}
	if a.c.code.Uses.FiringFor.Used && n.Fired != a.prev.Fired {
		consider(a.now.Add(time.Second)) // this look did not know yet that it fires
	}
	if ev.Next != 0 && ev.Next > ev.At {
		consider(untilNext(&ev, a.now))
	}
	return wake
}
