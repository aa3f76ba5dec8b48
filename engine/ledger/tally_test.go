package ledger_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// TestTallyIsWhatACountSays: after every kind of write, for every word and state,
// while others write, and after a new start.
func TestTallyIsWhatACountSays(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	check := func(what string) {
		t.Helper()
		all, n, err := r.Remediations(t.Context(), engine.RemediationFilter{Limit: 1000})
		if err != nil || n != len(all) {
			t.Fatalf("%s: %d listed, total %d, %v", what, len(all), n, err)
		}
		by, words := map[remedy.State]int{}, map[string]int{}
		for _, x := range all {
			by[x.State]++
			words[x.State.Word()]++
		}
		counts, err := r.Counts(t.Context(), clock.Stamp{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range remedy.States() {
			if counts[s] != by[s] {
				t.Errorf("%s: %d are %s, counted %d", what, by[s], s, counts[s])
			}
			if _, total, err := r.Remediations(t.Context(), engine.RemediationFilter{States: []remedy.State{s}, Limit: 1}); err != nil || total != by[s] {
				t.Errorf("%s: the total of %s is %d, want %d, %v", what, s, total, by[s], err)
			}
			if _, total, err := r.Remediations(t.Context(), engine.RemediationFilter{Word: s.Word(), Limit: 1}); err != nil || total != words[s.Word()] {
				t.Errorf("%s: the total of %q is %d, want %d, %v", what, s.Word(), total, words[s.Word()], err)
			}
		}
		counts[remedy.Queued] = 99 // what is handed out is the caller's own
	}
	check("empty")
	m := r.queue(order("web1", "s"))
	r.queue(order("web1", "t"))
	check("queued")
	mv, err := r.Claim(t.Context(), remedy.Claim{
		ID: m.ID, Version: m.Version, Now: r.now(), Query: remedy.Query{Subject: m.Subject, Kind: "exec", PolicyPer: int64(time.Hour)},
		Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return start(m, r.Epoch(), r.now()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	check("claimed")
	end := mv.Next
	end.State = remedy.Verifying
	at := *mv.Open
	at.Finished = r.now()
	if err := r.Apply(t.Context(), m.Version+1, remedy.Move{Next: end, Close: &at}); err != nil {
		t.Fatal(err)
	}
	check("ended")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				r.queue(order("web1", "u"))
				if _, err := r.Counts(context.Background(), clock.Stamp{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	check("many at once")
	r.reopen()
	check("a new start")
}
