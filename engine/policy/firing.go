package policy

import "vigil/engine/clock"

// State is where a firing is in its life.
type State string

// The states: ok -> pending -> firing -> recovering -> ok, and beside them
// unknown (no data), flapping and suppressed (a deeper cause fires).
const (
	StateOK         State = "ok"
	StatePending    State = "pending"
	StateFiring     State = "firing"
	StateRecovering State = "recovering"
	StateUnknown    State = "unknown"
	StateFlapping   State = "flapping"
	StateSuppressed State = "suppressed"
)

// Firing is the persisted state of one policy over one label set. It holds all
// that Advance needs, so that a restart changes no decision.
type Firing struct {
	State   State         `json:"state"`
	Since   clock.Stamp   `json:"since"`             // entered State
	Fired   clock.Stamp   `json:"fired,omitzero"`    // entered firing, this episode
	True    clock.Stamp   `json:"true,omitzero"`     // fire has been true since
	False   clock.Stamp   `json:"false,omitzero"`    // clear has been true since
	Recent  []bool        `json:"recent,omitempty"`  // newest last, for times
	Changes []clock.Stamp `json:"changes,omitempty"` // transitions, for flapping
	Before  State         `json:"before,omitempty"`  // what unknown, flapping or suppressed interrupted
	By      string        `json:"by,omitempty"`      // the cause that suppresses
	Value   float64       `json:"value"`
	Seen    int64         `json:"seen"` // last evaluated sample time, Unix ms
}

// Transition is a named change of state; the zero Transition is no change.
type Transition struct {
	From, To State
	Reason   string // one of the named reasons of this room, then words
}

// Changed reports whether there was a change.
func (t Transition) Changed() bool { return t.From != t.To }

// Advance moves a firing on. Pure: the same arguments give the same answer.
// cause names a deeper cause that fires ("" none). The returned wake is when to
// look again although no sample came (the end of `for`, `clear_for`, calm, or
// silence); zero means never.
func Advance(c *Condition, prev Firing, ev Evaluation, cause string, now clock.Stamp) (next Firing, tr Transition, wake clock.Stamp) {
	panic("policy: not built")
}
