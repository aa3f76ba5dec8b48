package units

import (
	"context"
	"sync"
	"time"
)

// ledger of this process's own jobs, so that what others asked of systemd can be
// told from them. Bounded: a call is kept while it runs and the ids of the newest
// jobs after it.
type jobs struct {
	mu    sync.Mutex
	calls map[*call]struct{}
	ids   [256]uint32
	next  int
	stops time.Time // the end of the newest own stop
}

// call is one job being asked for.
type call struct {
	unit, verb string
	known      chan struct{} // closed when id is known, or there is none
	id         uint32
}

// settled is how long after an own stop the jobs that it pulls in may be heard.
const settled = 200 * time.Millisecond

func (j *jobs) begin(verb, unit string) *call {
	c := &call{unit: unit, verb: verb, known: make(chan struct{})}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.calls == nil {
		j.calls = map[*call]struct{}{}
	}
	j.calls[c] = struct{}{}
	return c
}

// asked notes the answer to the call: its job, 0 for none.
func (j *jobs) asked(c *call, id int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if id > 0 {
		c.id = uint32(id)
		j.ids[j.next%len(j.ids)] = c.id
		j.next++
	}
	close(c.known)
}

func (j *jobs) end(c *call, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.calls, c)
	if c.verb == "stop" {
		j.stops = now
	}
}

// ours says whether this process asked for a job, or for the stop that pulled it
// in. It waits for the answer to a call on the unit that is on its way.
func (j *jobs) ours(ctx context.Context, unit string, id uint32, now time.Time) bool {
	for {
		j.mu.Lock()
		var open *call
		pulled := !j.stops.IsZero() && now.Sub(j.stops) < settled
		for c := range j.calls {
			select {
			case <-c.known:
			default:
				if c.unit == unit {
					open = c
				}
			}
			pulled = pulled || c.verb == "stop" && c.unit != unit
		}
		for _, own := range j.ids {
			if own == id {
				pulled = true
			}
		}
		j.mu.Unlock()
		if pulled || open == nil {
			return pulled
		}
		select {
		case <-open.known:
		case <-ctx.Done():
			return false
		}
	}
}
