// Package apitest is what the tests of the HTTP face stand on: a small engine,
// reader, store and token drawer in memory that behave as the real ones promise
// to, and the table of requests and answers that make up the contract.
//
// It is imported by tests alone. The table asks over HTTP and nothing else, so
// that it also runs against a whole daemon.
package apitest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Fake is the whole backstage of the HTTP face, in memory.
type Fake struct {
	mu       sync.Mutex
	Clock    clock.Clock
	Samples  []Sample
	Batches  int
	Refuse   map[string]series.Reason // by metric name
	Fail     error                    // returned by Ingest
	Panic    bool                     // Policies panics
	policies map[string]engine.PolicyView
	actions  []remedy.Remediation
	attempts map[int64][]remedy.Attempt
	holds    []engine.Hold
	records  []audit.Record
	tokens   []engine.Token
	seq      uint64
	Actors   []string // who called what, as "verb actor"
}

// Sample is one point that was pushed.
type Sample struct {
	Labels series.Labels
	Point  series.Point
	Open   bool
	Token  string
}

// New makes an empty one.
func New(c clock.Clock) *Fake {
	return &Fake{Clock: c, policies: map[string]engine.PolicyView{}, attempts: map[int64][]remedy.Attempt{}, Refuse: map[string]series.Reason{}}
}

func (f *Fake) did(actor, verb, object string) {
	f.Actors = append(f.Actors, verb+" "+actor)
	var prev audit.Head
	if n := len(f.records); n > 0 {
		prev = f.records[n-1].Head()
	}
	f.records = append(f.records, audit.Seal(prev.Hash, audit.Record{Seq: prev.Seq + 1, At: f.Clock(), Actor: actor, Verb: verb, Object: object, Reason: "asked"}))
}

// Tamper changes a record, so that the chain is broken there.
func (f *Fake) Tamper(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[i].Reason = "nothing to see"
}

// Ingest takes a batch as the engine does.
func (f *Fake) Ingest(_ context.Context, b *series.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Fail != nil {
		return f.Fail
	}
	f.Batches++
	b.Seq = f.seq + 1
	for i := range b.Items {
		it := &b.Items[i]
		ls, err := series.ParseKey(it.Key)
		reason := f.Refuse[ls.Name()]
		if err != nil || ls.Name() == "" {
			reason = series.BadLabels
		}
		if reason != series.Accepted {
			it.Refused, it.Reason, it.Hi = it.Hi-it.Lo, reason, it.Lo
			continue
		}
		for _, p := range b.Points[it.Lo:it.Hi] {
			if p.T == series.NoTime {
				p.T = b.Received
			}
			f.seq++
			f.Samples = append(f.Samples, Sample{ls, p, b.Open, b.Token})
		}
	}
	return nil
}

// Count is how many samples were taken.
func (f *Fake) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.Samples)
}

// PutPolicy creates or replaces a policy, compiling its condition for real.
func (f *Fake) PutPolicy(_ context.Context, actor string, d engine.PolicyDocument, owner document.Owner, place string, create bool) (engine.PolicyView, error) {
	if _, is := policy.Compile(d.Condition); len(is) > 0 {
		return engine.PolicyView{}, is
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, there := f.policies[d.Name]
	if there && create {
		return old, fault.New(fault.Conflict, "Policy '%s' already exists", d.Name)
	}
	v := engine.PolicyView{PolicyDocument: d, Owner: owner, Place: place, Version: old.Version + 1, Created: f.Clock(), Updated: f.Clock()}
	f.policies[d.Name] = v
	f.did(actor, "policy.put", "policy:"+d.Name)
	return v, nil
}

// DeletePolicy removes one.
func (f *Fake) DeletePolicy(_ context.Context, actor, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.policies[name]; !ok {
		return fault.New(fault.NotFound, "Policy '%s' not found", name)
	}
	delete(f.policies, name)
	f.did(actor, "policy.delete", "policy:"+name)
	return nil
}

// EnablePolicy turns one on or off.
func (f *Fake) EnablePolicy(_ context.Context, actor, name string, on bool) (engine.PolicyView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.policies[name]
	if !ok {
		return v, fault.New(fault.NotFound, "Policy '%s' not found", name)
	}
	v.Enabled = on
	v.Version++
	f.policies[name] = v
	f.did(actor, "policy.enable", "policy:"+name)
	return v, nil
}

// Policy is one policy.
func (f *Fake) Policy(name string) (engine.PolicyView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.policies[name]
	if !ok {
		return v, fault.New(fault.NotFound, "no policy %s", name)
	}
	return v, nil
}

// Policies is all of them.
func (f *Fake) Policies() []engine.PolicyView {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Panic {
		panic("planted")
	}
	var out []engine.PolicyView
	for _, v := range f.policies {
		out = append(out, v)
	}
	return out
}

// Evaluate looks at each policy whose selector takes a metric of that name.
func (f *Fake) Evaluate(metrics map[string]float64, target string) (engine.DryRun, error) {
	var out engine.DryRun
	for _, v := range f.Policies() {
		c, is := policy.Compile(v.Condition)
		if len(is) > 0 || !v.Enabled {
			continue
		}
		for name, value := range metrics {
			ls := series.FromMap(name, nil)
			if !c.Match.Matches(ls) {
				continue
			}
			in := c.Instance(ls)
			now := f.Clock().Millis()
			in.Observe(0, 1, series.Point{T: now, V: value})
			if in.Evaluate(now, false, 0).Fire == policy.True {
				out.Violations = append(out.Violations, engine.Violation{Policy: v, Target: target, Action: v.Action, At: f.Clock()})
			}
		}
	}
	return out, nil
}

// Firings is one made-up instance a policy.
func (f *Fake) Firings() []engine.FiringView {
	var out []engine.FiringView
	for _, v := range f.Policies() {
		out = append(out, engine.FiringView{Policy: v.Name, Severity: v.Severity, Fingerprint: "00ff", Labels: series.FromMap("m", map[string]string{"a": "b"}),
			State: policy.StateFiring, Since: f.Clock(), Value: 1})
	}
	return out
}

func (f *Fake) find(id int64) (*remedy.Remediation, error) {
	for i := range f.actions {
		if f.actions[i].ID == id {
			return &f.actions[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "no remediation %d", id)
}

// CreateAction makes one; `service` is a kind that is known here.
func (f *Fake) CreateAction(_ context.Context, actor string, r engine.ActionRequest) (remedy.Remediation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := remedy.Remediation{
		ID: int64(len(f.actions) + 1), Version: 1, Source: remedy.FromExternal, Target: r.Target, Priority: r.Priority, Actor: actor,
		State: remedy.Queued, Details: r.Details, Created: f.Clock(), Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: r.Action, With: r.With}}},
	}
	if r.Action == "service" {
		x.Source, x.Approval = remedy.FromAPI, !r.Queue
	}
	f.actions = append(f.actions, x)
	f.attempts[x.ID] = []remedy.Attempt{{Epoch: 1, Remediation: x.ID, N: 1, Action: r.Action, Class: remedy.Unsafe, Started: f.Clock()}}
	f.did(actor, "action.create", fmt.Sprintf("remediation:%d", x.ID))
	return x, nil
}

