package shard

import (
	"testing"

	"vigil/engine/policy"
)

// What stays below firing is state; what a person would want to read later is a
// record.
func TestWhatIsToldAndWhatIsState(t *testing.T) {
	for _, c := range []struct {
		from, to policy.State
		want     bool
	}{
		{policy.StateOK, policy.StatePending, false},
		{policy.StatePending, policy.StateOK, false},
		{policy.StateUnknown, policy.StatePending, false},
		{policy.StatePending, policy.StateUnknown, false},
		{policy.StatePending, policy.StateFiring, true},
		{policy.StateOK, policy.StateFiring, true},
		{policy.StateFiring, policy.StateRecovering, true},
		{policy.StateRecovering, policy.StateOK, true},
		{policy.StateOK, policy.StateUnknown, true},
		{policy.StateUnknown, policy.StateOK, true},
		{policy.StateFiring, policy.StateUnknown, true},
		{policy.StateSuppressed, policy.StatePending, true},
		{policy.StatePending, policy.StateSuppressed, true},
		{policy.StateFlapping, policy.StateOK, true},
	} {
		if got := told(policy.Transition{From: c.from, To: c.to}); got != c.want {
			t.Errorf("%s -> %s told is %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
