// Package worker carries remediations out: it is the only moving part of remedy.
//
// It takes what is offered to it while it is being queued (see offer.go), and
// wakes on a nudge or when something falls due. It claims in the ledger with the
// gates inside the transaction, acts, records the end, verifies and goes on. Acts
// run in parallel up to a bound. Between a decision and the act lies the decision's
// own transaction where a place is free, else one read and one more: whoever finds
// the work carries it out, while another takes its place at the door.
//
// It refuses to decide (that is remedy/decide), to act without an attempt that
// is on disk, and to touch what belongs to an outside remediator. An act whose
// end cannot be recorded is held on to until it can.
//
// Run blocks until all has ended: on cancel no new act begins, running ones may
// end by themselves for StopGrace and are then killed, and verifications are
// left for the next start, which also finds whatever a crash left behind.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

// Deps is what the worker needs from others. Capture may be nil: then no
// evidence is taken. Jitter gives numbers in [0, 1); nil is the runtime's.
type Deps struct {
	Ledger  remedy.Ledger
	Judge   remedy.Judge
	Actions remedy.Actions
	Capture remedy.Capturer
	Clock   clock.Clock
	Wake    <-chan struct{} // "look now": remediations were queued, released or cancelled
	Log     *slog.Logger
	Jitter  func() float64
	// Ended is told of a remediation of source reconcile that came to a final state
	// here, once that is on disk. It must not block. What a person ends elsewhere,
	// and what a crash cut off before the word, it is not told of. May be nil.
	Ended func(remedy.Remediation)
}

// Times that nobody needs to set.
const (
	sweepEvery  = 10 * time.Second
	cancelEvery = time.Second
	captureTime = 2 * time.Second
	probeTime   = 10 * time.Second
	writeTime   = 5 * time.Second // to record the last ends when vigild stops
	maxVerifies = 256             // verifications that wait beside the acts
	fullEvery   = 50 * time.Millisecond
)

// Worker is one host's. Its methods may be called concurrently; Run once.
type Worker struct {
	Deps
	rules *decide.Rules

	lead  chan struct{} // a token: who holds it looks for work
	again chan struct{} // something of our own ended: look again
	began chan struct{} // an act or a verification began: it may be cancelled
	slots chan struct{} // verifications under way

	handed  chan taken    // opened attempts whose places are kept
	settled chan struct{} // an offer came to its end

	mu        sync.Mutex
	open      bool                  // offers are made: Run is past its first sweep and not at its end
	places    int                   // for acts: workers that neither act nor are kept for an offer
	offers    map[int64]clock.Stamp // under way, since when
	lastOffer int64
	busy      map[int64]*job
	touched   map[int64]bool // reserved since a sweep began; nil when none runs
	cold      map[int64]chill
	backlog   []remedy.Remediation
	crowded   bool // something due was put off because its lane was full
	crowds    int  // workers that are at several quick acts at one time
	hasty     bool // something due was quick: many may be taken at one time
	nudged    bool
	lifting   bool             // something lifted found no place: it is asked again at the next look
	held      map[int64]heldUp // what may be lifted; see held.go
	liftedAt  clock.Stamp      // when nothing more was found lifted
	stats     Stats
}

// job is one remediation that somebody here is at work on.
type job struct {
	stop  context.CancelFunc // ends the act or the verification; nil while neither runs
	idle  bool               // it mostly waits for others; see lanes.go
	quick bool               // one of a crowd; see crowd.go
}

// chill keeps one that went wrong (a conflict, an error) from being tried in a
// tight loop.
type chill struct {
	times int
	until clock.Stamp
}

// New makes a worker and starts nothing.
func New(c remedy.Config, d Deps) (*Worker, error) {
	rules, err := decide.New(c)
	if err != nil {
		return nil, err
	}
	for name, missing := range map[string]bool{"Ledger": d.Ledger == nil, "Judge": d.Judge == nil, "Actions": d.Actions == nil, "Clock": d.Clock == nil, "Log": d.Log == nil} {
		if missing {
			return nil, fault.New(fault.Internal, "worker: Deps.%s is missing", name)
		}
	}
	if d.Jitter == nil {
		d.Jitter = runtimeJitter
	}
	w := &Worker{
		Deps: d, rules: rules,
		lead: make(chan struct{}, 1), again: make(chan struct{}, 1), began: make(chan struct{}, 1), slots: make(chan struct{}, maxVerifies),
		handed: make(chan taken, c.Workers), settled: make(chan struct{}, 1), places: c.Workers, offers: map[int64]clock.Stamp{},
		busy: map[int64]*job{}, cold: map[int64]chill{}, held: map[int64]heldUp{},
	}
	w.lead <- struct{}{}
	w.stats.Workers = c.Workers
	return w, nil
}

// contexts are the three lengths of life in Run: look ends with ctx, acts
// StopGrace later, and writes a little after that.
type contexts struct {
	look, acts, writes context.Context
	verifies           *sync.WaitGroup
}

// Run carries remediations out until ctx ends and everything it started has
// ended too. It first settles what an earlier run left behind. It returns nil.
func (w *Worker) Run(ctx context.Context) error {
	acts, stopActs := context.WithCancel(context.WithoutCancel(ctx))
	writes, stopWrites := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWrites()
	defer stopActs()
	var work, verifies, rest sync.WaitGroup
	cs := contexts{look: ctx, acts: acts, writes: writes, verifies: &verifies}

	over := make(chan struct{})
	rest.Go(func() {
		began := passes(over, ctx.Done(), 0)
		w.admit(false)
		if !began || !passes(over, nil, w.rules.StopGrace.Std()) {
			return
		}
		stopActs()
		if passes(over, nil, writeTime) {
			stopWrites()
		}
	})
	w.firstSweep(cs)
	w.admit(ctx.Err() == nil)
	for range w.rules.Workers {
		work.Go(func() { w.loop(cs) })
	}
	work.Go(func() { w.sweeps(cs) })
	work.Wait()
	w.last(cs)
	verifies.Wait()
	close(over)
	rest.Wait()
	return nil
}

// admit says whether offers are made from now on.
func (w *Worker) admit(open bool) {
	w.mu.Lock()
	w.open = open
	w.mu.Unlock()
}

// passes waits for then, or for the time when then is nil; false: over came first.
func passes(over, then <-chan struct{}, d time.Duration) bool {
	var timer <-chan time.Time
	if then == nil {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-over:
		return false
	case <-then:
	case <-timer:
	}
	return true
}

// loop is one of the workers.
func (w *Worker) loop(cs contexts) {
	for {
		r, t, ok := w.next(cs)
		if !ok {
			return
		}
		if t != nil {
			w.actOn(cs, t.ready, t.move)
		} else {
			w.together(cs, r, w.beside(&r))
		}
		w.vacate()
	}
}
