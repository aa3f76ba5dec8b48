package engine

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"vigil/engine/clock"
	"vigil/engine/series"
)

const secondsOne = time.Second

// shard evaluates the policies that hash to it, one batch after another. Its
// lock covers instances and entries; it is never held over disk.
type shard struct {
	e  *Engine
	id int

	qmu   sync.Mutex
	queue []*block
	wake  chan struct{}

	mu      sync.Mutex
	round   uint64
	due     wakes
	changes []change
	raises  []*instance
	dirty   map[*instance]struct{} // state to store that no decision has carried yet
	closing []FiringRow            // rows of retired instances
	touched []*instance
	scratch []hit

	lastAt clock.Stamp // of the newest block: a step backwards opens a new era
	era    uint32
}

func newShard(e *Engine, id int) *shard {
	return &shard{e: e, id: id, wake: make(chan struct{}, 1), dirty: map[*instance]struct{}{}}
}

// block is the part of one committed batch that a shard watches.
type block struct {
	shard  *shard
	end    uint64 // log position after the batch
	at     clock.Stamp
	replay bool // from the log, at start: what was evaluated before is skipped
	points []series.Point
	runs   []run
}

type run struct {
	w      *watch
	lo, hi int
}

var blocks = sync.Pool{New: func() any { return new(block) }}

func takeBlock(s *shard, end uint64, at clock.Stamp, replay bool) *block {
	b := blocks.Get().(*block)
	*b = block{shard: s, end: end, at: at, replay: replay, points: b.points[:0], runs: b.runs[:0]}
	return b
}

func (b *block) add(w *watch, ps []series.Point) {
	lo := len(b.points)
	b.points = append(b.points, ps...)
	b.runs = append(b.runs, run{w, lo, len(b.points)})
}

// push hands a block over; it does not block. The queue is bounded by what
// Reserve let in.
func (s *shard) push(b *block) {
	s.qmu.Lock()
	s.queue = append(s.queue, b)
	s.qmu.Unlock()
	s.poke()
}

func (s *shard) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what waits, at most as many blocks as one decision should cover.
func (s *shard) take() []*block {
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

// run evaluates until ctx ends.
func (s *shard) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		bs := s.take()
		if len(bs) > 0 {
			s.round1(ctx, bs)
			continue
		}
		next := s.expire(ctx)
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

// round1 evaluates some blocks, commits what came of them, and gives back their
// share of the queue.
func (s *shard) round1(ctx context.Context, bs []*block) {
	now := s.e.clock()
	s.mu.Lock()
	for _, b := range bs {
		s.observe(b, now)
	}
	s.mu.Unlock()
	if s.settle(ctx, now) {
		for _, b := range bs {
			s.e.track.done(b.end)
			clear(b.runs)
			blocks.Put(b)
		}
		s.e.samples.Evaluated(s.e.stored())
	}
}

// expire evaluates what the timer woke and returns how long until the next.
func (s *shard) expire(ctx context.Context) time.Duration {
	now := s.e.clock()
	s.mu.Lock()
	woken := s.wakeUp(now) || len(s.closing) > 0
	var next time.Duration
	if len(s.due) > 0 {
		next = max(time.Duration(s.due[0].at-now.Boot), time.Millisecond)
	}
	s.mu.Unlock()
	if woken {
		s.settle(ctx, now)
	}
	return next
}

// wakeUp evaluates every instance whose time has come; s.mu is held.
func (s *shard) wakeUp(now clock.Stamp) (any bool) {
	for len(s.due) > 0 && s.due[0].at <= now.Boot {
		w := heap.Pop(&s.due).(wakeAt)
		x := w.inst
		if x.dead || x.wakeAt != w.at {
			continue
		}
		x.wakeAt = 0
		any = true
		s.evaluate(x, x.now(now), now)
	}
	return any
}

// schedule wakes an instance at a stamp; s.mu is held. The earliest wish wins.
func (s *shard) schedule(x *instance, at clock.Stamp) {
	if at.IsZero() || x.dead || (x.wakeAt != 0 && x.wakeAt <= at.Boot) {
		return
	}
	x.wakeAt = at.Boot
	heap.Push(&s.due, wakeAt{at.Boot, x})
}

// retire closes an instance for good; s.mu is held.
func (s *shard) retire(x *instance, reason string) {
	if x.dead {
		return
	}
	x.dead = true
	if x.isFiring() {
		x.en.firing.Add(-1)
	}
	delete(x.en.insts, x.fp)
	delete(s.dirty, x)
	if x.row.Version > 0 {
		row := x.row
		row.Closed = reason
		s.closing = append(s.closing, row)
		s.poke()
	}
}

type wakeAt struct {
	at   int64
	inst *instance
}

// wakes is a heap by time; stale items are skipped when they surface.
type wakes []wakeAt

func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].at < w[j].at }
func (w wakes) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *wakes) Push(x any)        { *w = append(*w, x.(wakeAt)) }
func (w *wakes) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}
