package decide

import (
	"fmt"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
)

// Named is a gate with its name.
type Named struct {
	Name  string
	Gate  remedy.Gate
	Since int // the first edition of the evidence that tells of it
}

// Gates is the order of the business rules. The first that does not admit
// decides, and it alone: every refusal has exactly one first cause.
func (c *Rules) Gates() []Named {
	return in(c.edition, []Named{
		{remedy.GatePause, c.pause, 1},
		{remedy.GateMode, c.mode, 1},
		{remedy.GateWindow, c.window, 1},
		{remedy.GateHandsOff, c.handsOff, 1},
		{remedy.GateRecheck, c.recheck, 1},
		{remedy.GateDependency, c.dependency, 1},
		{remedy.GateApproval, c.approval, 1},
		{remedy.GateOwner, c.owner, 1},
		{remedy.GateCooldown, c.cooldown, 1},
		{remedy.GateLimits, c.limits, 1},
		{remedy.GateBudget, c.budget, 1},
		{remedy.GateStorm, c.storm, 1},
		{remedy.GateBreaker, c.breaker, 1},
	})
}

// in are the gates that there were in an edition; 0: that of today.
func in(edition int, gates []Named) []Named {
	if edition == 0 {
		return gates
	}
	return slices.DeleteFunc(gates, func(g Named) bool { return g.Since > edition })
}

// Ask asks the gates in order until one does not admit. It returns that verdict
// (the zero Verdict when all admit) and every answer given on the way. Pure: it
// serves the claim, and it answers what would be decided now.
func (c *Rules) Ask(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) (remedy.Verdict, []remedy.Verdict) {
	return ask(c.Gates(), r, f, h, now)
}

func ask(gates []Named, r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) (remedy.Verdict, []remedy.Verdict) {
	asked := make([]remedy.Verdict, 0, len(gates))
	for _, g := range gates {
		v := g.Gate(r, f, h, now)
		v.Gate = g.Name
		asked = append(asked, v)
		if v.Answer != remedy.Admit {
			return v, asked
		}
	}
	return remedy.Verdict{}, asked
}

// How soon a hold looks again where its end is not known: what we wait for
// ourselves, and what a person or another condition must lift.
const lookSoon = time.Second

// until is the earlier of known and now + look; a known end that is zero, past
// or of another boot says nothing.
func until(now, known clock.Stamp, look time.Duration) clock.Stamp {
	at := now.Add(look)
	if d, same := known.Sub(now); !known.IsZero() && same && d > 0 && d < look {
		return known
	}
	return at
}

func hold(at clock.Stamp, format string, args ...any) remedy.Verdict {
	return remedy.Verdict{Answer: remedy.Hold, Until: at, Reason: fmt.Sprintf(format, args...)}
}

func refuse(format string, args ...any) remedy.Verdict {
	return remedy.Verdict{Answer: remedy.Refuse, Reason: fmt.Sprintf(format, args...)}
}

// pause: gate 0. A person, or safe mode, stopped everything.
func (c *Rules) pause(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if f.Paused == "" {
		return remedy.Verdict{}
	}
	return hold(until(now, f.PausedUntil, c.LookAgain.Std()), "paused: %s", f.Paused)
}

// untrusted is why nobody acts, we or others, on what anybody may have written.
const untrusted = "its series was written by an unauthenticated caller (origin=open), and the policy does not say accept: open"

// mode: gate 1. What the policy may do at all.
func (c *Rules) mode(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if r.Source == remedy.FromAPI {
		return remedy.Verdict{}
	}
	if !f.Trusted && r.Source == remedy.FromPolicy && !r.Plan.Open {
		return refuse(untrusted)
	}
	switch r.Plan.Mode {
	case "", "act":
		return remedy.Verdict{}
	case "suggest":
		return c.consent(r, now, "the policy only suggests")
	case "shadow", "off":
		return refuse("%s: would have done: %s", r.Plan.Mode, f.Spec.Summary)
	}
	return refuse("unknown mode %q: acting is not allowed", r.Plan.Mode)
}

