// Package read gives the points of a series, what is in memory and what is in rows
// merged, and walks a selection of series.
//
// It refuses to find series and to know where rows lie. Starts nothing; concurrent,
// but a cursor is for one goroutine and holds no connection between two calls.
package read

import (
	"context"

	"vigil/engine/series"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/rows"
)

// Source is where points lie.
type Source struct {
	Heads *live.Heads
	// Rows appends the points of a series in rows, mint < T <= maxt, to dst.
	Rows func(ctx context.Context, dst []series.Point, ref series.Ref, mint, maxt int64) ([]series.Point, error)
	// Misread gives an error of reading its kind, and looks after what was found.
	Misread func(error) error
}

// Points appends the points of a series to buf, in time order: what is in memory is
// taken first, into mem, then rows are read, so that a cut in between shows points
// twice and never not at all.
func (s Source) Points(ctx context.Context, buf, mem []series.Point, h *live.Head, mint, maxt int64) (out, used []series.Point, err error) {
	from := len(buf)
	mem, more, err := s.Heads.Read(mem[:0], h, mint, maxt)
	if err == nil && more {
		buf, err = s.Rows(ctx, buf, h.Ref, mint, maxt)
	}
	if err != nil {
		return buf[:from], mem, s.Misread(err)
	}
	buf = append(buf, mem...)
	return buf[:from+len(rows.LastWins(buf[from:]))], mem, nil
}

// Cursor implements engine.Cursor.
type Cursor struct {
	heads []*live.Head
	at    int
	read  func(buf, mem []series.Point, h *live.Head) (out, used []series.Point, err error)
	mem   []series.Point
	err   error
}

// Walk begins before the first of the series; their points are those in (mint, maxt].
func (s Source) Walk(ctx context.Context, heads []*live.Head, mint, maxt int64) *Cursor {
	return &Cursor{heads: heads, at: -1, read: func(buf, mem []series.Point, h *live.Head) (out, used []series.Point, err error) {
		return s.Points(ctx, buf, mem, h, mint, maxt)
	}}
}

// Next moves to the next series.
func (c *Cursor) Next() bool {
	if c.err != nil || c.at+1 >= len(c.heads) {
		return false
	}
	c.at++
	return true
}

// Labels are those of the current series.
func (c *Cursor) Labels() series.Labels { return c.heads[c.at].Key.Labels() }

// Ref is that of the current series.
func (c *Cursor) Ref() series.Ref { return c.heads[c.at].Ref }

// Points implements engine.Cursor.
func (c *Cursor) Points(buf []series.Point) ([]series.Point, error) {
	buf, c.mem, c.err = c.read(buf, c.mem, c.heads[c.at])
	return buf, c.err
}

// Err is why Next gave up.
func (c *Cursor) Err() error { return c.err }

// Close lets go of what the cursor holds.
func (c *Cursor) Close() error {
	c.heads, c.mem = nil, nil
	c.at = -1
	return nil
}
