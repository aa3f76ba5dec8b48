package hall_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/series"
)

// fix is the one action of the rig below: what it is about is its target.
type fix struct{}

func (fix) Resolve(r remedy.Request) (remedy.Spec, error) {
	return remedy.Spec{Subject: "thing:" + r.Target, Kind: "fix", Class: remedy.Convergent, Cost: 2, Timeout: time.Second, Summary: "fix " + r.Target}, nil
}
func (fix) Run(context.Context, remedy.Request) (remedy.Result, error) {
	return remedy.Result{OK: true}, nil
}
func (fix) Action(string) (remedy.Action, bool) { return fix{}, true }
func (fix) Names() []string                     { return []string{"fix"} }

// aimed is breach with an act on what a placeholder says.
var aimed = strings.Replace(breach, "{ladder: [{action: wait, with: {for: 1s}}]}", "{target: 'mill-{{ labels.service }}', ladder: [{action: fix}]}", 1)

// TestWhyNotAsksAheadAboutWhatWouldBeActedOn: the counting gates are asked about
// the target that the remedy would have, whatever the instance is called.
func TestWhyNotAsksAheadAboutWhatWouldBeActedOn(t *testing.T) {
	for target, want := range map[string]string{"mill-web": "by gate cooldown: held by cooldown: thing:mill-web", "web": ""} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			conf := remedy.Defaults()
			conf.Cooldown = document.Duration(time.Hour)
			rules, err := decide.New(conf)
			if err != nil {
				t.Fatal(err)
			}
			r := startDeps(t, t.TempDir(), clock.System(), func(c *engine.Config, d *engine.Deps) { c.Remedy, d.Actions = conf, fix{} })
			r.put(t, aimed)
			r.done(t, rules, target, true)
			r.push(t, 0, series.NoTime, "breach_value", "service", "web")
			asked(t, r.ahead(t), want)
		})
	}
}

// TestWhyNotAsksTheCountingGatesAhead: before anything is under way, the gates
// that count acts answer from what the ledger holds, and asking writes nothing.
func TestWhyNotAsksTheCountingGatesAhead(t *testing.T) {
	ctx := context.Background()
	hour := document.Duration(time.Hour)
	for name, c := range map[string]struct {
		set  func(*remedy.Config)
		acts []string // targets that were acted on, in order
		bad  bool     // and the acts did not help
		want string
	}{
		"nothing was done":  {func(c *remedy.Config) { c.Cooldown = hour }, nil, false, ""},
		"another cools":     {func(c *remedy.Config) { c.Cooldown = hour }, []string{"db"}, false, ""},
		"cooldown":          {func(c *remedy.Config) { c.Cooldown = hour }, []string{"web"}, false, "by gate cooldown: held by cooldown: thing:web was acted on "},
		"limit of subject":  {func(c *remedy.Config) { c.Limit.Max = 1 }, []string{"web"}, false, "by gate limits: thing:web reached its limit of "},
		"limit of policy":   {func(c *remedy.Config) { c.PolicyLimit.Max = 2 }, []string{"db", "mq"}, false, "by gate limits: policy breach reached its limit of "},
		"budget":            {func(c *remedy.Config) { c.Budget.Points = 3 }, []string{"db"}, false, "by gate budget: "},
		"storm":             {func(c *remedy.Config) { c.Storm.Subjects = 2 }, []string{"db", "mq"}, false, "by gate storm: "},
		"breaker":           {func(c *remedy.Config) { c.Break.Failures = 2 }, []string{"web", "web"}, true, "by gate breaker: "},
		"breaker of others": {func(c *remedy.Config) { c.Break.Failures = 2 }, []string{"db", "db"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf := remedy.Defaults()
			conf.Cooldown = 0
			c.set(&conf)
			rules, err := decide.New(conf)
			if err != nil {
				t.Fatal(err)
			}
			r := startDeps(t, t.TempDir(), clock.System(), func(c *engine.Config, d *engine.Deps) { c.Remedy, d.Actions = conf, fix{} })
			r.put(t, strings.Replace(breach, "{action: wait, with: {for: 1s}}", "{action: fix}", 1))
			for _, target := range c.acts {
				r.done(t, rules, target, !c.bad)
			}
			r.push(t, 0, series.NoTime, "breach_value", "service", "web")
			story := r.ahead(t)
			head, err := r.ledger.Audit(ctx, 0, "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.WhyNot(ctx, "breach", "web"); err != nil {
				t.Fatal(err)
			}
			if after, err := r.ledger.Audit(ctx, 0, "", 1000); err != nil || len(after) != len(head) {
				t.Errorf("asking wrote %d records, %v", len(after)-len(head), err)
			}
			asked(t, story, c.want)
		})
	}
}

// done writes one act of the policy on a target as the worker would, with its
// verification.
func (r *rig) done(t testing.TB, rules *decide.Rules, target string, helped bool) {
	t.Helper()
	ctx, now := context.Background(), clock.System()()
	x := remedy.Remediation{Source: remedy.FromAPI, Actor: "ann", Policy: "breach", Target: target, State: remedy.Queued, Created: now, Severity: "warning", Priority: "medium",
		Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: "fix"}}, Verify: &remedy.Verify{Expr: "value < 1"}}}
	got, err := r.ledger.Commit(ctx, &engine.Decision{At: now, Remediations: []remedy.Remediation{x}})
	if err != nil {
		t.Fatal(err)
	}
	id := got.Remediations[0]
	x, err = r.ledger.Remediation(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	q, err := x.Request()
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := fix{}.Resolve(q)
	claim := func(f func(remedy.Remediation, remedy.History) remedy.Move) remedy.Move {
		m, err := r.ledger.Claim(ctx, remedy.Claim{ID: id, Version: x.Version, Now: now, Query: rules.Lookback(&x, spec), Decide: f})
		if err != nil {
			t.Fatal(err)
		}
		x = m.Next
		return m
	}
	m := claim(func(x remedy.Remediation, h remedy.History) remedy.Move {
		return rules.Decide(x, h, decide.Case{Request: q, Facts: remedy.Facts{At: now, Holds: 1, Warm: true, Trusted: true, Spec: spec}, Epoch: r.ledger.Epoch(), Now: now})
	})
	if m.Open == nil {
		t.Fatalf("%+v", m.Verdict)
	}
	end, err := rules.Ended(x, *m.Open, remedy.Result{OK: true}, now, 0)
	if err == nil {
		err = r.ledger.Apply(ctx, x.Version, end)
	}
	if err != nil {
		t.Fatal(err)
	}
	if x, err = r.ledger.Remediation(ctx, id); err != nil {
		t.Fatal(err)
	}
	claim(func(x remedy.Remediation, h remedy.History) remedy.Move {
		m, err := rules.Verified(x, h, remedy.Verification{OK: helped, Reason: "seen"}, now, 0)
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}
