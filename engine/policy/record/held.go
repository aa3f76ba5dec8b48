package record

import (
	"encoding/json"

	"vigil/engine/fault"
	"vigil/engine/policy"
)

// Held is what the gates are told of a condition at the instant before an act, as
// JSON: how its firing stood, and what the condition came to.
type Held struct {
	State  policy.State  `json:"state"`
	Silent bool          `json:"silent,omitempty"`  // the series was silent for longer than stale_after
	NoData policy.NoData `json:"no_data,omitempty"` // what the policy makes of that; told where it was
	policy.Explanation
}

// Looks says whether the condition itself is asked in a state; elsewhere the state
// alone tells whether it holds.
func Looks(s policy.State) bool {
	switch s {
	case policy.StateFiring, policy.StateRecovering, policy.StateFlapping,
		policy.StateSuppressed: // it fires below its cause, which a gate of its own asks about
		return true
	}
	return false
}

// Holds says whether a condition still holds: true while its firing has not cleared,
// unknown while an input is.
func (h *Held) Holds(fire, clear policy.Truth) policy.Truth {
	switch {
	case h.State == policy.StateUnknown:
		return policy.Unknown
	case !Looks(h.State):
		return policy.False
	case h.Silent && h.NoData == policy.NoDataFire:
		return policy.True
	case clear == policy.True:
		return policy.False
	case h.Silent || fire == policy.Unknown:
		return policy.Unknown
	}
	return policy.True
}

// HeldAgain evaluates what the gates were told once more and compares it with what
// they went by. Corrupt: it does not come out so. What holds no condition, and what
// was made before the firing's state was kept, is not compared.
func HeldAgain(told json.RawMessage, holds policy.Truth) error {
	var h Held
	if err := json.Unmarshal(told, &h); err != nil {
		return fault.New(fault.Corrupt, "its condition: %v", err)
	}
	if h.Fire == nil || h.State == "" {
		return nil
	}
	fire, clear := policy.Unknown, policy.Unknown
	if Looks(h.State) {
		if err := (Evidence{Explanation: h.Explanation}).Again(); err != nil {
			return err
		}
		var err error
		if fire, clear, err = Replay(h.Explanation); err != nil {
			return err
		}
	}
	if got := h.Holds(fire, clear); got != holds {
		return fault.New(fault.Corrupt, "the gates went by a condition that is %s; it comes out as %s", holds, got)
	}
	return nil
}
