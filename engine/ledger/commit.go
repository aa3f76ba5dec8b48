package ledger

import (
	"context"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/table"
)

// maxDecision bounds how many rows one decision writes.
const maxDecision = 100_000

// Commit writes a decision, its audit records included, in one transaction and
// returns once it is durable. Conflict: a version in it is no longer current.
// Unavailable: the disk cannot be written. Then nothing of it is there.
func (l *Ledger) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if n := len(d.Firings) + len(d.Policies) + len(d.Deleted) + len(d.Remediations) + len(d.Moves) + len(d.Holds) + len(d.Released) + len(d.Audit) + d.Desired.Rows(); n > maxDecision {
		return engine.Receipt{}, fault.New(fault.TooLarge, "a decision writes %d rows, at most %d are written at once", n, maxDecision)
	}
	var rc engine.Receipt
	err := l.write(ctx, vital(d), func(t *table.Tx) error {
		rc = engine.Receipt{At: d.At.Time()}
		if err := t.Decide(d, &rc); err != nil {
			return err
		}
		rc.AuditSeq = t.State.Head.Seq
		return nil
	})
	if err != nil {
		return engine.Receipt{}, err
	}
	return rc, nil
}

// vital decisions are written on a full disk too: what heals, what stops
// healing, and what proves it. Edits of policies, mere positions and what is
// merely remembered of resources wait.
func vital(d *engine.Decision) bool {
	return len(d.Policies)+len(d.Deleted) == 0 &&
		(len(d.Firings)+len(d.Remediations)+len(d.Moves)+len(d.Holds)+len(d.Released)+len(d.Audit) > 0 || vitalDesired(d.Desired))
}

func vitalDesired(d *engine.DesiredDecision) bool {
	return d != nil && (len(d.Revisions)+len(d.Drifts)+len(d.Suspends)+len(d.Undo)+len(d.Undone) > 0 || d.Settled > 0)
}

// Load reads everything the engine starts from, as of one moment.
func (l *Ledger) Load(ctx context.Context) (*engine.Snapshot, error) {
	var s *engine.Snapshot
	err := l.file.Read(ctx, func(c *conn.Conn) error {
		st, err := table.ReadState(ctx, c)
		if err != nil {
			return err
		}
		s = &engine.Snapshot{Position: st.Position, Epoch: st.Epoch, Replaced: l.Replaced()}
		if s.Policies, err = table.Policies(ctx, c); err != nil {
			return err
		}
		if s.Firings, err = table.OpenFirings(ctx, c); err != nil {
			return err
		}
		if s.Holds, err = table.Holds(ctx, c, "ended IS NULL"); err != nil {
			return err
		}
		s.UncleanStarts, err = table.UncleanStarts(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
