package worker

import (
	"context"

	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
	"vigil/engine/remedy/decide"
)

// taken is a remediation whose attempt was opened in the transaction that queued
// it, on its way to whoever carries it out. Its place is kept.
type taken struct {
	ready ready
	move  remedy.Move
}

// Offer prepares the claim of a remediation that is about to be queued, when a
// place is free and nothing else waits for it. Those that mostly wait themselves
// (see lanes.go) are left to the queue.
func (w *Worker) Offer(ctx context.Context, r remedy.Remediation) (remedy.Offer, bool) {
	if r.Source == remedy.FromExternal || r.State != remedy.Queued || !r.Until.IsZero() || decide.Idle(&r) {
		return remedy.Offer{}, false
	}
	now := w.Clock()
	key, ok := w.keepPlace(now, decide.Quick(&r))
	if !ok {
		return remedy.Offer{}, false
	}
	p, err := w.prepare(ctx, r)
	if err != nil || p.facts.Holds < 1 { // told when its turn comes: what it stands on may be written with it
		w.giveUpPlace(key)
		return remedy.Offer{}, false
	}
	return remedy.Offer{Claim: w.asClaim(p), Settle: func(m *remedy.Move) { w.settle(key, p, m) }}, true
}

// prepare finds the action and gathers the facts.
func (w *Worker) prepare(ctx context.Context, r remedy.Remediation) (p ready, err error) {
	if p.request, err = r.Request(); err != nil {
		return p, err
	}
	if p.action, p.spec, err = act.Prepare(w.Actions, &p.request); err != nil {
		return p, err
	}
	return p, w.ask(ctx, &p, r)
}

// keepPlace keeps a place for an offer made now. While there are crowds of quick
// acts the next ones join them: each alone would take a whole place.
func (w *Worker) keepPlace(now clock.Stamp, quick bool) (key int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open || w.places == 0 || len(w.backlog) > 0 || quick && w.crowds > 0 {
		return 0, false
	}
	w.places--
	w.lastOffer++
	w.offers[w.lastOffer] = now
	return w.lastOffer, true
}

// giveUpPlace ends an offer of which nothing came, and lets somebody look for
// what may have waited for its place.
func (w *Worker) giveUpPlace(key int64) {
	w.mu.Lock()
	delete(w.offers, key)
	w.places++
	w.mu.Unlock()
	poke(w.again)
	poke(w.settled)
}

// settle hands an opened attempt to one of the workers. From here on a sweep
// knows that somebody is at work on it.
func (w *Worker) settle(key int64, p ready, m *remedy.Move) {
	if m == nil {
		w.giveUpPlace(key)
		return
	}
	if m.Open == nil {
		w.remember(m.Next)
		w.giveUpPlace(key)
	} else {
		w.mu.Lock()
		w.reserve(m.Next.ID)
		delete(w.offers, key)
		w.handed <- taken{p, *m} // never blocks: there are as many rooms as places
		w.mu.Unlock()
		poke(w.settled)
	}
	// Told while another processor is about to act: the act need not wait for it.
	w.verdict(*m)
	w.loud(*m)
	w.ended(m.Next)
}

// offered says whether an attempt may be one that an offer under way has opened:
// on disk already, and not yet settled. w.mu is held.
func (w *Worker) offered(a *remedy.Attempt) bool {
	for _, at := range w.offers {
		if a.Started.Reached(at) {
			return true
		}
	}
	return false
}

// last carries what was offered before the end and came back after the workers
// had gone: an attempt that is open on disk is acted on, or killed, in order.
func (w *Worker) last(cs contexts) {
	w.admit(false)
	for {
		select {
		case t := <-w.handed:
			cs.verifies.Go(func() { w.actOn(cs, t.ready, t.move) })
			continue
		default:
		}
		w.mu.Lock()
		over := len(w.offers) == 0 && len(w.handed) == 0
		w.mu.Unlock()
		if over {
			return
		}
		<-w.settled
	}
}
