package table

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
)

// keepStarts is how many starts are remembered; safe mode asks for three.
const keepStarts = 10

const startColumns = "n, at, unclean, stopped"

func startRow(n int64, at clock.Stamp, unclean bool, stopped clock.Stamp) (r conn.Row) {
	r.Int(n)
	r.Stamp(at)
	r.Bool(unclean)
	r.Stamp(stopped)
	r.Seal()
	return r
}

// RecordStart adds this start, returns its number, and forgets those that are
// too old to matter. A file that replaced another says nothing about how the
// run before this one stopped.
func (t *Tx) RecordStart(now clock.Stamp, replaced bool) (n int64, err error) {
	last, unclean := int64(0), false
	err = t.Query(context.Background(), "SELECT "+startColumns+", sum FROM starts ORDER BY n DESC LIMIT 1", conn.Row{}, func(cs *conn.Cells) error {
		if err := cs.Open("starts"); err != nil {
			return err
		}
		last = cs.Int()
		cs.Stamp()
		cs.Int()
		unclean = cs.Stamp().IsZero() && !replaced
		return nil
	})
	if err != nil {
		return 0, err
	}
	n = last + 1
	if _, err := t.Exec("INSERT INTO starts ("+startColumns+", sum) VALUES (?, ?, ?, ?, ?)", startRow(n, now, unclean, clock.Stamp{})); err != nil {
		return 0, err
	}
	if unclean {
		err := t.Chain(audit.Record{At: now, Actor: "vigild", Verb: "vigild.unclean_start", Object: "vigild", Reason: "the run before this one did not stop cleanly"})
		if err != nil {
			return 0, err
		}
	}
	// The last start stays whatever happens; of the others only the unclean count.
	var row conn.Row
	row.Int(n)
	row.Int(n)
	row.Int(keepStarts)
	_, err = t.Exec(`DELETE FROM starts WHERE n < ? AND (unclean = 0 OR n NOT IN (
		SELECT n FROM starts WHERE unclean = 1 AND n <= ? ORDER BY n DESC LIMIT ?))`, row)
	return n, err
}

// RecordStop marks the clean stop of start n.
func (t *Tx) RecordStop(n int64, now clock.Stamp) error {
	var at clock.Stamp
	unclean := false
	var row conn.Row
	row.Int(n)
	err := t.Query(context.Background(), "SELECT "+startColumns+", sum FROM starts WHERE n = ?", row, func(cs *conn.Cells) error {
		if err := cs.Open("starts"); err != nil {
			return err
		}
		cs.Int()
		at, unclean = cs.Stamp(), cs.Bool()
		return nil
	})
	if err != nil {
		return err
	}
	r := startRow(n, at, unclean, now)
	r.Int(n)
	_, err = t.Exec("UPDATE starts SET ("+startColumns+", sum) = (?, ?, ?, ?, ?) WHERE n = ?", r)
	return err
}

// UncleanStarts lists the starts without a clean stop before them, oldest first.
func UncleanStarts(ctx context.Context, c *conn.Conn) (out []clock.Stamp, err error) {
	err = c.Query(ctx, "SELECT "+startColumns+", sum FROM starts WHERE unclean = 1 ORDER BY n", conn.Row{}, func(cs *conn.Cells) error {
		if err := cs.Open("starts"); err != nil {
			return err
		}
		cs.Int()
		out = append(out, cs.Stamp())
		return nil
	})
	return out[max(0, len(out)-keepStarts):], err
}
