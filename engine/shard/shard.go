package shard

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
)

// Shard evaluates the policies that are its own. See the package comment.
type Shard struct {
	c *Core

	qmu   sync.Mutex
	queue []*Block
	wake  chan struct{}

	// Mu covers entries and instances of this shard and what follows here.
	Mu      sync.Mutex
	round   uint64
	due     wakes
	changes []change
	raises  []*Instance
	dirty   map[*Instance]struct{} // state to store that no decision has carried yet
	closing []engine.FiringRow     // rows of retired instances
	touched []*Instance
	scratch []hit

	lastAt clock.Stamp // of the newest block: a step backwards opens a new era
	era    uint32

	replaying bool // the block at hand was taken in before this start
}

// New makes a shard; nothing runs until Run.
func New(c *Core) *Shard {
	return &Shard{c: c, wake: make(chan struct{}, 1), dirty: map[*Instance]struct{}{}}
}

// Push hands a block over; it does not block. The queue is bounded by what
// Reserve let in.
func (s *Shard) Push(b *Block) {
	s.qmu.Lock()
	s.queue = append(s.queue, b)
	s.qmu.Unlock()
	s.Poke()
}

// Poke makes the shard look.
func (s *Shard) Poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what waits, at most as many blocks as one decision should cover.
func (s *Shard) take() []*Block {
	const most = 64
	s.qmu.Lock()
	defer s.qmu.Unlock()
	n := min(len(s.queue), most)
	out := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return out
}

// Run evaluates until ctx ends.
func (s *Shard) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		bs := s.take()
		if len(bs) > 0 {
			s.work(ctx, bs)
			continue
		}
		next := s.Expire(ctx)
		if next > 0 {
			timer.Reset(next)
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// work evaluates some blocks, commits what came of them, and gives back their
// share of the queue.
func (s *Shard) work(ctx context.Context, bs []*Block) {
	now := s.c.Clock()
	whole := true
	s.Mu.Lock()
	for i := 0; i < len(bs) && whole; i++ {
		whole = s.observe(ctx, bs[i], len(bs) == 1, now)
	}
	s.Mu.Unlock()
	if whole && s.settle(ctx, now) {
		for _, b := range bs {
			s.c.Track.done(b.end)
			clear(b.runs)
			blocks.Put(b)
		}
	}
}

// Expire evaluates what the timer woke and returns how long until the next.
func (s *Shard) Expire(ctx context.Context) time.Duration {
	now := s.c.Clock()
	s.Mu.Lock()
	woken := s.wakeUp(now) || len(s.closing) > 0
	var next time.Duration
	if len(s.due) > 0 {
		next = max(time.Duration(s.due[0].at-now.Boot), time.Millisecond)
	}
	s.Mu.Unlock()
	if woken {
		s.settle(ctx, now)
	}
	return next
}

// wakeUp evaluates every instance whose time has come; s.Mu is held.
func (s *Shard) wakeUp(now clock.Stamp) (any bool) {
	for len(s.due) > 0 && s.due[0].at <= now.Boot {
		w := heap.Pop(&s.due).(wakeUpAt)
		x := w.Inst
		if x.Dead || x.wakeAt != w.at {
			continue
		}
		x.wakeAt = 0
		any = true
		s.evaluate(x, x.Now(now), now)
	}
	return any
}

// Schedule wakes an instance at a stamp; s.Mu is held. The earliest wish wins.
func (s *Shard) Schedule(x *Instance, at clock.Stamp) {
	if at.IsZero() || x.Dead || (x.wakeAt != 0 && x.wakeAt <= at.Boot) {
		return
	}
	x.wakeAt = at.Boot
	heap.Push(&s.due, wakeUpAt{at.Boot, x})
}

// Retire closes an instance for good; s.Mu is held.
func (s *Shard) Retire(x *Instance, reason string) {
	if x.Dead {
		return
	}
	x.Dead = true
	if x.IsFiring() {
		x.En.Firing.Add(-1)
	}
	if x.causes() {
		x.En.Causing.Add(-1)
	}
	x.En.Take(x)
	if x.En.Anchor == x {
		x.En.Anchor = nil
	}
	delete(s.dirty, x)
	if x.Row.Version > 0 {
		row := x.Row
		row.Closed = reason
		s.closing = append(s.closing, row)
		s.Poke()
	}
}

type wakeUpAt struct {
	at   int64
	Inst *Instance
}

// wakes is a heap by time; stale items are skipped when they surface.
type wakes []wakeUpAt

func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].at < w[j].at }
func (w wakes) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *wakes) Push(x any)        { *w = append(*w, x.(wakeUpAt)) }
func (w *wakes) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}

// Forget drops what was to be stored of an instance; the shard is locked.
func (s *Shard) Forget(x *Instance) {
	x.Dead = true
	delete(s.dirty, x)
}

// Thaw ends the refill of a cold instance and takes its backlog in; the shard is
// locked.
func (s *Shard) Thaw(x *Instance, at clock.Stamp) {
	if !x.Cold {
		return
	}
	x.Cold, s.replaying = false, false
	for _, w := range x.backlog {
		s.round++
		s.touched = s.touched[:0]
		s.feed(x, w.source, w.ref, w.p, w.at)
	}
	x.backlog = nil
	s.Schedule(x, at)
}

// Pump evaluates everything that waits, in the caller's goroutine; for a
// rehearsal, whose shard does not run.
func (s *Shard) Pump(ctx context.Context) {
	for bs := s.take(); len(bs) > 0; bs = s.take() {
		s.work(ctx, bs)
	}
}

// NextWake is when the timer would next wake something, in ns on the boot clock.
func (s *Shard) NextWake() (boot int64, ok bool) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if len(s.due) == 0 {
		return 0, false
	}
	return s.due[0].at, true
}

// Dirty lists the rows to store of instances whose state moved without a
// decision, at most once each.
func (s *Shard) Dirty(now clock.Stamp) *engine.Decision {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	var o Outcome
	for x := range s.dirty {
		o.Dirty = append(o.Dirty, x)
	}
	return Decide(o, 0, now)
}
