package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

const undoColumns = "n, revision, ref, summary, action, parameters, final, before"

func undoRow(u engine.Undo) (r conn.Row) {
	r.Int(u.N)
	r.Int(u.Revision)
	r.Text(u.Ref)
	r.Text(u.Summary)
	r.Text(u.Action)
	r.JSON("the undo of a step on "+u.Ref, u.With, maxRow)
	r.Text(u.Final)
	if u.Before == nil {
		r.Blob(nil)
	} else {
		r.JSON("what was remembered of "+u.Ref, remember(*u.Before), maxRow)
	}
	r.Bound("the undo of a step on "+u.Ref, maxRow)
	r.Seal()
	return r
}

func readUndo(cs *conn.Cells) (u engine.Undo, err error) {
	err = cs.Open("undo")
	u.N, u.Revision, u.Ref, u.Summary, u.Action = cs.Int(), cs.Int(), cs.Text(), cs.Text(), cs.Text()
	cs.JSON(&u.With)
	u.Final = cs.Text()
	var before *remembered
	cs.JSONOrNull(&before)
	if before != nil {
		u.Before = before.resource()
	}
	return u, err
}

// putUndo writes a step of the journal, or writes it again.
func putUndo(c *conn.Conn, u engine.Undo) error {
	_, err := c.Exec("INSERT INTO undo ("+undoColumns+`, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (n) DO UPDATE SET (`+undoColumns+`, sum) = (excluded.n, excluded.revision, excluded.ref, excluded.summary, excluded.action,
		excluded.parameters, excluded.final, excluded.before, excluded.sum)`, undoRow(u))
	return refused(err, "step %d of the undo journal (%s, revision %d) cannot be written", u.N, u.Ref, u.Revision)
}

// Journal reads the steps that are not done with, by number.
func Journal(ctx context.Context, c *conn.Conn) (out []engine.Undo, err error) {
	err = c.Query(ctx, "SELECT "+undoColumns+", sum FROM undo ORDER BY n", conn.Row{}, func(cs *conn.Cells) error {
		u, err := readUndo(cs)
		out = append(out, u)
		return err
	})
	return out, err
}

// settle removes one step; that it is not there is what was asked for.
func settle(c *conn.Conn, n int64) error {
	var row conn.Row
	row.Int(n)
	_, err := c.Exec("DELETE FROM undo WHERE n = ?", row)
	return err
}

// settleUpTo removes every step up to a number.
func settleUpTo(c *conn.Conn, n int64) error {
	var row conn.Row
	row.Int(n)
	_, err := c.Exec("DELETE FROM undo WHERE n <= ?", row)
	return err
}
