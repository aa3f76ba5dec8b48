package worker

import "vigil/engine/remedy"

// idle says that the act whose turn it is mostly waits: for a time to pass, or for
// a receiver that may be as dead as what is to be healed. It holds a worker
// meanwhile, so it may not have them all.
func idle(r remedy.Remediation) bool {
	if r.Rung < 0 || r.Rung >= len(r.Plan.Ladder) {
		return false
	}
	switch r.Plan.Ladder[r.Rung].Action {
	case "notify", "wait":
		return true
	}
	return false
}

// room says whether a worker may take r: half of them, rounded up, never wait. A
// single worker does everything. w.mu is held.
func (w *Worker) room(r remedy.Remediation) bool {
	if !idle(r) || w.rules.Workers < 2 {
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
