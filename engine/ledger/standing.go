package ledger

import (
	"bytes"
	"context"
	"fmt"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
)

// What later records refer to stands in a record of its own, whose object begins with
// `config:`. The newest about an object is the one in force.

// Stand writes r unless the newest record about its object holds the same evidence.
func (l *Ledger) Stand(ctx context.Context, r audit.Record) error {
	same := func(c *conn.Conn) (bool, error) {
		was, ok, err := newest(c, r.Object, 0)
		return ok && bytes.Equal(was.Evidence, r.Evidence), err
	}
	stands := false
	err := l.file.Read(ctx, func(c *conn.Conn) (err error) { stands, err = same(c); return err })
	if err != nil || stands {
		return err
	}
	return l.write(ctx, true, func(t *table.Tx) error {
		if stands, err := same(t.Conn); err != nil || stands {
			return err
		}
		return t.Chain(r)
	})
}

// newest is the newest record about an object, up to a sequence unless that is 0.
func newest(c *conn.Conn, object string, upto int64) (r audit.Record, ok bool, err error) {
	var row conn.Row
	row.Text(object)
	row.Int(upto)
	row.Int(upto)
	err = c.Query(context.Background(), "SELECT "+table.AuditColumns+" FROM audit WHERE object = ? AND object <> '' AND (? = 0 OR seq <= ?) ORDER BY seq DESC LIMIT 1", row, func(cs *conn.Cells) error {
		r, ok = table.ReadRecord(cs), true
		return nil
	})
	return r, ok, err
}

// restand tells again, before the records up to one are pruned, what of them those
// that stay refer to: the newest about each object, unless it is told behind them too.
// What is in force is told last, so that it is the newest still.
func restand(t *table.Tx, upto int64, now clock.Stamp) error {
	var row conn.Row
	row.Int(upto)
	var objects []string
	err := t.Query(context.Background(), "SELECT DISTINCT object FROM audit WHERE object >= 'config:' AND object < 'config;' AND object <> '' AND seq <= ? ORDER BY object", row, func(cs *conn.Cells) error {
		objects = append(objects, cs.Text())
		return nil
	})
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := restandOne(t, object, upto, now); err != nil {
			return err
		}
	}
	return nil
}

func restandOne(t *table.Tx, object string, upto int64, now clock.Stamp) error {
	goes, ok, err := newest(t.Conn, object, upto)
	if err != nil || !ok {
		return err
	}
	last, _, err := newest(t.Conn, object, 0)
	if err != nil {
		return err
	}
	var row conn.Row
	row.Text(object)
	row.Int(upto)
	row.Blob(goes.Evidence)
	stays := false
	err = t.Query(context.Background(), "SELECT 1 FROM audit WHERE object = ? AND object <> '' AND seq > ? AND evidence IS ? LIMIT 1", row, func(*conn.Cells) error {
		stays = true
		return nil
	})
	if err != nil || stays {
		return err
	}
	again := []audit.Record{goes}
	if last.Seq > upto {
		again = append(again, last)
	}
	for _, r := range again {
		r.At, r.Actor, r.Reason = now, "vigild", fmt.Sprintf("told again, since record %d was pruned and later ones refer to it", goes.Seq)
		if err := t.Chain(r); err != nil {
			return err
		}
	}
	return nil
}
