// Package plan is what a revision would mean for the host as it stands: what it
// speaks of beside what is remembered, and the steps that would follow.
//
// It refuses what takes too much away, what cannot be looked at, and vigild's own
// documents that are not right; it changes nothing. [Arrange] is pure, [Judge] and [Prepare]
// look at the machine and block until they have or their context ends. It starts
// nothing and may be called by anybody.
package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/remedy/foresee"
	"vigil/engine/revision/ground"
)

// Plan is what a set would mean for the host as it stands.
type Plan struct {
	Set *reconcile.Set
	Arrangement
	own    []string // changes of vigild's own documents
	Steps  []engine.PlanStep
	unseen []*ground.Thing
	wrong  fault.Issues // with it, wherever it is at
	stops  fault.Issues // acts that could not be done on this host, and health that nothing here could prove
	much   error        // it takes away too much
}

// Judge looks at everything that a set speaks of and plans, for a Verdict. rev is whose
// set it is: where it comes from, and whether many removals are meant. It changes
// nothing; it may be called by anybody, and blocks.
func Judge(ctx context.Context, g *ground.Ground, set *reconcile.Set, rev engine.Revision) (*Plan, error) {
	p, err := prepare(ctx, g, set, rev, &foresee.Ahead{})
	if err == nil {
		p.unchecked(g.Own)
	}
	return p, err
}

// Prepare is Judge for a set that has landed: it tries, so nothing is foreseen.
func Prepare(ctx context.Context, g *ground.Ground, set *reconcile.Set, rev engine.Revision) (*Plan, error) {
	return prepare(ctx, g, set, rev, nil)
}

func prepare(ctx context.Context, g *ground.Ground, set *reconcile.Set, rev engine.Revision, ahead *foresee.Ahead) (*Plan, error) {
	rows := g.Remembered()
	p := &Plan{Set: set, Arrangement: Arrange(set, rows)}
	var changing []*ground.Thing
	for _, t := range append(slices.Clone(p.Things), p.Away...) {
		if err := ctx.Err(); err != nil {
			return nil, fault.Wrap(fault.Cancelled, err, "planning")
		}
		seen, err := t.Res.Observe(ctx, g.World)
		if err != nil {
			t.Unseen = err.Error()
			p.unseen = append(p.unseen, t)
			continue
		}
		t.Adopt(seen)
		t.Diffs = t.Differences(t.Row.Last, seen)
		var steps []reconcile.Step
		if g.Cfg.Mode != "detect" && !g.Suspended(t.Ref) {
			steps, t.Held = t.StepsFor(seen, t.Diffs)
		} else {
			t.Held = t.Diffs
		}
		t.Stuck = ground.Stops(steps, t.Held, t.Diffs)
		for _, s := range steps {
			if ahead != nil {
				p.foresee(g.Actions, t, s, ahead)
			}
			p.Steps = append(p.Steps, engine.PlanStep{Ref: t.Ref, Level: t.Level, Action: s.Action, Summary: s.Summary,
				Final: s.Final, Prune: t.Item == nil, Because: reconcile.Told(t.Diffs)})
		}
		if len(steps) > 0 {
			changing = append(changing, t)
		}
	}
	for _, f := range ground.Notes(changing) { // last of all, and so here
		s := f.Steps[0]
		p.Steps = append(p.Steps, engine.PlanStep{Ref: f.T.Ref, Action: s.Action, Summary: s.Summary, Final: s.Final})
	}
	p.own, p.wrong = g.Own.Check(ctx, set.Documents)
	p.wrong = slices.Concat(p.wrong, notable(g, set.Documents, p.Things), p.unkept())
	p.much = p.guard(rows, rev)
	return p, nil
}

// foresee asks the action of a step whether anything on this host stops it, once the
// steps before it are done.
func (p *Plan) foresee(acts remedy.Actions, t *ground.Thing, s reconcile.Step, ahead *foresee.Ahead) {
	action, known := acts.Action(s.Action)
	place, req := "", remedy.Request{Action: s.Action, Source: remedy.FromReconcile, With: s.With, Target: t.Ref}
	if t.Item != nil {
		place = t.Item.Place
	}
	if !known {
		p.stops.Add(place, "%s: %s: there is no action %q here", t.Ref, s.Summary, s.Action)
		return
	}
	_, err := action.Resolve(req)
	f, can := action.(foresee.Foreseer)
	if can && err == nil {
		ahead.Bytes, ahead.Content = int64(len(s.Content)), s.Content
		err = f.Foresee(req, ahead)
	}
	ahead.Programs = ahead.Programs || !can
	if err != nil {
		p.stops.Add(place, "%s: %v", t.Ref, err)
	}
}

// unchecked stops what would wait for a check that nobody has. One that has landed
// waits: who takes a check away from a folder makes no good revision a wrong one.
func (p *Plan) unchecked(own ground.Own) {
	for _, t := range p.Things {
		if h := t.Item.Health; h != nil && h.Check != "" && !own.HasCheck(p.Set.Documents, h.Check) {
			p.stops = append(p.stops, fault.Issue{Place: t.Item.Place, Msg: fmt.Sprintf("%s: health: there is no check %q", t.Ref, h.Check),
				Hint: "add a Check of that name to the repository or to a folder of checks"})
		}
	}
}