func (f *Fake) change(actor, verb string, id int64, do func(*remedy.Remediation)) (before, after remedy.Remediation, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(id)
	if err != nil {
		return before, after, err
	}
	before = *x
	do(x)
	x.Version++
	f.did(actor, verb, fmt.Sprintf("remediation:%d", id))
	return before, *x, nil
}

// CancelAction cancels.
func (f *Fake) CancelAction(_ context.Context, actor string, id int64, reason string) (remedy.Remediation, error) {
	before, _, err := f.change(actor, "action.cancel", id, func(x *remedy.Remediation) {
		x.State, x.Finished, x.Details = remedy.Cancelled, f.Clock(), "Cancelled: "+reason
	})
	return before, err
}

// RetryAction queues again.
func (f *Fake) RetryAction(_ context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := f.change(actor, "action.retry", id, func(x *remedy.Remediation) { x.State = remedy.Queued })
	return after, err
}

// ApproveAction says yes.
func (f *Fake) ApproveAction(_ context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := f.change(actor, "action.approve", id, func(x *remedy.Remediation) { x.ApprovedBy = actor })
	return after, err
}

// ResolveAction takes a person's word.
func (f *Fake) ResolveAction(_ context.Context, actor string, id int64, done bool, reason string) (remedy.Remediation, error) {
	if x, err := f.Remediation(context.Background(), id); err == nil && x.State != remedy.Indeterminate {
		return x, fault.New(fault.Conflict, "%s cannot be resolved", x.State)
	}
	_, after, err := f.change(actor, "action.resolve", id, func(x *remedy.Remediation) {
		x.State, x.Finished, x.Reason = remedy.Failed, f.Clock(), reason
		if done {
			x.State = remedy.Succeeded
		}
	})
	return after, err
}

// SetActionStatus takes an outside remediator's word.
func (f *Fake) SetActionStatus(_ context.Context, actor string, id int64, status, details, errMsg string) (before, after remedy.Remediation, err error) {
	return f.change(actor, "action.status", id, func(x *remedy.Remediation) {
		x.State = map[string]remedy.State{"pending": remedy.Queued, "running": remedy.Running, "completed": remedy.Succeeded, "failed": remedy.Failed, "cancelled": remedy.Cancelled}[status]
		x.Details, x.Error = cmp.Or(details, x.Details), errMsg
		if x.State.Final() {
			x.Finished = f.Clock()
		}
	})
}

// PutHold keeps a hold.
func (f *Fake) PutHold(_ context.Context, actor string, h engine.Hold) (engine.Hold, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.Kind == engine.HoldSilence && h.Until.IsZero() {
		return h, fault.Issues{{Place: "/until", Msg: "a silence must end"}}
	}
	h.ID, h.Actor, h.Created = fmt.Sprintf("h%d", len(f.records)+1), actor, f.Clock()
	f.holds = append(f.holds, h)
	f.did(actor, "hold.put", "hold:"+h.ID)
	return h, nil
}

// ReleaseHold ends one.
func (f *Fake) ReleaseHold(_ context.Context, actor, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, h := range f.holds {
		if h.ID == id {
			f.holds = slices.Delete(f.holds, i, i+1)
			f.did(actor, "hold.release", "hold:"+id)
			return nil
		}
	}
	return fault.New(fault.NotFound, "there is no hold %s", id)
}

// Holds is what stands.
func (f *Fake) Holds() []engine.Hold {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.holds)
}

// Why tells a story of one line.
func (f *Fake) Why(_ context.Context, id int64) (engine.Story, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.find(id)
	if err != nil {
		return engine.Story{}, err
	}
	return engine.Story{Headline: "because of " + x.Target, Lines: []engine.StoryLine{{At: f.Clock(), Text: "asked"}}}, nil
}

// WhyNot tells one too.
func (f *Fake) WhyNot(_ context.Context, policyName, _ string) (engine.Story, error) {
	if _, err := f.Policy(policyName); err != nil {
		return engine.Story{}, fault.New(fault.NotFound, "Policy '%s' not found", policyName)
	}
	return engine.Story{Headline: "nothing stops it"}, nil
}

// Stats are made up.
func (f *Fake) Stats() engine.Stats { return engine.Stats{Policies: len(f.Policies()), QueueCap: 10} }
