package tsdb

import (
	"context"
	"errors"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/rows"
)

// Select implements [engine.Samples]. The series are found now; the points of
// each are read when they are asked for. Concurrent; the cursor is for one
// goroutine and holds no connection between two calls.
func (s *Store) Select(ctx context.Context, sel series.Selector, mint, maxt int64) (engine.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(fault.Cancelled, err, "select")
	}
	found := s.reg.Select(sel)
	return &cursor{
		heads: found, at: -1, mint: mint, maxt: maxt, store: s,
		read: func(dst []series.Point, ref series.Ref, mint, maxt int64) ([]series.Point, error) {
			s.dbMu.RLock()
			defer s.dbMu.RUnlock()
			return s.db.Read(ctx, dst, ref, mint, maxt)
		},
	}, nil
}

type cursor struct {
	store      *Store
	heads      []*live.Head
	at         int
	mint, maxt int64
	read       func(dst []series.Point, ref series.Ref, mint, maxt int64) ([]series.Point, error)
	mem        []series.Point
	err        error
}

// Next moves to the next series.
func (c *cursor) Next() bool {
	if c.err != nil || c.at+1 >= len(c.heads) {
		return false
	}
	c.at++
	return true
}

// Labels are those of the current series.
func (c *cursor) Labels() series.Labels { return c.heads[c.at].Key.Labels() }

// Ref is that of the current series.
func (c *cursor) Ref() series.Ref { return c.heads[c.at].Ref }

// Points implements [engine.Cursor]: what is in memory is taken first, then rows
// are read, so that a cut in between shows points twice and never not at all.
func (c *cursor) Points(buf []series.Point) ([]series.Point, error) {
	h := c.heads[c.at]
	from := len(buf)
	var more bool
	var err error
	c.mem, more, err = c.store.heads.Read(c.mem[:0], h, c.mint, c.maxt)
	if err == nil && more {
		buf, err = c.read(buf, h.Ref, c.mint, c.maxt)
	}
	if err != nil {
		c.err = c.store.misread(err)
		return buf[:from], c.err
	}
	buf = append(buf, c.mem...)
	return buf[:from+len(rows.LastWins(buf[from:]))], nil
}

// Err is why Next gave up.
func (c *cursor) Err() error { return c.err }

// Close lets go of what the cursor holds.
func (c *cursor) Close() error {
	c.heads, c.mem = nil, nil
	c.at = -1
	return nil
}

// misread gives an error of reading its kind. A damaged file is looked after by
// the cutter; one chunk that does not read back is an error of its series alone.
func (s *Store) misread(err error) error {
	switch {
	case rows.Damaged(err):
		s.suspect.Store(&err)
		s.wakeCut()
		return fault.Wrap(fault.Corrupt, err, "samples.db")
	case errors.Is(err, chunk.ErrCorrupt):
		return fault.Wrap(fault.Corrupt, err, "samples.db")
	}
	return err
}
