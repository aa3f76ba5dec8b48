package shard

import (
	"sync"
	"sync/atomic"

	"vigil/engine/clock"
)

// Tracker knows how far the log has been decided. A position is a sample's
// sequence number; everything below the evaluated position has been evaluated
// and what came of it committed.
type Tracker struct {
	Queued atomic.Int64 // watched points reserved or waiting

	mu      sync.Mutex
	pending []Span // batches some shard still works on, in log order
	tail    uint64 // end of the newest batch seen
}

// Span is one batch of the log.
type Span struct {
	From, End uint64
	Left      int // shards that have not finished it
	Points    int
	At        clock.Stamp
}

// Reserve takes n places unless that would pass the limit; an empty queue takes
// any one batch, so that none is refused for ever.
func (t *Tracker) Reserve(n, limit int) bool {
	for {
		q := t.Queued.Load()
		if q > 0 && q+int64(n) > int64(limit) {
			return false
		}
		if t.Queued.CompareAndSwap(q, q+int64(n)) {
			return true
		}
	}
}

// Begin notes a batch of the log that some shards will work on.
func (t *Tracker) Begin(s Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = max(t.tail, s.End)
	if s.Left > 0 {
		t.pending = append(t.pending, s)
	}
}

// done notes that one shard has decided and committed the batch ending at end.
func (t *Tracker) done(end uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.pending {
		p := &t.pending[i]
		if p.End != end {
			continue
		}
		if p.Left--; p.Left == 0 {
			t.Queued.Add(int64(-p.Points))
		}
		break
	}
	n := 0
	for n < len(t.pending) && t.pending[n].Left == 0 {
		n++
	}
	t.pending = t.pending[n:]
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

// Position is the evaluated position.
func (t *Tracker) Position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 {
		return t.pending[0].From
	}
	return t.tail
}

// Oldest is when the oldest waiting batch was committed, zero if none waits.
func (t *Tracker) Oldest() clock.Stamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 {
		return t.pending[0].At
	}
	return clock.Stamp{}
}

// From sets where the log begins to be evaluated, before anything has begun.
func (t *Tracker) From(position uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = max(t.tail, position)
}
