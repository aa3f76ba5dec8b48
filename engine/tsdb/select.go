package tsdb

import (
	"context"
	"errors"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/past"
	"vigil/engine/tsdb/read"
	"vigil/engine/tsdb/rows"
)

// Select implements [engine.Samples]. The series are found now; the points of
// each are read when they are asked for. Concurrent; the cursor is for one
// goroutine and holds no connection between two calls.
func (s *Store) Select(ctx context.Context, sel series.Selector, mint, maxt int64) (engine.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(fault.Cancelled, err, "select")
	}
	return s.reader().Walk(ctx, s.reg.Select(sel), mint, maxt), nil
}

// Past is what vigild's own checks had measured when Start ended; see past.Past.
func (s *Store) Past() *past.Past {
	return past.New(s.reg, func(ctx context.Context, h *live.Head, mint, maxt int64) ([]series.Point, error) {
		ps, _, err := s.reader().Points(ctx, nil, nil, h, mint, maxt)
		return ps, err
	})
}

func (s *Store) reader() read.Source {
	rows := func(ctx context.Context, dst []series.Point, ref series.Ref, mint, maxt int64) ([]series.Point, error) {
		s.dbMu.RLock()
		defer s.dbMu.RUnlock()
		return s.db.Read(ctx, dst, ref, mint, maxt)
	}
	return read.Source{Heads: &s.heads, Rows: rows, Misread: s.misread}
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
