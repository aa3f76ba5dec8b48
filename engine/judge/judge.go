// Package judge answers the worker's questions about conditions: does it still
// hold, and did the remedy work.
//
// Facts are gathered from memory at the instant they are asked for. A
// verification listens to samples younger than the act alone; unknown is not
// success. It decides nothing and starts nothing; Verify blocks until its answer
// is known or its deadline comes, and leaves no listener behind.
package judge

import (
	"context"
	"encoding/json"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/evaluate"
	"vigil/engine/holds"
	"vigil/engine/policy"
	"vigil/engine/policy/record"
	"vigil/engine/remedy"
)

// Judge satisfies remedy.Judge.
type Judge struct {
	states *evaluate.Evaluator
	holds  *holds.Book
	clock  clock.Clock

	desired Desired
}

// Desired answers for the remediations of source reconcile; the keeper of the
// desired state satisfies it.
type Desired interface {
	// Wanted says whether a step still serves what is wanted, and why not. It does
	// not block on disk or network; concurrent.
	Wanted(r remedy.Remediation) (why string, ok bool)
	// Verify looks whether a thing is as it should be after its steps.
	Verify(ctx context.Context, r remedy.Remediation) (remedy.Verification, error)
}

// New makes a judge.
func New(ev *evaluate.Evaluator, b *holds.Book, c clock.Clock) *Judge {
	return &Judge{states: ev, holds: b, clock: c}
}

// Introduce says who keeps the desired state. It is called before anything runs.
func (j *Judge) Introduce(d Desired) { j.desired = d }

var _ remedy.Judge = (*Judge)(nil)

// Facts gathers what the gates ask, as of this instant. It takes locks of
// memory only.
func (j *Judge) Facts(_ context.Context, r remedy.Remediation, spec remedy.Spec) (remedy.Facts, error) {
	now := j.clock()
	f := remedy.Facts{At: now, Spec: spec, Warm: true, Trusted: true, Holds: int8(policy.True)}
	j.holds.Facts(&f, r, now)
	if r.Source == remedy.FromReconcile && j.desired != nil {
		if why, ok := j.desired.Wanted(r); !ok {
			f.Holds, f.Evidence = int8(policy.False), said(why)
		}
	}
	if r.Policy == "" {
		return f, nil
	}
	found := j.states.InspectOne(r.Policy, r.Fingerprint, func(l *evaluate.Look) {
		f.Evaluation, f.FiringVersion = l.Row.Evaluation, l.Row.Version
		f.Flapping = l.Row.State.State == policy.StateFlapping
		f.Trusted, f.Warm, f.Cause = l.Trusted, l.Cold == "", l.Cause
		if !l.Policy.Doc.Enabled || l.Policy.Doc.Mode == "off" {
			f.Holds = int8(policy.False)
			f.Evidence = said("the policy was turned off")
			return
		}
		h, holds := held(l)
		f.Holds, f.Evidence, f.Values = int8(holds), audit.Evidence(h), h.Values()
	})
	if !found {
		f.Holds = int8(policy.False)
		f.Evidence = said("the policy or its series is gone")
	}
	return f, nil
}

// held looks at the condition at this instant.
func held(l *evaluate.Look) (h record.Held, holds policy.Truth) {
	h.State = l.Row.State.State
	var ev policy.Evaluation
	if record.Looks(h.State) {
		ev = l.Instance.Evaluate(l.Now, true, l.For)
	}
	if ev.NoData {
		h.Silent, h.NoData = true, l.Policy.Cond.Spec.NoData
	}
	h.Explanation = l.Instance.Explain()
	return h, h.Holds(ev.Fire, ev.Clear)
}

func said(reason string) json.RawMessage {
	return audit.Evidence(map[string]string{"reason": reason})
}
