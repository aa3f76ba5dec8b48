package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
	"vigil/engine/reconcile"
)

const driftColumns = "id, ref, subject, field, wanted, found, class, since, suspect, found_at, ended, how"

func driftRow(d engine.Drift) (r conn.Row) {
	r.Int(d.ID)
	r.Text(d.Ref)
	r.Text(d.Subject)
	r.Text(d.Field)
	r.Text(d.Wanted)
	r.Text(d.Difference.Found)
	r.Text(string(d.Class))
	r.Time(d.Since)
	r.Text(d.Suspect)
	r.Stamp(d.Found)
	r.Stamp(d.Ended)
	r.Text(d.How)
	r.Bound("a drift of "+d.Ref, maxRow)
	r.Seal()
	return r
}

func readDrift(cs *conn.Cells) (d engine.Drift, err error) {
	err = cs.Open("drifts")
	d.ID, d.Ref, d.Subject = cs.Int(), cs.Text(), cs.Text()
	d.Difference = reconcile.Difference{Field: cs.Text(), Wanted: cs.Text(), Found: cs.Text(), Class: reconcile.Class(cs.Text()), Since: cs.Time()}
	d.Suspect, d.Found, d.Ended, d.How = cs.Text(), cs.Stamp(), cs.Stamp(), cs.Text()
	return d, err
}

// putDrift writes a drift, or writes it again.
func putDrift(c *conn.Conn, d engine.Drift) error {
	_, err := c.Exec("INSERT INTO drifts ("+driftColumns+`, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET (`+driftColumns+`, sum) = (excluded.id, excluded.ref, excluded.subject, excluded.field, excluded.wanted,
		excluded.found, excluded.class, excluded.since, excluded.suspect, excluded.found_at, excluded.ended, excluded.how, excluded.sum)`, driftRow(d))
	return refused(err, "drift %d of %s (%s) cannot be written", d.ID, d.Ref, d.Field)
}

// Drifts reads those that match; where is SQL of the ledger alone, with its order.
func Drifts(ctx context.Context, c *conn.Conn, where string, row conn.Row) (out []engine.Drift, err error) {
	err = c.Query(ctx, "SELECT "+driftColumns+", sum FROM drifts WHERE "+where, row, func(cs *conn.Cells) error {
		d, err := readDrift(cs)
		out = append(out, d)
		return err
	})
	return out, err
}

// dropDrifts removes at most n of those that ended and are older than the newest keep.
func dropDrifts(c *conn.Conn, keep, n int64) (int64, error) {
	var row conn.Row
	row.Int(keep)
	row.Int(n)
	return c.Exec(`DELETE FROM drifts WHERE id IN (SELECT id FROM drifts WHERE id <= (SELECT max(id) FROM drifts) - ?
		AND ended IS NOT NULL ORDER BY id LIMIT ?)`, row)
}
