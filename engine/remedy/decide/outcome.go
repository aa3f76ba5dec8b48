package decide

import (
	"strconv"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// Jitter is a number in [0, 1), drawn outside since what decides is pure.
type Jitter float64

// Ended is the move after an act whose end was seen. A failed one is tried
// again, climbs or gives up; a good one still has to prove itself. An act of
// class unsafe whose end the action itself did not see waits for a person.
//
// When a person cancelled r in the meantime, only the attempt is closed.
func (c *Rules) Ended(r remedy.Remediation, a remedy.Attempt, res remedy.Result, now clock.Stamp, j Jitter) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	quietBefore := shut(s, &a, res, now)
	verb, why := "attempt.end", "done"
	if !res.OK {
		why = "failed: " + res.Error
	}
	s.TellOf("attempt:"+a.ID(), r.Who(), verb, why, audit.Evidence(res))
	if r.State != remedy.Running {
		return s.Move, nil
	}
	switch {
	case res.OK:
		s.Event(remedy.Acted)
	case res.Unseen && a.Class == remedy.Unsafe:
		c.lose(s, "the end of the act was not seen: "+res.Error)
	default:
		s.Next.Error = res.Error
		c.failed(s, why, quietBefore, j)
		if res.Stale && s.Next.State == remedy.Failed {
			s.Next.Gate = remedy.GateRecheck // the action has looked again, as that gate does
		}
	}
	vouch(s, func() given.Evidence {
		return c.ended(given.OnEnd, &r, given.End{Attempt: a.ID(), OK: res.OK, Error: res.Error, Unseen: res.Unseen, Stale: res.Stale, Class: a.Class, Quiet: int64(quietBefore), Jitter: float64(j)}, now)
	})
	return s.Done()
}

// shut finishes the attempt and says how long nothing had been tried before it.
func shut(s *remedy.Step, a *remedy.Attempt, res remedy.Result, now clock.Stamp) (quiet time.Duration) {
	if !s.Next.AttemptEnd.IsZero() {
		quiet = since(a.Started, s.Next.AttemptEnd)
	}
	a.Finished, a.Result = now, res
	s.Close = a
	s.Next.AttemptEnd = now
	return quiet
}

// NotStarted is the move when an act could not even be started: why names what
// stood in the way. Nothing was opened when a is nil. It is told, it counts as
// a failed try, and it is never silent.
func (c *Rules) NotStarted(r remedy.Remediation, a *remedy.Attempt, why string, now clock.Stamp, j Jitter) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	object := "remediation:" + strconv.FormatInt(r.ID, 10)
	var quiet time.Duration
	var id string
	if a != nil {
		id = a.ID()
		object = "attempt:" + id
		quiet = shut(s, a, remedy.Result{Error: why}, now)
	} else {
		s.Next.Try++
	}
	s.TellOf(object, r.Who(), "attempt.start_failed", "could not be started: "+why, nil)
	told := func() given.Evidence {
		return c.ended(given.OnNoStart, &r, given.End{Attempt: id, Error: why, Quiet: int64(quiet), Jitter: float64(j)}, now)
	}
	if a != nil && r.State != remedy.Running {
		vouch(s, told)
		return s.Move, nil
	}
	if r.State == remedy.GaveUp {
		s.Event(remedy.Woke)
	}
	s.Next.Error = why
	c.failed(s, "could not be started: "+why, quiet, j)
	vouch(s, told)
	return s.Done()
}

// Reject refuses a remediation whose request cannot be made at all, such as one
// whose target names a label that its firing does not have.
func (c *Rules) Reject(r remedy.Remediation, why string, now clock.Stamp) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	if r.State == remedy.GaveUp {
		s.Event(remedy.Woke)
	}
	s.Event(remedy.Denied)
	s.Next.Gate, s.Next.Reason = remedy.GateRequest, why
	s.Verdict = remedy.Verdict{Gate: remedy.GateRequest, Answer: remedy.Refuse, Reason: why}
	s.Tell("vigild", "gate.refuse", remedy.GateRequest+": "+why, nil)
	vouch(s, func() given.Evidence { return c.ended(given.OnReject, &r, given.End{Error: why}, now) })
	return s.Done()
}

