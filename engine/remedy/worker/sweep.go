package worker

import (
	"context"
	"time"

	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// firstSweep settles what an earlier run left, before anything new begins.
func (w *Worker) firstSweep(cs contexts) {
	for pause := 10 * time.Millisecond; cs.look.Err() == nil; pause = min(2*pause, 2*time.Second) {
		if w.sweep(cs) {
			return
		}
		sleep(cs.look, pause)
	}
}

// sweeps looks every so often for what lies unfinished with nobody at work on
// it, so that nothing is stuck: a lease that ran out, a success that an outside
// remediator told and that nobody verifies. While something runs it also looks
// whether it was cancelled, as all workers may be busy with their acts then.
func (w *Worker) sweeps(cs contexts) {
	last := w.Clock()
	for {
		d := sweepEvery
		if w.anyActing() {
			d = cancelEvery
		}
		t := time.NewTimer(d)
		select {
		case <-cs.look.Done():
			t.Stop()
			return
		case <-w.began: // looks more often from now on
		case <-t.C:
			w.stopCancelled(cs, true)
		}
		t.Stop()
		if d, same := w.Clock().Sub(last); !same || d >= sweepEvery {
			last = w.Clock()
			w.sweep(cs)
		}
	}
}

func (w *Worker) anyActing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.busy {
		if j.stop != nil {
			return true
		}
	}
	return false
}

// sweep takes up everything unfinished that nobody here is at work on. False:
// the ledger could not be read.
func (w *Worker) sweep(cs contexts) bool {
	w.mu.Lock()
	w.touched = map[int64]bool{}
	for id := range w.busy {
		w.touched[id] = true
	}
	w.mu.Unlock()
	open, rs, err := w.Ledger.Unfinished(cs.look)
	w.mu.Lock()
	free := func(id int64) bool { return !w.touched[id] && w.reserve(id) }
	var attempts []remedy.Attempt
	var rest []remedy.Remediation
	for _, a := range open {
		if w.offered(&a) { // on its way to a worker, or about to be
			w.touched[a.Remediation] = true
			continue
		}
		if free(a.Remediation) {
			attempts = append(attempts, a)
		}
	}
	for _, r := range rs {
		if free(r.ID) {
			rest = append(rest, r)
		}
	}
	w.touched = nil
	if err == nil {
		w.stats.Looked = w.Clock() // also while every worker is at a long act
	}
	w.mu.Unlock()
	if err != nil {
		w.failing("looking for what is unfinished", err)
		return false
	}
	for _, a := range attempts {
		w.recover(cs, a)
	}
	for _, r := range rest {
		w.resume(cs, r)
	}
	return true
}

// recover settles an attempt that lies open: what became of it is asked where
// it can be asked, never guessed.
func (w *Worker) recover(cs contexts, a remedy.Attempt) {
	handed := false
	defer func() {
		if !handed {
			w.release(a.Remediation)
		}
	}()
	r, err := w.Ledger.Remediation(cs.writes, a.Remediation)
	if err != nil {
		w.failing("reading an unfinished remediation", err)
		return
	}
	w.Log.Warn("unfinished attempt found", "attempt", a.ID(), "action", a.Action, "subject", a.Subject, "class", a.Class)
	if wait := w.rejoin(a); wait != nil {
		handed = true
		cs.verifies.Go(func() { w.rejoined(cs, r, a, wait) })
		return
	}
	w.tidy(cs.look, a)
	seen := remedy.NotSeen
	if a.Class == remedy.Probed {
		seen = w.probe(cs.look, a)
	}
	r, ok := w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Recovered(r, a, seen, w.Clock()) })
	if ok && r.State == remedy.Verifying {
		handed = true
		w.verifyBeside(cs, r)
	}
}

// tidy takes away what the act left beside its place. What stays is no reason to
// keep the remediation waiting.
func (w *Worker) tidy(ctx context.Context, a remedy.Attempt) {
	action, _ := w.Actions.Action(a.Action)
	s, ok := action.(remedy.Sweeper)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := s.Sweep(ctx, a.Request); err != nil {
		w.failing("taking away what attempt "+a.ID()+" left", err)
	}
}

func (w *Worker) probe(ctx context.Context, a remedy.Attempt) remedy.Sight {
	action, _ := w.Actions.Action(a.Action)
	p, ok := action.(remedy.Prober)
	if !ok {
		return remedy.NotSeen
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	done, err := p.Done(ctx, a.Request)
	switch {
	case err != nil:
		w.failing("probing attempt "+a.ID(), fault.Wrap(fault.Unavailable, err, "probe"))
		return remedy.NotSeen
	case done:
		return remedy.SeenDone
	}
	return remedy.SeenNotDone
}

// resume goes on with a remediation that is verifying or running without an
// open attempt.
func (w *Worker) resume(cs contexts, r remedy.Remediation) {
	if r.State == remedy.Verifying {
		w.verifyBeside(cs, r)
		return
	}
	defer w.release(r.ID)
	if r.Lease != "" && w.rules.Leased(&r, w.Clock()) {
		return
	}
	w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Orphaned(r, w.Clock()) })
}
