package conform

import (
	"bytes"
	"context"
	"strings"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
)

// exportThenPrune: what was exported verifies offline, may be pruned by
// whoever knows its hash, and the rest still verifies, also after a restart.
func exportThenPrune(r *stand.Rig) {
	ctx := context.Background()
	for range 1200 { // more than a page
		r.Decide(&engine.Decision{Audit: []audit.Record{stand.Record("a", "policy:x"), stand.Record("b", "policy:y")}})
		if r.AuditHead().Seq >= 1100 {
			break
		}
	}
	var out bytes.Buffer
	end, err := r.Export(ctx, 1, &out)
	if err != nil || end != r.AuditHead() {
		r.Fatalf("%v %v", end, err)
	}
	if err := audit.VerifyExport(&out, audit.NewVerifier(audit.Head{}), end); err != nil {
		r.Fatal(err)
	}
	rs, err := r.Audit(ctx, 499, "", 1)
	if err != nil {
		r.Fatal(err)
	}
	upto := rs[0].Head()
	wrong := upto
	wrong.Hash[0] ^= 1
	r.WantKind(r.Prune(ctx, "local", wrong), fault.Precondition)
	r.WantKind(r.Prune(ctx, "local", r.AuditHead()), fault.Conflict)
	if err := r.Prune(ctx, "local", upto); err != nil {
		r.Fatal(err)
	}
	r.WantKind(r.Prune(ctx, "local", upto), fault.Conflict)
	r.Verified()
	r.Reopen()
	if h := r.Verified(); h.Seq != end.Seq+1 {
		r.Fatalf("the chain ends at %d", h.Seq)
	}
	if rs, err := r.Audit(ctx, 0, "", 1); err != nil || rs[0].Seq != 501 {
		r.Fatalf("%v %v", rs, err)
	}
	told, err := r.Audit(ctx, end.Seq, "", 1)
	if err != nil || len(told) != 1 || told[0].Verb != "audit.prune" || !strings.Contains(told[0].Reason, upto.Hash.String()) {
		r.Fatalf("%+v, %v", told, err)
	}
}

// auditIsReadBack: by place, by object, by several objects, in order.
func auditIsReadBack(r *stand.Rig) {
	ctx := context.Background()
	for i := range 9 {
		r.Decide(&engine.Decision{Audit: []audit.Record{stand.Record("v", []string{"policy:a", "remediation:1", "attempt:1-1-1"}[i%3])}})
	}
	seqs := func(rs []audit.Record, err error) (out []int64) {
		if err != nil {
			r.Fatal(err)
		}
		for _, x := range rs {
			out = append(out, x.Seq)
		}
		return out
	}
	for _, tt := range []struct{ want, got []int64 }{
		{[]int64{4, 5}, seqs(r.Audit(ctx, 3, "", 2))},
		{[]int64{4, 7}, seqs(r.Audit(ctx, 1, "policy:a", 0))},
		{[]int64{1, 3, 4}, seqs(r.AuditAbout(ctx, []string{"policy:a", "attempt:1-1-1"}, 3))},
		{nil, seqs(r.AuditAbout(ctx, nil, 3))},
		{nil, seqs(r.Audit(ctx, 0, "none", 3))},
	} {
		if d := cmp.Diff(tt.want, tt.got); d != "" {
			r.Error(d)
		}
	}
	want := audit.Seal(audit.Hash{}, func() audit.Record { x := stand.Record("v", "policy:a"); x.Seq = 1; return x }())
	rs, _ := r.Audit(ctx, 0, "", 1)
	if d := cmp.Diff(want, rs[0]); d != "" {
		r.Error(d)
	}
	_, err := r.AuditAbout(ctx, make([]string, 501), 1)
	r.WantKind(err, fault.TooLarge)
}
