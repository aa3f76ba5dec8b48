package tsdb

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// queue is where calls wait for the committer.
type queue struct {
	mu     sync.Mutex
	calls  []*call
	closed bool
	wake   chan struct{} // holds one
}

func (q *queue) push(c *call) bool {
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
func (q *queue) take(empty []*call) []*call {
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

// committer writes groups until ctx ends, then refuses what still waits.
func (s *Store) committer(ctx context.Context) {
	var calls, spare []*call
	var tick <-chan time.Time
	if s.cfg.Durability == Interval {
		t := time.NewTicker(s.cfg.Interval)
		defer t.Stop()
		tick = t.C
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			s.queue.close()
			for _, c := range s.queue.take(nil) {
				s.fail(c, fault.New(fault.Unavailable, "the sample store is stopping"))
			}
			return
		case <-tick:
			if err := s.log.Sync(); err != nil {
				s.ill(err)
			}
			continue
		case <-again.C:
			// A log that failed comes back by itself, asked for or not.
			if s.log.Fault() != nil {
				s.ill(s.mend())
			}
			continue
		case <-s.queue.wake:
		}
		calls = s.queue.take(spare)
		for rest := calls; len(rest) > 0; {
			n := s.group(rest)
			s.commit(rest[:n])
			rest = rest[n:]
		}
		clear(calls)
		spare = calls
	}
}

// group is how many of the waiting calls go into one record.
func (s *Store) group(calls []*call) int {
	size := 0
	for i, c := range calls {
		if size += len(c.body); i > 0 && int64(size) > s.cfg.SegmentBytes/2 {
			return i
		}
	}
	return len(calls)
}

// commit makes one group durable, fills the heads, tells the engine and lets the
// callers go.
func (s *Store) commit(calls []*call) {
	points := 0
	for _, c := range calls {
		points += c.points
	}
	first, err := s.write(calls, points)
	if err != nil {
		s.ill(err)
		f := s.unavailable(err)
		for _, c := range calls {
			s.fail(c, f)
		}
		return
	}
	s.ill(nil)
	s.groups.Add(1)
	at := first
	s.heads.mu.Lock()
	for _, c := range calls {
		c.batch.Seq = at
		at = s.heads.fill(c.batch, c.heads, at)
	}
	s.applied = at
	s.heads.mu.Unlock()
	s.batches = s.batches[:0]
	for _, c := range calls {
		s.batches = append(s.batches, c.batch)
	}
	s.hooks.Committed(s.batches)
	clear(s.batches)
	for _, c := range calls {
		c.done <- struct{}{}
	}
	if s.log.Spares() == 0 || s.log.Behind(s.horizon.Load()) >= s.cfg.LogBytes {
		s.wakeCut()
	}
}

// fill takes the accepted points of a batch in and returns the position behind
// them.
func (hs *heads) fill(b *series.Batch, of []*head, at uint64) uint64 {
	for i := range b.Items {
		it := &b.Items[i]
		for _, p := range b.Points[it.Lo:it.Hi] {
			hs.add(of[i], p, at)
			at++
		}
	}
	return at
}

func (s *Store) fail(c *call, err error) {
	s.hooks.Abandoned(c.batch)
	c.err = err
	c.done <- struct{}{}
}

// write puts a group into the log, mending the log first if it must.
func (s *Store) write(calls []*call, points int) (uint64, error) {
	if s.log.Fault() != nil {
		if err := s.mend(); err != nil {
			return 0, err
		}
	}
	defs := s.reg.takeUndefined()
	s.parts = s.parts[:0]
	if sizeOf(defs) > s.cfg.SegmentBytes/4 {
		// So much that a group would not fit beside it: records of their own, without
		// samples, go before the group.
		if err := s.define(defs); err != nil {
			s.reg.giveBack(defs, nil)
			return 0, err
		}
		defs = nil
	}
	s.defs = appendDefinitions(s.defs[:0], defs)
	s.parts = append(s.parts, s.defs)
	for _, c := range calls {
		s.parts = append(s.parts, c.body)
	}
	s.heads.mu.RLock()
	era := s.heads.era
	s.heads.mu.RUnlock()
	now := s.clock()
	r := wal.Record{Count: uint32(points), Era: era, Wall: now.Millis()}
	first, err := s.log.Append(r, s.parts, s.cfg.Durability != Interval)
	if err != nil && len(defs) > 0 {
		s.reg.giveBack(defs, nil)
	}
	return first, err
}

func sizeOf(defs []rows.Series) (n int64) {
	for _, d := range defs {
		n += int64(len(d.Key) + len(d.Token) + 32)
	}
	return n
}

// define logs definitions alone.
func (s *Store) define(defs []rows.Series) error {
	var body []byte
	for len(defs) > 0 {
		n := 1
		for size := sizeOf(defs[:1]); n < len(defs) && size < s.cfg.SegmentBytes/4; n++ {
			size += sizeOf(defs[n : n+1])
		}
		body = appendDefinitions(body[:0], defs[:n])
		defs = defs[n:]
		if _, err := s.log.Append(wal.Record{Wall: s.clock().Millis()}, [][]byte{body}, s.cfg.Durability != Interval); err != nil {
			return err
		}
	}
	return nil
}

// mend reopens a log that has failed.
func (s *Store) mend() error {
	damages, err := s.log.Repair()
	s.tell(logEvents(damages)...)
	return err
}

// unavailable is what a caller hears of a failed write.
func (s *Store) unavailable(err error) error {
	switch {
	case errors.Is(err, wal.ErrFull):
		return fault.New(fault.Exhausted, "the sample log is full: %d bytes wait to be cut or evaluated", s.cfg.LogMaxBytes).After(time.Second)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f := fault.New(fault.Exhausted, "no room on the disk for samples").At(s.cfg.Dir).Mend("make room; samples are taken again as soon as there is").After(5 * time.Second)
		f.Err = err
		return f
	}
	f := fault.New(fault.Unavailable, "the sample log cannot be written").At(s.cfg.Dir).After(5 * time.Second)
	f.Err = err
	return f
}
