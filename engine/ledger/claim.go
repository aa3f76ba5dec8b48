package ledger

import (
	"context"

	"vigil/engine/fault"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// Claim runs c.Decide inside the transaction that writes what it decides, so
// that two workers cannot both pass one limit. The move that comes back has the
// version that is now on disk. Conflict: the remediation or the firing moved.
func (l *Ledger) Claim(ctx context.Context, c remedy.Claim) (m remedy.Move, err error) {
	err = l.write(ctx, true, func(t *table.Tx) error {
		r, err := table.Remediation(context.Background(), t.Conn, c.ID)
		if err != nil {
			return err
		}
		if r.Version != c.Version {
			return fault.New(fault.Conflict, "remediation %d is not at version %d any more", c.ID, c.Version)
		}
		m, err = t.Claim(r, c, false)
		return err
	})
	if err != nil {
		return remedy.Move{}, err
	}
	return m, nil
}

// Apply writes a move of a remediation that is at version. It opens no attempt:
// only claims do, here or with the decision that queues. Conflict: it is not at that version, or its attempt is closed.
func (l *Ledger) Apply(ctx context.Context, version int64, m remedy.Move) error {
	return l.write(ctx, true, func(t *table.Tx) error { return t.Apply(version, m) })
}
