package acts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// listingFilters: each filter alone and with others, pages and cursor.
func listingFilters(r *stand.Rig) {
	ctx := context.Background()
	all := []remedy.State{remedy.Queued, remedy.Held, remedy.Succeeded, remedy.GaveUp, remedy.Refused, remedy.Cancelled, remedy.Indeterminate, remedy.Failed}
	for i := range 16 {
		m := stand.Order(fmt.Sprint("web", i%2), "s")
		m.State, m.Created.Wall, m.Fingerprint = all[i%8], int64(1000+i), uint64(i%4)
		if i >= 8 {
			m.Policy = ""
		}
		r.Queue(m)
	}
	fp := uint64(1)
	for name, tt := range map[string]struct {
		f     engine.RemediationFilter
		want  []int64
		total int
	}{
		"all":        {engine.RemediationFilter{Limit: 3}, []int64{16, 15, 14}, 16},
		"offset":     {engine.RemediationFilter{Limit: 2, Offset: 3}, []int64{13, 12}, 16},
		"cursor":     {engine.RemediationFilter{Limit: 2, Before: 4}, []int64{3, 2}, 16},
		"states":     {engine.RemediationFilter{States: []remedy.State{remedy.Queued, remedy.Held}}, []int64{10, 9, 2, 1}, 4},
		"pending":    {engine.RemediationFilter{Word: "pending"}, []int64{10, 9, 2, 1}, 4},
		"failed":     {engine.RemediationFilter{Word: "failed", Limit: 1}, []int64{16}, 8},
		"completed":  {engine.RemediationFilter{Word: "completed"}, []int64{11, 3}, 2},
		"no word":    {engine.RemediationFilter{Word: "odd"}, nil, 0},
		"target":     {engine.RemediationFilter{Target: "web1", Word: "cancelled"}, []int64{14, 6}, 2},
		"not a glob": {engine.RemediationFilter{Target: "web%"}, nil, 0},
		"policy":     {engine.RemediationFilter{Policy: "hot", Limit: 1}, []int64{8}, 8},
		"firing":     {engine.RemediationFilter{Policy: "hot", Firing: &fp}, []int64{6, 2}, 2},
		"half open":  {engine.RemediationFilter{From: 1002, To: 1004}, []int64{4, 3}, 2},
	} {
		rs, total, err := r.Remediations(ctx, tt.f)
		if err != nil {
			r.Fatal(err)
		}
		var ids []int64
		for _, m := range rs {
			ids = append(ids, m.ID)
		}
		if d := cmp.Diff(tt.want, ids); d != "" || total != tt.total {
			r.Errorf("%s: total %d, want %d %s", name, total, tt.total, d)
		}
	}
	counts, err := r.Counts(ctx, clock.Stamp{Wall: 1008})
	if err != nil || len(counts) != 8 || counts[remedy.Queued] != 1 {
		r.Fatalf("%v %v", counts, err)
	}
	if counts, _ = r.Counts(ctx, clock.Stamp{}); counts[remedy.Queued] != 2 {
		r.Fatalf("%v", counts)
	}
	_, err = r.Remediation(ctx, 99)
	r.WantKind(err, fault.NotFound)
	_, err = r.Attempts(ctx, 99)
	r.WantKind(err, fault.NotFound)
}

// tallyIsWhatACountSays: after every kind of write, for every word and state,
// while others write, and after a new start.
func tallyIsWhatACountSays(r *stand.Rig) {
	check := func(what string) {
		r.Helper()
		all, n, err := r.Remediations(r.Context(), engine.RemediationFilter{Limit: 1000})
		if err != nil || n != len(all) {
			r.Fatalf("%s: %d listed, total %d, %v", what, len(all), n, err)
		}
		by, words := map[remedy.State]int{}, map[string]int{}
		for _, x := range all {
			by[x.State]++
			words[x.State.Word()]++
		}
		counts, err := r.Counts(r.Context(), clock.Stamp{})
		if err != nil {
			r.Fatal(err)
		}
		for _, s := range remedy.States() {
			if counts[s] != by[s] {
				r.Errorf("%s: %d are %s, counted %d", what, by[s], s, counts[s])
			}
			if _, total, err := r.Remediations(r.Context(), engine.RemediationFilter{States: []remedy.State{s}, Limit: 1}); err != nil || total != by[s] {
				r.Errorf("%s: the total of %s is %d, want %d, %v", what, s, total, by[s], err)
			}
			if _, total, err := r.Remediations(r.Context(), engine.RemediationFilter{Word: s.Word(), Limit: 1}); err != nil || total != words[s.Word()] {
				r.Errorf("%s: the total of %q is %d, want %d, %v", what, s.Word(), total, words[s.Word()], err)
			}
		}
		counts[remedy.Queued] = 99 // what is handed out is the caller's own
	}
	check("empty")
	m := r.Queue(stand.Order("web1", "s"))
	r.Queue(stand.Order("web1", "t"))
	check("queued")
	mv, err := r.Claim(r.Context(), remedy.Claim{
		ID: m.ID, Version: m.Version, Now: r.Now(), Query: remedy.Query{Subject: m.Subject, Kind: "exec", PolicyPer: int64(time.Hour)},
		Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), r.Now()) },
	})
	if err != nil {
		r.Fatal(err)
	}
	check("claimed")
	end := mv.Next
	end.State = remedy.Verifying
	at := *mv.Open
	at.Finished = r.Now()
	if err := r.Apply(r.Context(), m.Version+1, remedy.Move{Next: end, Close: &at}); err != nil {
		r.Fatal(err)
	}
	check("ended")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				r.Queue(stand.Order("web1", "u"))
				if _, err := r.Counts(context.Background(), clock.Stamp{}); err != nil {
					r.Error(err)
				}
			}
		})
	}
	all.Wait()
	check("many at once")
	r.Reopen()
	check("a new start")
}

// pagesStandStill: who pages by the cursor sees each row that was there at the
// beginning once, whatever is written between two pages.
func pagesStandStill(r *stand.Rig) {
	ctx := context.Background()
	for range 10 {
		r.Queue(stand.Order("web1", "s"))
	}
	var seen []int64
	for before := int64(11); before > 1 && len(seen) < 20; before = seen[len(seen)-1] {
		rs, _, err := r.Remediations(ctx, engine.RemediationFilter{Before: before, Limit: 3})
		if err != nil || len(rs) == 0 {
			r.Fatalf("before %d: %d, %v", before, len(rs), err)
		}
		for _, m := range rs {
			seen = append(seen, m.ID)
		}
		r.Queue(stand.Order("web1", "s"))
		m := r.Of(seen[0])
		m.State = remedy.Cancelled
		if err := r.Apply(ctx, m.Version, remedy.Move{Next: m}); err != nil {
			r.Fatal(err)
		}
	}
	for i, id := range seen {
		if id != int64(10-i) || len(seen) != 10 {
			r.Fatalf("seen %v", seen)
		}
	}
	after := int64(0)
	for last := r.AuditHead().Seq; after < last; {
		rs, err := r.Audit(ctx, after, "", 4)
		if err != nil || len(rs) == 0 || rs[0].Seq != after+1 {
			r.Fatalf("after %d: %v, %v", after, rs, err)
		}
		after = rs[len(rs)-1].Seq
		r.Queue(stand.Order("web1", "s"))
	}
}
