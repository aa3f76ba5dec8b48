// Package record is what a decision about a firing stood on, as its audit record
// holds it: enough to decide it again with nothing else at hand.
//
// It refuses to look anywhere but into the record, and to repair: what does not come
// out as it was written is an error. All of it is pure.
package record

import (
	"cmp"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/policy/lang"
	"vigil/engine/series"
)

// Evidence is what a change of a firing stood on, as JSON.
type Evidence struct {
	From, To policy.State
	Value    float64 // the newest, 0 where it is no number
	Cause    string  `json:",omitempty"` // the deeper cause that fired
	Step     *Step   `json:"step,omitempty"`
	policy.Explanation
}

// Step is what one Advance stood on beside the truths of its condition and its cause.
type Step struct {
	Terms  Terms         `json:"terms"`
	Was    policy.Firing `json:"was"`
	Now    clock.Stamp   `json:"now"`
	Newest int64         `json:"newest,omitempty"` // Unix ms of the newest sample
	Every  int64         `json:"every,omitempty"`  // the series' usual interval, ms
	Gap    int64         `json:"gap,omitempty"`    // between the newest sample and the one before, ms
	Ended  bool          `json:"ended,omitempty"`  // by a stale marker
}

// Terms are what a spec says of the life of a firing.
type Terms struct {
	For        document.Duration  `json:"for,omitempty"`
	ClearFor   document.Duration  `json:"clear_for,omitempty"`
	Times      *policy.Times      `json:"times,omitempty"`
	NoData     policy.NoData      `json:"no_data,omitempty"`
	StaleAfter *document.Duration `json:"stale_after,omitempty"`
	Flapping   *policy.Flapping   `json:"flapping,omitempty"`
}

// StepOf keeps what Advance was given.
func StepOf(c *policy.Condition, prev policy.Firing, ev policy.Evaluation, now clock.Stamp) *Step {
	s := &c.Spec
	return &Step{
		Terms: Terms{s.For, s.ClearFor, s.Times, s.NoData, s.StaleAfter, s.Flapping},
		Was:   prev, Now: now, Newest: ev.Newest, Every: ev.Interval.Milliseconds(), Gap: ev.Gap.Milliseconds(), Ended: ev.Ended,
	}
}

// Again decides once more what a record says, from its evidence alone. Corrupt: what
// does not come out as it was written. A record that was made before steps were kept
// is held to its condition alone.
func (e Evidence) Again() error {
	fire, clear, err := Replay(e.Explanation)
	if err != nil {
		return err
	}
	if e.Fire == nil {
		return fault.New(fault.Corrupt, "the evidence does not say what %s came to", e.Expr.Fire)
	}
	if fire.String() != e.Fire.Value {
		return fault.New(fault.Corrupt, "%s is written as %s and comes out as %s", e.Fire.Text, e.Fire.Value, fire)
	}
	if e.Clear != nil && clear.String() != e.Clear.Value {
		return fault.New(fault.Corrupt, "%s is written as %s and comes out as %s", e.Clear.Text, e.Clear.Value, clear)
	}
	if e.Step == nil {
		return nil
	}
	t := &e.Step.Terms
	c, issues := policy.Compile(policy.Spec{
		Match: e.Expr.Match, Fire: e.Expr.Fire, Clear: e.Expr.Clear,
		For: t.For, ClearFor: t.ClearFor, Times: t.Times, NoData: t.NoData, StaleAfter: t.StaleAfter, Flapping: t.Flapping,
	})
	if len(issues) > 0 {
		return issues
	}
	ev := policy.Evaluation{
		At: e.At, Newest: e.Step.Newest, Value: e.Value, Fire: fire, Clear: clear, Ended: e.Step.Ended,
		Interval: time.Duration(e.Step.Every) * time.Millisecond, Gap: time.Duration(e.Step.Gap) * time.Millisecond,
	}
	_, tr, _ := policy.Advance(c, e.Step.Was, ev, e.Cause, e.Step.Now)
	if tr.From != e.From || tr.To != e.To {
		return fault.New(fault.Corrupt, "the firing is written as going from %s to %s; its step goes from %s to %s", e.From, e.To, cmp.Or(tr.From, e.Step.Was.State), cmp.Or(tr.To, e.Step.Was.State))
	}
	return nil
}

// Replay evaluates a stored explanation again, from its sources, labels and
// inputs alone, and gives the same truths. It fails on an explanation that does
// not fit its own sources.
func Replay(e policy.Explanation) (fire, clear policy.Truth, err error) {
	var b lang.Builder
	fireTree, issues := b.Condition("fire", e.Expr.Fire)
	var clearTree *lang.Tree
	if e.Expr.Clear != "" && len(issues) == 0 {
		clearTree, issues = b.Condition("clear", e.Expr.Clear)
	}
	if len(issues) > 0 {
		return policy.Unknown, policy.Unknown, issues
	}
	code := b.Code()
	if len(code.Calls) != len(e.Windows) {
		return policy.Unknown, policy.Unknown, fault.New(fault.Corrupt, "the evidence holds %d windows, its expressions have %d", len(e.Windows), len(code.Calls))
	}
	in, err := lang.ParseInputs(e.Inputs)
	if err != nil {
		return policy.Unknown, policy.Unknown, err
	}
	in.Calls = make([]float64, len(code.Calls))
	for i, w := range e.Windows {
		if w.Call != code.Calls[i].Text {
			return policy.Unknown, policy.Unknown, fault.New(fault.Corrupt, "the evidence holds %s where its expressions have %s", w.Call, code.Calls[i].Text)
		}
		if in.Calls[i], err = lang.ParseFigure(w.Value); err != nil {
			return policy.Unknown, policy.Unknown, err
		}
	}
	m := code.Machine(series.FromMap("", e.Labels), e.Target)
	m.Run(&in)
	fire = policy.TruthOf(m.Value(fireTree))
	if clearTree == nil {
		return fire, -fire, nil
	}
	return fire, policy.TruthOf(m.Value(clearTree)), nil
}
