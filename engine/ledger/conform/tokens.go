package conform

import (
	"context"
	"crypto/sha256"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
)

// tokenChangesAreAuditedTogether: put and delete are in the chain with who
// did it, in the same transaction; a refused one is not.
func tokenChangesAreAuditedTogether(r *stand.Rig) {
	ctx := context.Background()
	k := engine.Token{Name: "ci", Hash: sha256.Sum256([]byte("secret")), Role: "pusher", Created: r.Now(), Expires: r.Now()}
	if err := r.PutToken(ctx, "local:root", k); err != nil {
		r.Fatal(err)
	}
	same, odd := k, k
	same.Name = "other"
	odd.Name, odd.Role, odd.Hash = "odd", "king", sha256.Sum256(nil)
	r.WantKind(r.PutToken(ctx, "local:root", same), fault.Conflict)
	r.WantKind(r.PutToken(ctx, "local:root", odd), fault.Conflict)
	got, err := r.TokenByHash(ctx, k.Hash)
	if d := cmp.Diff(k, got); d != "" || err != nil {
		r.Fatal(d, err)
	}
	_, err = r.TokenByHash(ctx, sha256.Sum256([]byte("guess")))
	r.WantKind(err, fault.NotFound)
	k.Hash = sha256.Sum256([]byte("rotated"))
	if err := r.PutToken(ctx, "token:admin", k); err != nil {
		r.Fatal(err)
	}
	if ks, err := r.Tokens(ctx); err != nil || len(ks) != 1 || ks[0].Hash != k.Hash {
		r.Fatalf("%v %v", ks, err)
	}
	if err := r.DeleteToken(ctx, "token:admin", "ci"); err != nil {
		r.Fatal(err)
	}
	r.WantKind(r.DeleteToken(ctx, "token:admin", "ci"), fault.NotFound)
	rs, err := r.Audit(ctx, 0, "token:ci", 0)
	if err != nil || len(rs) != 3 || rs[0].Actor != "local:root" || rs[2].Verb != "token.delete" || r.AuditHead().Seq != 3 {
		r.Fatalf("%+v %v", rs, err)
	}
	r.Verified()
}
