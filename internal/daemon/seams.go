package daemon

import (
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// Seams is where a test stands between two rooms: each function gets what one
// room hands to another and returns what is handed on. A nil one hands it on as
// it is; the program has none. So crashes at named points and faults of the
// stores need no hook inside a room.
type Seams struct {
	Clock   clock.Clock // nil: the system's
	Samples func(engine.Samples) engine.Samples
	Journal func(engine.Journal) engine.Journal
	Ledger  func(remedy.Ledger) remedy.Ledger
	Actions func(remedy.Actions) remedy.Actions // as the worker has it
	Step    func(name string)                   // before each change of the repository on disk; see store.Config
}

// through hands v on, by way of the seam where there is one.
func through[T any](seam func(T) T, v T) T {
	if seam == nil {
		return v
	}
	return seam(v)
}