// Refuse is why a revision is not applied, everything at once; nil: it is.
func (p *Plan) Refuse() error { return p.refused(p.wrong) }

// Verdict is Refuse for one that has not landed yet: acts that this host can not do
// and health that it can not tell refuse it too. One that has landed tries, and is taken back.
func (p *Plan) Verdict() error { return p.refused(slices.Concat(p.wrong, p.stops)) }

func (p *Plan) refused(is fault.Issues) error {
	const most = 200
	if len(is) == 0 {
		return p.much
	}
	is = is.InOrder()
	if n := len(is); n > most {
		is = append(is[:most:most], fault.Issue{Msg: fmt.Sprintf("and %d more", n-most)})
	}
	if p.much != nil {
		is = append(slices.Clip(is), fault.Issue{Msg: p.much.Error()})
	}
	return is
}

// notable refuses a notify that could not be carried out, before anything is done
// that it would follow.
func notable(g *ground.Ground, own []document.Document, things []*ground.Thing) (is fault.Issues) {
	acts := g.Own.Actions(own)
	if acts == nil {
		acts = g.Actions
	}
	for _, t := range things {
		for _, f := range ground.Notes([]*ground.Thing{t}) {
			if a, known := acts.Action(f.Steps[0].Action); !known {
				is.Add(t.Item.Place, "notify: there is no action %q here", f.Steps[0].Action)
			} else if _, err := a.Resolve(remedy.Request{Action: f.Steps[0].Action, With: f.Steps[0].With, Target: t.Ref}); err != nil {
				is.Add(t.Item.Place, "notify: %v", err)
			}
		}
	}
	return is
}

// guard refuses what would take away too much, vigild's own documents too.
func (p *Plan) guard(rows map[string]engine.Resource, rev engine.Revision) error {
	stands := 0
	for _, r := range rows {
		if r.Prune && !r.Adopted {
			stands++
		}
	}
	goes := 0
	for _, t := range p.Away {
		if len(t.Diffs) > 0 {
			goes++
		}
	}
	stands += len(p.Set.Documents)
	for _, c := range p.own {
		switch verb, _, _ := strings.Cut(c, " "); verb {
		case "create":
			stands--
		case "delete":
			stands++
			goes++
		}
	}
	return reconcile.Guard(stands, goes, len(p.Set.Items)+len(p.Set.Documents), rev.Confirmed, rev.Source)
}

// unkept refuses what is to be kept and cannot be seen.
func (p *Plan) unkept() (is fault.Issues) {
	for _, t := range p.unseen {
		if t.Item != nil && t.Item.Mode != reconcile.Detect {
			is.Add(t.Item.Place, "%s cannot be looked at, so it cannot be kept: %s", t.Ref, t.Unseen)
		}
	}
	return is
}

// Say tells a person the plan, a line each, at most so many.
func (p *Plan) Say(say func(string)) {
	const most = 50
	changed := map[string]bool{}
	for i, s := range p.Steps {
		changed[s.Ref] = true
		switch {
		case i == most:
			say(fmt.Sprintf("  ... and %d more steps", len(p.Steps)-most))
		case i < most && s.Final != "":
			say(fmt.Sprintf("  %s: %s (cannot be taken back: %s)", s.Ref, s.Summary, s.Final))
		case i < most:
			say(fmt.Sprintf("  %s: %s", s.Ref, s.Summary))
		}
	}
	for i, c := range p.own {
		if i == most {
			say(fmt.Sprintf("  ... and %d more", len(p.own)-most))
			break
		}
		say("  " + c)
	}
	left := 0
	for _, t := range p.Things {
		line := ""
		switch {
		case len(t.Held) > 0:
			line = fmt.Sprintf("  %s: differs in %s and is left (%s)", t.Ref, t.Held[0].Field, t.Item.Mode)
		case t.Stuck:
			d := t.Diffs[0]
			line = fmt.Sprintf("  %s: differs in %s, and %s: wanted %s, found %s", t.Ref, d.Field, ground.StuckWhy, d.Wanted, d.Found)
		default:
			continue
		}
		if left++; left <= most {
			say(line)
		}
	}
	if left > most {
		say(fmt.Sprintf("  ... and %d more that differ", left-most))
	}
	say(fmt.Sprintf("plan: %s wanted, %d of them to change, %d to take away; %s of vigild itself", Count(len(p.Things), "thing"), len(changed)-p.Goes(), p.Goes(), Count(len(p.Set.Documents), "document")))
}

// Count is a number with its noun.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Goes is how many things are taken away.
func (p *Plan) Goes() int {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		if s.Prune {
			seen[s.Ref] = true
		}
	}
	return len(seen)
}

// View is the plan for the faces.
func (p *Plan) View(commit, from string) engine.PlanView {
	v := engine.PlanView{Commit: commit, From: from, Items: len(p.Things), Steps: p.Steps, Own: p.own}
	if v.Steps == nil {
		v.Steps = []engine.PlanStep{}
	}
	for _, t := range p.Things {
		if len(t.Held) > 0 || t.Stuck {
			h := t.View()
			if t.Stuck {
				h.Reason = ground.StuckWhy
			}
			v.Held = append(v.Held, h)
		}
	}
	for _, t := range p.unseen {
		v.Unseen = append(v.Unseen, t.View())
	}
	if err := p.Verdict(); err != nil {
		v.Refused = err.Error()
	}
	return v
}
