package worker

import (
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

// room says whether a worker may take r: half of them, rounded up, never wait. A
// single worker does everything. w.mu is held.
func (w *Worker) room(r remedy.Remediation) bool {
	if !decide.Idle(&r) || w.rules.Workers < 2 {
		return true
	}
	n := 0
	for _, j := range w.busy {
		if j.idle {
			n++
		}
	}
	return n < w.rules.Workers/2
}
