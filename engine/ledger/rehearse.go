package ledger

import (
	"context"
	"errors"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/ledger/table"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

var errRehearsed = errors.New("a rehearsal is taken back")

// rehearse walks through everything that a breach, its act and its end write, and
// takes it back: statements are prepared and encoders made before the first
// breach, which would else wait for them. Nothing of it reaches the disk. It is
// haste alone: what went wrong in it will be told by the first decision.
func (l *Ledger) rehearse(ctx context.Context) error {
	const name = "a rehearsal"                         // no policy can be called so
	now := clock.Stamp{Wall: 1, Boot: 1, BootID: name} // made up, as all of it
	ls := series.New(series.Label{Name: "__name__", Value: name})
	row := engine.FiringRow{
		Policy: name, Fingerprint: ls.Fingerprint(), Labels: ls, Target: name,
		State: policy.Firing{State: policy.StateFiring, Since: now, Fired: now, Recent: []bool{true}},
	}
	told := func(verb string) audit.Record {
		return audit.Record{At: now, Actor: "vigild", Verb: verb, Object: name, Reason: name, Evidence: audit.Evidence(map[string]float64{"value": 1})}
	}
	r := remedy.Remediation{
		Source: remedy.FromPolicy, Policy: name, Fingerprint: row.Fingerprint, Labels: map[string]string{"a": name}, Target: name, Subject: name,
		Severity: "warning", Priority: "medium", Actor: "vigild", State: remedy.Queued, Created: now,
		Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: "wait", With: map[string]any{"a": "b"}}}},
	}
	claim := remedy.Claim{
		Policy: name, Fingerprint: row.Fingerprint, FiringVersion: 1, Now: now,
		Query: remedy.Query{Subject: name, Policy: name, Kind: "wait", SubjectPer: 1, PolicyPer: 1, KindPer: 1, Storm: 1},
		Decide: func(r remedy.Remediation, _ remedy.History) remedy.Move {
			r.State, r.Attempt, r.Started = remedy.Running, 1, now
			a := remedy.Attempt{Epoch: l.epoch, Remediation: r.ID, N: 1, Action: "wait", Subject: name, Class: remedy.Convergent, Started: now}
			a.Request = remedy.Request{Attempt: a.ID(), Action: "wait", With: r.Plan.Ladder[0].With, Labels: r.Labels, Started: now}
			return remedy.Move{Next: r, Open: &a, Budget: &remedy.Budget{At: now}, Audit: []audit.Record{told("attempt.start")}}
		},
	}
	err := l.write(ctx, true, func(t *table.Tx) error {
		var rc engine.Receipt
		d := &engine.Decision{
			At: now, Firings: []engine.FiringRow{row}, Remediations: []remedy.Remediation{r}, Claims: map[int]remedy.Claim{0: claim},
			Audit: []audit.Record{told("firing.fire"), told("remediation.queue")},
		}
		if err := t.Decide(d, &rc); err != nil {
			return err
		}
		m := rc.Claimed[0]
		end, at := *m.Open, m.Next.Version
		end.Finished, end.Result = now, remedy.Result{OK: true, Data: map[string]any{"a": 1}}
		m.Next.State, m.Next.AttemptEnd = remedy.Verifying, now
		if err := t.Apply(at, remedy.Move{Next: m.Next, Close: &end, Breaker: &remedy.Breaker{Failures: 1}, Audit: []audit.Record{told("attempt.end")}}); err != nil {
			return err
		}
		cleared := row
		cleared.Version, cleared.State.State = 1, policy.StateOK
		if err := t.Decide(&engine.Decision{At: now, Firings: []engine.FiringRow{cleared}, Audit: []audit.Record{told("firing.clear")}}, &rc); err != nil {
			return err
		}
		if err := t.Save(); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}
