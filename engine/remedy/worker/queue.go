package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

func runtimeJitter() float64 { return rand.Float64() }

// next waits for a remediation whose turn has come and reserves it, or for one
// whose attempt is open already (taken is not nil then). One worker at a time
// looks; the others wait for its token. False: ctx ended.
func (w *Worker) next(cs contexts) (r remedy.Remediation, t *taken, ok bool) {
	select {
	case t := <-w.handed:
		return r, &t, true
	case <-cs.look.Done():
		return r, nil, false
	case <-w.lead:
	}
	defer func() { w.lead <- struct{}{} }()
	for cs.look.Err() == nil {
		if r, ok := w.take(); ok {
			return r, nil, true
		}
		now := w.Clock()
		due, later, err := w.Ledger.Due(cs.look, now, w.batch())
		if err != nil {
			w.failing("listing what is due", err)
			later = now.Add(time.Second)
		}
		w.looked(now, due)
		if r, ok := w.take(); ok {
			return r, nil, true
		}
		if w.wasNudged() {
			w.stopCancelled(cs, false)
			if r, ok := w.lifted(cs); ok {
				w.renudge() // there may be more
				return r, nil, true
			}
		}
		if t := w.wait(cs.look, later); t != nil {
			return r, t, true
		}
	}
	return r, nil, false
}

// maxBatch is how many are looked at in one go.
const maxBatch = 512

// batch is how many to ask for: enough for everybody, beyond those that are due
// but put off.
func (w *Worker) batch() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crowded { // what heals may stand behind all that waits
		return maxBatch
	}
	n := 4 * w.rules.Workers
	if w.hasty {
		n *= crowd
	}
	return min(maxBatch, n+len(w.cold)+len(w.busy))
}

// looked keeps what is due, and what can be told of it.
func (w *Worker) looked(now clock.Stamp, due []remedy.Remediation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backlog, w.crowded = due, false
	w.hasty = slices.ContainsFunc(due, func(r remedy.Remediation) bool { return decide.Quick(&r) })
	w.stats.Looked, w.stats.Oldest = now, clock.Stamp{}
	for i := range due {
		if c := due[i].Created; w.stats.Oldest.IsZero() || w.stats.Oldest.Wall > c.Wall {
			w.stats.Oldest = c
		}
	}
	w.stats.Due = len(due)
	for id, c := range w.cold {
		if now.Reached(c.until.Add(time.Minute)) {
			delete(w.cold, id)
		}
	}
}

// take reserves the first of the backlog that nobody is at work on, and a place.
func (w *Worker) take() (remedy.Remediation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.Clock()
	for len(w.backlog) > 0 && w.places > 0 {
		r := w.backlog[0]
		w.backlog = w.backlog[1:]
		if c, is := w.cold[r.ID]; is && !now.Reached(c.until) {
			continue
		}
		if !w.room(r) {
			w.crowded = true
			continue
		}
		if w.occupy(r) {
			return r, true
		}
	}
	return remedy.Remediation{}, false
}

// occupy reserves r with a place in its lane; false when it is worked on already.
// There is one: w.places > 0. w.mu is held.
func (w *Worker) occupy(r remedy.Remediation) bool {
	if !w.reserve(r.ID) {
		return false
	}
	w.busy[r.ID].idle = decide.Idle(&r)
	w.places--
	return true
}

// vacate gives the place of an act back.
func (w *Worker) vacate() {
	w.mu.Lock()
	w.places++
	first := w.places == 1
	w.mu.Unlock()
	if first { // somebody may have found no place
		poke(w.again)
	}
}

// poke makes whoever waits on c look; it never blocks.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// reserve marks one as being worked on; false when it already is. w.mu is held.
func (w *Worker) reserve(id int64) bool {
	if _, is := w.busy[id]; is {
		return false
	}
	w.busy[id] = &job{}
	if w.touched != nil {
		w.touched[id] = true
	}
	return true
}

// release is the end of a reservation; somebody looks again, as what follows
// may be due at once.
func (w *Worker) release(id int64) {
	w.mu.Lock()
	delete(w.busy, id)
	w.mu.Unlock()
	poke(w.again)
}

// stoppable lets a cancelled remediation end what runs for it.
func (w *Worker) stoppable(id int64, stop context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.busy[id]
	if j == nil {
		return
	}
	j.stop = stop
	if stop == nil && j.idle { // a verification holds no worker: its lane is free
		j.idle = false
		poke(w.again)
	}
	if stop != nil {
		poke(w.began)
	}
}

// wait blocks until a nudge, or until later has come; it looks at least every
// so often, since a nudge may be missed. It returns what was handed over meanwhile.
func (w *Worker) wait(ctx context.Context, later clock.Stamp) *taken {
	now := w.Clock()
	d := sweepEvery
	if !later.IsZero() {
		if left, same := later.Sub(now); same || left > 0 {
			d = min(d, max(left, time.Millisecond))
		}
	}
	w.mu.Lock()
	if w.nudged {
		d = min(d, liftEvery)
	}
	for _, c := range w.cold {
		if left, same := c.until.Sub(now); same && left > 0 {
			d = min(d, left)
		}
	}
	if w.places == 0 { // every place is kept for an offer: whoever gives one up pokes
		d = max(d, fullEvery)
	}
	w.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case t := <-w.handed:
		return &t
	case _, open := <-w.Wake:
		w.mu.Lock()
		w.nudged = true
		if !open {
			w.Wake = nil
		}
		w.mu.Unlock()
	case <-w.again:
	case <-t.C:
	}
	return nil
}

// wasNudged says whether a nudge came since it was last asked, or one that it was
// about found no place: a cancel nudges.
func (w *Worker) wasNudged() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.nudged || w.lifting
	w.nudged, w.lifting = false, false
	return was
}

// renudge makes the next look ask again what a nudge was about.
func (w *Worker) renudge() {
	w.mu.Lock()
	w.nudged = true
	w.mu.Unlock()
}

// stopCancelled ends what runs for remediations that a person cancelled; all: quick
// acts too, of which each nudge brings many and each ends by itself.
func (w *Worker) stopCancelled(cs contexts, all bool) {
	w.mu.Lock()
	var stops map[int64]context.CancelFunc
	for id, j := range w.busy {
		if j.stop != nil && (all || !j.quick) {
			if stops == nil {
				stops = map[int64]context.CancelFunc{}
			}
			stops[id] = j.stop
		}
	}
	w.mu.Unlock()
	for id, stop := range stops {
		if r, err := w.Ledger.Remediation(cs.look, id); err == nil && r.State == remedy.Cancelled {
			stop()
		}
	}
}

// cool keeps id out of the queue for a moment that grows with each time in a row.
func (w *Worker) cool(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.cold[id]
	c.times = min(c.times+1, 12)
	c.until = w.Clock()
	if c.times > 1 { // the first conflict only means that what we read was old
		c.until = c.until.Add(min(time.Second, time.Millisecond<<c.times))
	}
	w.cold[id] = c
}

func (w *Worker) thaw(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cold, id)
}

// failing counts and logs what went wrong with the ledger or the judge.
func (w *Worker) failing(what string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	w.mu.Lock()
	w.stats.Errors++
	w.mu.Unlock()
	if fault.KindOf(err) != fault.Conflict {
		w.Log.Error("remediation worker failed", "doing", what, "error", err)
	}
}
