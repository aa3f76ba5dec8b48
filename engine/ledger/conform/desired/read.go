package desired

import (
	"context"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/ledger/conform/stand"
)

// keeperStartsFromWhatMatters: whatever came since the newest good revision
// that landed, the bad ones that a return left behind, and what is open.
func keeperStartsFromWhatMatters(r *stand.Rig) {
	states := func() (out string) {
		for _, v := range r.Wanted().Revisions {
			out += string(rune('0'+v.N)) + string(v.State) + " "
		}
		return out
	}
	for _, tt := range []struct {
		put  []engine.Revision
		want string
	}{
		{[]engine.Revision{stand.Revision(1, engine.RevisionRefused), stand.Revision(2, engine.RevisionSeen)}, "1refused 2seen "},
		{[]engine.Revision{stand.Revision(2, engine.RevisionGood)}, "2good "},
		{[]engine.Revision{stand.Revision(3, engine.RevisionReplaced), stand.Revision(4, engine.RevisionGood), stand.Revision(5, engine.RevisionSeen)}, "4good 5seen "},
		{[]engine.Revision{stand.Revision(4, engine.RevisionBad), func() engine.Revision { v := stand.Revision(6, engine.RevisionGood); v.Return = 4; return v }()}, "2good 3replaced 4bad 5seen 6good "},
		{[]engine.Revision{stand.Revision(7, engine.RevisionGood)}, "5seen 7good "},
	} {
		r.Want(engine.DesiredDecision{Revisions: tt.put})
		if got := states(); got != tt.want {
			r.Fatalf("got %s, want %s", got, tt.want)
		}
	}
}

// desiredListings: pages, newest first, each row once.
func desiredListings(r *stand.Rig) {
	var d engine.DesiredDecision
	for n := range int64(25) {
		d.Revisions = append(d.Revisions, stand.Revision(n+1, engine.RevisionReplaced))
		f := stand.Drift(n+1, string(rune('a'+n%5)), string(rune('a'+n/5)))
		if n%2 == 0 {
			f = stand.Ended(f, "healed")
		}
		d.Drifts = append(d.Drifts, f)
	}
	r.Want(d)
	var revisions []engine.Revision
	for before := int64(0); ; before = revisions[len(revisions)-1].N {
		page, err := r.Revisions(context.Background(), before, 10)
		if err != nil || len(page) > 10 {
			r.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		revisions = append(revisions, page...)
	}
	for i, v := range revisions {
		if v.N != int64(25-i) || !cmp.Equal(v, d.Revisions[24-i]) {
			r.Fatalf("revision %d in place %d", v.N, i)
		}
	}
	for _, tt := range []struct {
		before   int64
		ref      string
		standing bool
		limit    int
		want     []int64
	}{
		{limit: 3, want: []int64{25, 24, 23}},
		{before: 3, want: []int64{2, 1}},
		{standing: true, before: 7, want: []int64{6, 4, 2}},
		{ref: "File/a", limit: 3, want: []int64{21, 16, 11}},
		{ref: "File/a", standing: true, want: []int64{16, 6}},
		{ref: "File/none"},
	} {
		ds, err := r.Drifts(context.Background(), tt.before, tt.ref, tt.standing, tt.limit)
		if err != nil {
			r.Fatal(err)
		}
		var got []int64
		for _, x := range ds {
			got = append(got, x.ID)
			if !cmp.Equal(x, d.Drifts[x.ID-1]) {
				r.Fatalf("%+v", x)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			r.Errorf("%+v: %s", tt, d)
		}
	}
}
