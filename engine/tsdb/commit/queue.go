package commit

import (
	"sync"

	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/live"
)

// Call is one append under way. Its maker fills the exported fields, and may use
// it again when Do has returned.
type Call struct {
	Batch  *series.Batch
	Heads  []*live.Head // of each item; nil where it was refused
	Body   []byte       // the batch, encoded
	Points int          // in Body

	err  error
	done chan struct{}
}

// NewCall makes an empty one.
func NewCall() *Call { return &Call{done: make(chan struct{}, 1)} }

// Calls are empty ones that wait for the next appends: a list that a garbage
// collection leaves alone. Concurrent.
type Calls chan *Call

// How many wait, and the most that one of them may hold: a rare giant must not stay.
const (
	keptCalls = 64
	keptItems = 16 << 10
	keptBytes = 256 << 10
)

// NewCalls makes the list, empty.
func NewCalls() Calls { return make(Calls, keptCalls) }

// Get is an empty call.
func (cs Calls) Get() *Call {
	select {
	case c := <-cs:
		return c
	default:
		return NewCall()
	}
}

// Put takes a call back that is over.
func (cs Calls) Put(c *Call) {
	clear(c.Heads)
	c.Batch = nil
	if cap(c.Heads) > keptItems || cap(c.Body) > keptBytes {
		return
	}
	select {
	case cs <- c:
	default:
	}
}

// queue is where calls wait for the committer.
type queue struct {
	mu     sync.Mutex
	calls  []*Call
	closed bool
	wake   chan struct{} // holds one
}

func (q *queue) push(c *Call) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.calls = append(q.calls, c)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take swaps what waits against an empty list.
func (q *queue) take(empty []*Call) []*Call {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.calls
	q.calls = empty[:0]
	return out
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

// Do hands a call over and returns when its samples are durable, or were not
// taken: then the engine has been told. It blocks on disk; concurrent.
func (c *Committer) Do(call *Call) error {
	if !c.queue.push(call) {
		c.Hooks.Abandoned(call.Batch)
		return stopping()
	}
	<-call.done
	err := call.err
	call.err = nil
	return err
}

func stopping() error { return fault.New(fault.Unavailable, "the sample store is stopping") }
