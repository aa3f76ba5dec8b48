package ledger

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
)

// Replays lists the answers that are kept, oldest first.
func (l *Ledger) Replays(ctx context.Context) (out []engine.Replay, err error) {
	err = l.file.Read(ctx, func(c *conn.Conn) error {
		out, err = table.Replays(ctx, c)
		return err
	})
	return out, err
}

// PutReplay writes a request with its key, or its answer, and forgets others.
func (l *Ledger) PutReplay(ctx context.Context, r engine.Replay, forget []string) error {
	return l.write(ctx, false, func(t *table.Tx) error {
		if err := t.ForgetReplays(forget); err != nil {
			return err
		}
		return t.PutReplay(r)
	})
}

// ForgetReplays forgets some.
func (l *Ledger) ForgetReplays(ctx context.Context, keys []string) error {
	return l.write(ctx, false, func(t *table.Tx) error { return t.ForgetReplays(keys) })
}
