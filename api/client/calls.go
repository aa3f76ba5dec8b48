package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vigil/api/contract"
	"vigil/engine/fault"
)

// Health asks whether the process serves.
func (c *Client) Health(ctx context.Context) (contract.Health, error) {
	return get[contract.Health](ctx, c, "/health", nil)
}

// Ready asks whether requests can be served. What is not ready yet is an answer
// and no error.
func (c *Client) Ready(ctx context.Context) (out contract.Ready, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	resp, err := c.send(ctx, call{method: "GET", path: "/readyz"}, nil)
	if err != nil {
		return out, c.explain(ctx, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&out); err != nil {
		return out, fault.New(fault.Internal, "%s answered something that cannot be read", c.where)
	}
	return out, nil
}

// Status is the host and its daemon.
func (c *Client) Status(ctx context.Context) (contract.Status, error) {
	return get[contract.Status](ctx, c, "/api/v1/status", nil)
}

// Metrics is /metrics as it stands, under its usual path.
func (c *Client) Metrics(ctx context.Context) (text []byte, err error) {
	return text, c.do(ctx, call{method: "GET", path: "/metrics"}, &text)
}

// Policies lists all policies.
func (c *Client) Policies(ctx context.Context) (contract.PolicyList, error) {
	return get[contract.PolicyList](ctx, c, "/api/v1/policies", nil)
}

// Policy is one policy.
func (c *Client) Policy(ctx context.Context, name string) (contract.Policy, error) {
	return get[contract.Policy](ctx, c, "/api/v1/policies/"+url.PathEscape(name), nil)
}

// CreatePolicy makes a policy from JSON in any of its shapes: a
// contract.PolicyCreate, a json.RawMessage, a map.
func (c *Client) CreatePolicy(ctx context.Context, body any) (contract.Policy, error) {
	return post[contract.Policy](ctx, c, "/api/v1/policies", body)
}

// UpdatePolicy changes the fields that body names; version 0 is any, else just
// that one is changed (Precondition when it is no longer current).
func (c *Client) UpdatePolicy(ctx context.Context, name string, version int64, body any) (contract.Policy, error) {
	var h http.Header
	if version > 0 {
		h = http.Header{"If-Match": {`"` + strconv.FormatInt(version, 10) + `"`}}
	}
	return put[contract.Policy](ctx, c, "/api/v1/policies/"+url.PathEscape(name), body, h)
}

// DeletePolicy deletes one.
func (c *Client) DeletePolicy(ctx context.Context, name string) (contract.OK, error) {
	return remove[contract.OK](ctx, c, "/api/v1/policies/"+url.PathEscape(name))
}

// EnablePolicy turns one on or off.
func (c *Client) EnablePolicy(ctx context.Context, name string, on bool) (contract.OK, error) {
	verb := "/disable"
	if on {
		verb = "/enable"
	}
	return put[contract.OK](ctx, c, "/api/v1/policies/"+url.PathEscape(name)+verb, nil, nil)
}

// ReloadPolicies reads the policy folders again.
func (c *Client) ReloadPolicies(ctx context.Context) (contract.OK, error) {
	return post[contract.OK](ctx, c, "/api/v1/policies/reload", nil)
}

// Evaluate says what the policies would say of these values.
func (c *Client) Evaluate(ctx context.Context, r contract.EvaluateRequest) (contract.EvaluateResult, error) {
	return post[contract.EvaluateResult](ctx, c, "/api/v1/policies/evaluate", r)
}

// Runner is the evaluator's state.
func (c *Client) Runner(ctx context.Context) (contract.RunnerStatus, error) {
	return get[contract.RunnerStatus](ctx, c, "/api/v1/policies/runner/status", nil)
}

// Firings lists instances that are not ok, or those of one state or policy.
func (c *Client) Firings(ctx context.Context, state, policy string) (contract.FiringList, error) {
	return get[contract.FiringList](ctx, c, "/api/v1/firings", values("state", state, "policy", policy))
}

// ActionQuery narrows a listing of actions; zero values do not.
type ActionQuery struct {
	Status, State, Target, Policy string
	Start, End                    time.Time
	Limit, Page                   int
	Before                        string // cursor
}

// Actions lists actions, newest first.
func (c *Client) Actions(ctx context.Context, q ActionQuery) (contract.ActionList, error) {
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return get[contract.ActionList](ctx, c, "/api/v1/actions", values("status", q.Status, "state", q.State, "target", q.Target, "policy", q.Policy,
		"start_time", when(q.Start), "end_time", when(q.End), "limit", number(q.Limit), "page", number(q.Page), "before", q.Before))
}

func action(id int64) string { return "/api/v1/actions/" + strconv.FormatInt(id, 10) }

// Action is one action.
func (c *Client) Action(ctx context.Context, id int64) (contract.Action, error) {
	return get[contract.Action](ctx, c, action(id), nil)
}

// Attempts is every act of one action.
func (c *Client) Attempts(ctx context.Context, id int64) (contract.AttemptList, error) {
	return get[contract.AttemptList](ctx, c, "/api/v1/attempts", values("action", strconv.FormatInt(id, 10)))
}

// CreateAction asks for an act.
func (c *Client) CreateAction(ctx context.Context, a contract.ActionCreate) (contract.ActionCreated, error) {
	return post[contract.ActionCreated](ctx, c, "/api/v1/actions", trim(a))
}

// CancelAction cancels one.
func (c *Client) CancelAction(ctx context.Context, id int64, reason string) (contract.ActionChanged, error) {
	return put[contract.ActionChanged](ctx, c, action(id)+"/cancel", contract.ActionCancel{Reason: &reason}, nil)
}

// RetryAction queues one again.
func (c *Client) RetryAction(ctx context.Context, id int64) (contract.ActionChanged, error) {
	return post[contract.ActionChanged](ctx, c, action(id)+"/retry", nil)
}

// ApproveAction says yes to one.
func (c *Client) ApproveAction(ctx context.Context, id int64) (contract.ActionChanged, error) {
	return post[contract.ActionChanged](ctx, c, action(id)+"/approve", nil)
}

// ResolveAction says how an act ended whose end nobody saw.
func (c *Client) ResolveAction(ctx context.Context, id int64, done bool, reason string) (contract.ActionChanged, error) {
	return post[contract.ActionChanged](ctx, c, action(id)+"/resolve", trim(contract.ActionResolve{Done: done, Reason: &reason}))
}

// SetActionStatus is an outside remediator's word.
func (c *Client) SetActionStatus(ctx context.Context, id int64, s contract.ActionStatus) (contract.ActionChanged, error) {
	return put[contract.ActionChanged](ctx, c, action(id)+"/status", trim(s), nil)
}

// Queue is the queue of remediations.
func (c *Client) Queue(ctx context.Context) (contract.QueueStatus, error) {
	return get[contract.QueueStatus](ctx, c, "/api/v1/queue/status", nil)
}

// Holds lists what is not acted on; kind "" is every kind.
func (c *Client) Holds(ctx context.Context, kind string) (contract.HoldList, error) {
	return get[contract.HoldList](ctx, c, "/api/v1/holds", values("kind", kind))
}

// CreateHold says that something must not be acted on.
func (c *Client) CreateHold(ctx context.Context, h contract.HoldCreate) (contract.Hold, error) {
	return post[contract.Hold](ctx, c, "/api/v1/holds", trim(h))
}

// ReleaseHold ends one before its time.
func (c *Client) ReleaseHold(ctx context.Context, id string) (contract.OK, error) {
	return remove[contract.OK](ctx, c, "/api/v1/holds/"+url.PathEscape(id))
}

// Pause stops all acts for a while, such as 1h.
func (c *Client) Pause(ctx context.Context, span, reason string) (contract.Hold, error) {
	return post[contract.Hold](ctx, c, "/api/v1/pause", contract.PauseRequest{For: span, Reason: reason})
}

// Resume ends every pause.
func (c *Client) Resume(ctx context.Context) (contract.Resumed, error) {
	return post[contract.Resumed](ctx, c, "/api/v1/resume", nil)
}

// Why tells why an action was done.
func (c *Client) Why(ctx context.Context, id int64) (contract.Story, error) {
	return get[contract.Story](ctx, c, "/api/v1/why/"+strconv.FormatInt(id, 10), nil)
}

// WhyNot tells what stops a policy now.
func (c *Client) WhyNot(ctx context.Context, policy, target string) (contract.Story, error) {
	return get[contract.Story](ctx, c, "/api/v1/why-not", values("policy", policy, "target", target))
}

// Audit is a page of records with a sequence above after; object "" is any.
func (c *Client) Audit(ctx context.Context, after, object string, limit int) (contract.AuditList, error) {
	return get[contract.AuditList](ctx, c, "/api/v1/audit", values("after", after, "object", object, "limit", number(limit)))
}

// AuditVerify has the server recompute the whole chain.
func (c *Client) AuditVerify(ctx context.Context) (contract.AuditVerified, error) {
	return get[contract.AuditVerified](ctx, c, "/api/v1/audit/verify", nil)
}

// AuditPrune removes the records up to and including this one, which must be in
// an export that is kept.
func (c *Client) AuditPrune(ctx context.Context, seq int64, hash string) (contract.AuditPruned, error) {
	return post[contract.AuditPruned](ctx, c, "/api/v1/audit/prune", contract.AuditPrune{Seq: seq, Hash: hash})
}

// AuditExport writes the chain to w as NDJSON while it arrives; ctx bounds it,
// the timeout does not.
func (c *Client) AuditExport(ctx context.Context, after string, w io.Writer) error {
	resp, err := c.send(ctx, call{method: "GET", path: "/api/v1/audit/export", query: values("after", after)}, nil)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return Fault(resp.StatusCode, resp.Header, body)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the export broke off")
	}
	return nil
}

