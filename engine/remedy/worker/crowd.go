package worker

import (
	"sync"

	"vigil/engine/remedy"
)

// crowd is how many quick acts a worker carries out at one time: nearly all of their
// time they wait for the disk, which answers many as fast as one, and the ledger
// writes what becomes of them in one transaction.
const crowd = 8

// quick says that the act whose turn it is writes back what a commit says, and runs
// nothing: it ends within milliseconds, and may be done again.
func quick(r *remedy.Remediation) bool {
	if r.Source != remedy.FromReconcile || r.Rung < 0 || r.Rung >= len(r.Plan.Ladder) {
		return false
	}
	switch g := r.Plan.Ladder[r.Rung]; g.Action {
	case "file", "directory":
		_, runs := g.With["validate"]
		return !runs
	case "sysctl":
		return true
	}
	return false
}

// spot is what a quick act is about. Two of them about one file would only wait for
// each other.
func spot(r *remedy.Remediation) string {
	if path, ok := r.Plan.Ladder[r.Rung].With["path"].(string); ok {
		return path
	}
	return r.Target
}

// beside reserves quick ones of the backlog that a worker carries out together with
// r, in the place that it has.
func (w *Worker) beside(r *remedy.Remediation) (more []remedy.Remediation) {
	if !quick(r) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy[r.ID].quick = true
	now, spots := w.Clock(), map[string]bool{spot(r): true}
	rest := w.backlog[:0:0]
	for i, o := range w.backlog {
		if len(more) == crowd-1 {
			rest = append(rest, w.backlog[i:]...)
			break
		}
		c, cold := w.cold[o.ID]
		if !quick(&o) || spots[spot(&o)] || cold && !now.Reached(c.until) {
			rest = append(rest, o)
			continue
		}
		if w.reserve(o.ID) {
			w.busy[o.ID].quick = true
			spots[spot(&o)] = true
			more = append(more, o)
		}
	}
	w.backlog = rest
	if len(more) > 0 {
		w.crowds++
	}
	return more
}

// together carries out r and what was reserved with it, and returns when all are
// done with.
func (w *Worker) together(cs contexts, r remedy.Remediation, more []remedy.Remediation) {
	var all sync.WaitGroup
	for _, o := range more {
		all.Go(func() { w.carry(cs, o) })
	}
	w.carry(cs, r)
	all.Wait()
	if len(more) > 0 {
		w.mu.Lock()
		w.crowds--
		w.mu.Unlock()
	}
}
