package hall_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// service alone is known to these actions, so that a spelling of the original is one.
type service struct{ fix }

func (service) Names() []string { return []string{"service"} }

func (service) Action(name string) (remedy.Action, bool) { return fix{}, name == "service" }

// TestTheOriginalsSpellingIsKept: what was asked for as restart is shown as restart,
// though it is a service that is restarted.
func TestTheOriginalsSpellingIsKept(t *testing.T) {
	ctx := context.Background()
	r := startDeps(t, t.TempDir(), clock.System(), func(_ *engine.Config, d *engine.Deps) { d.Actions = service{} })
	for asked, want := range map[string]string{"restart": "restart", "Restart_Service": "Restart_Service", "service": "", "reticulate": ""} {
		x, err := r.CreateAction(ctx, "ann", engine.ActionRequest{Target: "web", Action: asked})
		if err != nil {
			t.Fatal(err)
		}
		if x, err = r.ledger.Remediation(ctx, x.ID); err != nil || x.Plan.Named != want {
			t.Errorf("asked for %s, called %s, %v", asked, x.Plan.Named, err)
		}
	}
	p := engine.OriginalPolicy(engine.Original{Name: "old", Severity: "warning", Target: "web", Enabled: true, AutoRemediate: true,
		Condition: policy.Spec{Match: "old_value", Fire: "value > 1"}, Action: "restart-service"})
	ours := p
	plan := *p.Remedy
	plan.Ladder = []remedy.Rung{{Action: "fix"}}
	if ours.Remedy = &plan; p.Spelling() != "restart-service" || ours.Spelling() != "" {
		t.Errorf("spelt %q and %q", p.Spelling(), ours.Spelling())
	}
	if _, err := r.PutPolicy(ctx, "ann", p, "api", "", false); err != nil {
		t.Fatal(err)
	}
	r.push(t, 5, series.NoTime, "old_value", "service", "web")
	until(t, "the policy's remediation", func() bool {
		for _, x := range r.remediations(t) {
			if x.Policy == "old" {
				b, _ := json.Marshal(x.Plan)
				if x.Plan.Named != "restart-service" || x.Plan.Ladder[0].Action != "service" {
					t.Fatalf("called %s: %s", x.Plan.Named, b)
				}
				return true
			}
		}
		return false
	})
}

// TestANearNameIsTold: a slip of the pen is no outside remediator's name: it says
// what was meant, and the strict do not have it queued.
func TestANearNameIsTold(t *testing.T) {
	ctx := context.Background()
	r := startDeps(t, t.TempDir(), clock.System(), func(_ *engine.Config, d *engine.Deps) { d.Actions = service{} })
	for asked, near := range map[string]string{"servce": "service", "reticulate": "", "Restrat": "restart", "restart_servcie": "restart-service"} {
		for _, strict := range []bool{false, true} {
			x, err := r.CreateAction(ctx, "ann", engine.ActionRequest{Target: "web", Action: asked, Queue: true, Strict: strict})
			if strict && near != "" {
				var is fault.Issues
				if !errors.As(err, &is) || is[0].Place != "/action" || !strings.Contains(is[0].Hint, strconv.Quote(near)) {
					t.Errorf("strict %s: %v", asked, err)
				}
				continue
			}
			if err != nil || x.Source != remedy.FromExternal {
				t.Fatalf("%s: %s, %v", asked, x.Source, err)
			}
			if told := strings.Contains(x.Reason, "did you mean "+strconv.Quote(near)+"?"); told != (near != "") {
				t.Errorf("%s: %s", asked, x.Reason)
			}
		}
	}
	if xs := r.remediations(t); len(xs) != 5 {
		t.Errorf("%d were queued", len(xs))
	}
}

// TestAPolicyStoredBeforeItWasRefused: one with {target} in one pair of braces, as older
// ones were taken, is kept over the upgrade and judged on; it does not act on a thing of
// that name, and a person who looks is told what to write, and may turn it off.
func TestAPolicyStoredBeforeItWasRefused(t *testing.T) {
	ctx := context.Background()
	r := startDeps(t, t.TempDir(), clock.System(), func(_ *engine.Config, d *engine.Deps) {
		d.Actions = service{}
		text, err := json.Marshal(engine.PolicyDocument{Name: "old", Severity: "warning", Mode: "act", Enabled: true, Condition: policy.Spec{Match: "old_value", Fire: "value > 1"},
			Remedy: &remedy.Plan{Ladder: []remedy.Rung{{Action: "service", With: map[string]any{"unit": "{target}.service"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Journal.Commit(ctx, &engine.Decision{At: d.Clock(), Policies: []engine.PolicyRow{{Name: "old", Owner: "api", Enabled: true, Text: text, Created: d.Clock(), Updated: d.Clock()}}}); err != nil {
			t.Fatal(err)
		}
	})
	r.push(t, 5, series.NoTime, "old_value", "service", "web")
	var raised remedy.Remediation
	until(t, "the policy's remediation", func() bool {
		for _, x := range r.remediations(t) {
			raised = x
		}
		return raised.ID != 0
	})
	if _, err := raised.Request(); err == nil || !strings.Contains(err.Error(), `"{target}" would be taken as it stands (write {{ target }})`) {
		t.Errorf("it would be asked for: %v", err)
	}
	raised.Plan.Ladder[0] = remedy.Rung{Action: "notify", With: map[string]any{"to": "oncall", "summary": "{target} is down"}}
	if q, err := raised.Request(); err != nil || q.With["summary"] != "{target} is down" {
		t.Errorf("nobody would be told: %v", err)
	}
	if _, err := r.EnablePolicy(ctx, "ann", "old", true); err == nil {
		t.Error("it is taken as new")
	}
	if v, err := r.EnablePolicy(ctx, "ann", "old", false); err != nil || v.Enabled {
		t.Errorf("it cannot be turned off: %v", err)
	}
}