// Series lists the series that a selector finds; from and to may be zero.
func (c *Client) Series(ctx context.Context, match string, from, to time.Time, limit int) (contract.SeriesList, error) {
	return get[contract.SeriesList](ctx, c, "/api/v1/series", values("match", match, "from", unix(from), "to", unix(to), "limit", number(limit)))
}

// Range reads the points of the series that a selector finds.
func (c *Client) Range(ctx context.Context, match string, from, to time.Time, limit, points int) (contract.Range, error) {
	return get[contract.Range](ctx, c, "/api/v1/series/range", values("match", match, "from", unix(from), "to", unix(to), "limit", number(limit), "points", number(points)))
}

// Recent is the newest sample of each series.
func (c *Client) Recent(ctx context.Context, name string, limit int) (contract.Recent, error) {
	return get[contract.Recent](ctx, c, "/api/v1/ingest", values("name", name, "limit", number(limit)))
}

// Ingest pushes samples. It is not repeated once it may have arrived: a sample
// without a time would be another one the second time.
func (c *Client) Ingest(ctx context.Context, samples ...contract.Sample) (out contract.Ingested, err error) {
	var body any = samples
	if len(samples) == 1 {
		body = samples[0]
	}
	return out, c.do(ctx, call{method: "POST", path: "/api/v1/ingest", body: body, once: true}, &out)
}

