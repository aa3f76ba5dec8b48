package explain

import (
	"context"
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/shard"
)

// ahead asks the gates what they would say of an act that began now, though
// nothing is under way; the line has no text when none of them would object. What
// the gates count (cooldown, limits, budget, storm, breaker) is read as it is now;
// it can be told only of an act whose subject is known.
func (t *Teller) ahead(ctx context.Context, d engine.PolicyDocument, x looked, now clock.Stamp) (engine.StoryLine, error) {
	line := engine.StoryLine{At: now, Time: now.Time().Format(time.RFC3339)}
	if d.Remedy == nil || !d.Enabled || len(d.Remedy.Ladder) == 0 {
		return line, nil
	}
	r := shard.Queued(&d, x.fp, x.labels, x.target, now)
	what := "if it fired now, its act would be stopped"
	if x.firing {
		what = "an act now would be stopped"
	}
	if r.Source == remedy.FromExternal { // its acts are another's
		f, err := t.judge.Facts(ctx, r, remedy.Spec{})
		if err != nil {
			return line, err
		}
		if v, _ := t.rules.AskOutside(&r, &f, now); v.Answer != remedy.Admit {
			line.Text = fmt.Sprintf("%s by gate %s: %s", what, v.Gate, v.Reason)
		}
		return line, nil
	}
	spec := t.spec(r)
	r.Subject = spec.Subject
	f, err := t.judge.Facts(ctx, r, spec)
	if err != nil {
		return line, err
	}
	f.Spec = spec
	f.Holds = int8(policy.True) // as if
	h, err := t.reader.History(ctx, t.rules.Lookback(&r, spec), now)
	if err != nil {
		return line, err
	}
	v, _ := t.rules.Ask(&r, &f, &h, now)
	if v.Answer == remedy.Admit {
		return line, nil
	}
	line.Text = fmt.Sprintf("%s by gate %s: %s", what, v.Gate, v.Reason)
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
