package decide

import (
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// Case is what the worker found out before a claim, without a lock.
type Case struct {
	Request remedy.Request // of the current rung, substituted; Attempt is filled in the claim
	Facts   remedy.Facts   // Spec is that of the request
	Epoch   int64
	Now     clock.Stamp
}

// Decide is the claim: it asks the gates and opens the attempt, or says why
// not. It runs inside the ledger's transaction, on the row and the history as
// they are there; it is pure and may be run again. The move it returns leaves r
// as it is when the table does not allow a claim (somebody moved it).
func (c *Rules) Decide(r remedy.Remediation, h remedy.History, a Case) remedy.Move {
	s := remedy.Begin(r, a.Now)
	s.Next.Subject = a.Facts.Spec.Subject
	if r.State == remedy.Indeterminate {
		return c.forsake(r, a.Now)
	}
	if left := c.early(&r, a.Now); left > 0 {
		s.Next.Until = a.Now.Add(left)
		s.Verdict = remedy.Verdict{Gate: remedy.GateBackoff, Answer: remedy.Hold, Until: s.Next.Until, Reason: "its time has not come: the clock was set"}
		return s.Move
	}
	v, asked := c.Ask(&s.Next, &a.Facts, &h, a.Now)
	s.Verdict = v
	if r.State == remedy.GaveUp {
		c.wake(s, v)
	}
	if s.Next.State != remedy.GaveUp || v.Answer == remedy.Drop {
		c.answer(s, h, a, v)
	}
	if _, err := s.Done(); err != nil {
		return remedy.Move{Next: r, Verdict: remedy.Verdict{Gate: remedy.GateRequest, Answer: remedy.Hold, Reason: err.Error()}}
	}
	vouch(s, func() given.Evidence { return c.claimed(given.OnClaim, &r, &a.Facts, &h, asked, a.Now) })
	return s.Move
}

// early is how long what waits for a time of its own must still wait. The ledger
// lists it by the clock on the wall where the host was booted in between, and
// that clock may have jumped.
func (c *Rules) early(r *remedy.Remediation, now clock.Stamp) time.Duration {
	switch r.State {
	case remedy.GaveUp:
		return remaining(now, r.Until, c.retryAfter(r.GaveUps-1))
	case remedy.Queued:
		return remaining(now, r.Until, c.terms(r).backoff().Cap.Std())
	}
	return 0
}

// wake is the automatic retry of what gave up. While its condition is unknown
// it stays where it is, loud, and looks again.
func (c *Rules) wake(s *remedy.Step, v remedy.Verdict) {
	switch {
	case v.Answer == remedy.Drop:
	case v.Gate == remedy.GateRecheck && v.Answer != remedy.Admit:
		why := s.Next.Reason
		s.Event(remedy.Paused)
		s.Next.Until, s.Next.Reason = s.Now.Add(c.LookAgain.Std()), why
	default:
		s.Event(remedy.Woke)
		s.Tell("vigild", "remediation.wake", "the automatic retry after giving up", nil)
	}
}

func (c *Rules) answer(s *remedy.Step, h remedy.History, a Case, v remedy.Verdict) {
	switch v.Answer {
	case remedy.Admit:
		c.open(s, h, a)
	case remedy.Hold:
		pause(s, v)
		c.onHold(s, h, a, v)
	case remedy.Refuse:
		s.Event(remedy.Denied)
		s.Next.Gate, s.Next.Reason = v.Gate, v.Reason
		s.Tell("vigild", "gate.refuse", v.Gate+": "+v.Reason, nil)
	case remedy.Drop:
		s.Withdraw(v.Reason, nil)
	}
}

// pause leaves a remediation to the gate that holds it. It is told once, not at
// each look.
func pause(s *remedy.Step, v remedy.Verdict) {
	held := s.Next.Gate == v.Gate && !s.Next.Since.IsZero()
	since := s.Next.Since
	s.Event(remedy.Paused)
	s.Next.Gate, s.Next.Reason, s.Next.Until = v.Gate, v.Reason, v.Until
	if held {
		s.Next.Since = since
		return
	}
	s.Next.Since = s.Now
	s.Tell("vigild", "gate.hold", v.Gate+": "+v.Reason, nil)
}

// onHold keeps what a hold has to remember.
func (c *Rules) onHold(s *remedy.Step, h remedy.History, a Case, v remedy.Verdict) {
	switch v.Gate {
	case remedy.GateMode, remedy.GateApproval:
		if s.Next.ApproveBy.IsZero() && (v.Gate == remedy.GateMode || s.Next.Plan.Approval != nil || s.Next.Source != remedy.FromAPI) {
			s.Next.ApproveBy = v.Until
		}
	case remedy.GateStorm:
		if remaining(a.Now, h.Storm, c.Storm.Hold.Std()) == 0 { // this one sets it off
			at := v.Until
			s.Storm = &at
			s.TellOf("host", "vigild", "storm.brake", v.Reason, nil)
		}
	}
}

// open opens the attempt: after the transaction it is on disk, before any effect.
func (c *Rules) open(s *remedy.Step, h remedy.History, a Case) {
	s.Event(remedy.Claimed)
	r := &s.Next
	r.Try++
	r.Attempt++
	r.Reason = ""
	if r.Started.IsZero() {
		r.Started = a.Now
	}
	at := remedy.Attempt{
		Epoch: a.Epoch, Remediation: r.ID, N: r.Attempt, Rung: r.Rung,
		Action: a.Request.Action, Subject: a.Facts.Spec.Subject, Kind: a.Facts.Spec.Kind, Class: a.Facts.Spec.Class,
		Request: a.Request, Started: a.Now,
	}
	at.Request.Attempt = at.ID()
	at.Request.Started = a.Now
	at.Request.Values = a.Facts.Values
	s.Open = &at
	if cost := c.terms(r).cost(a.Facts.Spec); cost > 0 && !r.Plan.Asked && !writesBack(r, a.Facts.Spec) {
		s.Budget = &remedy.Budget{Points: c.points(h.Budget, a.Now) - cost, At: a.Now}
	}
	s.TellOf("attempt:"+at.ID(), r.Who(), "attempt.start", a.Facts.Spec.Summary, nil)
}

// forsake gives up what nobody decided on in time. It is looked at by Due alone,
// so its time has come.
func (c *Rules) forsake(r remedy.Remediation, now clock.Stamp) remedy.Move {
	s := remedy.Begin(r, now)
	if left := remaining(now, r.Until, c.Unseen.Std()); left > 0 {
		s.Next.Until = now.Add(left)
		return s.Move
	}
	c.giveUp(s, "nobody said what became of the act within "+short(c.Unseen.Std()))
	vouch(s, func() given.Evidence { return c.ended(given.OnClaim, &r, given.End{}, now) })
	return s.Move
}

func actionAt(p *remedy.Plan, rung int) string {
	if rung < 0 || rung >= len(p.Ladder) {
		return ""
	}
	return p.Ladder[rung].Action
}
