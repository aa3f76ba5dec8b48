package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

const suspendColumns = "id, selector, actor, reason, begins, ends, ended"

func suspendRow(s engine.Suspend) (r conn.Row) {
	r.Text(s.ID)
	r.Text(s.Selector)
	r.Text(s.Actor)
	r.Text(s.Reason)
	r.Stamp(s.From)
	r.Stamp(s.Until)
	r.Stamp(s.Ended)
	r.Bound("a suspend", maxRevision)
	r.Seal()
	return r
}

// putSuspend writes a suspend, or writes it again.
func putSuspend(c *conn.Conn, s engine.Suspend) error {
	_, err := c.Exec("INSERT INTO suspends ("+suspendColumns+`, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET (`+suspendColumns+`, sum) = (excluded.id, excluded.selector, excluded.actor, excluded.reason,
		excluded.begins, excluded.ends, excluded.ended, excluded.sum)`, suspendRow(s))
	return refused(err, "suspend %s of %q cannot be written: it needs a reason and an end", s.ID, s.Selector)
}

// Suspends reads those that stand, by id.
func Suspends(ctx context.Context, c *conn.Conn) (out []engine.Suspend, err error) {
	err = c.Query(ctx, "SELECT "+suspendColumns+", sum FROM suspends WHERE ended IS NULL ORDER BY id", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("suspends")
		out = append(out, engine.Suspend{ID: cs.Text(), Selector: cs.Text(), Actor: cs.Text(), Reason: cs.Text(),
			From: cs.Stamp(), Until: cs.Stamp(), Ended: cs.Stamp()})
		return err
	})
	return out, err
}

// dropSuspends removes at most n of those that ended, but the newest keep.
func dropSuspends(c *conn.Conn, keep, n int64) (int64, error) {
	var row conn.Row
	row.Int(n)
	row.Int(keep)
	return c.Exec(`DELETE FROM suspends WHERE id IN (SELECT id FROM suspends WHERE ended IS NOT NULL ORDER BY id LIMIT
		min(?, max(0, (SELECT count(*) FROM suspends WHERE ended IS NOT NULL) - ?)))`, row)
}
