package catalogue

import (
	"context"
	"sync"

	"vigil/engine/fault"
)

// Crowd lets at most so many into a named room at once.
type Crowd struct {
	mu    sync.Mutex
	rooms map[string]chan struct{}
}

// enter blocks until there is room or ctx ends. size is that of the first who
// comes; 0 is without end.
func (c *Crowd) enter(ctx context.Context, room string, size int) (leave func(), err error) {
	if size <= 0 {
		return func() {}, nil
	}
	c.mu.Lock()
	r := c.rooms[room]
	if r == nil || cap(r) != size {
		r = make(chan struct{}, size)
		if c.rooms == nil {
			c.rooms = map[string]chan struct{}{}
		}
		c.rooms[room] = r
	}
	c.mu.Unlock()
	select {
	case r <- struct{}{}:
		return func() { <-r }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Exhausted, ctx.Err(), "nothing was started: %s was busy all the time", room)
	}
}
