package remedy

import (
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
)

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
	if r.unapproved() {
		return Move{Next: r}, fault.New(fault.Conflict, "remediation %d waits until a person approves it", r.ID)
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
// themselves, and an outside remediator's word of success is still verified
// where there is something to verify.
func SetStatus(r Remediation, actor, word, details, errMsg string, now clock.Stamp) (Move, error) {
	s := Begin(r, now)
	if details != "" {
		s.Next.Details = details
	}
	if errMsg != "" {
		s.Next.Error = errMsg
	}
	if word != r.State.Word() || r.State == Indeterminate {
		es, err := statusEvents(r, word)
		if err != nil {
			return Move{Next: r}, err
		}
		for _, e := range es {
			s.Event(e)
			s.status(e, actor)
		}
		s.Next.Reason = "status set to " + word + " by " + actor
	}
	s.Tell(actor, "remediation.status", word, audit.Evidence(map[string]string{"from": string(r.State), "details": details, "error_message": errMsg}))
	return s.Done()
}

// status keeps what goes with one event of SetStatus.
func (s *Step) status(e Event, actor string) {
	n := &s.Next
	switch e {
	case Leased:
		n.Lease, n.LeaseUntil = actor, s.Now.Add(MaxLease)
		if n.Started.IsZero() {
			n.Started = s.Now
		}
	case Acted:
		n.AttemptEnd = s.Now
	case Asked:
		n.Rung, n.Try, n.GaveUps, n.Subject = 0, 0, 0, ""
	}
}

// MaxLease is how long an outside remediator may work without renewing its
// claim, and how long one that only sets words has.
const MaxLease = time.Hour

// Outside says whether somebody other than vigild may carry r out: it is
// external, already leased, or was made without being queued and nobody has
// approved it.
func (r *Remediation) Outside() bool {
	return r.Source == FromExternal || r.Lease != "" ||
		r.Source == FromAPI && r.Approval && r.ApprovedBy == "" && r.Attempt == 0
}

// unapproved says that a person has to say yes to r before anybody carries it out.
func (r *Remediation) unapproved() bool {
	return r.Source == FromExternal && r.Approval && r.ApprovedBy == ""
}

// statusEvents are the events that a word of the original asks for.
func statusEvents(r Remediation, word string) ([]Event, error) {
	waits := r.State == Queued || r.State == Held
	theirs := r.Outside() && (waits && !r.unapproved() || r.State == Running)
	done := []Event{Acted}
	if r.Policy == "" && r.Plan.Verify == nil {
		done = []Event{Acted, Proved}
	}
	switch {
	case word == "cancelled":
		return []Event{Dropped}, nil
	case word == "pending" && r.State.Final():
		return []Event{Asked}, nil
	case word == "completed" && r.State == Indeterminate:
		return []Event{Judged}, nil
	case word == "failed" && r.State == Indeterminate:
		return []Event{Ended}, nil // a person's decision, though the word stays
	case word == "failed" && (theirs || r.Outside() && r.State == Verifying):
		return []Event{Ended}, nil
	case word == "running" && theirs && waits:
		return []Event{Leased}, nil
	case word == "completed" && theirs && waits:
		return append([]Event{Leased}, done...), nil
	case word == "completed" && theirs:
		return done, nil
	case word == "pending", word == "running", word == "completed", word == "failed":
		return nil, fault.New(fault.Conflict, "remediation %d is %s and cannot be set to %q", r.ID, r.State, word).
			Mend("vigild moves its own remediations itself; cancel, retry or approve it")
	}
	return nil, fault.New(fault.Unprocessable, "%q is not a status", word).Mend("use pending, running, completed, failed or cancelled")
}
