package tsdb

import (
	"context"
	"math"
	"time"

	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/commit"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/payload"
)

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
	c := s.calls.Get()
	defer s.calls.Put(c)
	c.Batch, c.Heads, c.Body = b, c.Heads[:0], c.Body[:0]
	s.place(c, bootTime(now))
	if b.Accepted() == 0 {
		return nil
	}
	s.hooks.Reserve(b)
	c.Body, c.Points = payload.AppendBatch(c.Body, b)
	if c.Points == 0 {
		s.hooks.Abandoned(b)
		return nil
	}
	if int64(len(c.Body)) > s.cfg.SegmentBytes/2 {
		s.hooks.Abandoned(b)
		return fault.New(fault.TooLarge, "a batch of %d points takes %d bytes in the log, over the cap of %d", c.Points, len(c.Body), s.cfg.SegmentBytes/2).
			Mend("send smaller batches, or raise segment_bytes")
	}
	return s.committer.Do(c)
}

// place resolves every item and shrinks it to the points that are welcome.
func (s *Store) place(c *commit.Call, boot time.Duration) {
	b := c.Batch
	class := live.ClassOf(b)
	future := b.Received + s.cfg.Future.Milliseconds()
	window := s.cfg.OutOfOrder.Milliseconds()
	if b.Backfill {
		window = math.MaxInt64
	}
	for i := range b.Items {
		it := &b.Items[i]
		if it.Hi < it.Lo || int(it.Hi) > len(b.Points) {
			it.Lo, it.Hi, it.Reason = 0, 0, series.Rejected
			c.Heads = append(c.Heads, nil)
			continue
		}
		h := s.reg.Get(it.Key, class)
		if h == nil || h.Owned.Load() && (class != live.Own || !h.Keeps(b.Token)) {
			var reason series.Reason
			if h, reason = s.resolve(b, it.Key, boot); h == nil {
				s.refuse(it, it.Hi-it.Lo, reason)
				it.Hi = it.Lo
				c.Heads = append(c.Heads, nil)
				continue
			}
		}
		c.Heads = append(c.Heads, h)
		it.Ref, it.Local = h.Ref, h.Local
		s.sift(b, it, h.Newest.Load(), window, future)
	}
}

// sift keeps the points of an item that are neither too old nor in the future.
func (s *Store) sift(b *series.Batch, it *series.Item, newest, window, future int64) {
	oldest := int64(0) // nothing was measured before 1970
	if newest != math.MinInt64 && newest > window {
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

// resolve is the slow path of a look-up: it parses the labels and finds or makes
// the series. The caller's class decides under which entry it is found next time.
func (s *Store) resolve(b *series.Batch, key []byte, boot time.Duration) (*live.Head, series.Reason) {
	ls, ok := s.labels(b, key)
	if !ok {
		return nil, series.BadLabels
	}
	if reason := s.hooks.Admit(ls, b); reason != series.Accepted {
		return nil, reason
	}
	caps := live.Caps{Series: s.cfg.MaxSeries, PerToken: s.cfg.MaxSeriesPerToken}.For(b)
	return s.reg.Obtain(caps, s.hooks, b, key, ls, boot)
}

// labels parses and checks a key against the caps.
func (s *Store) labels(b *series.Batch, key []byte) (series.Labels, bool) {
	// A definition must fit well into a log segment.
	most := int64(s.cfg.MaxLabels) * int64(s.cfg.MaxLabelNameBytes+s.cfg.MaxLabelValueBytes+16)
	if int64(len(key)) > min(most, s.cfg.SegmentBytes/8) {
		return nil, false
	}
	ls, err := series.ParseKey(key)
	if err != nil || ls.Name() == "" {
		return nil, false
	}
	if b.Open {
		ls = ls.With(series.OriginLabel, series.OriginOpen)
	}
	if len(ls) > s.cfg.MaxLabels {
		return nil, false
	}
	for _, l := range ls {
		if len(l.Name) > s.cfg.MaxLabelNameBytes || len(l.Value) > s.cfg.MaxLabelValueBytes {
			return nil, false
		}
	}
	return ls, true
}
