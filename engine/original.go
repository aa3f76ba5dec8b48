package engine

import (
	"slices"
	"strings"

	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// Original is a policy in the original system's shape, its condition compiled
// to ours, its defaults chosen by whoever read it (the API's and the YAML's
// differ).
type Original struct {
	Name, Description, Severity, Target string
	Enabled, AutoRemediate              bool
	Condition                           policy.Spec
	Action                              string
	Params                              map[string]any
	Cooldown                            *document.Duration
}

// OriginalPolicy turns the original's shape into a policy document. What it
// left to its stubs becomes real: restart restarts the unit named by the
// target; scale-up, drain-pod and the like are queued for an outside
// remediator; auto_remediate false means that it is only recorded.
func OriginalPolicy(o Original) PolicyDocument {
	if o.Target == "" {
		o.Target = "all"
	}
	if o.Action == "" {
		o.Action = "custom"
	}
	o.Condition.Target = o.Target
	p := PolicyDocument{
		Name: o.Name, Description: o.Description, Severity: o.Severity, Mode: "act", Enabled: o.Enabled,
		Condition: o.Condition, Target: o.Target, AutoRemediate: &o.AutoRemediate, Params: o.Params, Action: o.Action,
		Accept: "open",
	}
	if p.Params == nil {
		p.Params = map[string]any{}
	}
	if !o.AutoRemediate {
		p.Mode = "shadow"
	}
	p.Remedy = &remedy.Plan{Cooldown: o.Cooldown}
	if name, with, known := OriginalAction(o.Action, o.Target); known {
		p.Remedy.Ladder = []remedy.Rung{{Action: name, With: with}}
	} else {
		p.Remedy.Ladder = []remedy.Rung{{Action: name, With: o.Params}}
		p.Remedy.External = true
	}
	if plain(o.Target) {
		p.Remedy.Target = o.Target
	}
	p.fill()
	return p
}

// Spelling is the original's word for the one act of d's remedy, "" where the
// remedy was written in our shape or has our name for it.
func (d *PolicyDocument) Spelling() string {
	if d.AutoRemediate == nil || d.Remedy == nil || len(d.Remedy.Ladder) != 1 || d.Action == d.Remedy.Ladder[0].Action {
		return ""
	}
	if name, _, _ := OriginalAction(d.Action, d.Target); name != d.Remedy.Ladder[0].Action {
		return "" // it has been given a remedy of our shape since
	}
	return d.Action
}

// OriginalAction translates an action name of the original, in whichever of its
// spellings. known is false for those that only an outside remediator can do.
func OriginalAction(name, target string) (action string, with map[string]any, known bool) {
	switch canon := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-"); canon {
	case "restart", "restart-service":
		unit := "{{ target }}.service"
		if plain(target) {
			unit = target
			if !strings.Contains(unit, ".") {
				unit += ".service"
			}
		}
		return "service", map[string]any{"unit": unit, "verb": "restart"}, true
	default:
		return canon, nil, false
	}
}

// NearAction is what was most likely meant by a name that nothing is called by: one
// of the known names, or of the original's spellings; "" when none is near.
func NearAction(name string, known []string) string {
	canon := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	return document.Nearest(canon, append(slices.Clone(known), "restart", "restart-service"))
}

// plain says that a target names one thing, and is no pattern.
func plain(target string) bool {
	return target != "" && target != "all" && !strings.ContainsAny(target, "*?[")
}