// Backup has the server copy its stores into a folder on its host; ctx bounds
// it, and it is not repeated.
func (c *Client) Backup(ctx context.Context, dir string) (out contract.OK, err error) {
	return out, c.do(ctx, call{method: "POST", path: "/api/v1/backup", body: contract.BackupRequest{Dir: dir}, once: true}, &out)
}

// ConfirmClock says that the wall clock is right after it stepped.
func (c *Client) ConfirmClock(ctx context.Context) (contract.OK, error) {
	return post[contract.OK](ctx, c, "/api/v1/clock/confirm", nil)
}

// Catalogue lists what can be named as an action, and where it is defined.
func (c *Client) Catalogue(ctx context.Context) (contract.Catalogue, error) {
	return get[contract.Catalogue](ctx, c, "/api/v1/catalogue", nil)
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) (contract.TokenList, error) {
	return get[contract.TokenList](ctx, c, "/api/v1/tokens", nil)
}

// CreateToken makes one; span "" never expires.
func (c *Client) CreateToken(ctx context.Context, name, role, span string) (contract.TokenCreated, error) {
	t := contract.TokenCreate{Name: name, Role: role}
	if span != "" {
		t.For = &span
	}
	return post[contract.TokenCreated](ctx, c, "/api/v1/tokens", trim(t))
}

// DeleteToken revokes one.
func (c *Client) DeleteToken(ctx context.Context, name string) (contract.OK, error) {
	return remove[contract.OK](ctx, c, "/api/v1/tokens/"+url.PathEscape(name))
}

func unix(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64), ".000")
}

// trim leaves out what was not given: an optional field that is null or empty
// means the same as one that is absent.
func trim(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return v
	}
	for k, x := range m {
		if x == nil || x == "" {
			delete(m, k)
		}
	}
	return m
}
