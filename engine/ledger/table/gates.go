package table

import (
	"context"
	"math"

	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/past"
	"vigil/engine/remedy"
)

// What the gates remember: the host's budget and storm brake in one row, one
// breaker a subject.

// History loads what the gates look back on, as it is inside the transaction.
func (t *Tx) History(q remedy.Query, now clock.Stamp) (h remedy.History, err error) {
	if err := past.Read(t.Conn, q, now, &h); err != nil {
		return h, err
	}
	if q.Subject != "" {
		if h.Breaker, err = t.breaker(q.Subject); err != nil {
			return h, err
		}
	}
	h.Budget, h.Storm, err = t.budget()
	return h, err
}

func (t *Tx) budget() (b remedy.Budget, storm clock.Stamp, err error) {
	err = t.Query(context.Background(), "SELECT points, at, storm, sum FROM budget", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("budget")
		b.Points, b.At, storm = unbits(cs.Int()), cs.Stamp(), cs.Stamp()
		return err
	})
	return b, storm, err
}

func (t *Tx) PutBudget(b *remedy.Budget, storm *clock.Stamp) error {
	if b == nil && storm == nil {
		return nil
	}
	was, wasStorm, err := t.budget()
	if err != nil {
		return err
	}
	if b == nil {
		b = &was
	}
	if storm == nil {
		storm = &wasStorm
	}
	var row conn.Row
	row.Int(bits(b.Points))
	row.Stamp(b.At)
	row.Stamp(*storm)
	row.Seal()
	_, err = t.Exec("INSERT OR REPLACE INTO budget (id, points, at, storm, sum) VALUES (1, ?, ?, ?, ?)", row)
	return err
}

func (t *Tx) breaker(subject string) (b remedy.Breaker, err error) {
	var row conn.Row
	row.Text(subject)
	err = t.Query(context.Background(), "SELECT subject, failures, opened, until, sum FROM breakers WHERE subject = ?", row, func(cs *conn.Cells) error {
		err := cs.Open("breakers")
		cs.Text()
		b = remedy.Breaker{Failures: int(cs.Int()), Opened: int(cs.Int()), Until: cs.Stamp()}
		return err
	})
	return b, err
}

// PutBreaker keeps no row for a breaker that remembers nothing.
func (t *Tx) PutBreaker(subject string, b *remedy.Breaker) error {
	if b == nil || subject == "" {
		return nil
	}
	var row conn.Row
	row.Text(subject)
	if *b == (remedy.Breaker{}) {
		_, err := t.Exec("DELETE FROM breakers WHERE subject = ?", row)
		return err
	}
	row.Int(int64(b.Failures))
	row.Int(int64(b.Opened))
	row.Stamp(b.Until)
	row.Seal()
	_, err := t.Exec("INSERT OR REPLACE INTO breakers (subject, failures, opened, until, sum) VALUES (?, ?, ?, ?, ?)", row)
	return err
}

// bits keeps a float as it is, NaN and all.
func bits(f float64) int64   { return int64(math.Float64bits(f)) }
func unbits(n int64) float64 { return math.Float64frombits(uint64(n)) }
