package table

import (
	"context"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/desired"
)

// sealed are, beside those of desired state, the tables whose rows end in a checksum, with what it covers.
var sealed = [...]struct{ name, columns string }{
	{"state", stateColumns},
	{"starts", startColumns},
	{"firings", firingColumns},
	{"policies", policyColumns},
	{"remediations", remediationColumns},
	{"attempts", attemptColumns},
	{"requests", "attempt, request"},
	{"results", "attempt, result, capture"},
	{"budget", "points, at, storm"},
	{"breakers", "subject, failures, opened, until"},
	{"holds", holdColumns},
	{"tokens", tokenColumns},
	{"replays", replayColumns},
}

// Check reads every row and compares its checksum: it finds a changed byte that
// SQLite itself takes for content. Of the audit it looks at the end alone, where
// the chain goes on: a record that somebody changed is for the verifier to name,
// not a reason to put an older ledger in its place. Corrupt: the first row that
// is not what was written. It blocks for as long as ctx lets it.
func Check(ctx context.Context, c *conn.Conn) error {
	for _, t := range sealed {
		if err := c.CheckSums(ctx, t.name, t.columns); err != nil {
			return err
		}
	}
	if err := desired.Check(ctx, c); err != nil {
		return err
	}
	s, err := ReadState(ctx, c)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil // a kill in the first start: there is nothing yet
		}
		return err
	}
	last := s.Pruned
	err = c.Query(ctx, "SELECT "+AuditColumns+" FROM audit ORDER BY seq DESC LIMIT 1", conn.Row{}, func(cs *conn.Cells) error {
		last = ReadRecord(cs).Head()
		return nil
	})
	if err == nil && last != s.Head {
		err = fault.New(fault.Corrupt, "the audit ends at record %d, its head is %d", last.Seq, s.Head.Seq)
	}
	return err
}
