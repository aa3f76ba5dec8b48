package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// Why tells a remediation as a story: what was seen, what was decided, what the
// gates answered, what was done, how it ended. NotFound if there is none.
func (e *Engine) Why(ctx context.Context, id int64) (Story, error) {
	r, err := e.reader.Remediation(ctx, id)
	if err != nil {
		return Story{}, err
	}
	attempts, err := e.reader.Attempts(ctx, id)
	if err != nil {
		return Story{}, err
	}
	objects := []string{fmt.Sprintf("remediation:%d", id)}
	for _, a := range attempts {
		objects = append(objects, "attempt:"+a.ID())
	}
	recs, err := e.reader.AuditAbout(ctx, objects, 500)
	if err != nil {
		return Story{}, err
	}
	var lines []StoryLine
	if r.Policy != "" {
		about, err := e.reader.AuditAbout(ctx, []string{firingObject(r.Policy, r.Fingerprint)}, 500)
		if err != nil {
			return Story{}, err
		}
		recs = append(recs, episode(about, r)...)
	}
	slices.SortFunc(recs, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, rec := range recs {
		lines = append(lines, lineOf(rec))
	}
	return Story{Headline: headline(r, attempts), Lines: lines}, nil
}

// episode keeps the records of the firing that led to r: from the last time it
// was ok before r was made until it is ok again.
func episode(recs []audit.Record, r remedy.Remediation) []audit.Record {
	from, to := 0, len(recs)
	for i, rec := range recs {
		over := rec.Verb == "firing.clear" || rec.Verb == "firing.close"
		if over && rec.At.Wall < r.Created.Wall {
			from = i + 1
		}
		if over && rec.At.Wall >= r.Created.Wall {
			to = i + 1
			break
		}
	}
	return recs[from:max(from, to)]
}

func headline(r remedy.Remediation, attempts []remedy.Attempt) string {
	what := r.Target
	if n := len(r.Plan.Ladder); n > 0 {
		what = r.Plan.Ladder[min(r.Rung, n-1)].Action + " on " + r.Target
	}
	by := "asked for by " + r.Actor
	if r.Policy != "" {
		by = "because policy " + r.Policy + " fired"
	}
	s := fmt.Sprintf("Remediation %d: %s, %s; %s", r.ID, what, by, strings.ReplaceAll(string(r.State), "_", " "))
	if r.Reason != "" {
		s += " (" + r.Reason + ")"
	}
	if n := len(attempts); n > 0 {
		s += fmt.Sprintf("; %d attempt", n)
		if n > 1 {
			s += "s"
		}
	}
	return s + "."
}

func lineOf(rec audit.Record) StoryLine {
	l := StoryLine{At: rec.At, Time: rec.At.Time().Format(time.RFC3339Nano), Text: rec.Verb + ": " + rec.Reason}
	if json.Valid(rec.Evidence) {
		l.Evidence = rec.Evidence
		if said := spoken(rec); said != "" {
			l.Text += " [" + said + "]"
		}
	}
	return l
}

// spoken puts the expression of a record's evidence into words.
func spoken(rec audit.Record) string {
	var ev struct {
		Fire *policy.Node `json:"fire"`
	}
	if json.Unmarshal(rec.Evidence, &ev) != nil || ev.Fire == nil {
		return ""
	}
	return sentence(ev.Fire)
}

// sentence is an expression with the value of each part that has one to tell.
func sentence(n *policy.Node) string {
	var parts []string
	var walk func(*policy.Node)
	walk = func(n *policy.Node) {
		if n.Text != n.Value && len(parts) < 8 {
			parts = append(parts, n.Text+" = "+n.Value)
		}
		for _, a := range n.Args {
			walk(a)
		}
	}
	walk(n)
	return strings.Join(parts, "; ")
}

// WhyNot says what keeps a policy from acting on a target now: the clause of the
// condition, the state of the firing, or the first gate; and when it could fire
// or act at the earliest. target may be a target, a fingerprint, or "".
func (e *Engine) WhyNot(ctx context.Context, policyName, target string) (Story, error) {
	en := e.reg.entry(policyName)
	if en == nil {
		return Story{}, fault.New(fault.NotFound, "Policy '%s' not found", policyName).Mend("vigild policy list names them")
	}
	now := e.clock()
	if en.broken != "" {
		return Story{Headline: "Policy " + policyName + " is not evaluated: " + en.broken}, nil
	}
	xs := e.lookFor(en, target, now)
	if len(xs) == 0 {
		s := Story{Headline: fmt.Sprintf("Policy %s watches no series", policyName)}
		if target != "" {
			s.Headline += " with target " + target
		}
		s.Headline += ": nothing that matches " + en.cond.Match.String() + " is live."
		return s, nil
	}
	var st Story
	for _, x := range xs {
		st.Lines = append(st.Lines, x.line)
		if x.firing {
			more, err := e.whyNoAct(ctx, en, x, now)
			if err != nil {
				return st, err
			}
			st.Lines = append(st.Lines, more...)
		}
	}
	st.Headline = xs[0].line.Text
	if len(xs) > 1 {
		st.Headline = fmt.Sprintf("Policy %s watches %d series that match.", policyName, len(xs))
	}
	return st, nil
}

type looked struct {
	fp     uint64
	target string
	labels map[string]string
	firing bool
	line   StoryLine
}

// lookFor evaluates the instances asked about, at most 20, without moving them.
func (e *Engine) lookFor(en *entry, target string, now clock.Stamp) []looked {
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	var out []looked
	for _, x := range en.insts {
		if target != "" && x.row.Target != target && fmt.Sprintf("%016x", x.fp) != target {
			continue
		}
		d, _ := now.Sub(x.row.State.Fired)
		ev := x.in.Evaluate(x.now(now), x.isFiring(), d)
		expl := x.in.Explain()
		evidence, _ := json.Marshal(expl)
		l := looked{fp: x.fp, target: x.row.Target, labels: x.labels.Map(), firing: x.isFiring()}
		l.line = StoryLine{At: now, Time: now.Time().Format(time.RFC3339), Evidence: evidence, Text: e.notFiring(x, ev, expl, now)}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b looked) int { return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.fp, b.fp)) })
	return out[:min(len(out), 20)]
}

