package ledger

import (
	"context"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// standing is, word for word, the condition of the index remediations_waiting:
// SQLite uses it only where it reads just this. Without it each look at the queue
// reads the whole history.
const standing = "state IN ('queued', 'held', 'running', 'verifying', 'gave_up', 'indeterminate')"

// active is what is not over: it waits, or is being worked on.
const active = standing + " AND state IN ('queued', 'held', 'running', 'verifying')"

// waiting is what may fall due: never one that waits for a person without an end.
const waiting = standing + " AND state IN ('queued', 'held', 'gave_up', 'indeterminate')"

// turn is the order in which they are taken: what others do waits behind our own.
const turn = " ORDER BY source = 'external', rank DESC, id"

// reached is true of those whose turn has come. A time of an earlier boot says nothing
// any more, since the wall clock may have been set in between, by years: those are
// looked at once, and who looks says how long is left.
const reached = `CASE WHEN until_wall IS NULL THEN state = 'queued'
	WHEN until_boot_id = ? THEN until_boot <= ? ELSE TRUE END`

// Due lists what may be claimed by now, high priority first, then oldest; next
// is when the earliest other one falls due.
func (l *Ledger) Due(ctx context.Context, now clock.Stamp, n int) (due []remedy.Remediation, next clock.Stamp, err error) {
	n = bound(n)
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		row := func() (r conn.Row) {
			r.Text(now.BootID)
			r.Int(now.Boot)
			return r
		}
		some := row()
		some.Int(int64(n))
		due, err = table.Remediations(ctx, c, "id IN (SELECT id FROM remediations WHERE "+waiting+" AND "+reached+
			turn+" LIMIT ?)"+turn, some)
		if err != nil {
			return err
		}
		next = clock.Stamp{}
		if len(due) == n {
			all, err := countDue(ctx, c, row())
			if err != nil || all > int64(n) {
				next = now
				return err
			}
		}
		var other conn.Row
		other.Text(now.BootID)
		other.Int(now.Boot)
		return c.Query(ctx, "SELECT min(until_boot - ?2) FROM remediations WHERE "+
			waiting+" AND until_wall IS NOT NULL AND until_boot_id = ?1 AND until_boot > ?2", other, func(cs *conn.Cells) error {
			if wait := cs.Int(); wait > 0 {
				next = clock.Stamp{Wall: now.Wall + (wait+999)/1000, Boot: now.Boot + wait, BootID: now.BootID}
			}
			return nil
		})
	})
	return due, next, err
}

func countDue(ctx context.Context, c *conn.Conn, row conn.Row) (n int64, err error) {
	err = c.Query(ctx, "SELECT count(*) FROM remediations WHERE "+waiting+" AND "+reached, row, func(cs *conn.Cells) error {
		n = cs.Int()
		return nil
	})
	return n, err
}
