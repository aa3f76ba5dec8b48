package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

// Write writes everything that a decision says about desired state, in the order
// that the constraints ask for: what ends before what begins, revisions before
// the steps that name them.
func Write(c *conn.Conn, d *engine.DesiredDecision) error {
	if d == nil {
		return nil
	}
	for _, begins := range []bool{false, true} {
		for _, v := range d.Revisions {
			if underWay(v) == begins {
				if err := putRevision(c, v); err != nil {
					return err
				}
			}
		}
		for _, f := range d.Drifts {
			if f.Ended.IsZero() == begins {
				if err := putDrift(c, f); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range d.Suspends {
		if err := putSuspend(c, s); err != nil {
			return err
		}
	}
	for _, ref := range d.Forgotten {
		if err := forget(c, ref); err != nil {
			return err
		}
	}
	for _, v := range d.Resources {
		if err := putResource(c, v); err != nil {
			return err
		}
	}
	for _, u := range d.Undo {
		if err := putUndo(c, u); err != nil {
			return err
		}
	}
	for _, n := range d.Undone {
		if err := settle(c, n); err != nil {
			return err
		}
	}
	if d.Settled > 0 {
		if err := settleUpTo(c, d.Settled); err != nil {
			return err
		}
	}
	if d.Checks != nil {
		if err := putChecks(c, *d.Checks); err != nil {
			return err
		}
	}
	if d.Entries != nil {
		if err := putEntries(c, *d.Entries); err != nil {
			return err
		}
	}
	return number(c, d)
}

// Read reads everything that the keeper starts from, but the remediations.
func Read(ctx context.Context, c *conn.Conn) (*engine.DesiredSnapshot, error) {
	s := &engine.DesiredSnapshot{}
	last, err := lastNumbers(ctx, c)
	if err != nil {
		return nil, err
	}
	s.LastRevision, s.LastDrift, s.LastUndo = last.revision, last.drift, last.undo
	if s.Revisions, err = Revisions(ctx, c, relevant, conn.Row{}); err != nil {
		return nil, err
	}
	if s.Resources, err = Resources(ctx, c); err != nil {
		return nil, err
	}
	if s.Drifts, err = Drifts(ctx, c, "ended IS NULL ORDER BY id", conn.Row{}); err != nil {
		return nil, err
	}
	if s.Suspends, err = Suspends(ctx, c); err != nil {
		return nil, err
	}
	if s.Undo, err = Journal(ctx, c); err != nil {
		return nil, err
	}
	if s.Checks, err = readChecks(ctx, c); err != nil {
		return nil, err
	}
	s.Entries, err = ReadEntries(ctx, c)
	return s, err
}

// Keep is how many of each are remembered beside those that still matter.
type Keep struct{ Revisions, Drifts, Suspends int64 }

// Trim forgets at most step old rows of each kind, and says whether there may be more.
func Trim(c *conn.Conn, keep Keep, step int64) (more bool, err error) {
	revisions, err := dropRevisions(c, keep.Revisions, step)
	if err != nil {
		return false, err
	}
	drifts, err := dropDrifts(c, keep.Drifts, step)
	if err != nil {
		return false, err
	}
	suspends, err := dropSuspends(c, keep.Suspends, step)
	return max(revisions, drifts, suspends) >= step, err
}
