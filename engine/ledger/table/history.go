package table

import (
	"context"
	"errors"
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
		err := t.starts(w.column, w.key, w.per, now, func(_ string, at clock.Stamp) { *w.into = append(*w.into, at) })
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

// starts calls each for the recent attempts, newest first, at most maxStarts.
// It stops at the first that is not recent, since those before it are older
// still, so its cost does not grow with the age of the ledger.
func (t *Tx) starts(column, key string, per int64, now clock.Stamp, each func(subject string, at clock.Stamp)) error {
	var row conn.Row
	row.Text(now.BootID)
	row.Int(now.Boot - per)
	row.Int(now.Wall - per/1000)
	row.Int(now.Wall - max(leap.Microseconds(), per/1000))
	where := "true"
	if column != "" {
		where = column + " = ? AND " + column + " <> ''"
		row.Text(key)
	}
	row.Int(maxStarts)
	err := t.Query(context.Background(), "SELECT "+recent+", subject, started_wall, started_boot, started_boot_id FROM attempts WHERE "+where+
		" ORDER BY id DESC LIMIT ?", row, func(cs *conn.Cells) error {
		if !cs.Bool() {
			return errOlder
		}
		each(cs.Text(), clock.Stamp{Wall: cs.Int(), Boot: cs.Int(), BootID: cs.Text()})
		return nil
	})
	if errors.Is(err, errOlder) {
		return nil
	}
	return err
}

// errOlder ends a walk; nobody else sees it.
var errOlder = errors.New("older")

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
	err = t.starts("", "", per, now, func(subject string, at clock.Stamp) {
		if !slices.ContainsFunc(out, func(o remedy.Touched) bool { return o.Subject == subject }) {
			out = append(out, remedy.Touched{Subject: subject, At: at})
		}
	})
	slices.Reverse(out)
	return out, err
}