// Verified is the move after a verification; h is read in its transaction, as
// the breaker counts there. Unknown is not success, and what nobody asks any more is
// neither success nor failure.
func (c *Rules) Verified(r remedy.Remediation, h remedy.History, v remedy.Verification, now clock.Stamp, j Jitter) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	if r.State != remedy.Verifying {
		s.Event(remedy.Proved)
		return s.Done()
	}
	if v.Unasked {
		s.Event(remedy.Unasked)
		s.Next.Reason = v.Reason
		s.Tell(r.Who(), "verify.unasked", v.Reason, v.Evidence)
		return s.Done()
	}
	proof := func() given.Evidence {
		e := c.ended(given.OnProof, &r, given.End{OK: v.OK, Error: v.Reason, Fell: v.Fell, Jitter: float64(j)}, now)
		e.Given.Past = &given.Tally{Breaker: given.FuseOf(h.Breaker, now)}
		return e
	}
	if v.OK {
		s.Event(remedy.Proved)
		s.Next.Reason, s.Next.Error, s.Next.GaveUps = v.Reason, "", 0
		s.Tell(r.Who(), "verify.ok", v.Reason, v.Evidence)
		if h.Breaker != (remedy.Breaker{}) {
			s.Breaker = &remedy.Breaker{}
			if h.Breaker.Opened > 0 {
				s.TellOf("subject:"+r.Subject, "vigild", "breaker.close", "an act on it helped", nil)
			}
		}
		vouch(s, proof)
		return s.Done()
	}
	s.Tell(r.Who(), "verify.failed", v.Reason, v.Evidence)
	// What ends again is tried again at the ladder's own pace, as what ended before
	// it was ready: all tries of a rung are one act that did not help.
	if !v.Fell || r.Try >= c.terms(&r).tries(&r) {
		b := c.tripped(h.Breaker, now)
		s.Breaker = &b
		if b.Opened > h.Breaker.Opened {
			s.TellOf("subject:"+r.Subject, "vigild", "breaker.open",
				strconv.Itoa(b.Failures)+" acts in a row did not help; none before "+clockTime(b.Until), nil)
		}
	}
	s.Next.Error = v.Reason
	c.failed(s, "did not help: "+v.Reason, 0, j)
	vouch(s, proof)
	return s.Done()
}

// failed goes on after a failed try: this rung again after a wait with full
// jitter, the next rung at once, or the end of the ladder.
func (c *Rules) failed(s *remedy.Step, why string, quiet time.Duration, j Jitter) {
	r := &s.Next
	t := c.terms(r)
	switch {
	case r.Try < t.tries(r) && r.Source == remedy.FromExternal: // who takes it has a pace of its own
		s.Event(remedy.Retried)
		r.Until, r.Reason = clock.Stamp{}, why
		s.Tell(r.Who(), "remediation.retry", why+"; it waits for an outside remediator again", nil)
	case r.Try < t.tries(r):
		b := t.backoff()
		n := r.Try - 1
		if quiet > b.Quiet.Std() {
			n = 0
		}
		wait := time.Duration(float64(delay(b, n)) * min(1, max(0, float64(j))))
		s.Event(remedy.Retried)
		r.Until, r.Reason = s.Now.Add(wait), why
		s.Tell(r.Who(), "remediation.retry", why+"; tried again in "+short(wait), nil)
	default:
		c.onwards(s, why)
	}
}

