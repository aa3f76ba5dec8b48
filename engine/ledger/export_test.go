package ledger

import (
	"context"

	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/desired"
	"vigil/engine/ledger/disk"
	"vigil/engine/ledger/table"
)

// Abandon closes the file without marking a clean stop.
func (l *Ledger) Abandon() error { return l.file.Close() }

// Raw runs a statement in a transaction of its own, as nobody outside may.
func (l *Ledger) Raw(sql string, args ...any) (n int64, err error) {
	err = l.file.Write(context.Background(), disk.Job{Vital: true, Run: func(c *conn.Conn) error {
		var row conn.Row
		for _, a := range args {
			switch x := a.(type) {
			case int:
				row.Int(int64(x))
			case int64:
				row.Int(x)
			case string:
				row.Text(x)
			case []byte:
				row.Blob(x)
			}
		}
		n, err = c.Exec(sql, row)
		return err
	}})
	return n, err
}

// RawInt reads one number.
func (l *Ledger) RawInt(sql string) (n int64, err error) {
	err = l.file.Read(context.Background(), func(c *conn.Conn) error {
		n, err = c.Int(context.Background(), sql)
		return err
	})
	return n, err
}

// TrimDesired keeps as many as keep says and not as many as Run does.
func (l *Ledger) TrimDesired(keep desired.Keep) error {
	for more := true; more; {
		err := l.write(context.Background(), false, func(t *table.Tx) (err error) {
			more, err = desired.Trim(t.Conn, keep, 2)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TrimTo keeps as many of what is over as it says, and not as many as cfg does.
func (l *Ledger) TrimTo(ctx context.Context, closed, finished int) error {
	cfg := l.cfg
	l.cfg.Closed, l.cfg.Finished = closed, finished
	defer func() { l.cfg = cfg }()
	return l.trim(ctx)
}

// Trim does what Run does now and then.
func (l *Ledger) Trim(ctx context.Context) error { return l.trim(ctx) }
