package policies

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/problem"
	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// originalActions are the original's action types and the spellings that its
// clients used.
var originalActions = []string{
	"scale-up", "scale-down", "restart", "restart-service", "restart-pod", "scale-deployment", "drain-pod",
	"cordon-node", "apply-manifest", "rebalance", "snapshot", "custom",
}

// isOriginal says that a condition is of the original's shape.
func isOriginal(condition map[string]any) bool {
	_, typed := condition["type"]
	_, match := condition["match"]
	_, fire := condition["fire"]
	return typed || !match && !fire
}

// readPolicy reads the three shapes of a new policy through the one reader of
// documents, so that a policy means the same whichever way it came.
func readPolicy(in contract.PolicyCreate, raw []byte) (engine.PolicyDocument, error) {
	if in.APIVersion != nil {
		return readDocument(raw)
	}
	var inv problem.Invalid
	if strings.TrimSpace(in.Name) == "" {
		d := problem.Detail{Type: "missing", Loc: []any{"body", "name"}, Msg: "Field required"}
		if in.Name != "" {
			d = problem.Value("name must not be empty or blank", in.Name, "body", "name")
		}
		inv = append(inv, d)
	}
	if in.Condition == nil {
		inv = append(inv, problem.Detail{Type: "missing", Loc: []any{"body", "condition"}, Msg: "Field required"})
	}
	if in.Action != nil && isOriginal(in.Condition) && in.Remedy == nil && !slices.Contains(originalActions, spelling(*in.Action)) {
		inv = append(inv, problem.Detail{Type: "enum", Loc: []any{"body", "action"},
			Msg: "Input should be 'scale-up', 'restart', 'drain-pod' or 'custom'", Input: *in.Action})
	}
	if len(inv) > 0 {
		return engine.PolicyDocument{}, inv
	}
	if !isOriginal(in.Condition) {
		return readOurs(in)
	}
	auto := in.AutoRemediate != nil && *in.AutoRemediate
	enabled := in.Enabled == nil || *in.Enabled
	flat := map[string]any{"name": in.Name, "condition": in.Condition, "auto_remediate": auto, "enabled": enabled}
	for k, v := range map[string]*string{"description": in.Description, "severity": in.Severity, "target": in.Target, "action": in.Action} {
		if v != nil {
			flat[k] = *v
		}
	}
	if in.Params != nil {
		flat["params"] = in.Params
	}
	doc, err := parseOne(map[string]any{"policies": []any{flat}})
	if is, ok := err.(fault.Issues); ok {
		return doc, face.BadRequest("Invalid condition configuration: " + is.Error())
	}
	if err != nil {
		return doc, err
	}
	if in.Remedy != nil {
		if err := takeRemedy(&doc, in.Remedy); err != nil {
			return doc, err
		}
		doc.Mode = "act"
	}
	if in.Mode != nil {
		doc.Mode = *in.Mode
	}
	doc.DependsOn, doc.Labels = in.DependsOn, in.Labels
	return doc, nil
}

func spelling(action string) string { return strings.ReplaceAll(strings.ToLower(action), "_", "-") }

// readDocument reads a body that is a whole document.
func readDocument(raw []byte) (engine.PolicyDocument, error) {
	ds, is := document.Parse("body", raw, document.API)
	if err := is.Err(); err != nil {
		return engine.PolicyDocument{}, err
	}
	if len(ds) != 1 || ds[0].Kind != "Policy" {
		return engine.PolicyDocument{}, face.Unfit("the body must be one document of kind Policy", nil, "body", "kind")
	}
	doc, is := engine.PolicyFromDocument(ds[0])
	return doc, is.Err()
}

// readOurs turns our flat JSON into a document and reads that.
func readOurs(in contract.PolicyCreate) (engine.PolicyDocument, error) {
	spec := map[string]any{}
	for k, v := range in.Condition {
		spec[k] = v
	}
	for k, v := range map[string]*string{"description": in.Description, "severity": in.Severity, "mode": in.Mode, "accept": in.Accept} {
		if v != nil {
			spec[k] = *v
		}
	}
	if in.Enabled != nil {
		spec["enabled"] = *in.Enabled
	}
	if len(in.DependsOn) > 0 {
		spec["depends_on"] = in.DependsOn
	}
	if in.Remedy != nil {
		spec["remedy"] = in.Remedy
	}
	doc, err := parseOne(map[string]any{"apiVersion": "vigil/v1", "kind": "Policy", "metadata": metadata(in.Name, in.Labels), "spec": spec})
	if err != nil {
		return doc, err
	}
	if in.Target != nil {
		doc.Target, doc.Condition.Target = *in.Target, *in.Target
	}
	doc.Params = in.Params
	return doc, nil
}

func metadata(name string, labels map[string]string) map[string]any {
	m := map[string]any{"name": name}
	if len(labels) > 0 {
		m["labels"] = labels
	}
	return m
}

// parseOne reads one policy from a tree that was JSON.
func parseOne(tree map[string]any) (engine.PolicyDocument, error) {
	raw, err := json.Marshal(tree)
	if err != nil {
		return engine.PolicyDocument{}, fault.Wrap(fault.Unprocessable, err, "the policy cannot be written as JSON")
	}
	return readDocument(raw)
}

