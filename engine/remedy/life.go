package remedy

import (
	"vigil/engine/fault"
)

// Event is what moves a remediation from one state to the next.
type Event string

// The events.
const (
	Claimed   Event = "claimed"   // the gates admitted it and its attempt is open
	Leased    Event = "leased"    // an outside remediator took it
	Paused    Event = "paused"    // a gate holds it, anew or still
	Released  Event = "released"  // what held it is gone: look now
	Denied    Event = "denied"    // a gate refused it
	Cleared   Event = "cleared"   // the condition went away without us
	Approved  Event = "approved"  // a person said yes
	Dropped   Event = "dropped"   // a person cancelled it
	Acted     Event = "acted"     // the act ended well
	Proved    Event = "proved"    // and the condition is gone
	Retried   Event = "retried"   // this rung again, after a wait
	Climbed   Event = "climbed"   // the next rung
	Exhausted Event = "exhausted" // the ladder ends; there is an automatic retry
	Ended     Event = "ended"     // failed for good: nobody waits for a retry
	Lost      Event = "lost"      // an unsafe act whose end nobody saw
	Repeated  Event = "repeated"  // an act whose end nobody saw, and which may be done again
	Found     Event = "found"     // an act whose end nobody saw, and which proved to be done
	Woke      Event = "woke"      // the automatic retry of one that gave up
	Asked     Event = "asked"     // a person wants it tried anew
	Judged    Event = "judged"    // a person says that the lost act was done
	Unasked   Event = "unasked"   // its policy went away while it was verified
)

// Events lists every event.
func Events() []Event {
	return []Event{Claimed, Leased, Paused, Released, Denied, Cleared, Approved, Dropped, Acted, Proved,
		Retried, Climbed, Exhausted, Ended, Lost, Repeated, Found, Woke, Asked, Judged, Unasked}
}

// States lists every state, in the order of a life.
func States() []State {
	return []State{Queued, Held, Running, Verifying, Succeeded, GaveUp, Refused, Cancelled, Indeterminate, Failed}
}

// life is the whole state machine: what is not here cannot happen.
//
// Cancelling a running remediation leaves its attempt open: the subject stays
// locked until the worker has ended the act and closes it. A queued one can
// climb or give up, since an action that cannot even be started is a failed try.
var life = map[State]map[Event]State{
	Queued: {
		Claimed: Running, Leased: Running, Paused: Held, Released: Queued, Denied: Refused, Cleared: Cancelled,
		Approved: Queued, Dropped: Cancelled, Retried: Queued, Climbed: Queued, Exhausted: GaveUp, Ended: Failed,
	},
	Held: {
		Claimed: Running, Leased: Running, Paused: Held, Released: Queued, Denied: Refused, Cleared: Cancelled,
		Approved: Queued, Dropped: Cancelled, Retried: Queued, Climbed: Queued, Exhausted: GaveUp, Ended: Failed,
	},
	Running: {
		Acted: Verifying, Retried: Queued, Climbed: Queued, Exhausted: GaveUp, Ended: Failed, Dropped: Cancelled,
		Lost: Indeterminate, Repeated: Queued, Found: Verifying,
	},
	Verifying: {
		Proved: Succeeded, Retried: Queued, Climbed: Queued, Exhausted: GaveUp, Ended: Failed, Dropped: Cancelled,
		Unasked: Cancelled,
	},
	GaveUp:        {Woke: Queued, Cleared: Failed, Dropped: Cancelled, Asked: Queued, Paused: GaveUp},
	Indeterminate: {Judged: Succeeded, Ended: Failed, Exhausted: GaveUp, Dropped: Cancelled, Asked: Queued},
	Failed:        {Asked: Queued},
	Refused:       {Asked: Queued},
	Cancelled:     {Asked: Queued},
	Succeeded:     {},
}

// Next is the state after an event. A pair that the table does not list is a
// Conflict that names both.
func Next(s State, e Event) (State, error) {
	to, ok := life[s][e]
	if !ok {
		return s, fault.New(fault.Conflict, "a remediation that is %s cannot be %s", s, e).
			Mend("look at it again: somebody else may have moved it")
	}
	return to, nil
}
