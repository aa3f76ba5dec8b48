// Package commit is where samples become durable: everything that waits goes into
// one record of the log and, unless durability is deferred, one sync.
//
// For each group, in this order and in log order: the log has it, heads are
// filled, the engine is told, the callers are let go. No delay is added: a group
// is what came while the last one was written. Definitions of new series go in
// front of the first record that needs them. After a failed write nothing is
// acknowledged until the log has been read back and a fresh segment is in use; a
// timer tries that too, so that it comes back without being asked.
//
// It refuses to resolve or judge samples: what is handed over is written. Do may
// be called concurrently; Run ends with its context and refuses what still waits.
package commit

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/payload"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// Committer is the one goroutine that writes samples to the log. Its fields are
// set before Run and never change.
type Committer struct {
	Log   *wal.Log
	Heads *live.Heads
	Reg   *live.Registry
	Hooks engine.Hooks
	Clock clock.Clock

	Dir          string        // for errors that reach a person
	SegmentBytes int64         // of the log
	LogMaxBytes  int64         // of the log
	Deferred     time.Duration // 0: synced before the answer, else so often

	Ill     func(error)        // why samples are not taken, nil that they are
	Damages func([]wal.Damage) // what mending found
	Done    func()             // after each group

	queue   queue
	groups  atomic.Uint64
	parts   [][]byte
	defs    []byte
	batches []*series.Batch
}

// Init makes the queue; calls may be handed over from then on.
func (c *Committer) Init() *Committer {
	c.queue.wake = make(chan struct{}, 1)
	return c
}

// Groups counts group commits.
func (c *Committer) Groups() uint64 { return c.groups.Load() }

// Run writes groups until ctx ends, then refuses what still waits.
func (m *Committer) Run(ctx context.Context) {
	var calls, spare []*Call
	var tick <-chan time.Time
	if m.Deferred > 0 {
		t := time.NewTicker(m.Deferred)
		defer t.Stop()
		tick = t.C
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			m.queue.close()
			for _, c := range m.queue.take(nil) {
				m.fail(c, stopping())
			}
			return
		case <-tick:
			if err := m.Log.Sync(); err != nil {
				m.Ill(err)
			}
			continue
		case <-again.C:
			// A log that failed comes back by itself, asked for or not.
			if m.Log.Fault() != nil {
				m.Ill(m.mend())
			}
			continue
		case <-m.queue.wake:
		}
		calls = m.queue.take(spare)
		for rest := calls; len(rest) > 0; {
			n := m.group(rest)
			m.commit(rest[:n])
			rest = rest[n:]
		}
		clear(calls)
		spare = calls
	}
}

// group is how many of the waiting calls go into one record.
func (m *Committer) group(calls []*Call) int {
	size := 0
	for i, c := range calls {
		if size += len(c.Body); i > 0 && int64(size) > m.SegmentBytes/2 {
			return i
		}
	}
	return len(calls)
}

// commit makes one group durable, fills the heads, tells the engine and lets the
// callers go.
func (m *Committer) commit(calls []*Call) {
	points := 0
	for _, c := range calls {
		points += c.Points
	}
	first, err := m.write(calls, points)
	if err != nil {
		m.Ill(err)
		f := m.unavailable(err)
		for _, c := range calls {
			m.fail(c, f)
		}
		return
	}
	m.Ill(nil)
	m.groups.Add(1)
	at := first
	for _, c := range calls {
		c.Batch.Seq = at
		at = m.Heads.Fill(c.Batch, c.Heads, at)
	}
	m.batches = m.batches[:0]
	for _, c := range calls {
		m.batches = append(m.batches, c.Batch)
	}
	m.Hooks.Committed(m.batches)
	clear(m.batches)
	for _, c := range calls {
		c.done <- struct{}{}
	}
	m.Done()
}

func (m *Committer) fail(c *Call, err error) {
	m.Hooks.Abandoned(c.Batch)
	c.err = err
	c.done <- struct{}{}
}

// write puts a group into the log, mending the log first if it must.
func (m *Committer) write(calls []*Call, points int) (uint64, error) {
	if m.Log.Fault() != nil {
		if err := m.mend(); err != nil {
			return 0, err
		}
	}
	fresh := m.Reg.TakeUndefined()
	defs := live.Definitions(fresh)
	m.parts = m.parts[:0]
	if sizeOf(defs) > m.SegmentBytes/4 {
		// So much that a group would not fit beside it: records of their own, without
		// samples, go before the group.
		if err := m.define(defs); err != nil {
			m.Reg.GiveBack(fresh, nil)
			return 0, err
		}
		fresh, defs = nil, nil
	}
	m.defs = payload.AppendDefinitions(m.defs[:0], defs)
	m.parts = append(m.parts, m.defs)
	for _, c := range calls {
		m.parts = append(m.parts, c.Body)
	}
	r := wal.Record{Count: uint32(points), Era: m.Heads.State().Era, Wall: m.Clock().Millis()}
	first, err := m.Log.Append(r, m.parts, m.Deferred == 0)
	if err != nil && len(fresh) > 0 {
		m.Reg.GiveBack(fresh, nil)
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
func (m *Committer) define(defs []rows.Series) error {
	var body []byte
	for len(defs) > 0 {
		n := 1
		for size := sizeOf(defs[:1]); n < len(defs) && size < m.SegmentBytes/4; n++ {
			size += sizeOf(defs[n : n+1])
		}
		body = payload.AppendDefinitions(body[:0], defs[:n])
		defs = defs[n:]
		if _, err := m.Log.Append(wal.Record{Wall: m.Clock().Millis()}, [][]byte{body}, m.Deferred == 0); err != nil {
			return err
		}
	}
	return nil
}

// mend reopens a log that has failed.
func (m *Committer) mend() error {
	damages, err := m.Log.Repair()
	if slices.ContainsFunc(damages, func(d wal.Damage) bool { return d.Kind == wal.Removed }) {
		m.Reg.Redefine()
	}
	if len(damages) > 0 {
		m.Damages(damages)
	}
	return err
}

// unavailable is what a caller hears of a failed write.
func (m *Committer) unavailable(err error) error {
	switch {
	case errors.Is(err, wal.ErrFull):
		return fault.New(fault.Exhausted, "the sample log is full: %d bytes wait to be cut or evaluated", m.LogMaxBytes).After(time.Second)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f := fault.New(fault.Exhausted, "no room on the disk for samples").At(m.Dir).Mend("make room; samples are taken again as soon as there is").After(5 * time.Second)
		f.Err = err
		return f
	}
	f := fault.New(fault.Unavailable, "the sample log cannot be written").At(m.Dir).After(5 * time.Second)
	f.Err = err
	return f
}
