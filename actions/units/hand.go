package units

import (
	"maps"
	"sync"
	"time"
)

// hand is what somebody stopped a moment ago. The hold that follows is on disk
// a few milliseconds later; an act that was decided in between must not undo it.
type hand struct {
	mu    sync.Mutex
	units map[string]time.Time
}

// moment is how long the hold may take.
const moment = 30 * time.Second

func (h *hand) stopped(unit string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.units, func(_ string, at time.Time) bool { return now.Sub(at) > moment })
	if h.units == nil {
		h.units = map[string]time.Time{}
	}
	h.units[unit] = now
}

// rest is how much of the moment is left once the hold is on disk: time for an
// act that had passed the gates before.
const rest = 2 * time.Second

// recorded shortens the moment: from now on the gates know.
func (h *hand) recorded(unit string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.units[unit]; ok {
		h.units[unit] = now.Add(rest - moment)
	}
}

func (h *hand) started(unit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.units, unit)
}

// justStopped says whether a person's stop may not have reached the gates yet.
func (h *hand) justStopped(unit string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.units[unit]
	return ok && now.Sub(at) <= moment
}

// Recorded says that a stop by hand is on disk as a hold, which the gates know
// from then on. Concurrent.
func (m *Manager) Recorded(unit string) { m.hand.recorded(unit, time.Now()) }
