package policies

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/api/problem"
	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// PolicyName is exported since huma reads the fields of exported structs alone.
type PolicyName struct {
	Name string `path:"name" maxLength:"255" example:"web-slow"`
}

// policyReply carries the version as an ETag.
type policyReply struct {
	ETag string `header:"ETag"`
	Body contract.Policy
}

func sayPolicy(v engine.PolicyView) (*policyReply, error) {
	p, err := wirePolicy(v)
	return &policyReply{ETag: etag(v.Version), Body: p}, err
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Register adds every operation to the face.
func (m *Policies) Register(r *face.Registrar) {
	type create struct {
		Body    contract.PolicyCreate
		RawBody []byte
	}
	face.Handle(r, face.Line("POST", "/api/v1/policies", guard.Administer, "createPolicy", "Make a policy", "policies", 201),
		func(ctx context.Context, c guard.Caller, in *create) (*policyReply, error) {
			doc, err := readPolicy(in.Body, in.RawBody)
			if err != nil {
				return nil, err
			}
			v, err := m.Engine.PutPolicy(ctx, c.Actor, doc, document.API, "api", true)
			if fault.KindOf(err) == fault.Conflict {
				return nil, face.As(400, err)
			}
			if err != nil {
				return nil, policyIssues(in.Body, err)
			}
			return sayPolicy(v)
		})

	face.Handle(r, face.Line("GET", "/api/v1/policies", guard.Read, "listPolicies", "All policies", "policies", 0),
		func(_ context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.PolicyList], error) {
			return m.listPolicies(func(engine.PolicyView) bool { return true })
		})

	type severity struct {
		Severity string `path:"severity"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/policies/severity/{severity}", guard.Read, "listPoliciesBySeverity", "Policies of one severity", "policies", 0),
		func(_ context.Context, _ guard.Caller, in *severity) (*face.Reply[contract.PolicyList], error) {
			switch in.Severity {
			case "info", "warning", "critical":
			default:
				return nil, face.BadRequest("Invalid severity: " + in.Severity + ". Must be: info, warning, critical")
			}
			return m.listPolicies(func(v engine.PolicyView) bool { return v.Severity == in.Severity })
		})

	face.Handle(r, face.Line("GET", "/api/v1/policies/runner/status", guard.Read, "getRunnerStatus", "The evaluator", "policies", 0),
		func(_ context.Context, _ guard.Caller, _ *face.None) (*face.Reply[contract.RunnerStatus], error) {
			st := m.Engine.Stats()
			reasons, _ := m.Ready()
			return face.Say(contract.RunnerStatus{OK: true, Runner: contract.Runner{Enabled: true, Running: len(reasons) == 0, BatchSize: 0,
				Evaluations: st.Evaluations, Queue: st.Queue, LagSeconds: st.LagSeconds}})
		})

	face.Handle(r, face.Line("GET", "/api/v1/policies/{name}", guard.Read, "getPolicy", "One policy", "policies", 0),
		func(_ context.Context, _ guard.Caller, in *PolicyName) (*policyReply, error) {
			v, err := m.policy(in.Name)
			if err != nil {
				return nil, err
			}
			return sayPolicy(v)
		})

	type update struct {
		PolicyName
		IfMatch string `header:"If-Match" doc:"Change just this version: the ETag of an earlier answer"`
		Body    contract.PolicyUpdate
		RawBody []byte
	}
	face.Handle(r, face.Line("PUT", "/api/v1/policies/{name}", guard.Administer, "updatePolicy", "Change the named fields of a policy", "policies", 0),
		func(ctx context.Context, c guard.Caller, in *update) (*policyReply, error) {
			return m.updatePolicy(ctx, c, in.Name, in.IfMatch, in.Body, in.RawBody)
		})

	face.Handle(r, face.Line("DELETE", "/api/v1/policies/{name}", guard.Administer, "deletePolicy", "Delete a policy and close its firings", "policies", 0),
		func(ctx context.Context, c guard.Caller, in *PolicyName) (*face.Reply[contract.OK], error) {
			if err := m.Engine.DeletePolicy(ctx, c.Actor, in.Name); err != nil {
				return nil, unknownPolicy(err, in.Name)
			}
			return face.Say(contract.OK{OK: true, Message: "Policy '" + in.Name + "' deleted"})
		})

	for verb, on := range map[string]bool{"enable": true, "disable": false} {
		face.Handle(r, face.Line("PUT", "/api/v1/policies/{name}/"+verb, guard.Administer, verb+"Policy", strings.ToUpper(verb[:1])+verb[1:]+" a policy", "policies", 0),
			func(ctx context.Context, c guard.Caller, in *PolicyName) (*face.Reply[contract.OK], error) {
				if _, err := m.Engine.EnablePolicy(ctx, c.Actor, in.Name, on); err != nil {
					return nil, unknownPolicy(err, in.Name)
				}
				return face.Say(contract.OK{OK: true, Message: "Policy '" + in.Name + "' " + verb + "d"})
			})
	}
	m.policyTools(r)
}

func (m *Policies) policyTools(r *face.Registrar) {
	type evaluate struct {
		Body contract.EvaluateRequest
	}
	face.Handle(r, face.Line("POST", "/api/v1/policies/evaluate", guard.Read, "evaluatePolicies", "What the policies would say of these values; nothing is done", "policies", 0),
		func(_ context.Context, _ guard.Caller, in *evaluate) (*face.Reply[contract.EvaluateResult], error) {
			return m.evaluate(in.Body)
		})

	face.Handle(r, face.Line("POST", "/api/v1/policies/reload", guard.Administer, "reloadPolicies", "Read the policy folders again", "policies", 0),
		func(ctx context.Context, c guard.Caller, _ *face.None) (*face.Reply[contract.OK], error) {
			if m.Reload == nil {
				return nil, fault.New(fault.Unavailable, "there is no policy folder to read").Mend("set [policies] dirs")
			}
			n, err := m.Reload(ctx, c.Actor)
			if err != nil {
				return nil, err
			}
			return face.Say(contract.OK{OK: true, Message: fmt.Sprintf("Policies reloaded successfully (%d policies)", n)})
		})

	type firings struct {
		State  string `query:"state" doc:"Just this state; without it, all that are not ok"`
		Policy string `query:"policy"`
		Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/firings", guard.Read, "listFirings", "Instances of policies that are not ok", "policies", 0),
		func(_ context.Context, _ guard.Caller, in *firings) (*face.Reply[contract.FiringList], error) {
			out := contract.FiringList{Firings: []contract.Firing{}}
			for _, f := range m.Engine.Firings() {
				if in.Policy != "" && f.Policy != in.Policy || in.State != "" && string(f.State) != in.State || in.State == "" && f.State == "ok" {
					continue
				}
				if out.Total++; len(out.Firings) < in.Limit {
					out.Firings = append(out.Firings, wireFiring(f))
				}
			}
			return face.Say(out)
		})
}

func (m *Policies) policy(name string) (engine.PolicyView, error) {
	v, err := m.Engine.Policy(name)
	return v, unknownPolicy(err, name)
}

func unknownPolicy(err error, name string) error {
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return err
	}
	none := fault.New(fault.NotFound, "Policy '%s' not found", name)
	var e *fault.Error
	if errors.As(err, &e) {
		none.Hint = e.Hint // such as the nearest name that there is
	}
	return none
}

func (m *Policies) listPolicies(keep func(engine.PolicyView) bool) (*face.Reply[contract.PolicyList], error) {
	out := contract.PolicyList{OK: true, Policies: map[string]contract.Policy{}}
	for _, v := range m.Engine.Policies() {
		if !keep(v) {
			continue
		}
		p, err := wirePolicy(v)
		if err != nil {
			return nil, err
		}
		out.Policies[v.Name] = p
		if out.Total++; v.Enabled {
			out.EnabledCount++
		}
	}
	return face.Say(out)
}

func (m *Policies) updatePolicy(ctx context.Context, c guard.Caller, name, ifMatch string, in contract.PolicyUpdate, raw []byte) (*policyReply, error) {
	m.editing.Lock()
	defer m.editing.Unlock()
	v, err := m.policy(name)
	if err != nil {
		return nil, err
	}
	if ifMatch != "" && ifMatch != "*" && ifMatch != etag(v.Version) {
		return nil, fault.New(fault.Precondition, "policy '%s' is at version %d, not at %s", name, v.Version, ifMatch).Mend("read it again and look at what changed")
	}
	doc, err := changePolicy(v.PolicyDocument, in, raw)
	if err != nil {
		return nil, err
	}
	if v, err = m.Engine.PutPolicy(ctx, c.Actor, doc, document.API, "api", false); err != nil {
		return nil, face.FieldIssues(unknownPolicy(err, name))
	}
	return sayPolicy(v)
}

// policyIssues says what is wrong with a policy: of the original's shape with
// its 400 and its words, of ours by field.
func policyIssues(in contract.PolicyCreate, err error) error {
	if is, ok := err.(fault.Issues); ok && isOriginal(in.Condition) && in.APIVersion == nil {
		return face.BadRequest("Invalid condition configuration: " + is.Error())
	}
	return face.FieldIssues(err)
}

func (m *Policies) evaluate(in contract.EvaluateRequest) (*face.Reply[contract.EvaluateResult], error) {
	if len(in.Metrics) > 10_000 {
		return nil, problem.Invalid{{Type: "too_long", Loc: []any{"body", "metrics"}, Msg: "Dictionary should have at most 10000 items"}}
	}
	values := make(map[string]float64, len(in.Metrics))
	for k, v := range in.Metrics {
		switch v := v.(type) {
		case float64:
			values[k] = v
		case bool:
			values[k] = map[bool]float64{true: 1}[v]
		case string:
			if f, ok := face.Seconds(v); ok {
				values[k] = f
			}
		}
	}
	run, err := m.Engine.Evaluate(values, face.Text(in.Target))
	if err != nil {
		return nil, err
	}
	now := contract.Time(m.Clock())
	out := contract.EvaluateResult{OK: true, Violations: []contract.Violation{}, ActionsTriggered: []contract.Triggered{}, Timestamp: now}
	for _, v := range run.Violations {
		t := contract.Time(v.At)
		out.Violations = append(out.Violations, contract.Violation{
			PolicyName: v.Policy.Name, Severity: v.Policy.Severity, Description: v.Policy.Description, Target: v.Target,
			Timestamp: t, Action: v.Action, TriggeredAt: t,
		})
		x := contract.Triggered{Action: v.Action, Target: v.Target, Status: "unknown_action", Params: map[string]any{}, PolicyName: v.Policy.Name}
		if v.Action != "" {
			x.Status = "dry_run"
			for k, p := range v.Policy.Params {
				x.Params[k] = p
			}
			x.Params["metrics"] = in.Metrics
		}
		out.ActionsTriggered = append(out.ActionsTriggered, x)
	}
	return face.Say(out)
}
