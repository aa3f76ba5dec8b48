package ledger_test

import (
	"context"
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// TestTokenChangesAreAuditedTogether: put and delete are in the chain with who
// did it, in the same transaction; a refused one is not.
func TestTokenChangesAreAuditedTogether(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	ctx := context.Background()
	k := engine.Token{Name: "ci", Hash: sha256.Sum256([]byte("secret")), Role: "pusher", Created: r.now(), Expires: r.now()}
	if err := r.PutToken(ctx, "local:root", k); err != nil {
		t.Fatal(err)
	}
	same, odd := k, k
	same.Name = "other"
	odd.Name, odd.Role, odd.Hash = "odd", "king", sha256.Sum256(nil)
	wantKind(t, r.PutToken(ctx, "local:root", same), fault.Conflict)
	wantKind(t, r.PutToken(ctx, "local:root", odd), fault.Conflict)
	got, err := r.TokenByHash(ctx, k.Hash)
	if d := cmp.Diff(k, got); d != "" || err != nil {
		t.Fatal(d, err)
	}
	_, err = r.TokenByHash(ctx, sha256.Sum256([]byte("guess")))
	wantKind(t, err, fault.NotFound)
	k.Hash = sha256.Sum256([]byte("rotated"))
	if err := r.PutToken(ctx, "token:admin", k); err != nil {
		t.Fatal(err)
	}
	if ks, err := r.Tokens(ctx); err != nil || len(ks) != 1 || ks[0].Hash != k.Hash {
		t.Fatalf("%v %v", ks, err)
	}
	if err := r.DeleteToken(ctx, "token:admin", "ci"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.DeleteToken(ctx, "token:admin", "ci"), fault.NotFound)
	rs, err := r.Audit(ctx, 0, "token:ci", 0)
	if err != nil || len(rs) != 3 || rs[0].Actor != "local:root" || rs[2].Verb != "token.delete" || r.AuditHead().Seq != 3 {
		t.Fatalf("%+v %v", rs, err)
	}
	r.verify()
}

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
