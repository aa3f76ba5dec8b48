package table

import (
	"context"
	"slices"
	"time"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// maxStarts is how many starts a history lists of one kind: as many as the
// largest limit that anybody would set.
const maxStarts = 1000

// leap is the distance of two wall clocks, in different boots, that says more
// about the clocks than about the time between.
const leap = 366 * 24 * time.Hour

// History loads what the gates look back on, as it is inside the transaction.
func (t *Tx) History(q remedy.Query, now clock.Stamp) (h remedy.History, err error) {
	if q.Subject != "" {
		if err := t.ofSubject(q.Subject, &h); err != nil {
			return h, err
		}
	}
	for _, w := range []struct {
		column, key string
		per         int64
		into        *[]clock.Stamp
	}{
		{"subject", q.Subject, q.SubjectPer, &h.BySubject},
		{"policy", q.Policy, q.PolicyPer, &h.ByPolicy},
		{"kind", q.Kind, q.KindPer, &h.ByKind},
	} {
		if w.key == "" || w.per <= 0 {
			continue
		}
		row := within(now, w.per)
		row.Text(w.key)
		row.Int(maxStarts)
		err := t.Query(context.Background(), "SELECT started_wall, started_boot, started_boot_id FROM attempts WHERE "+recent+
			" AND "+w.column+" = ? AND "+w.column+" <> '' ORDER BY id DESC LIMIT ?", row, func(cs *conn.Cells) error {
			*w.into = append(*w.into, clock.Stamp{Wall: cs.Int(), Boot: cs.Int(), BootID: cs.Text()})
			return nil
		})
		if err != nil {
			return h, err
		}
		slices.Reverse(*w.into)
	}
	if h.Subjects, err = t.touched(q.Storm, now); err != nil {
		return h, err
	}
	h.Budget, h.Storm, err = t.budget()
	return h, err
}

// recent is true of starts within the period: by the boot clock within this
// boot, by the wall clock before it, and also where the wall clock cannot tell,
// having gone backwards or leapt.
const recent = `CASE WHEN started_boot_id = ? THEN started_boot > ?
	ELSE started_wall > ? OR started_wall < ? END`

func within(now clock.Stamp, per int64) (r conn.Row) {
	r.Text(now.BootID)
	r.Int(now.Boot - per)
	r.Int(now.Wall - per/1000)
	r.Int(now.Wall - max(leap.Microseconds(), per/1000))
	return r
}

func (t *Tx) ofSubject(subject string, h *remedy.History) (err error) {
	var row conn.Row
	row.Text(subject)
	ctx := context.Background()
	err = t.Query(ctx, "SELECT epoch, remediation, n FROM attempts WHERE subject = ? AND finished IS NULL", row, func(cs *conn.Cells) error {
		h.Open = remedy.Attempt{Epoch: cs.Int(), Remediation: cs.Int(), N: int(cs.Int())}.ID()
		return nil
	})
	if err != nil {
		return err
	}
	err = t.Query(ctx, "SELECT finished, remediation FROM attempts WHERE subject = ? AND finished IS NOT NULL ORDER BY id DESC LIMIT 1", row, func(cs *conn.Cells) error {
		h.LastEnd, h.LastEndBy = cs.Stamp(), cs.Int()
		return nil
	})
	if err != nil {
		return err
	}
	h.Breaker, err = t.breaker(subject)
	return err
}

// touched lists distinct subjects by when they were last attempted.
func (t *Tx) touched(per int64, now clock.Stamp) (out []remedy.Touched, err error) {
	if per <= 0 {
		return nil, nil
	}
	row := within(now, per)
	row.Int(maxStarts)
	// The newest rows alone can be recent, so the walk stops at its limit.
	err = t.Query(context.Background(), `SELECT subject, started_wall, started_boot, started_boot_id FROM (
			SELECT * FROM attempts ORDER BY id DESC LIMIT 1000) WHERE `+recent+` ORDER BY id DESC LIMIT ?`, row, func(cs *conn.Cells) error {
		s := remedy.Touched{Subject: cs.Text(), At: clock.Stamp{Wall: cs.Int(), Boot: cs.Int(), BootID: cs.Text()}}
		if !slices.ContainsFunc(out, func(o remedy.Touched) bool { return o.Subject == s.Subject }) {
			out = append(out, s)
		}
		return nil
	})
	slices.Reverse(out)
	return out, err
}
