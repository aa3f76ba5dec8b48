// Package engine is the hall: ingest, evaluate, decide.
//
// Decide purely, commit once, act afterwards. Samples come in through Ingest,
// are durable before they are acknowledged, and are evaluated in log order by
// the shards that own the policies they touch; what changes becomes a
// [Decision], one value, which the [Journal] commits in one transaction with
// its audit records; only then is the worker nudged.
//
// It refuses I/O of its own, effects, SQL, HTTP, and clocks that are not handed
// in. Nothing here scans all policies or all series for a sample. Methods may
// be called concurrently unless they say otherwise. Run blocks until every
// shard has drained or ctx ended; what was not evaluated is replayed from the
// log at the next start.
package engine

import (
	"context"
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Samples is the time-series store, as the engine needs it; tsdb satisfies it.
type Samples interface {
	// Start loads the index, replays the log after position from through the
	// hooks (Registered for every live series first, then Committed for what was
	// not evaluated), and begins to take appends. It is called once and returns
	// when replay is done; ctx ends what it started.
	Start(ctx context.Context, from uint64, h Hooks) error

	// Append resolves the batch's series, writes it to the log and returns when
	// it is on disk (or, with durability "interval", in the log's buffer). Items
	// carry their verdicts; an error means that nothing of the batch was taken.
	Append(ctx context.Context, b *series.Batch) error

	// Select finds the series that match and the points with mint < T <= maxt,
	// chunks and head merged, without decoding what it skips. Close the cursor.
	Select(ctx context.Context, sel series.Selector, mint, maxt int64) (Cursor, error)

	// Evaluated tells the store up to which log position everything has been
	// decided and committed: older log segments may go.
	Evaluated(position uint64)
}

// Cursor walks a selection, one series at a time. One goroutine.
type Cursor interface {
	Next() bool
	Labels() series.Labels
	Ref() series.Ref
	// Points appends the series' points in time order to buf.
	Points(buf []series.Point) ([]series.Point, error)
	Err() error
	Close() error
}

// Hooks is what the store calls; the engine satisfies it. None of them blocks.
type Hooks interface {
	// Admit is asked before a new series is made, outside all locks of the hot
	// path. Accepted lets it in.
	Admit(ls series.Labels, b *series.Batch) series.Reason
	// Registered announces a live series before any batch with it is committed. The
	// key may be kept: the store keeps the same.
	Registered(ref series.Ref, l series.Local, key series.Key)
	// Dropped announces that a series has gone; l may be given out again after.
	Dropped(ref series.Ref, l series.Local)
	// Reserve is called with a resolved batch before it is written. It may refuse
	// items (Lagging) and takes a share of the evaluator's queue for the rest.
	Reserve(b *series.Batch)
	// Committed hands over durable batches in log order. The batches belong to
	// their callers again when it returns.
	Committed(bs []*series.Batch)
	// Abandoned gives back what Reserve took when the write failed.
	Abandoned(b *series.Batch)
}

// Journal is the ledger, as the engine needs it. It blocks on disk; what it
// returned nil for is durable. Concurrent.
type Journal interface {
	// Load reads everything the engine starts from.
	Load(ctx context.Context) (*Snapshot, error)
	// Commit writes a decision, audit records included, in one transaction.
	// Conflict: a row version in it is no longer current, nothing was written.
	Commit(ctx context.Context, d *Decision) (Receipt, error)
}

// Receipt is what the ledger gave out for a decision.
type Receipt struct {
	Remediations []int64             // ids, in the decision's order
	Claimed      map[int]remedy.Move // what became of the decision's claims, by place
	AuditSeq     int64               // of the last record written
	At           time.Time
}

// Waits says whether a new remediation waits for the worker to look: one of n was
// not claimed with the decision.
func (r Receipt) Waits(n int) bool { return len(r.Claimed) < n }

// Notices is where the engine says "look now"; sending never blocks.
type Notices struct {
	Work chan<- struct{} // remediations were queued or released
}

// Clock is handed in; see clock.System.
type Clock = clock.Clock
