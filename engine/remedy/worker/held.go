package worker

import (
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// What a person or another condition holds may be lifted at any moment, and the
// nudge that comes with it does not say which. So the worker remembers what it
// put on hold for such a reason, and asks for the facts again when it is nudged
// and has nothing else to do. This is haste alone: what is forgotten here, or by
// a restart, is looked at when its time comes.
const (
	maxHeld   = 256
	liftEvery = 200 * time.Millisecond
	liftAfter = time.Second // a hold is at least so old: facts that disagree must not spin
)

// heldUp is one that was put on hold, and when.
type heldUp struct {
	r  remedy.Remediation
	at clock.Stamp
}

// remember keeps or forgets one after its claim.
func (w *Worker) remember(r remedy.Remediation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r.Gate {
	case remedy.GatePause, remedy.GateWindow, remedy.GateHandsOff, remedy.GateDependency:
		if r.State == remedy.Held && len(w.held) < maxHeld {
			w.held[r.ID] = heldUp{r, w.Clock()}
			w.nudged = true // it may have been lifted, and the nudge spent, since it was decided
			return
		}
	}
	delete(w.held, r.ID)
}

// lifted reserves one whose reason to be held is gone.
func (w *Worker) lifted(cs contexts) (remedy.Remediation, bool) {
	now := w.Clock()
	w.mu.Lock()
	if d, same := now.Sub(w.liftedAt); same && d < liftEvery && !w.liftedAt.IsZero() {
		w.nudged = len(w.held) > 0 // not forgotten: asked again a little later
		w.mu.Unlock()
		return remedy.Remediation{}, false
	}
	rs := make([]remedy.Remediation, 0, len(w.held))
	for _, h := range w.held {
		if d, same := now.Sub(h.at); same && d < liftAfter {
			w.nudged = true
			continue
		}
		rs = append(rs, h.r)
	}
	w.mu.Unlock()
	for _, r := range rs {
		f, err := w.Judge.Facts(cs.look, r, remedy.Spec{Subject: r.Subject})
		if err != nil {
			continue
		}
		still := map[string]string{
			remedy.GatePause: f.Paused, remedy.GateWindow: f.Window, remedy.GateHandsOff: f.HandsOff, remedy.GateDependency: f.Cause,
		}[r.Gate] != ""
		if still {
			continue
		}
		w.mu.Lock()
		free := w.room(r) && w.places > 0
		if free {
			delete(w.held, r.ID)
			free = w.occupy(r)
		} else {
			w.lifting = true
		}
		w.mu.Unlock()
		if free {
			return r, true
		}
	}
	w.mu.Lock()
	w.liftedAt = now
	w.mu.Unlock()
	return remedy.Remediation{}, false
}
