package record

import (
	"strconv"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// most bounds what a record may ask for: no limit is larger, no ladder longer.
const most = 10_000

// row is the remediation as it was before the decision.
func row(e *given.Evidence, now clock.Stamp) (remedy.Remediation, error) {
	x := &e.Given.Row
	if e.Rung < 0 || e.Rung > most || x.GaveUps > most {
		return remedy.Remediation{}, fault.New(fault.Corrupt, "rung %d is on no ladder, or nothing gives up %d times", e.Rung, x.GaveUps)
	}
	r := remedy.Remediation{
		ID: x.ID, Version: 1, Source: x.Source, Policy: x.Policy, Actor: x.Actor, Target: x.Target, Subject: e.Subject,
		State: x.State, Rung: e.Rung, Try: e.Try, Attempt: x.Attempt, GaveUps: x.GaveUps,
		Gate: x.Gate, Since: x.Since.At(now), Until: x.Until.At(now),
		Approval: x.Approval, ApprovedBy: x.ApprovedBy, ApproveBy: x.ApproveBy.At(now),
		Plan: remedy.Plan{
			Mode: x.Mode, Open: x.Open, Asked: x.Asked, Cooldown: x.Cooldown, Limit: x.Limit, Cost: x.Cost,
			Approval: x.Consent, Backoff: x.Backoff, Ladder: make([]remedy.Rung, e.Rung, e.Rung+2),
		},
	}
	steps := x.Ladder
	if len(steps) == 0 && e.Action != "" {
		steps = []given.Step{{Action: e.Action}}
	}
	for _, s := range steps {
		r.Plan.Ladder = append(r.Plan.Ladder, remedy.Rung{Action: s.Action, Tries: s.Tries, Timeout: s.Timeout})
	}
	return r, nil
}

// facts are what the gates were told.
func facts(e *given.Evidence, now clock.Stamp) remedy.Facts {
	s := e.Given.Facts
	if s == nil {
		s = &given.Seen{}
	}
	return remedy.Facts{
		At: now, Paused: s.Paused, PausedUntil: s.PausedUntil.At(now), Window: s.Window, WindowUntil: s.WindowUntil.At(now),
		HandsOff: s.HandsOff, HandsOffUntil: s.HandsOffUntil.At(now), Holds: s.Holds, Flapping: s.Flapping,
		Warm: !s.Cold, Trusted: !s.Untrusted, Cause: s.Cause, Evaluation: e.Evaluation, Evidence: e.Condition,
		Spec: remedy.Spec{Subject: e.Subject, Kind: s.Kind, Class: e.Class, Cost: e.Cost, Summary: s.Summary},
	}
}

// history is one of which the gates read what they read then.
func history(t *given.Tally, id int64, now clock.Stamp) (h remedy.History, err error) {
	if t == nil {
		return h, nil
	}
	for _, n := range []int{t.Subject.N, t.Policy.N, t.Kind.N, t.Others, len(t.Starts)} {
		if n < 0 || n > most {
			return h, fault.New(fault.Corrupt, "%d acts in a limit's time are more than any limit counts", n)
		}
	}
	h = remedy.History{
		Open: t.Open, LastEnd: t.LastEnd.At(now), LastEndBy: id,
		BySubject: starts(t.Subject, now), ByPolicy: starts(t.Policy, now), ByKind: starts(t.Kind, now),
		Budget: remedy.Budget{Points: t.Points, At: t.Filled.At(now)}, Storm: t.Storm.At(now),
	}
	if !t.Own {
		h.LastEndBy = -id - 1 // another's
	}
	for _, s := range t.Starts {
		h.BySubject = append(h.BySubject, s.At(now))
	}
	for i := range t.Others {
		h.Subjects = append(h.Subjects, remedy.Touched{Subject: "another " + strconv.Itoa(i+1), At: now})
	}
	if b := t.Breaker; b != nil {
		if b.Opened > most {
			return h, fault.New(fault.Corrupt, "no breaker opened %d times in a row", b.Opened)
		}
		h.Breaker = remedy.Breaker{Failures: b.Failures, Opened: b.Opened, Until: b.Until.At(now)}
	}
	return h, nil
}

// starts are as many as were counted, each as old as the one that the limit waits for.
func starts(c given.Count, now clock.Stamp) (out []clock.Stamp) {
	for range c.N {
		out = append(out, given.Ago(now, c.Age))
	}
	return out
}
