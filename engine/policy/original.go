package policy

import (
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy/original"
)

// FromOriginal turns a condition of the original (metric_exceeds, metric_below,
// all, any, nested) into a Spec; see original.Condition.
func FromOriginal(n document.Node) (Spec, fault.Issues) {
	return fromMeaning(n)(original.Condition(n))
}

// FromMatchMetric turns the fields match_metric and threshold of the original's
// other dialect into a Spec: it fires above the threshold.
func FromMatchMetric(n document.Node) (Spec, fault.Issues) {
	return fromMeaning(n)(original.MatchMetric(n))
}

// fromMeaning makes a Spec that compiles, or issues at the place of n.
func fromMeaning(n document.Node) func(original.Meaning, fault.Issues) (Spec, fault.Issues) {
	return func(m original.Meaning, issues fault.Issues) (Spec, fault.Issues) {
		if len(issues) > 0 {
			return Spec{}, issues
		}
		spec := Spec{Match: m.Match, Fire: m.Fire}
		if _, issues = Compile(spec); len(issues) > 0 {
			return Spec{}, fault.Issues{{Place: n.Place(), Msg: "the condition is too large or names no metric: " + issues[0].Msg}}
		}
		return spec, nil
	}
}
