package engine

import (
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// policySpec is the spec of a policy document, as YAML spells it.
type policySpec struct {
	Description string `yaml:"description"`
	Severity    string `yaml:"severity"`
	Mode        string `yaml:"mode"`
	Enabled     *bool  `yaml:"enabled"`
	policy.Spec `yaml:",inline"`
	DependsOn   []string     `yaml:"depends_on"`
	Accept      string       `yaml:"accept"`
	By          []string     `yaml:"by"`
	Reduce      string       `yaml:"reduce"`
	Remedy      *remedy.Plan `yaml:"remedy"`
}

// PolicyFromDocument reads a policy from its document, in vigil's own shape or
// one of the original's. Issues name file:line:column. Defaults are filled in,
// so that what is stored says what it means.
func PolicyFromDocument(d document.Document) (PolicyDocument, fault.Issues) {
	if d.Flat {
		return policyFromFlat(d)
	}
	var s policySpec
	is := d.Spec.Decode(&s)
	if len(s.By) > 0 || s.Reduce != "" {
		is = append(is, fault.Issue{Place: d.Spec.Place("by"), Msg: "by and reduce (groups of series) come later",
			Hint: "match the series themselves, one firing each"})
	}
	p := PolicyDocument{
		Name: d.Name, Labels: d.Labels, Description: s.Description, Severity: s.Severity, Mode: s.Mode,
		Enabled: s.Enabled == nil || *s.Enabled, Condition: s.Spec, DependsOn: s.DependsOn, Accept: s.Accept, Remedy: s.Remedy,
	}
	p.fill()
	if len(is) > 0 { // all that is wrong is told at once: what could be read is compiled too
		_, more := Compile(p, nil, 0)
		return PolicyDocument{}, append(is, standing(more, is, d)...)
	}
	return p, nil
}

// fill sets the defaults that the document may leave out.
func (p *PolicyDocument) fill() {
	if p.Severity == "" {
		p.Severity = "warning"
	}
	if p.Mode == "" {
		p.Mode = "act"
	}
}

// flatPolicy is an item of the original's `policies:` list, and the dialect of
// its manifests (match_metric, threshold, cooldown).
type flatPolicy struct {
	Name          string         `yaml:"name"`
	Description   string         `yaml:"description"`
	Severity      string         `yaml:"severity"`
	Target        string         `yaml:"target"`
	Enabled       *bool          `yaml:"enabled"`
	AutoRemediate *bool          `yaml:"auto_remediate"`
	Condition     document.Node  `yaml:"condition"`
	Action        string         `yaml:"action"`
	Params        map[string]any `yaml:"params"`

	MatchMetric document.Node      `yaml:"match_metric"` // the dialect's two fields are
	Threshold   document.Node      `yaml:"threshold"`    // read by policy.FromMatchMetric
	Cooldown    *document.Duration `yaml:"cooldown"`
}

func policyFromFlat(d document.Document) (PolicyDocument, fault.Issues) {
	var f flatPolicy
	is := d.Spec.Decode(&f)
	var cond policy.Spec
	var ci fault.Issues
	switch {
	case !f.MatchMetric.Absent():
		cond, ci = policy.FromMatchMetric(d.Spec)
	case f.Condition.Absent() && len(is) == 0: // else it may be what was misspelt
		is.Add(d.Place, "a policy needs a condition")
	case !f.Condition.Absent():
		cond, ci = policy.FromOriginal(f.Condition)
	}
	is = append(is, ci...)
	if len(is) > 0 {
		return PolicyDocument{}, is
	}
	auto := f.AutoRemediate == nil || *f.AutoRemediate
	severity := f.Severity
	switch severity {
	case "info", "warning", "critical":
	default:
		severity = "warning" // as the original does in YAML
	}
	return OriginalPolicy(Original{
		Name: d.Name, Description: f.Description, Severity: severity, Target: f.Target,
		Enabled: f.Enabled == nil || *f.Enabled, AutoRemediate: auto, Condition: cond,
		Action: f.Action, Params: f.Params, Cooldown: f.Cooldown,
	}), nil
}
