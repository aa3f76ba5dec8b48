package worker

import (
	"sync"

	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

// crowd is how many quick acts a worker carries out at one time: nearly all of their
// time they wait for the disk, which answers many as fast as one, and the ledger
// writes what becomes of them in one transaction.
const crowd = 8

// beside reserves quick ones of the backlog that a worker carries out together with
// r, in the place that it has.
func (w *Worker) beside(r *remedy.Remediation) (more []remedy.Remediation) {
	if !decide.Quick(r) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy[r.ID].quick = true
	now, spots := w.Clock(), map[string]bool{decide.Spot(r): true}
	rest := w.backlog[:0:0]
	for i, o := range w.backlog {
		if len(more) == crowd-1 {
			rest = append(rest, w.backlog[i:]...)
			break
		}
		c, cold := w.cold[o.ID]
		if !decide.Quick(&o) || spots[decide.Spot(&o)] || cold && !now.Reached(c.until) {
			rest = append(rest, o)
			continue
		}
		if w.reserve(o.ID) {
			w.busy[o.ID].quick = true
			spots[decide.Spot(&o)] = true
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
