package table

import (
	"context"
	"strconv"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// maxCapture bounds request, result and evidence of one attempt together.
const maxCapture = 1 << 20

// ObjectOf names a remediation in the audit.
func ObjectOf(id int64) string { return "remediation:" + strconv.FormatInt(id, 10) }

// request is remedy.Request as it lies on disk: its names are a format, so they
// stand here and not in the struct that code may rename.
type request struct {
	Attempt  string            `json:"attempt"`
	Action   string            `json:"action"`
	Source   remedy.Source     `json:"source,omitempty"`
	With     map[string]any    `json:"with,omitempty"`
	Target   string            `json:"target,omitempty"`
	Policy   string            `json:"policy,omitempty"`
	Severity string            `json:"severity,omitempty"`
	Rung     int               `json:"rung,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Values   map[string]string `json:"values,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Timeout  time.Duration     `json:"timeout"`
	Started  clock.Stamp       `json:"started,omitzero"`
	Back     bool              `json:"back,omitempty"`
}

// Counted is what limits count an attempt by, beside its subject.
type Counted struct{ Policy, Kind string }

const attemptColumns = "epoch, remediation, n, subject, policy, kind, started_wall, started_boot, started_boot_id, finished, rung, action, class"

func attemptRow(a remedy.Attempt, by Counted) (r conn.Row) {
	r.Int(a.Epoch)
	r.Int(a.Remediation)
	r.Int(int64(a.N))
	r.Text(a.Subject)
	r.Text(by.Policy)
	r.Text(by.Kind)
	r.Int(a.Started.Wall)
	r.Int(a.Started.Boot)
	r.Text(a.Started.BootID)
	r.Stamp(a.Finished)
	r.Int(int64(a.Rung))
	r.Text(a.Action)
	r.Text(string(a.Class))
	r.Bound("an attempt", maxSmall)
	r.Seal()
	return r
}

func readAttempt(cs *conn.Cells) (a remedy.Attempt, by Counted) {
	a.Epoch, a.Remediation, a.N = cs.Int(), cs.Int(), int(cs.Int())
	a.Subject, by.Policy, by.Kind = cs.Text(), cs.Text(), cs.Text()
	a.Started = clock.Stamp{Wall: cs.Int(), Boot: cs.Int(), BootID: cs.Text()}
	a.Finished = cs.Stamp()
	a.Rung, a.Action, a.Class = int(cs.Int()), cs.Text(), remedy.Class(cs.Text())
	return a, by
}

// OpenAttempt writes a started record. Conflict: the subject has an open one.
func (t *Tx) OpenAttempt(a remedy.Attempt, by Counted) error {
	if !a.Finished.IsZero() || a.Epoch != t.State.Epoch || a.N < 1 || a.Started.IsZero() {
		return fault.New(fault.Internal, "attempt %s cannot be opened: it needs this epoch (%d), a number, a start and no end", a.ID(), t.State.Epoch)
	}
	if _, err := t.Exec("INSERT INTO attempts ("+attemptColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", attemptRow(a, by)); err != nil {
		if fault.KindOf(err) == fault.Conflict {
			return fault.Wrap(fault.Conflict, err, "attempt %s on %s cannot be opened: another one is, or it was already", a.ID(), a.Subject)
		}
		return err
	}
	id, err := t.Int(context.Background(), "SELECT last_insert_rowid()")
	if err != nil {
		return err
	}
	var row conn.Row
	row.Int(id)
	row.JSON("the request of an attempt", request(a.Request), maxCapture)
	row.Seal()
	_, err = t.Exec("INSERT INTO requests (attempt, request, sum) VALUES (?, ?, ?)", row)
	return err
}

// CloseAttempt writes its finish record. Conflict: it is not open.
func (t *Tx) CloseAttempt(a remedy.Attempt) error {
	if a.Finished.IsZero() {
		return fault.New(fault.Internal, "attempt %s cannot be closed without an end", a.ID())
	}
	var key conn.Row
	key.Int(a.Epoch)
	key.Int(a.Remediation)
	key.Int(int64(a.N))
	var id int64
	var stored remedy.Attempt
	var by Counted
	err := t.Query(context.Background(), "SELECT id, "+attemptColumns+" FROM attempts WHERE epoch = ? AND remediation = ? AND n = ? AND finished IS NULL", key, func(cs *conn.Cells) error {
		id = cs.Int()
		stored, by = readAttempt(cs)
		return nil
	})
	if err != nil {
		return err
	}
	if id == 0 {
		return fault.New(fault.Conflict, "attempt %s is not open", a.ID())
	}
	stored.Finished = a.Finished
	row := attemptRow(stored, by)
	row.Int(id)
	if _, err := t.Exec("UPDATE attempts SET ("+attemptColumns+", sum) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?", row); err != nil {
		return err
	}
	var end conn.Row
	end.Int(id)
	end.JSON("the result of an attempt", a.Result, maxCapture)
	end.Blob(a.Capture)
	end.Bound("the result of an attempt", maxCapture)
	end.Seal()
	_, err = t.Exec("INSERT INTO results (attempt, result, capture, sum) VALUES (?, ?, ?, ?)", end)
	return err
}

// attempts reads whole attempts, oldest first.
func Attempts(ctx context.Context, c *conn.Conn, where string, row conn.Row) (out []remedy.Attempt, err error) {
	var ids []int64
	err = c.Query(ctx, "SELECT "+attemptColumns+", sum, id FROM attempts WHERE "+where+" ORDER BY id", row, func(cs *conn.Cells) error {
		ids = append(ids, cs.Last())
		if err := cs.Open("attempts"); err != nil {
			return err
		}
		a, _ := readAttempt(cs)
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if err := readLong(ctx, c, id, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readLong fills in what an attempt was asked and how it ended.
func readLong(ctx context.Context, c *conn.Conn, id int64, a *remedy.Attempt) error {
	var row conn.Row
	row.Int(id)
	var asked request
	n := 0
	err := c.Query(ctx, "SELECT attempt, request, sum FROM requests WHERE attempt = ?", row, func(cs *conn.Cells) error {
		err := cs.Open("requests")
		n++
		cs.Int()
		cs.JSON(&asked)
		return err
	})
	if err == nil && n == 0 {
		err = fault.New(fault.Corrupt, "attempt %s has no request", a.ID())
	}
	if err != nil {
		return err
	}
	a.Request = remedy.Request(asked)
	return c.Query(ctx, "SELECT attempt, result, capture, sum FROM results WHERE attempt = ?", row, func(cs *conn.Cells) error {
		err := cs.Open("results")
		cs.Int()
		cs.JSON(&a.Result)
		a.Capture = cs.Blob()
		return err
	})
}