// window: gate 2. A maintenance window or a silence is in force.
func (c *Rules) window(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if f.Window == "" {
		return remedy.Verdict{}
	}
	return hold(until(now, f.WindowUntil, c.LookAgain.Std()), "%s", f.Window)
}

// handsOff: gate 3. A person asked to leave the subject alone.
func (c *Rules) handsOff(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if f.HandsOff == "" {
		return remedy.Verdict{}
	}
	return hold(until(now, f.HandsOffUntil, c.LookAgain.Std()), "hands off %s: %s", thing(r), f.HandsOff)
}

// recheck: gate 4. The condition must hold at this very instant.
func (c *Rules) recheck(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	switch {
	case r.Source == remedy.FromReconcile && f.Holds < 0:
		return remedy.Verdict{Answer: remedy.Drop, Reason: "it is not wanted any more"}
	case r.Source != remedy.FromPolicy:
		return remedy.Verdict{}
	case !f.Warm:
		return hold(now.Add(lookSoon), "the policy's inputs are not warm yet, or the host has only just booted")
	case f.Holds < 0:
		return remedy.Verdict{Answer: remedy.Drop, Reason: "the condition went away before the act"}
	case f.Holds == 0:
		if r.Gate == remedy.GateRecheck && !r.Since.IsZero() && since(now, r.Since) >= c.Unknown.Std() {
			return refuse("the condition has been unknown for %s: nothing proves that an act is needed", short(since(now, r.Since)))
		}
		return hold(now.Add(lookSoon), "the condition is unknown at this instant: there are no fresh samples")
	case f.Flapping:
		return hold(until(now, clock.Stamp{}, c.LookAgain.Std()), "the condition is flapping: acting would feed it")
	}
	return remedy.Verdict{}
}

// dependency: gate 5. Only the deepest cause may act.
func (c *Rules) dependency(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if f.Cause == "" {
		return remedy.Verdict{}
	}
	return hold(now.Add(c.LookAgain.Std()), "a deeper cause fires: %s", f.Cause)
}

// approval: gate 6. A person must say yes; the default answer is no.
func (c *Rules) approval(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if !r.Approval && r.Plan.Approval == nil {
		return remedy.Verdict{}
	}
	if r.Source == remedy.FromAPI && r.Plan.Approval == nil && r.ApprovedBy == "" {
		// The original's pending action: it waits for whoever made it, however long.
		return hold(now.Add(time.Hour), "made without being queued: waits until it is approved")
	}
	return c.consent(r, now, "a person must approve")
}

// consent holds until somebody approved and refuses when nobody did in time.
func (c *Rules) consent(r *remedy.Remediation, now clock.Stamp, why string) remedy.Verdict {
	if r.ApprovedBy != "" {
		return remedy.Verdict{}
	}
	ttl := c.terms(r).approvalTTL()
	if r.ApproveBy.IsZero() {
		return hold(now.Add(ttl), "%s: waits for approval for %s", why, short(ttl))
	}
	left := remaining(now, r.ApproveBy, ttl)
	if left == 0 {
		return refuse("%s, and nobody did within %s", why, short(ttl))
	}
	return hold(now.Add(left), "%s: waits for approval for %s", why, short(ttl))
}

// owner: gate 7. One act at a time on a subject.
func (c *Rules) owner(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if h.Open == "" {
		return remedy.Verdict{}
	}
	return hold(now.Add(lookSoon), "attempt %s is at work on %s", h.Open, thing(r))
}

// thing is what r would act on, for people.
func thing(r *remedy.Remediation) string {
	for _, s := range []string{r.Subject, r.Target} {
		if s != "" {
			return s
		}
	}
	return "it"
}

// short says a length of time in whole seconds, or in milliseconds below one.
func short(d time.Duration) string {
	if d >= time.Second {
		d = (d + time.Second/2).Truncate(time.Second)
	} else {
		d = d.Truncate(time.Millisecond)
	}
	return document.Duration(d).String()
}

// clockTime says a stamp's wall clock to the second, for people.
func clockTime(s clock.Stamp) string { return s.Time().Format("15:04:05Z") }
