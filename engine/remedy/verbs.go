package remedy

import (
	"strconv"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// The verbs below are what people and the engine do to a remediation. Each is
// pure and returns the move to commit at r.Version, or a Conflict when the
// state does not allow it.

// Cancel ends what is not over yet. A running act is killed by the worker, and
// its subject stays locked until that act has really ended.
func Cancel(r Remediation, actor, reason string, now clock.Stamp) (Move, error) {
	if _, err := Next(r.State, Dropped); err != nil { // in the original contract's words
		return Move{Next: r}, fault.New(fault.Conflict, "Action with status '%s' cannot be cancelled. Only actions with status ['pending', 'running'] can be cancelled.", r.State.Word())
	}
	s := Begin(r, now)
	s.Event(Dropped)
	s.Next.Reason = reason
	if reason != "" {
		s.Next.Details = "Cancelled: " + reason
	}
	s.Tell(actor, "remediation.cancel", reason, nil)
	return s.Done()
}

// Retry starts what is over from its first rung, at once, through every gate.
func Retry(r Remediation, actor string, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	s.Event(Asked)
	n := &s.Next
	n.Rung, n.Try, n.GaveUps, n.Subject = 0, 0, 0, ""
	n.Reason, n.Error = "", ""
	n.ApprovedBy, n.ApproveBy = "", clock.Stamp{}
	s.Tell(actor, "remediation.ask", "tried again from the first rung", nil)
	return s.Done()
}

// Approve says yes to what waits for a person.
func Approve(r Remediation, actor string, now clock.Stamp) (Move, error) {
	if !r.Approval && r.Plan.Approval == nil && r.Plan.Mode != "suggest" {
		return Move{Next: r}, fault.New(fault.Conflict, "remediation %d asks for no approval", r.ID)
	}
	s := Begin(r, now)
	s.Event(Approved)
	s.Next.ApprovedBy, s.Next.Reason = actor, ""
	s.Tell(actor, "remediation.approve", "approved", nil)
	return s.Done()
}

// Resolve is a person's word on an act whose end nobody saw: it was done, or
// it failed.
func Resolve(r Remediation, actor string, done bool, reason string, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	verb, e := "remediation.judge_failed", Ended
	if done {
		verb, e = "remediation.judge_done", Judged
		s.Next.Error = ""
	}
	if r.State != Indeterminate {
		e = Judged // the table refuses it, naming the state
	}
	s.Event(e)
	s.Next.Reason = reason
	s.Tell(actor, verb, reason, nil)
	return s.Done()
}

// Withdraw ends what waits, when its condition went away without an act: the
// engine's word when a firing ends or is closed. One that gave up ends as
// failed, since that is what its acts did; a running one goes on to its
// verification and is a Conflict here.
func Withdraw(r Remediation, reason string, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	s.Withdraw(reason, nil)
	return s.Done()
}

// Release lets a held remediation be looked at now: its pause, window, silence,
// hands-off or cause ended before the time it was told.
func Release(r Remediation, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	gate := r.Gate
	s.Event(Released)
	s.Next.Gate, s.Next.Since = gate, r.Since
	return s.Done()
}

// Lease gives an external remediation to an outside remediator for a time.
func Lease(r Remediation, actor, remediator string, length time.Duration, now clock.Stamp) (Move, error) {
	if r.Source != FromExternal {
		return Move{Next: r}, fault.New(fault.Conflict, "remediation %d is carried out by vigild itself", r.ID)
	}
	length = min(length, MaxLease)
	s := Begin(r, now)
	s.Event(Leased)
	s.Next.Lease, s.Next.LeaseUntil = remediator, now.Add(length)
	s.Next.Attempt++
	if r.Started.IsZero() {
		s.Next.Started = now
	}
	s.Tell(actor, "remediation.lease", "claimed by "+remediator+" for "+document.Duration(length).String(), nil)
	return s.Done()
}

// SetStatus is the original contract's PUT status, by its words. Details and
// errMsg replace what was there unless empty. What the word asks for goes
// through the same table as everything: vigild's own running acts end by
// themselves, an outside remediator's word of success is still verified.
func SetStatus(r Remediation, actor, word, details, errMsg string, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	if details != "" {
		s.Next.Details = details
	}
	if errMsg != "" {
		s.Next.Error = errMsg
	}
	if word != r.State.Word() || r.State == Indeterminate {
		e, err := statusEvent(r, word)
		if err != nil {
			return Move{Next: r}, err
		}
		s.Event(e)
		c := &s.Next
		switch e {
		case Acted:
			c.AttemptEnd = now
		case Leased:
			c.Lease, c.LeaseUntil = actor, now.Add(MaxLease)
			if c.Started.IsZero() {
				c.Started = now
			}
		case Asked:
			c.Rung, c.Try, c.GaveUps, c.Subject = 0, 0, 0, ""
		}
		c.Reason = "status set to " + word + " by " + actor
	}
	s.Tell(actor, "remediation.status", word, Evidence(map[string]string{"from": string(r.State), "details": details, "error_message": errMsg}))
	return s.Done()
}

// MaxLease is how long an outside remediator may work without renewing its
// claim, and how long one that only sets words has.
const MaxLease = time.Hour

// statusEvent is the event that a word of the original asks for.
func statusEvent(r Remediation, word string) (Event, error) {
	waits := r.State == Queued || r.State == Held
	external := r.Source == FromExternal
	switch {
	case word == "cancelled":
		return Dropped, nil
	case word == "pending" && r.State.Final():
		return Asked, nil
	case word == "completed" && r.State == Indeterminate:
		return Judged, nil
	case word == "failed" && r.State == Indeterminate:
		return Ended, nil // a person's decision, though the word stays
	case word == "failed" && external && (waits || r.State == Running || r.State == Verifying):
		return Ended, nil
	case word == "running" && external && waits:
		return Leased, nil
	case word == "completed" && external && r.State == Running:
		return Acted, nil
	case word == "pending", word == "running", word == "completed", word == "failed":
		return "", fault.New(fault.Conflict, "remediation %d is %s and cannot be set to %q", r.ID, r.State, word).
			Mend("vigild moves its own remediations itself; cancel, retry or approve it")
	}
	return "", fault.New(fault.Unprocessable, "%q is not a status", word).Mend("use pending, running, completed, failed or cancelled")
}
