package hall_test

import (
	"context"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// processes alone are known to these actions.
type processes struct{ fix }

func (processes) Names() []string { return []string{"process"} }

func (processes) Action(name string) (remedy.Action, bool) { return fix{}, name == "process" }

// TestAStopThatAPersonOrdersIsNotCounted: what a policy starts again and again can be
// stopped, though each start is one more act on it; a person's start waits its turn.
func TestAStopThatAPersonOrdersIsNotCounted(t *testing.T) {
	ctx := context.Background()
	r := startDeps(t, t.TempDir(), clock.System(), func(_ *engine.Config, d *engine.Deps) { d.Actions = processes{} })
	for verb, free := range map[string]bool{"stop": true, "start": false, "restart": false} {
		x, err := r.CreateAction(ctx, "ann", engine.ActionRequest{Target: "web", Action: "process", With: map[string]any{"verb": verb}, Queue: true})
		if err != nil {
			t.Fatal(err)
		}
		if x, err = r.ledger.Remediation(ctx, x.ID); err != nil || x.Plan.Asked != free {
			t.Errorf("%s: free of the gates that count is %v, %v", verb, x.Plan.Asked, err)
		}
	}
}