// onwards leaves a rung behind: the next one at once, or the end of the ladder.
func (c *Rules) onwards(s *remedy.Step, why string) {
	r := &s.Next
	switch {
	case r.Rung+1 < len(r.Plan.Ladder):
		s.Event(remedy.Climbed)
		r.Rung, r.Try, r.Reason = r.Rung+1, 0, why // the subject stays: a breaker may be written with it
		s.Tell(r.Who(), "remediation.next_rung", why+"; next: "+actionAt(&r.Plan, r.Rung), nil)
	case r.Source != remedy.FromPolicy: // who asked looks again: a person, a remediator, the keeper of the desired state
		s.Event(remedy.Ended)
		r.Reason = why
		s.Tell(r.Who(), "remediation.failed", why, nil)
	default:
		c.giveUp(s, why)
	}
}

// giveUp is loud, and always has an automatic retry time.
func (c *Rules) giveUp(s *remedy.Step, why string) {
	s.Event(remedy.Exhausted)
	r := &s.Next
	wait := c.retryAfter(r.GaveUps)
	r.Until, r.Reason = s.Now.Add(wait), why
	r.GaveUps++
	r.Rung, r.Try = 0, 0
	r.ApprovedBy, r.ApproveBy = "", clock.Stamp{} // a yes was for this round
	s.Tell(r.Who(), "remediation.gave_up", "every rung was tried, last: "+why+"; tried again in "+short(wait), nil)
}

func (c *Rules) retryAfter(gaveUps int) time.Duration {
	return doubled(c.GaveUpRetry.Std(), gaveUps, c.GaveUpCap.Std())
}

// lose leaves an unsafe act of unknown end to a person, for a time.
func (c *Rules) lose(s *remedy.Step, why string) {
	s.Event(remedy.Lost)
	s.Next.Until, s.Next.Reason, s.Next.Error = s.Now.Add(c.Unseen.Std()), why, why
	s.Tell("vigild", "remediation.indeterminate", why+"; say `done` or `failed`, else it gives up in "+short(c.Unseen.Std()), nil)
}

// Recovered is the move for an attempt that lies open with nobody at work on
// it: vigild was killed between its start and its finish record. What may be
// repeated is queued again, what a probe found done goes on to be verified, and
// an unsafe act is repeated only when it is known not to have begun.
func (c *Rules) Recovered(r remedy.Remediation, a remedy.Attempt, seen remedy.Sight, now clock.Stamp) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	res := remedy.Result{OK: seen == remedy.SeenDone, Unseen: true}
	if !res.OK {
		res.Error = "vigild stopped before the end of the act was recorded"
	}
	shut(s, &a, res, now)
	repeat := a.Class == remedy.Convergent || seen == remedy.SeenNotDone
	why := map[remedy.Sight]string{remedy.NotSeen: "nothing tells whether it was done", remedy.SeenDone: "the probe says that it was done", remedy.SeenNotDone: "it was asked, and it was not done"}[seen]
	s.TellOf("attempt:"+a.ID(), "vigild", "attempt.recovered", string(a.Class)+": "+why, nil)
	switch {
	case r.State != remedy.Running: // a person cancelled it
	case seen == remedy.SeenDone:
		s.Event(remedy.Found)
	case repeat:
		s.Event(remedy.Repeated)
		s.Next.Try = max(0, r.Try-1)
		s.Next.Reason = res.Error
		s.Tell("vigild", "remediation.repeat", "its act may be repeated", nil)
	default:
		c.lose(s, res.Error+" and nothing tells whether it was done")
	}
	vouch(s, func() given.Evidence {
		return c.ended(given.OnRecovery, &r, given.End{Attempt: a.ID(), Class: a.Class, Sight: seen}, now)
	})
	return s.Done()
}

// Orphaned is the move for a remediation that is running with no attempt open
// and nobody at work on it: a lease that ran out, or a record that was lost.
func (c *Rules) Orphaned(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	s.Event(remedy.Repeated)
	s.Next.Lease, s.Next.LeaseUntil = "", clock.Stamp{}
	s.Next.Reason = "nobody is at work on it any more"
	s.Tell("vigild", "remediation.repeat", s.Next.Reason, nil)
	vouch(s, func() given.Evidence { return c.ended(given.OnOrphan, &r, given.End{}, now) })
	return s.Done()
}