// takeRemedy reads a remedy alone, as part of a document that is otherwise empty.
func takeRemedy(doc *engine.PolicyDocument, plan map[string]any) error {
	got, err := parseOne(map[string]any{"apiVersion": "vigil/v1", "kind": "Policy", "metadata": metadata(doc.Name, nil),
		"spec": map[string]any{"match": "up", "fire": "value < 1", "remedy": plan}})
	if err == nil {
		doc.Remedy = got.Remedy
	}
	return err
}

// changePolicy is the document with the named fields changed.
func changePolicy(doc engine.PolicyDocument, in contract.PolicyUpdate, raw []byte) (engine.PolicyDocument, error) {
	if in.APIVersion != nil {
		got, err := readDocument(raw)
		if err == nil && got.Name != doc.Name {
			err = face.Unfit("metadata.name must be the name in the path", got.Name, "body", "metadata", "name")
		}
		return got, err
	}
	set(&doc.Description, in.Description)
	set(&doc.Severity, in.Severity)
	set(&doc.Enabled, in.Enabled)
	if in.DependsOn != nil {
		doc.DependsOn = in.DependsOn
	}
	if in.Params != nil {
		doc.Params = in.Params
	}
	if in.Condition != nil {
		as := contract.PolicyCreate{Name: doc.Name, Condition: in.Condition}
		got, err := readPolicy(as, nil)
		if err != nil {
			return doc, err
		}
		got.Condition.Target = doc.Condition.Target
		doc.Condition = got.Condition
	}
	switch {
	case doc.AutoRemediate != nil: // of the original's shape: what follows from its fields is made anew
		o := engine.Original{
			Name: doc.Name, Description: doc.Description, Severity: doc.Severity, Target: doc.Target, Enabled: doc.Enabled,
			AutoRemediate: *doc.AutoRemediate, Condition: doc.Condition, Action: doc.Action, Params: doc.Params,
		}
		set(&o.Target, in.Target)
		set(&o.AutoRemediate, in.AutoRemediate)
		set(&o.Action, in.Action)
		if doc.Remedy != nil {
			o.Cooldown = doc.Remedy.Cooldown
		}
		made := engine.OriginalPolicy(o)
		made.Labels, made.DependsOn = doc.Labels, doc.DependsOn
		doc = made
	default:
		if in.Target != nil {
			doc.Target, doc.Condition.Target = *in.Target, *in.Target
		}
		if in.AutoRemediate != nil {
			doc.Mode = map[bool]string{true: "act", false: "shadow"}[*in.AutoRemediate]
		}
	}
	set(&doc.Mode, in.Mode)
	if in.Remedy != nil {
		if err := takeRemedy(&doc, in.Remedy); err != nil {
			return doc, err
		}
	}
	return doc, nil
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// wirePolicy is a policy in the contract's shape.
func wirePolicy(v engine.PolicyView) (contract.Policy, error) {
	p := contract.Policy{
		Name: v.Name, Description: v.Description, Severity: v.Severity, Target: v.Target, Enabled: v.Enabled, Params: v.Params,
		Mode: v.Mode, Action: v.Action, Labels: v.Labels, DependsOn: v.DependsOn, Accept: v.Accept,
		Owner: string(v.Owner), Place: v.Place, Version: v.Version, Instances: v.Instances, Firing: v.Firing, Bytes: v.Bytes,
		CreatedAt: contract.Maybe(v.Created), UpdatedAt: contract.Maybe(v.Updated),
	}
	if p.Target == "" {
		p.Target = "all"
	}
	if p.Params == nil {
		p.Params = map[string]any{}
	}
	p.AutoRemediate = v.Mode == "act" && v.Remedy != nil && len(v.Remedy.Ladder) > 0
	if v.AutoRemediate != nil {
		p.AutoRemediate = *v.AutoRemediate
	}
	if p.Action == "" && v.Remedy != nil && len(v.Remedy.Ladder) > 0 {
		p.Action = v.Remedy.Ladder[0].Action
	}
	var err error
	if p.Condition, err = problem.Compact(v.Condition); err != nil {
		return p, fault.Wrap(fault.Internal, err, "the condition of policy %s cannot be written", v.Name)
	}
	if v.Remedy != nil {
		if p.Remedy, err = problem.Compact(v.Remedy); err != nil {
			return p, fault.Wrap(fault.Internal, err, "the remedy of policy %s cannot be written", v.Name)
		}
	}
	return p, nil
}

func wireFiring(f engine.FiringView) contract.Firing {
	out := contract.Firing{
		Policy: f.Policy, Severity: f.Severity, Fingerprint: f.Fingerprint, Labels: f.Labels.Map(), Target: f.Target,
		State: string(f.State), Since: contract.Maybe(f.Since), By: f.By, Warm: f.Warm,
	}
	if !math.IsNaN(f.Value) && !math.IsInf(f.Value, 0) {
		out.Value = &f.Value
	}
	return out
}
