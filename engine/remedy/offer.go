package remedy

import "context"

// Taker takes up remediations in the very transaction that queues them, when a
// place among its acts is free; the worker is one. It is haste alone: what it
// does not take is queued and found there.
type Taker interface {
	// Offer prepares the claim of r, which is about to be queued and has no id
	// yet, and keeps a place for it. False: not now. It gathers facts from memory,
	// does not block on disk, and may be called concurrently.
	Offer(ctx context.Context, r Remediation) (Offer, bool)
}

// Offer is the claim of a remediation that is not stored yet: the ledger fills in
// ID and Version. Settle is called exactly once: with the move as it is on disk,
// or with nil when nothing was written.
type Offer struct {
	Claim  Claim
	Settle func(*Move)
}
