package ground

import (
	"encoding/json"

	"vigil/engine"
	"vigil/engine/reconcile"
)

// Notes are the actions that follow changes, each asked for once however many
// things ask for it.
func Notes(ts []*Thing) (out []*Flow) {
	have := map[string]bool{}
	for _, t := range ts {
		if t.Item == nil {
			continue
		}
		for _, n := range t.Item.Notify {
			b, err := json.Marshal([]any{n.Action, n.With})
			if err != nil || have[string(b)] {
				continue
			}
			have[string(b)] = true
			// The act is not about the thing's own state: it has nothing to verify.
			out = append(out, &Flow{notice: true, T: &Thing{Ref: t.Ref, Res: Gone{t.Res.Key()}, Row: engine.Resource{Key: t.Row.Key}},
				Steps: []reconcile.Step{{Action: n.Action, With: n.With, Summary: n.Action + " after a change of " + t.Ref, Final: "a notice is not taken back"}}})
		}
	}
	return out
}
