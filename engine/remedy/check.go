package remedy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy/placeholder"
)

// Bounds of a plan.
const (
	maxRungs   = 16
	maxTimeout = 24 * time.Hour
)

// Check names everything wrong with a plan; places are paths in it, such as
// /ladder/0/with. Unknown actions are issues unless the plan is external; with
// nil actions neither names nor parameters are looked at.
// A rung with placeholders is resolved with sample values: what is wrong with
// every value is wrong now, what depends on the value is checked before the act.
func (p *Plan) Check(actions Actions) fault.Issues {
	var is fault.Issues
	if len(p.Ladder) == 0 {
		is.Add("/ladder", "no rung: expected at least one action")
	}
	if len(p.Ladder) > maxRungs {
		is.Add("/ladder", "%d rungs, at most %d are allowed", len(p.Ladder), maxRungs)
		return is
	}
	if _, err := placeholder.Fill(p.Target, samples()[0]); err != nil {
		is.Add("/target", "%s", err)
	}
	literal(&is, "/target", p.Target)
	for i := range p.Ladder {
		literal(&is, fmt.Sprintf("/ladder/%d/with", i), p.Ladder[i].With)
		p.Ladder[i].check(&is, fmt.Sprintf("/ladder/%d", i), actions, p.External)
	}
	p.checkTerms(&is)
	return is
}

// literal refuses what was meant as a placeholder and would be taken as it stands.
func literal(is *fault.Issues, place string, in any) {
	placeholder.EachMisread(place, in, func(place, wrote, means string) {
		*is = append(*is, fault.Issue{Place: place, Msg: fmt.Sprintf("%q would be taken as it stands", wrote), Hint: "write " + means})
	})
}

func (p *Plan) checkTerms(is *fault.Issues) {
	bounded(is, "/cooldown", p.Cooldown, 0, 7*24*time.Hour)
	if p.Limit != nil {
		p.Limit.issues(is, "/limit")
	}
	if p.Cost != nil && !(*p.Cost >= 0 && *p.Cost <= 1e6) {
		is.Add("/cost", "%v is not between 0 and a million", *p.Cost)
	}
	if p.Backoff != nil {
		p.Backoff.issues(is, "/backoff")
	}
	if p.Approval != nil {
		bounded(is, "/approval/ttl", p.Approval.TTL, time.Second, 30*24*time.Hour)
	}
	if v := p.Verify; v != nil {
		bounded(is, "/verify/within", v.Within, time.Second, 24*time.Hour)
		if v.Successes < 0 || v.Successes > 100 {
			is.Add("/verify/successes", "%d is not between 1 and 100", v.Successes)
		}
	}
	switch p.Mode {
	case "", "off", "shadow", "suggest", "act":
	default:
		is.Add("/mode", "unknown mode %q: expected off, shadow, suggest or act", p.Mode)
	}
}

func (g *Rung) check(is *fault.Issues, place string, actions Actions, external bool) {
	bounded(is, place+"/timeout", g.Timeout, time.Millisecond, maxTimeout)
	bounded(is, place+"/settle", g.Settle, 0, time.Hour)
	if g.Tries < 0 || g.Tries > maxTries {
		is.Add(place+"/tries", "%d is not between 1 and %d", g.Tries, maxTries)
	}
	if g.Action == "" {
		is.Add(place+"/action", "no action is named")
		return
	}
	if actions == nil {
		if _, err := placeholder.FillAll(g.With, samples()[0]); err != nil {
			is.Add(place+"/with", "%s", err)
		}
		return
	}
	a, known := actions.Action(g.Action)
	if !known {
		if !external {
			*is = append(*is, fault.Issue{Place: place + "/action", Msg: fmt.Sprintf("unknown action %q", g.Action), Hint: suggest(g.Action, actions.Names())})
		}
		return
	}
	var errs []error
	for _, sample := range samples() {
		with, err := placeholder.FillAll(g.With, sample)
		if err != nil {
			is.Add(place+"/with", "%s", err)
			return
		}
		q := Request{Attempt: "0-0-0", Action: g.Action, With: with, Target: sample.Target, Policy: sample.Policy, Labels: sample.Labels}
		if _, err = a.Resolve(q); err == nil {
			return
		}
		errs = append(errs, err)
		if !placeholder.Placed(g.With) {
			break
		}
	}
	for _, err := range errs[1:] {
		if err.Error() != errs[0].Error() {
			return // it depends on the value: the action looks again before the act
		}
	}
	in := func(named string) string {
		return strings.TrimSuffix(place+"/with/"+strings.TrimLeft(strings.TrimPrefix(named, "with"), "./"), "/")
	}
	var many fault.Issues
	if errors.As(errs[0], &many) { // each of them at its own place
		for _, i := range many {
			i.Place = in(i.Place)
			*is = append(*is, i)
		}
		return
	}
	var f *fault.Error
	if errors.As(errs[0], &f) && f.Place != "" {
		*is = append(*is, fault.Issue{Place: in(f.Place), Msg: f.Msg, Hint: f.Hint})
		return
	}
	is.Add(place+"/with", "%s", errs[0])
}

// samples are values that labels might have, of different kinds, so that a
// pattern which takes any of them lets the rung pass.
func samples() []placeholder.Values {
	var out []placeholder.Values
	for _, v := range []string{"web", "web.service", "7", "/srv/web", "10.0.0.1"} {
		out = append(out, placeholder.Values{Sample: v, Target: v, Policy: v})
	}
	return out
}

func bounded(is *fault.Issues, place string, d *document.Duration, lo, hi time.Duration) {
	if d != nil && (d.Std() < lo || d.Std() > hi) {
		is.Add(place, "%s is not between %s and %s", d, document.Duration(lo), document.Duration(hi))
	}
}

func suggest(word string, known []string) string {
	if near := document.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) > 20 {
		known = append(known[:20:20], "...")
	}
	return "known here: " + strings.Join(known, ", ")
}
