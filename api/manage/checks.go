package manage

import (
	"vigil/api/contract"
	"vigil/engine/check"
)

// maxUnwell is how many checks one answer names.
const maxUnwell = 100

// checks is how the checks stand: how many in each state, and those that are not
// as they were asked to be, with why. A check that nobody made a policy for is
// told here too.
func (m *Manage) checks() contract.Checks {
	out := contract.Checks{States: map[string]int{}, Unwell: []contract.Check{}}
	if m.Checks == nil {
		return out
	}
	for _, c := range m.Checks() {
		out.Total++
		out.States[string(c.State)]++
		switch c.State {
		case check.StateDown, check.StateError, check.StateGrace:
		default:
			continue
		}
		if len(out.Unwell) < maxUnwell {
			out.Unwell = append(out.Unwell, contract.Check{Name: c.Name, Kind: c.Kind, State: string(c.State), Reason: c.Reason,
				LastRun: contract.Maybe(c.LastRun), LastSuccess: contract.Maybe(c.LastSuccess)})
		}
	}
	return out
}
