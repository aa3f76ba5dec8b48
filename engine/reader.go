package engine

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// RemediationFilter narrows a listing; zero values do not.
type RemediationFilter struct {
	States   []remedy.State
	Word     string // original status word
	Target   string // exact
	Policy   string
	Firing   *uint64 // fingerprint: with Policy, one firing's
	From, To int64   // Unix µs on Created, half-open [From, To)
	Before   int64   // cursor: ids smaller than this; 0 newest
	Offset   int     // the original's pages
	Limit    int
}

// Reader is what is read back from the ledger without deciding anything. It
// blocks on disk; concurrent. NotFound where an id does not exist.
type Reader interface {
	Remediation(ctx context.Context, id int64) (remedy.Remediation, error)
	// Remediations lists newest first; total counts all that pass the filter.
	Remediations(ctx context.Context, f RemediationFilter) (rs []remedy.Remediation, total int, err error)
	Attempts(ctx context.Context, remediation int64) ([]remedy.Attempt, error)
	// Audit lists records with Seq > after, oldest first; object "" is any.
	Audit(ctx context.Context, after int64, object string, limit int) ([]audit.Record, error)
	// AuditAbout lists the records whose object is one of these, oldest first.
	AuditAbout(ctx context.Context, objects []string, limit int) ([]audit.Record, error)
	// History is what the gates that count acts look back on, as it is now; a
	// claim reads it anew, inside its transaction.
	History(ctx context.Context, q remedy.Query, now clock.Stamp) (remedy.History, error)
	// Counts counts remediations by state, created since (zero: ever).
	Counts(ctx context.Context, since clock.Stamp) (map[remedy.State]int, error)
}
