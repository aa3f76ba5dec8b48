package engine

import (
	"sync"
	"sync/atomic"

	"vigil/engine/clock"
)

// tracker knows how far the log has been decided. A position is a sample's
// sequence number; everything below the evaluated position has been evaluated
// and what came of it committed.
type tracker struct {
	queued atomic.Int64 // watched points reserved or waiting

	mu      sync.Mutex
	pending []span // batches some shard still works on, in log order
	tail    uint64 // end of the newest batch seen
}

type span struct {
	from, end uint64
	left      int // shards that have not finished it
	points    int
	at        clock.Stamp
}

// reserve takes n places unless that would pass the limit; an empty queue takes
// any one batch, so that none is refused for ever.
func (t *tracker) reserve(n, limit int) bool {
	for {
		q := t.queued.Load()
		if q > 0 && q+int64(n) > int64(limit) {
			return false
		}
		if t.queued.CompareAndSwap(q, q+int64(n)) {
			return true
		}
	}
}

func (t *tracker) release(n int) { t.queued.Add(int64(-n)) }
func (t *tracker) adjust(n int)  { t.queued.Add(int64(n)) }

// begin notes a batch of the log that `shards` shards will work on.
func (t *tracker) begin(from, end uint64, shards, points int, at clock.Stamp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = max(t.tail, end)
	if shards > 0 {
		t.pending = append(t.pending, span{from, end, shards, points, at})
	}
}

// done notes that one shard has decided and committed the batch ending at end.
func (t *tracker) done(end uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.pending {
		p := &t.pending[i]
		if p.end != end {
			continue
		}
		if p.left--; p.left == 0 {
			t.queued.Add(int64(-p.points))
		}
		break
	}
	n := 0
	for n < len(t.pending) && t.pending[n].left == 0 {
		n++
	}
	t.pending = t.pending[n:]
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

// position is the evaluated position.
func (t *tracker) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 {
		return t.pending[0].from
	}
	return t.tail
}

// oldest is when the oldest waiting batch was committed, zero if none waits.
func (t *tracker) oldest() clock.Stamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 {
		return t.pending[0].at
	}
	return clock.Stamp{}
}
