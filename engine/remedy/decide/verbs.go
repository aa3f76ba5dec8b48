package decide

import (
	"strconv"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// The verbs below are what people and the engine do to a remediation. Each is
// pure and returns the move to commit at r.Version, or a Conflict when the
// state does not allow it.

// Cancel ends what is not over yet. A running act is killed by the worker, and
// its subject stays locked until that act has really ended.
func Cancel(r remedy.Remediation, actor, reason string, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	s.event(remedy.Dropped)
	s.Next.Reason = reason
	if reason != "" {
		s.Next.Details = "Cancelled: " + reason
	}
	s.tell(actor, "remediation.cancel", reason, nil)
	return s.done()
}

// Retry starts what is over from its first rung, at once, through every gate.
func Retry(r remedy.Remediation, actor string, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	s.event(remedy.Asked)
	n := &s.Next
	n.Rung, n.Try, n.GaveUps, n.Subject = 0, 0, 0, ""
	n.Reason, n.Error = "", ""
	n.ApprovedBy, n.ApproveBy = "", clock.Stamp{}
	s.tell(actor, "remediation.ask", "tried again from the first rung", nil)
	return s.done()
}

// Approve says yes to what waits for a person.
func Approve(r remedy.Remediation, actor string, now clock.Stamp) (remedy.Move, error) {
	if !r.Approval && r.Plan.Approval == nil && r.Plan.Mode != "suggest" {
		return remedy.Move{Next: r}, fault.New(fault.Conflict, "remediation %d asks for no approval", r.ID)
	}
	s := begin(r, now)
	s.event(remedy.Approved)
	s.Next.ApprovedBy, s.Next.Reason = actor, ""
	s.tell(actor, "remediation.approve", "approved", nil)
	return s.done()
}

// Resolve is a person's word on an act whose end nobody saw: it was done, or
// it failed.
func Resolve(r remedy.Remediation, actor string, done bool, reason string, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	verb, e := "remediation.judge_failed", remedy.Ended
	if done {
		verb, e = "remediation.judge_done", remedy.Judged
		s.Next.Error = ""
	}
	if r.State != remedy.Indeterminate {
		e = remedy.Judged // the table refuses it, naming the state
	}
	s.event(e)
	s.Next.Reason = reason
	s.tell(actor, verb, reason, nil)
	return s.done()
}

// Clear ends what waits, when its condition went away: the engine's word when a
// firing ends or is closed. A running one goes on to its verification.
func Clear(r remedy.Remediation, reason string, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	(*Rules)(nil).clear(s, reason, nil)
	return s.done()
}

// Release lets a held remediation be looked at now: its pause, window, silence,
// hands-off or cause ended before the time it was told.
func Release(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	gate := r.Gate
	s.event(remedy.Released)
	s.Next.Gate, s.Next.Since = gate, r.Since
	return s.done()
}

// Lease gives an external remediation to an outside remediator for a time.
func Lease(r remedy.Remediation, actor, remediator string, length time.Duration, now clock.Stamp) (remedy.Move, error) {
	if r.Source != remedy.FromExternal {
		return remedy.Move{Next: r}, fault.New(fault.Conflict, "remediation %d is carried out by vigild itself", r.ID)
	}
	s := begin(r, now)
	s.event(remedy.Leased)
	s.Next.Lease, s.Next.LeaseUntil = remediator, now.Add(length)
	s.Next.Attempt++
	if r.Started.IsZero() {
		s.Next.Started = now
	}
	s.tell(actor, "remediation.lease", "claimed by "+remediator+" for "+short(length), nil)
	return s.done()
}

// SetStatus is the original contract's PUT status, by its words. Details and
// errMsg replace what was there unless empty. What the word asks for goes
// through the same table as everything: vigild's own running acts end by
// themselves, an outside remediator's word of success is still verified.
func SetStatus(r remedy.Remediation, actor, word, details, errMsg string, now clock.Stamp) (remedy.Move, error) {
	s := begin(r, now)
	if details != "" {
		s.Next.Details = details
	}
	if errMsg != "" {
		s.Next.Error = errMsg
	}
	if word != r.State.Word() {
		e, err := statusEvent(r, word)
		if err != nil {
			return remedy.Move{Next: r}, err
		}
		s.event(e)
		c := &s.Next
		switch e {
		case remedy.Acted:
			c.AttemptEnd = now
		case remedy.Leased:
			c.Lease, c.LeaseUntil = actor, now.Add(statusLease)
			if c.Started.IsZero() {
				c.Started = now
			}
		case remedy.Asked:
			c.Rung, c.Try, c.GaveUps, c.Subject = 0, 0, 0, ""
		}
		c.Reason = "status set to " + word + " by " + actor
	}
	s.tell(actor, "remediation.status", word, evidence(map[string]string{"from": string(r.State), "details": details, "error_message": errMsg}))
	return s.done()
}

// statusLease is how long an outside remediator that only sets words may work.
const statusLease = time.Hour

// statusEvent is the event that a word of the original asks for.
func statusEvent(r remedy.Remediation, word string) (remedy.Event, error) {
	waits := r.State == remedy.Queued || r.State == remedy.Held
	external := r.Source == remedy.FromExternal
	switch {
	case word == "cancelled":
		return remedy.Dropped, nil
	case word == "pending" && r.State.Final():
		return remedy.Asked, nil
	case word == "completed" && r.State == remedy.Indeterminate:
		return remedy.Judged, nil
	case word == "failed" && external && (waits || r.State == remedy.Running || r.State == remedy.Verifying):
		return remedy.Ended, nil
	case word == "running" && external && waits:
		return remedy.Leased, nil
	case word == "completed" && external && r.State == remedy.Running:
		return remedy.Acted, nil
	case word == "pending", word == "running", word == "completed", word == "failed":
		return "", fault.New(fault.Conflict, "remediation %d is %s and cannot be set to %q", r.ID, r.State, word).
			Mend("vigild moves its own remediations itself; cancel, retry or approve it")
	}
	return "", fault.New(fault.Unprocessable, "%q is not a status", word).Mend("use pending, running, completed, failed or cancelled")
}
