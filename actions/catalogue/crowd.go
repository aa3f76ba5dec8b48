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
	r := c.room(room, size)
	select {
	case r <- struct{}{}:
		return func() { <-r }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Exhausted, ctx.Err(), "nothing was started: %s was busy all the time", room)
	}
}

// force enters without waiting: it counts among those inside if there is room.
func (c *Crowd) force(room string, size int) (leave func()) {
	if size <= 0 {
		return func() {}
	}
	r := c.room(room, size)
	select {
	case r <- struct{}{}:
		return func() { <-r }
	default:
		return func() {}
	}
}

func (c *Crowd) room(room string, size int) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[room]
	if r == nil || cap(r) != size {
		r = make(chan struct{}, size)
		if c.rooms == nil {
			c.rooms = map[string]chan struct{}{}
		}
		c.rooms[room] = r
	}
	return r
}
