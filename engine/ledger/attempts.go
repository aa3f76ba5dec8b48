package ledger

import (
	"context"

	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// Attempts lists a remediation's attempts with their results, oldest first.
// NotFound: there is no such remediation.
func (l *Ledger) Attempts(ctx context.Context, id int64) (out []remedy.Attempt, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		if _, err := table.Remediation(ctx, c, id); err != nil {
			return err
		}
		var row conn.Row
		row.Int(id)
		out, err = table.Attempts(ctx, c, "remediation = ?", row)
		return err
	})
	return out, err
}

// unfinished is what runs, or has an attempt that does.
const unfinished = "id IN (SELECT id FROM remediations WHERE " + standing + ` AND state IN ('running', 'verifying')
	UNION SELECT remediation FROM attempts WHERE finished IS NULL) ORDER BY id`

// Unfinished lists attempts that are open on disk and remediations that are
// running or verifying.
func (l *Ledger) Unfinished(ctx context.Context) (as []remedy.Attempt, rs []remedy.Remediation, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		if as, err = table.Attempts(ctx, c, "finished IS NULL", conn.Row{}); err != nil {
			return err
		}
		rs, err = table.Remediations(ctx, c, unfinished, conn.Row{})
		return err
	})
	return as, rs, err
}
