package ledger_test

import (
	"context"
	"crypto/sha256"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
)

// TestTokenUseIsWrittenByRun: later, in one go, and never over a newer token.
func TestTokenUseIsWrittenByRun(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Upkeep = 100_000_000 // the least that is allowed
	r := newRig(t, cfg)
	k := engine.Token{Name: "ci", Hash: sha256.Sum256([]byte("s")), Role: "viewer", Created: r.now()}
	if err := r.PutToken(context.Background(), "a", k); err != nil {
		t.Fatal(err)
	}
	used := clock.Stamp{Wall: 77, Boot: 1, BootID: "b"}
	r.TokenUsed("ci", used)
	r.TokenUsed("none", used)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	until(t, "the use of the token is written", func() bool {
		ks, err := r.Tokens(context.Background())
		return err == nil && ks[0].Used == used
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
