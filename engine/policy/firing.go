package policy

import (
	"vigil/engine/clock"
)

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
// that Advance needs, so that a restart changes no decision. A Firing whose
// Since is zero (the zero Firing, or one in ok) was never looked at. Its slices are never written to.
type Firing struct {
	State   State         `json:"state"`
	Since   clock.Stamp   `json:"since"`             // entered State
	Fired   clock.Stamp   `json:"fired,omitzero"`    // entered firing, this episode
	True    clock.Stamp   `json:"true,omitzero"`     // the breach has lasted since
	False   clock.Stamp   `json:"false,omitzero"`    // clear has been true since
	Recent  []bool        `json:"recent,omitempty"`  // newest last, for times
	Changes []clock.Stamp `json:"changes,omitempty"` // into and out of firing, for flapping
	Before  State         `json:"before,omitempty"`  // what unknown, flapping or suppressed lies over
	By      string        `json:"by,omitempty"`      // the cause that suppresses
	Value   float64       `json:"value"`             // newest finite value
	Seen    int64         `json:"seen"`              // last evaluated sample time, Unix ms

	SeenAt clock.Stamp `json:"seen_at,omitzero"` // when that sample was evaluated
	Known  clock.Stamp `json:"known,omitzero"`   // when a truth was last known from fresh data
	Every  int64       `json:"every,omitempty"`  // the series' usual interval, ms
	Told   bool        `json:"told,omitempty"`   // firing was shown this episode, so its end is a recovery
}

// Stands says whether an episode is under way: it fires, or did when what is shown
// came over it.
func (f Firing) Stands() bool {
	s := f.State
	if f.Before != "" {
		s = f.Before
	}
	return s == StateFiring || s == StateRecovering
}

// Transition is a named change of state; the zero Transition is no change.
type Transition struct {
	From, To State
	Reason   string // one of the named reasons of this room, a colon, then words
}

// Changed reports whether there was a change.
func (t Transition) Changed() bool { return t.From != t.To }

// The named reasons of a transition.
const (
	ReasonPending    = "pending"       // fire is true, and must last
	ReasonSubsided   = "subsided"      // it was never shown as firing
	ReasonFired      = "fired"         // fire lasted
	ReasonRecovering = "recovering"    // clear is true, and must last
	ReasonRelapsed   = "relapsed"      // back to firing before clear lasted
	ReasonRecovered  = "recovered"     // firing was shown, and clear lasted
	ReasonNoData     = "no_data"       // nothing has been known for stale_after
	ReasonFirstData  = "first_data"    // something is known for the first time
	ReasonDataBack   = "data_returned" // something is known again
	ReasonFlapping   = "flapping"      // too many changes
	ReasonCalm       = "calm"          // no change for a while
	ReasonSuppressed = "suppressed"    // a deeper cause fires
	ReasonReleased   = "released"      // the cause is gone and it still fires
)
