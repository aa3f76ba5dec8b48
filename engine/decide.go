package engine

import (
	"encoding/json"
	"fmt"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// outcome is what one round of a shard found, before it is a decision.
type outcome struct {
	changes []change
	closing []FiringRow
	dirty   []*instance
	raises  []*instance // firing, due for a remediation, and the ledger knows no live one
	moves   []RemediationMove
}

func (o outcome) empty() bool {
	return len(o.changes) == 0 && len(o.closing) == 0 && len(o.dirty) == 0 && len(o.raises) == 0 && len(o.moves) == 0
}

// decide turns what a round found into one value. Pure but for marking which
// episodes have their remediation; the shard's lock is held.
func decide(o outcome, position uint64, now clock.Stamp) *Decision {
	d := &Decision{At: now, Position: position}
	seen := make(map[*instance]bool, len(o.changes))
	for i := range o.changes {
		c := &o.changes[i]
		x := c.inst
		if x.dead || x.en.verify != nil {
			continue
		}
		seen[x] = true
		if told(c.tr) {
			d.Audit = append(d.Audit, firingRecord(c, now))
		}
		if c.tr.To == policy.StateOK {
			x.remedied = false
		}
		if c.tr.To == policy.StateFiring && !x.remedied && remediable(x) {
			d.remediate(x, c.tr.Reason, now)
		}
	}
	for _, x := range o.raises {
		if !x.dead && x.isFiring() && remediable(x) {
			d.remediate(x, "it still fires and nothing is under way", now)
		}
	}
	for _, x := range o.dirty {
		if !x.dead {
			seen[x] = true
		}
	}
	for x := range seen {
		d.Firings = append(d.Firings, x.row)
	}
	for _, row := range o.closing {
		d.Firings = append(d.Firings, row)
		if s := row.State.State; s != policy.StateOK && s != policy.StatePending {
			d.Audit = append(d.Audit, audit.Record{
				At: now, Actor: "policy:" + row.Policy, Verb: "firing.close", Object: firingObject(row.Policy, row.Fingerprint),
				Reason: row.Closed,
			})
		}
	}
	for _, m := range o.moves {
		d.Moves = append(d.Moves, m)
	}
	return d
}

// remediable says whether a firing leads to a remediation at all; every other
// question is a gate's, so that the answer is on record.
func remediable(x *instance) bool {
	return x.en.doc.Enabled && x.en.doc.Remedy != nil && x.en.doc.Mode != "off" && len(x.en.doc.Remedy.Ladder) > 0
}

func (d *Decision) remediate(x *instance, reason string, now clock.Stamp) {
	x.remedied = true
	plan := *x.en.doc.Remedy
	plan.Mode = x.en.doc.Mode
	plan.Open = x.en.doc.Accept == "open"
	r := remedy.Remediation{
		Source: remedy.FromPolicy, Policy: x.en.name(), Fingerprint: x.fp, Labels: x.labels.Map(),
		Target: x.row.Target, Severity: x.en.doc.Severity, Priority: priorityOf(x.en.doc.Severity),
		Actor: "policy:" + x.en.name(), Plan: plan, State: remedy.Queued, Reason: reason, Created: now,
		Approval: plan.Approval != nil,
	}
	if plan.External {
		r.Source = remedy.FromExternal
	}
	if t, err := remedy.TargetOf(plan, r); err == nil && t != "" {
		r.Target = t
	}
	if r.Target == "" {
		r.Target = x.en.name()
	}
	d.Remediations = append(d.Remediations, r)
	d.Audit = append(d.Audit, audit.Record{
		At: now, Actor: r.Actor, Verb: "remediation.queue", Object: firingObject(r.Policy, r.Fingerprint),
		Reason: fmt.Sprintf("%s: %s", plan.Ladder[0].Action, reason),
	})
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
	ev, err := json.Marshal(struct {
		From, To policy.State
		Value    float64
		Cause    string `json:",omitempty"`
		policy.Explanation
	}{c.tr.From, c.tr.To, finite(c.ev.Value), c.cause, c.expl})
	if err != nil {
		ev, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return audit.Record{
		At: now, Actor: "policy:" + c.inst.en.name(), Verb: verb,
		Object: firingObject(c.inst.en.name(), c.inst.fp), Reason: c.tr.Reason, Evidence: ev,
	}
}

// firingObject is how the audit names a firing: firing:POLICY/FINGERPRINT.
func firingObject(policyName string, fp uint64) string {
	return fmt.Sprintf("firing:%s/%016x", policyName, fp)
}
