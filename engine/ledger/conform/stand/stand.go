// Package stand is what the checks of a ledger stand on: what a store is, where it
// lies from one start to the next, a clock that moves only when it is asked, and
// rows of every kind to put into it.
//
// It is for tests alone. It knows the ports of the engine and nothing of how a
// store keeps them: no SQL, no files, no store of ours. It starts nothing that
// outlives a check; what a check opened is closed when it ends.
package stand

import (
	"context"
	"io"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// Store is a ledger as those who use it know it: the ports of the engine, of the
// worker, of the keeper and of the HTTP face. It blocks; it may be called
// concurrently; what it returned nil for is durable.
type Store interface {
	engine.Journal
	engine.Reader
	engine.DesiredReader
	engine.Replays
	remedy.Ledger

	// Entries lists what the repository defines of the catalogue, by name.
	Entries(ctx context.Context) ([]engine.EntryRow, error)

	// Tokens lists every token by name.
	Tokens(ctx context.Context) ([]engine.Token, error)
	// TokenByHash finds one by its secret's hash; NotFound.
	TokenByHash(ctx context.Context, hash [32]byte) (engine.Token, error)
	// PutToken stores one, or one of the same name again, and records who did it.
	// Conflict: another name has the same secret, or the role is none.
	PutToken(ctx context.Context, actor string, k engine.Token) error
	// DeleteToken removes one and records who did it; NotFound.
	DeleteToken(ctx context.Context, actor, name string) error

	// AuditHead is the end of the chain as it is acknowledged.
	AuditHead() audit.Head
	// AuditVerify walks the stored chain to its head. Corrupt, with an *audit.Broken.
	AuditVerify(ctx context.Context, progress func(n int64)) (audit.Head, error)
	// Export writes the records from seq on as lines and returns the last one's head.
	Export(ctx context.Context, from int64, w io.Writer) (audit.Head, error)
	// Prune removes the records up to one that was exported, and records that.
	// Precondition: another hash. Conflict: it is the head, or gone already.
	Prune(ctx context.Context, actor string, upto audit.Head) error

	// Close marks a clean stop. Nothing may be in flight.
	Close() error
}

// Keep is how many of what is over are kept by a trim.
type Keep struct {
	Finished int // newest remediations of which the finished ones are kept
	Closed   int // closed firings and ended holds

	Revisions, Drifts, Suspends int64
}

// Place is where one store lies, from one start to the next.
type Place interface {
	// Open is a start: it makes the store, or goes on from what is there.
	Open(now clock.Clock) (Store, error)
	// Crash drops a store as a killed process would: no clean stop is marked.
	Crash(s Store) error
	// Trim forgets what is over, as the store's upkeep does by and by.
	Trim(s Store, k Keep) error
	// Fail makes the n-th call of what the open store lies on fail, and every later
	// one until it is crashed: what is written then is Unavailable.
	Fail(n int)
}

// Bed is a store that is to be tried.
type Bed struct {
	New   func(testing.TB) Place
	Brief bool // few histories, for a store or a run whose steps are slow
}

// Check asks one thing of a store.
type Check struct {
	Name string
	Do   func(*Rig)
}
