package tsdb

import (
	"context"
	"math"

	"vigil/engine/fault"
	"vigil/engine/series"
)

// call is one Append under way, reused from call to call.
type call struct {
	batch  *series.Batch
	heads  []*head // of each item; nil where it was refused
	body   []byte
	points int
	err    error
	done   chan struct{}
}

// Append makes a batch durable: it resolves the series, hands what is accepted
// to the committer and returns when the log has it (see Durability). Items carry
// their verdicts; b.Seq is the log position of the first accepted point. An
// error means that nothing was taken: Unavailable or Exhausted while the disk
// does not take writes, TooLarge for a batch over a log segment. It blocks on
// disk; concurrent.
func (s *Store) Append(ctx context.Context, b *series.Batch) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Cancelled, err, "append")
	}
	// Series are dropped only while no append is under way.
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.running {
		return fault.New(fault.Unavailable, "the sample store is not running")
	}
	now := s.clock()
	s.observe(now)
	if b.Received == 0 {
		b.Received = now.Millis()
	}
	c := s.calls.Get().(*call)
	defer func() {
		clear(c.heads)
		c.batch, c.err = nil, nil
		s.calls.Put(c)
	}()
	c.batch, c.heads, c.body = b, c.heads[:0], c.body[:0]
	s.place(c, now.Boot)
	if b.Accepted() == 0 {
		return nil
	}
	s.hooks.Reserve(b)
	c.body, c.points = appendBatch(c.body, b)
	if c.points == 0 {
		s.hooks.Abandoned(b)
		return nil
	}
	if int64(len(c.body)) > s.cfg.SegmentBytes/2 {
		s.hooks.Abandoned(b)
		return fault.New(fault.TooLarge, "a batch of %d points takes %d bytes in the log, over the cap of %d", c.points, len(c.body), s.cfg.SegmentBytes/2).
			Mend("send smaller batches, or raise segment_bytes")
	}
	if !s.queue.push(c) {
		s.hooks.Abandoned(b)
		return fault.New(fault.Unavailable, "the sample store is stopping")
	}
	<-c.done
	return c.err
}

// place resolves every item and shrinks it to the points that are welcome.
func (s *Store) place(c *call, boot int64) {
	b := c.batch
	class := classOf(b)
	future := b.Received + s.cfg.Future.Milliseconds()
	window := s.cfg.OutOfOrder.Milliseconds()
	if b.Backfill {
		window = math.MaxInt64
	}
	for i := range b.Items {
		it := &b.Items[i]
		if it.Hi < it.Lo || int(it.Hi) > len(b.Points) {
			it.Hi = it.Lo
			it.Reason = series.Rejected
			c.heads = append(c.heads, nil)
			continue
		}
		h := s.reg.table.Get(it.Key, class)
		if h == nil || h.gone.Load() {
			var reason series.Reason
			if h, reason = s.resolve(b, it.Key, boot); h == nil {
				s.refuse(it, it.Hi-it.Lo, reason)
				it.Hi = it.Lo
				c.heads = append(c.heads, nil)
				continue
			}
		}
		c.heads = append(c.heads, h)
		it.Ref, it.Local = h.ref, h.local
		s.sift(b, it, h.newest.Load(), window, future)
	}
}

// sift keeps the points of an item that are neither too old nor in the future.
func (s *Store) sift(b *series.Batch, it *series.Item, newest, window, future int64) {
	oldest := int64(math.MinInt64 + 1) // NoTime is no time
	if newest > math.MinInt64+window {
		oldest = newest - window
	}
	kept := it.Lo
	for j := it.Lo; j < it.Hi; j++ {
		p := &b.Points[j]
		switch {
		case p.T == series.NoTime:
			p.T = b.Received
		case p.T > future:
			s.refuse(it, 1, series.Future)
			continue
		case p.T < oldest:
			s.refuse(it, 1, series.TooOld)
			continue
		}
		if kept != j {
			b.Points[kept] = *p
		}
		kept++
	}
	it.Hi = kept
}

func (s *Store) refuse(it *series.Item, n uint32, reason series.Reason) {
	if it.Refused == 0 {
		it.Reason = reason
	}
	it.Refused += n
	s.refused[reason].Add(uint64(n))
}
