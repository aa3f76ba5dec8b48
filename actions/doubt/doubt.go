// Package doubt says which acts of a plan would fail as things stand, though what
// they need may come yet: a unit that is nowhere, a process that nobody keeps.
//
// It refuses to refuse: an act is what finds out. It starts nothing; it blocks
// on systemd until its context ends, and what cannot be asked is not doubted. Concurrent.
package doubt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vigil/actions/supervise"
	"vigil/actions/units"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/placeholder"
)

// Host is what is asked; actions.Set is one.
type Host interface {
	Units() *units.Manager
	Processes() *supervise.Supervisor
}

// Patience is how long all questions of a set of plans may take.
const Patience = 5 * time.Second

// Of looks at each rung whose parameters are the same for every firing; places are
// those of a policy, such as /remedy/ladder/0/with/unit. p was checked before, with the same
// actions.
func Of(ctx context.Context, host Host, in remedy.Actions, p *remedy.Plan) (is fault.Issues) {
	if p == nil {
		return nil
	}
	for i, g := range p.Ladder {
		a, known := in.Action(g.Action)
		if !known || placeholder.Placed(g.With) {
			continue
		}
		spec, err := a.Resolve(remedy.Request{Attempt: "0-0-0", Action: g.Action, With: g.With})
		if err != nil {
			continue
		}
		at := fmt.Sprintf("/remedy/ladder/%d/with/", i)
		switch _, name, _ := strings.Cut(spec.Subject, ":"); spec.Kind {
		case "service":
			if u, err := host.Units().State(ctx, name); err == nil && u["LoadState"] == "not-found" {
				is.Add(at+"unit", "there is no unit %s on this host as things stand: the act fails until there is one", name)
			}
		case "process":
			if _, kept := host.Processes().Look(name); !kept {
				is.Add(at+"process", "no process %s is kept as things stand: the act fails until there is one", name)
			}
		}
	}
	return is
}