// notFiring puts the state of an instance into a sentence.
func (e *Engine) notFiring(x *instance, ev policy.Evaluation, expl policy.Explanation, now clock.Stamp) string {
	st := x.row.State
	head := fmt.Sprintf("%s on %s is %s", x.en.name(), cmp.Or(x.row.Target, x.labels.String()), st.State)
	tree := ""
	if expl.Fire != nil {
		tree = " [" + sentence(expl.Fire) + "]"
	}
	switch {
	case x.isFiring():
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
	if f := x.en.cond.Spec.For.Std(); f > 0 && !st.True.IsZero() {
		left, _ := st.True.Add(f).Sub(now)
		return fmt.Sprintf("%s: the condition is true, and must stay so for %s; it could fire in %s%s", head, f, max(left, 0).Round(time.Second), tree)
	}
	return head + ": the condition is true" + tree
}

// whyNoAct tells what has become of the act for a firing.
func (e *Engine) whyNoAct(ctx context.Context, en *entry, x looked, now clock.Stamp) ([]StoryLine, error) {
	say := func(format string, args ...any) []StoryLine {
		return []StoryLine{{At: now, Time: now.Time().Format(time.RFC3339), Text: fmt.Sprintf(format, args...)}}
	}
	v := en.view()
	switch {
	case v.Remedy == nil:
		return say("the policy has no remedy"), nil
	case !v.Enabled:
		return say("the policy is disabled"), nil
	case v.Mode == "off":
		return say("the policy's mode is off"), nil
	}
	fp := x.fp
	rs, _, err := e.reader.Remediations(ctx, RemediationFilter{Policy: en.name(), Firing: &fp, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rs) == 0 {
		return say("no remediation has been made for it yet"), nil
	}
	r := rs[0]
	text := fmt.Sprintf("remediation %d is %s", r.ID, strings.ReplaceAll(string(r.State), "_", " "))
	if r.Gate != "" && (r.State == remedy.Held || r.State == remedy.Refused || r.State == remedy.Cancelled) {
		text += " by gate " + r.Gate
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	if !r.Until.IsZero() && !now.Reached(r.Until) {
		left, _ := r.Until.Sub(now)
		text += fmt.Sprintf("; looked at again in %s", left.Round(time.Second))
	}
	return say("%s", text), nil
}
