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
		if c.FiringVersion != 0 {
			v, err := t.FiringVersion(c.Policy, c.Fingerprint)
			if err != nil {
				return err
			}
			if v != c.FiringVersion {
				return fault.New(fault.Conflict, "the firing behind remediation %d is not at version %d any more", c.ID, c.FiringVersion)
			}
		}
		h, err := t.History(c.Query, c.Now)
		if err != nil {
			return err
		}
		m = c.Decide(r, h)
		if m.Next.ID != r.ID {
			return fault.New(fault.Internal, "the claim of remediation %d came back with remediation %d", r.ID, m.Next.ID)
		}
		if m.Open != nil {
			by := table.Counted{Policy: c.Query.Policy, Kind: c.Query.Kind}
			if m.Open.Remediation != r.ID {
				return fault.New(fault.Internal, "the claim of remediation %d opens attempt %s", r.ID, m.Open.ID())
			}
			if err := t.OpenAttempt(*m.Open, by); err != nil {
				return err
			}
		}
		return t.Move(r.Version, m)
	})
	if err != nil {
		return remedy.Move{}, err
	}
	m.Next.Version = c.Version + 1
	return m, nil
}

// Apply writes a move of a remediation that is at version. It opens no attempt:
// only Claim does. Conflict: it is not at that version, or its attempt is closed.
func (l *Ledger) Apply(ctx context.Context, version int64, m remedy.Move) error {
	return l.write(ctx, true, func(t *table.Tx) error { return t.Apply(version, m) })
}
