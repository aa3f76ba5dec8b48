package explain

import (
	"context"
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// ahead asks the gates what they would say of an act that began now, though
// nothing is under way; the line has no text when none of them would object. The
// gates that count acts (cooldown, limits, budget, storm, breaker) look into the
// ledger inside a claim, and are not asked.
func (t *Teller) ahead(ctx context.Context, d engine.PolicyDocument, x looked, now clock.Stamp) (engine.StoryLine, error) {
	line := engine.StoryLine{At: now, Time: now.Time().Format(time.RFC3339)}
	if d.Remedy == nil || !d.Enabled || len(d.Remedy.Ladder) == 0 {
		return line, nil
	}
	plan := *d.Remedy
	plan.Mode, plan.Open = d.Mode, d.Accept == "open"
	r := remedy.Remediation{
		Source: remedy.FromPolicy, Policy: d.Name, Fingerprint: x.fp, Labels: x.labels, Target: x.target,
		Severity: d.Severity, Plan: plan, State: remedy.Queued, Created: now, Approval: plan.Approval != nil,
	}
	f, err := t.judge.Facts(ctx, r, t.spec(r))
	if err != nil {
		return line, err
	}
	f.Holds = int8(policy.True) // as if
	for _, g := range t.rules.Gates() {
		if g.Name == remedy.GateOwner {
			break
		}
		v := g.Gate(&r, &f, &remedy.History{}, now)
		if v.Answer == remedy.Admit {
			continue
		}
		what := "if it fired now, its act would be stopped"
		if x.firing {
			what = "an act now would be stopped"
		}
		line.Text = fmt.Sprintf("%s by gate %s: %s", what, g.Name, v.Reason)
		break
	}
	return line, nil
}

// spec is what the first rung would be about, as far as it can be told.
func (t *Teller) spec(r remedy.Remediation) remedy.Spec {
	if t.actions == nil {
		return remedy.Spec{}
	}
	a, ok := t.actions.Action(r.Plan.Ladder[0].Action)
	if !ok {
		return remedy.Spec{}
	}
	q, err := r.Request()
	if err != nil {
		return remedy.Spec{}
	}
	s, err := a.Resolve(q)
	if err != nil {
		return remedy.Spec{}
	}
	return s
}
