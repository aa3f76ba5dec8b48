package ledger

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/desired"
	"vigil/engine/ledger/table"
)

// Desired reads everything that the keeper of the desired state starts from, as
// of one moment.
func (l *Ledger) Desired(ctx context.Context) (*engine.DesiredSnapshot, error) {
	var s *engine.DesiredSnapshot
	err := l.file.Read(ctx, func(c *conn.Conn) (err error) {
		if s, err = desired.Read(ctx, c); err != nil {
			return err
		}
		s.Active, err = table.Remediations(ctx, c, active+" AND source = 'reconcile' ORDER BY id", conn.Row{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Entries reads the catalogue entries of the repository, by name: they have to be
// there before the first act is looked at again.
func (l *Ledger) Entries(ctx context.Context) (out []engine.EntryRow, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out, err = desired.ReadEntries(ctx, c)
		return err
	})
	return out, err
}

// Revisions lists newest first; those with N < before (0: all), at most limit.
func (l *Ledger) Revisions(ctx context.Context, before int64, limit int) (out []engine.Revision, err error) {
	where, row := "true", conn.Row{}
	if before > 0 {
		where = "n < ?"
		row.Int(before)
	}
	row.Int(int64(bound(limit)))
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out, err = desired.Revisions(ctx, c, where+" ORDER BY n DESC LIMIT ?", row)
		return err
	})
	return out, err
}

// Drifts lists newest first; those with ID < before (0: all), of one ref (""
// any), at most limit; standing alone on demand.
func (l *Ledger) Drifts(ctx context.Context, before int64, ref string, standing bool, limit int) (out []engine.Drift, err error) {
	where, row := "true", conn.Row{}
	if before > 0 {
		where += " AND id < ?"
		row.Int(before)
	}
	if ref != "" {
		where += " AND ref = ?"
		row.Text(ref)
	}
	if standing {
		where += " AND ended IS NULL"
	}
	row.Int(int64(bound(limit)))
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out, err = desired.Drifts(ctx, c, where+" ORDER BY id DESC LIMIT ?", row)
		return err
	})
	return out, err
}
