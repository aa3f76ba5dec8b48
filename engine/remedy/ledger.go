package remedy

import (
	"context"

	"vigil/engine/audit"
	"vigil/engine/clock"
)

// Ledger is where remediations lie. Its methods block on disk, are durable when
// they return nil, and may be called concurrently. Errors have fault kinds:
// Conflict (somebody else moved it: look again), NotFound, Unavailable (the
// disk cannot be written: nothing was changed, so nothing may be done).
type Ledger interface {
	// Due lists at most n remediations whose turn has come by now: queued ones
	// without Until, and those queued, held, gave_up or indeterminate whose Until
	// is reached; high priority first, then oldest, and those of source external
	// behind all others. A gave_up or indeterminate one without Until is never due.
	// next is when the earliest other one falls due, zero if none. An Until of an earlier
	// boot counts as reached, since the wall clock may have been set in between: whoever
	// looks says how long is left.
	Due(ctx context.Context, now clock.Stamp, n int) (due []Remediation, next clock.Stamp, err error)

	// Remediation reads one as it is now; NotFound where there is none.
	Remediation(ctx context.Context, id int64) (Remediation, error)

	// Claim runs c.Decide inside one transaction, on the row as it is now and the
	// history, and writes the move it returns. It fails with Conflict when the
	// row is not at c.Version or the firing not at c.FiringVersion. Verifications
	// are written through it too, since they count on the history.
	Claim(ctx context.Context, c Claim) (Move, error)

	// Apply writes a move of a remediation that is at version.
	Apply(ctx context.Context, version int64, m Move) error

	// Unfinished lists attempts that are open on disk, with their remediations,
	// and remediations that are running or verifying. Called at start, and at
	// times later, so that nothing is left lying.
	Unfinished(ctx context.Context) ([]Attempt, []Remediation, error)

	// Epoch is the database's: part of every attempt's id.
	Epoch() int64
}

// Claim asks for one remediation.
type Claim struct {
	ID            int64
	Version       int64
	Policy        string
	Fingerprint   uint64
	FiringVersion int64 // 0: there is no firing to compare
	Query         Query
	Now           clock.Stamp
	// Decide is pure: it may be run again when the transaction is retried.
	Decide func(r Remediation, h History) Move
}

// Move is everything one step of a remediation's life writes, in one transaction.
type Move struct {
	Next    Remediation // Version is the ledger's to bump
	Verdict Verdict
	Open    *Attempt // a started record
	Close   *Attempt // the same attempt, finished; Finished, Result and Capture are new
	Budget  *Budget
	Breaker *Breaker // of Next.Subject
	Storm   *clock.Stamp
	Audit   []audit.Record
}
