package engine

import (
	"context"

	"vigil/engine/clock"
)

// Replay is one request that carried an Idempotency-Key and, once Done, its
// answer.
type Replay struct {
	Key    string   // hash over caller, path and key, in hex
	Sum    [32]byte // SHA-256 of the request's body
	At     clock.Stamp
	Done   bool
	Status int
	Media  string
	Body   []byte
}

// Replays keeps them over restarts. Blocks on disk; concurrent; durable when nil
// is returned.
type Replays interface {
	// Replays lists all that are kept, oldest first.
	Replays(ctx context.Context) ([]Replay, error)
	// PutReplay writes one, or writes it again, and forgets others by their keys.
	PutReplay(ctx context.Context, r Replay, forget []string) error
	// ForgetReplays forgets some by their keys.
	ForgetReplays(ctx context.Context, keys []string) error
}
