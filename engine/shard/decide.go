package shard

import (
	"fmt"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/policy/record"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

// Outcome is what one round of a shard found, before it is a decision.
type Outcome struct {
	changes []change
	Closing []engine.FiringRow
	Dirty   []*Instance
	raises  []*Instance // firing, due for a remediation, and the ledger knows no live one
	moves   []engine.RemediationMove
	busy    map[*Instance]bool // a remediation of theirs is at work
}

func (o Outcome) empty() bool {
	return len(o.changes) == 0 && len(o.Closing) == 0 && len(o.Dirty) == 0 && len(o.raises) == 0 && len(o.moves) == 0
}

// Decide turns what a round found into one value. Pure but for marking which
// episodes have their remediation; the shard's lock is held.
func Decide(o Outcome, position uint64, now clock.Stamp) *engine.Decision {
	d := &engine.Decision{At: now, Position: position}
	seen := make(map[*Instance]bool, len(o.changes))
	// What fires and clears within one round has nothing left to put right; what
	// fires, clears and fires again is one remediation, of the firing that stands.
	var fired []*Instance
	why := map[*Instance]string{}
	for i := range o.changes {
		c := &o.changes[i]
		x := c.inst
		if x.Dead || x.En.Listen != nil {
			continue
		}
		seen[x] = true
		if told(c.tr) {
			d.Audit = append(d.Audit, firingRecord(c, now))
		}
		if c.tr.To == policy.StateOK {
			x.Remedied, x.Underway = false, o.busy[x]
			delete(why, x)
		}
		if c.tr.To == policy.StateFiring && !x.Remedied && x.remediable() {
			x.Remedied = true
			if x.Underway = x.Underway && o.busy[x]; x.Underway {
				continue // when that one is over and this still fires, it is raised
			}
			why[x] = c.tr.Reason
			fired = append(fired, x)
		}
	}
	for _, x := range fired {
		if reason, stands := why[x]; stands {
			remediate(d, x, reason, now)
			delete(why, x)
		}
	}
	for _, x := range o.raises {
		if !x.Dead && x.IsFiring() && x.remediable() {
			remediate(d, x, "it still fires and nothing is under way", now)
		}
	}
	for _, x := range o.Dirty {
		if !x.Dead {
			seen[x] = true
		}
	}
	for x := range seen {
		d.Firings = append(d.Firings, x.Row)
	}
	for _, row := range o.Closing {
		d.Firings = append(d.Firings, row)
		if s := row.State.State; s != policy.StateOK && s != policy.StatePending {
			d.Audit = append(d.Audit, audit.Record{
				At: now, Actor: "policy:" + row.Policy, Verb: "firing.close", Object: FiringObject(row.Policy, row.Fingerprint),
				Reason: row.Closed,
			})
		}
	}
	d.Moves = append(d.Moves, o.moves...)
	return d
}

// Queued is the remediation that a firing of a policy with a ladder asks for, as it
// is before any gate has spoken; labels and target are those of the instance.
func Queued(doc *engine.PolicyDocument, fp uint64, labels map[string]string, target string, now clock.Stamp) remedy.Remediation {
	plan := *doc.Remedy
	plan.Mode, plan.Open, plan.Named = doc.Mode, doc.Accept == "open", doc.Spelling()
	r := remedy.Remediation{
		Source: remedy.FromPolicy, Policy: doc.Name, Fingerprint: fp, Labels: labels,
		Target: target, Severity: doc.Severity, Priority: priorityOf(doc.Severity),
		Actor: "policy:" + doc.Name, Plan: plan, State: remedy.Queued, Created: now,
		Approval: plan.Approval != nil || plan.External && plan.Mode == "suggest",
	}
	if plan.External {
		r.Source = remedy.FromExternal
	}
	if t, err := remedy.TargetOf(plan, r); err == nil && t != "" {
		r.Target = t
	}
	if r.Target == "" {
		r.Target = doc.Name
	}
	return r
}

func remediate(d *engine.Decision, x *Instance, reason string, now clock.Stamp) {
	x.Remedied = true
	r := Queued(&x.En.P.Doc, x.FP, x.Labels.Map(), x.Row.Target, now)
	r.Reason = reason
	d.Audit = append(d.Audit, audit.Record{
		At: now, Actor: r.Actor, Verb: "remediation.queue", Object: FiringObject(r.Policy, r.Fingerprint),
		Reason: fmt.Sprintf("%s: %s", r.Plan.Ladder[0].Action, reason),
	})
	if m, barred := decide.Barred(r, x.Trusted(x.En.Shard.c.Open), FiringObject(r.Policy, r.Fingerprint), now); barred {
		r = m.Next
		d.Audit = append(d.Audit, m.Audit...)
	}
	d.Remediations = append(d.Remediations, r)
}

func priorityOf(severity string) string {
	switch severity {
	case "critical":
		return "high"
	case "info":
		return "low"
	}
	return "medium"
}

func firingRecord(c *change, now clock.Stamp) audit.Record {
	verb := map[policy.State]string{
		policy.StateOK: "firing.clear", policy.StatePending: "firing.pending", policy.StateFiring: "firing.fire",
		policy.StateRecovering: "firing.recover", policy.StateUnknown: "firing.unknown",
		policy.StateFlapping: "firing.flapping", policy.StateSuppressed: "firing.suppress",
	}[c.tr.To]
	ev := audit.Evidence(record.Evidence{
		From: c.tr.From, To: c.tr.To, Value: Finite(c.ev.Value), Cause: c.cause, Step: c.step, Explanation: c.expl,
	})
	return audit.Record{
		At: now, Actor: "policy:" + c.inst.En.Name, Verb: verb,
		Object: FiringObject(c.inst.En.Name, c.inst.FP), Reason: c.tr.Reason, Evidence: ev,
	}
}

// FiringObject is how the audit names a firing: firing:POLICY/FINGERPRINT.
func FiringObject(policyName string, fp uint64) string {
	return fmt.Sprintf("firing:%s/%016x", policyName, fp)
}
