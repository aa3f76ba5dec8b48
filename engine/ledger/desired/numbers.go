package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

const numberColumns = "revision, drift, undo"

// numbers are the last ones given out.
type numbers struct{ revision, drift, undo int64 }

func lastNumbers(ctx context.Context, c *conn.Conn) (n numbers, err error) {
	err = c.Query(ctx, "SELECT "+numberColumns+", sum FROM numbers", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("numbers")
		n = numbers{cs.Int(), cs.Int(), cs.Int()}
		return err
	})
	return n, err
}

// number remembers the highest numbers that a decision uses. Decisions may be
// written in another order than they were numbered in.
func number(c *conn.Conn, d *engine.DesiredDecision) error {
	if len(d.Revisions)+len(d.Drifts)+len(d.Undo) == 0 {
		return nil
	}
	was, err := lastNumbers(context.Background(), c)
	if err != nil {
		return err
	}
	now := was
	for _, v := range d.Revisions {
		now.revision = max(now.revision, v.N)
	}
	for _, f := range d.Drifts {
		now.drift = max(now.drift, f.ID)
	}
	for _, u := range d.Undo {
		now.undo = max(now.undo, u.N)
	}
	if now == was {
		return nil
	}
	var row conn.Row
	row.Int(now.revision)
	row.Int(now.drift)
	row.Int(now.undo)
	row.Seal()
	_, err = c.Exec("INSERT OR REPLACE INTO numbers (id, "+numberColumns+", sum) VALUES (1, ?, ?, ?, ?)", row)
	return err
}
