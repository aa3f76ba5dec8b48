package decide

import (
	"encoding/json"
	"slices"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// vouch puts what the move of s stood on into the record that tells of the decision:
// the last of those that do and hold no evidence of their own. A move that is not
// told of, such as one more look at what is held already, has none.
func vouch(s *remedy.Step, e func() given.Evidence) {
	for i := len(s.Audit) - 1; i >= 0; i-- {
		if r := &s.Audit[i]; given.Tells(r.Verb) && r.Evidence == nil {
			ev := e()
			ev.Then = given.ThenOf(&s.Move, s.Now)
			r.Evidence = audit.Evidence(ev)
			return
		}
	}
}

// claimed is the evidence of a decision at the gates.
func (c *Rules) claimed(what string, r *remedy.Remediation, f *remedy.Facts, h *remedy.History, asked []remedy.Verdict, now clock.Stamp) given.Evidence {
	e := given.Evidence{
		Action: actionAt(&r.Plan, r.Rung), Subject: f.Spec.Subject, Class: f.Spec.Class, Cost: f.Spec.Cost,
		Rung: r.Rung, Try: r.Try, Evaluation: f.Evaluation,
		Given: c.given(what, r, now), Gates: make(given.Answers, len(asked)),
	}
	if what != given.OnClaim { // no spec was made: they speak of what it was last about
		e.Subject = r.Subject
	}
	for i, v := range asked {
		e.Gates[i] = given.Answered{Gate: v.Gate, Answer: v.Answer.String(), Reason: v.Reason}
	}
	if json.Valid(f.Evidence) {
		e.Condition = f.Evidence
	}
	was := func(gate string) bool {
		return slices.ContainsFunc(asked, func(v remedy.Verdict) bool { return v.Gate == gate })
	}
	e.Given.Facts = seenOf(f, was, now)
	if was(remedy.GateOwner) {
		e.Given.Past = c.pastOf(r, f, h, was, now)
	}
	return e
}

// ended is the evidence of what followed from an end.
func (c *Rules) ended(what string, r *remedy.Remediation, end given.End, now clock.Stamp) given.Evidence {
	e := given.Evidence{Action: actionAt(&r.Plan, r.Rung), Subject: r.Subject, Rung: r.Rung, Try: r.Try, Given: c.given(what, r, now)}
	e.Given.Row.Ladder = stepsOf(r)
	e.Given.End = &end
	return e
}

// given is what every decision looks at.
func (c *Rules) given(what string, r *remedy.Remediation, now clock.Stamp) *given.Given {
	p := &r.Plan
	g := &given.Given{Edition: given.Edition, Config: c.digest, What: what, Row: given.Row{
		ID: r.ID, Source: r.Source, Policy: r.Policy, Target: r.Target, State: r.State,
		Attempt: r.Attempt, GaveUps: r.GaveUps, Gate: r.Gate, Since: given.WhenOf(r.Since, now), Until: given.WhenOf(r.Until, now),
		Approval: r.Approval, ApprovedBy: r.ApprovedBy, ApproveBy: given.WhenOf(r.ApproveBy, now),
		Open: p.Open, Asked: p.Asked, Cooldown: p.Cooldown, Limit: p.Limit, Cost: p.Cost, Consent: p.Approval, Backoff: p.Backoff,
	}}
	if p.Mode != "act" {
		g.Row.Mode = p.Mode
	}
	if r.Source != remedy.FromPolicy || r.Policy == "" { // else it is told by its policy's name
		g.Row.Actor = r.Actor
	}
	return g
}

// stepsOf are the rung whose turn it is and the one above it.
func stepsOf(r *remedy.Remediation) (out []given.Step) {
	if r.Rung < 0 || r.Rung >= len(r.Plan.Ladder) {
		return nil
	}
	for _, x := range r.Plan.Ladder[r.Rung:min(len(r.Plan.Ladder), r.Rung+2)] {
		out = append(out, given.Step{Action: x.Action, Tries: x.Tries, Timeout: x.Timeout})
	}
	return out
}

// seenOf keeps of the facts what the gates that were asked look at.
func seenOf(f *remedy.Facts, was func(gate string) bool, now clock.Stamp) *given.Seen {
	s := &given.Seen{Kind: f.Spec.Kind, Summary: f.Spec.Summary}
	if was(remedy.GatePause) {
		s.Paused, s.PausedUntil = f.Paused, given.WhenOf(f.PausedUntil, now)
	}
	if was(remedy.GateWindow) {
		s.Window, s.WindowUntil = f.Window, given.WhenOf(f.WindowUntil, now)
	}
	if was(remedy.GateHandsOff) {
		s.HandsOff, s.HandsOffUntil = f.HandsOff, given.WhenOf(f.HandsOffUntil, now)
	}
	s.Untrusted = was(remedy.GateMode) && !f.Trusted
	if was(remedy.GateRecheck) {
		s.Holds, s.Flapping, s.Cold = f.Holds, f.Flapping, !f.Warm
	}
	if was(remedy.GateDependency) {
		s.Cause = f.Cause
	}
	return s
}

// pastOf keeps of the history what the gates that were asked read of it.
func (c *Rules) pastOf(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, was func(gate string) bool, now clock.Stamp) *given.Tally {
	t := c.terms(r)
	p := &given.Tally{Open: h.Open}
	if r.Plan.Asked { // nothing is counted for it
		return p
	}
	ofHost := !writesBack(r, f.Spec)
	if was(remedy.GateCooldown) {
		p.LastEnd, p.Own = given.WhenOf(h.LastEnd, now), h.LastEndBy == r.ID && !h.LastEnd.IsZero()
		if r.Plan.Backoff != nil {
			for _, s := range t.newest(h.BySubject, now) {
				p.Starts = append(p.Starts, given.WhenOf(s, now))
			}
		}
	}
	if was(remedy.GateLimits) {
		if r.Plan.Backoff == nil {
			p.Subject = counted(h.BySubject, t.limit(), now)
		}
		if r.Policy != "" {
			p.Policy = counted(h.ByPolicy, c.PolicyLimit, now)
		}
		if ofHost {
			p.Kind = counted(h.ByKind, t.kindLimit(f.Spec.Kind), now)
		}
	}
	if was(remedy.GateBudget) && ofHost && t.cost(f.Spec) > 0 && !h.Budget.At.IsZero() {
		p.Points, p.Filled = h.Budget.Points, given.WhenOf(h.Budget.At, now)
	}
	if was(remedy.GateStorm) && ofHost && !touchesNothing(f.Spec.Subject) {
		p.Storm, p.Others = given.WhenOf(h.Storm, now), others(h.Subjects, f.Spec.Subject, now, c.Storm.Within.Std())
	}
	if was(remedy.GateBreaker) && h.Breaker != (remedy.Breaker{}) {
		p.Breaker = given.FuseOf(h.Breaker, now)
	}
	return p
}

// counted is all that a limit reads of the starts that it counts.
func counted(starts []clock.Stamp, l remedy.Limit, now clock.Stamp) given.Count {
	n, left := within(starts, l, now)
	if left == 0 {
		return given.Count{N: n}
	}
	return given.Count{N: l.Max, Age: int64(l.Per.Std() - left)}
}

// newest are the starts on a subject that its limit and its backoff read.
func (t terms) newest(starts []clock.Stamp, now clock.Stamp) []clock.Stamp {
	b := t.backoff()
	n := chain(starts, now, b.Quiet.Std())
	for n > 1 && delay(b, n-2) == delay(b, n-1) { // the wait does not grow any more
		n--
	}
	kept := starts[len(starts)-min(len(starts), max(n, t.limit().Max)):]
	if over(kept, t.limit(), now) != over(starts, t.limit(), now) { // they are in no order of time
		return starts
	}
	return kept
}
