package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/evaluate"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// WhyNot says what keeps a policy from acting on a target now: the clause of the
// condition, the state of the firing, or the gate that stands in the way; and
// when it could fire or act at the earliest. target may be a target, a
// fingerprint in hex, or "" for all (at most 20).
func (t *Teller) WhyNot(ctx context.Context, name, target string) (engine.Story, error) {
	p, ok := t.states.Lookup(name)
	if !ok {
		return engine.Story{}, fault.New(fault.NotFound, "Policy '%s' not found", name).Mend("vigild policy list names them")
	}
	if p.Broken != "" {
		return engine.Story{Headline: "Policy " + name + " is not evaluated: " + p.Broken}, nil
	}
	now := t.clock()
	var xs []looked
	t.states.Inspect(name, func(l *evaluate.Look) {
		if target == "" || l.Row.Target == target || aim(p.Doc, l.Row) == target || fmt.Sprintf("%016x", l.Row.Fingerprint) == target {
			xs = append(xs, lookAt(l, now))
		}
	})
	if len(xs) == 0 {
		s := engine.Story{Headline: "Policy " + name + " watches no series"}
		if target != "" {
			s.Headline += " with target " + target
		}
		s.Headline += ": nothing that matches " + p.Cond.Match.String() + " is live."
		return s, nil
	}
	slices.SortFunc(xs, func(a, b looked) int { return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.fp, b.fp)) })
	st := engine.Story{Headline: xs[0].line.Text}
	if len(xs) > 1 {
		st.Headline = fmt.Sprintf("Policy %s watches %d series that match.", name, len(xs))
	}
	for _, x := range xs[:min(len(xs), 20)] {
		st.Lines = append(st.Lines, x.line)
		live := false
		if x.firing {
			line, under, err := t.whyNoAct(ctx, p.Doc, x.fp, now)
			if err != nil {
				return st, err
			}
			st.Lines, live = append(st.Lines, line), under
		}
		if !live {
			line, err := t.ahead(ctx, p.Doc, x, now)
			if err != nil {
				return st, err
			}
			if line.Text != "" {
				st.Lines = append(st.Lines, line)
			}
		}
	}
	return st, nil
}

// aim is the target that the remedy would have, which is how people know an
// instance whose labels name none.
func aim(d engine.PolicyDocument, row engine.FiringRow) string {
	if d.Remedy == nil {
		return ""
	}
	t, err := remedy.TargetOf(*d.Remedy, remedy.Remediation{Labels: row.Labels.Map(), Target: row.Target, Policy: d.Name})
	if err != nil {
		return "" // it has no target by the template, and is found by its labels' own
	}
	return t
}

type looked struct {
	fp     uint64
	labels map[string]string
	target string
	firing bool
	line   engine.StoryLine
}

// lookAt evaluates an instance without moving it.
func lookAt(l *evaluate.Look, now clock.Stamp) looked {
	ev := l.Instance.Evaluate(l.Now, l.Firing, l.For)
	expl := l.Instance.Explain()
	evidence := audit.Evidence(expl)
	return looked{fp: l.Row.Fingerprint, labels: l.Row.Labels.Map(), target: l.Row.Target, firing: l.Firing, line: engine.StoryLine{
		At: now, Time: now.Time().Format(time.RFC3339), Evidence: evidence, Text: stateOf(l, ev, expl, now),
	}}
}

// stateOf puts the state of an instance into a sentence.
func stateOf(l *evaluate.Look, ev policy.Evaluation, expl policy.Explanation, now clock.Stamp) string {
	st := l.Row.State
	head := fmt.Sprintf("%s on %s is %s", l.Row.Policy, cmp.Or(l.Row.Target, l.Row.Labels.String()), st.State)
	tree := ""
	if expl.Fire != nil {
		tree = " [" + sentence(expl.Fire) + "]"
	}
	switch {
	case l.Firing:
		if l.Cold != "" {
			return head + "; it may not act yet: " + l.Cold + tree
		}
		return head + tree
	case st.State == policy.StateFlapping:
		return head + ": it changed too often, and acting on it is blocked until it is calm"
	case st.State == policy.StateSuppressed:
		return head + ": " + st.By + " fires, which it depends on"
	case ev.NoData:
		return head + ": no sample has come for longer than stale_after"
	case ev.Fire == policy.Unknown:
		return head + ": the condition is unknown, an input is missing" + tree
	case ev.Fire == policy.False:
		return head + ": the condition is false" + tree
	}
	if f := l.Policy.Cond.Spec.For.Std(); f > 0 && !st.True.IsZero() {
		left, _ := st.True.Add(f).Sub(now)
		return fmt.Sprintf("%s: the condition is true, and must stay so for %s; it could fire in %s%s", head, document.Duration(f), document.Duration(max(left, 0).Round(time.Second)), tree)
	}
	return head + ": the condition is true" + tree
}

// whyNoAct tells what has become of the act for a firing; live says that nothing
// is to be asked ahead: no act is wanted, or one is under way, whose own gate is told.
func (t *Teller) whyNoAct(ctx context.Context, d engine.PolicyDocument, fp uint64, now clock.Stamp) (line engine.StoryLine, live bool, err error) {
	line = engine.StoryLine{At: now, Time: now.Time().Format(time.RFC3339)}
	switch {
	case d.Remedy == nil:
		line.Text = "the policy has no remedy"
		return line, true, nil
	case !d.Enabled:
		line.Text = "the policy is disabled"
		return line, true, nil
	case d.Mode == "off":
		line.Text = "the policy's mode is off"
		return line, true, nil
	}
	rs, _, err := t.reader.Remediations(ctx, engine.RemediationFilter{Policy: d.Name, Firing: &fp, Limit: 1})
	if err != nil {
		return line, true, err
	}
	if len(rs) == 0 {
		line.Text = "no remediation has been made for it yet"
		return line, false, nil
	}
	r := rs[0]
	line.Text = fmt.Sprintf("remediation %d %s", r.ID, became(r.State))
	if r.Gate != "" && (r.State == remedy.Held || r.State == remedy.Refused || r.State == remedy.Cancelled) {
		line.Text += " by gate " + r.Gate
	}
	if r.Reason != "" {
		line.Text += ": " + r.Reason
	}
	if !r.Until.IsZero() && !now.Reached(r.Until) {
		left, _ := r.Until.Sub(now)
		what := "looked at again in"
		if r.Source == remedy.FromExternal && r.State != remedy.Held {
			what = "given up in"
		}
		line.Text += fmt.Sprintf("; %s %s", what, document.Duration(left.Round(time.Second)))
	}
	return line, !r.State.Final() || r.State == remedy.GaveUp, nil
}

// became is a state as the end of a sentence.
func became(st remedy.State) string {
	word := strings.ReplaceAll(string(st), "_", " ")
	switch st {
	case remedy.Succeeded, remedy.Failed, remedy.GaveUp:
		return word
	}
	return "is " + word
}
