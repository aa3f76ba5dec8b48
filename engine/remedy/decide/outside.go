package decide

import (
	"slices"

	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// outward are the gates that stand before the acts of others too, in their order:
// the word of people that nothing be done now, and a deeper cause. The mode and
// the trust of a policy are asked when its remediation is made, a person's yes
// when it is taken; what the other gates count is what vigild itself does.
func (c *Rules) outward() []Named {
	theirs := []string{remedy.GatePause, remedy.GateWindow, remedy.GateHandsOff, remedy.GateDependency}
	return slices.DeleteFunc(c.Gates(), func(g Named) bool { return !slices.Contains(theirs, g.Name) })
}

// AskOutside asks, as Ask does, whether an outside remediator may take r now.
func (c *Rules) AskOutside(r *remedy.Remediation, f *remedy.Facts, now clock.Stamp) (remedy.Verdict, []remedy.Verdict) {
	return ask(c.outward(), r, f, &remedy.History{}, now)
}

// Taking is the move of one that waits and that an outside remediator wants to
// take: taken, as the table allowed it, or held by a gate, which is its Verdict.
// It is pure; a move of the zero Verdict is taken itself.
func (c *Rules) Taking(r remedy.Remediation, f remedy.Facts, taken remedy.Move, now clock.Stamp) (remedy.Move, error) {
	v, asked := c.AskOutside(&r, &f, now)
	if v.Answer == remedy.Admit {
		return taken, nil
	}
	return c.keep(r, f, v, asked, now)
}

// keep holds what is for others.
func (c *Rules) keep(r remedy.Remediation, f remedy.Facts, v remedy.Verdict, asked []remedy.Verdict, now clock.Stamp) (remedy.Move, error) {
	s := remedy.Begin(r, now)
	s.Verdict = v
	pause(s, v)
	vouch(s, func() given.Evidence { return c.claimed(given.OnOutside, &r, &f, &remedy.History{}, asked, now) })
	return s.Done()
}

// Barred is the move of one that is made for an outside remediator, when its policy
// would not do it itself: it is refused at once, and told about its firing, since it
// has no id yet. Our own acts are asked by the gates when their turn comes; nobody
// asks these. False: it may be offered.
func Barred(r remedy.Remediation, trusted bool, firing string, now clock.Stamp) (remedy.Move, bool) {
	var why string
	switch {
	case r.Source != remedy.FromExternal:
		return remedy.Move{Next: r}, false
	case !trusted:
		why = untrusted
	case r.Plan.Mode == "shadow":
		why = "shadow: would have asked an outside remediator for: " + actionAt(&r.Plan, r.Rung)
	default:
		return remedy.Move{Next: r}, false
	}
	s := remedy.Begin(r, now)
	s.Event(remedy.Denied)
	s.Next.Gate, s.Next.Reason = remedy.GateMode, why
	s.TellOf(firing, "vigild", "gate.refuse", remedy.GateMode+": "+why, nil)
	vouch(s, func() given.Evidence {
		v := remedy.Verdict{Gate: remedy.GateMode, Answer: remedy.Refuse, Reason: why}
		return new(Rules).claimed(given.OnOffer, &r, &remedy.Facts{Trusted: trusted}, nil, []remedy.Verdict{v}, now)
	})
	return s.Move, true
}

// Untaken is the move for one that waits for an outside remediator and whose turn
// has come: a gate holds it, its time begins, or it is over and nobody took it.
// Then the next rung waits, and at the end of the ladder it has failed. While a
// gate holds it nobody can take it, so its time begins anew when it is let go.
func (c *Rules) Untaken(r remedy.Remediation, f remedy.Facts, now clock.Stamp) (remedy.Move, error) {
	v, asked := c.AskOutside(&r, &f, now)
	if v.Answer != remedy.Admit {
		return c.keep(r, f, v, asked, now)
	}
	s := remedy.Begin(r, now)
	if r.State == remedy.Held {
		s.Event(remedy.Released)
		s.Next.Reason = ""
	}
	limit := c.terms(&r).untaken(&r)
	left := limit
	if !s.Next.Until.IsZero() {
		left = remaining(now, s.Next.Until, limit)
	}
	if left > 0 {
		s.Next.Until = now.Add(left)
		return s.Done()
	}
	why := "no outside remediator took " + actionAt(&r.Plan, r.Rung) + " within " + short(limit)
	s.Next.Error = why
	c.onwards(s, why)
	vouch(s, func() given.Evidence {
		e := c.claimed(given.OnUnclaimed, &r, &f, &remedy.History{}, asked, now)
		e.Given.Row.Ladder = stepsOf(&r)
		return e
	})
	return s.Done()
}

// Leased says whether an outside remediator's lease on r still runs.
func (c *Rules) Leased(r *remedy.Remediation, now clock.Stamp) bool {
	return remaining(now, r.LeaseUntil, remedy.MaxLease) > 0
}
