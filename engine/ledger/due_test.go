package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// TestDueIsInOrderAndOnTime: what may be claimed by now, high priority first,
// then oldest; what waits is due on its own clock.
func TestDueIsInOrderAndOnTime(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	now := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: int64(time.Hour), BootID: "boot-a"}
	add := func(state remedy.State, priority string, until clock.Stamp, source remedy.Source) int64 {
		m := order("web1", "s")
		m.State, m.Priority, m.Until, m.Source = state, priority, until, source
		return r.queue(m).ID
	}
	year := 365 * 24 * time.Hour
	low := add(remedy.Queued, "low", clock.Stamp{}, remedy.FromPolicy)
	medium := add(remedy.Queued, "", clock.Stamp{}, remedy.FromAPI)
	high := add(remedy.Queued, "high", clock.Stamp{}, remedy.FromPolicy)
	medium2 := add(remedy.Queued, "medium", now.Add(-time.Second), remedy.FromPolicy)
	held := add(remedy.Held, "medium", now, remedy.FromPolicy)
	gaveUp := add(remedy.GaveUp, "medium", clock.Stamp{Wall: now.Wall - 1, Boot: 99 * int64(time.Hour), BootID: "boot-0"}, remedy.FromPolicy)
	unclear := add(remedy.Indeterminate, "medium", now.Add(-time.Hour), remedy.FromPolicy)
	jumped := add(remedy.Held, "medium", clock.Stamp{Wall: now.Add(10 * year).Wall, Boot: 1, BootID: "boot-a"}, remedy.FromPolicy)
	for _, never := range []remedy.State{remedy.Held, remedy.GaveUp, remedy.Indeterminate} {
		add(never, "high", clock.Stamp{}, remedy.FromPolicy)
	}
	theirs := add(remedy.Queued, "high", clock.Stamp{}, remedy.FromExternal)
	for _, final := range []remedy.State{remedy.Succeeded, remedy.Refused, remedy.Cancelled, remedy.Failed} {
		add(final, "high", now.Add(-time.Hour), remedy.FromPolicy)
	}
	soon := now.Add(90 * time.Second)
	add(remedy.Queued, "high", soon, remedy.FromPolicy)
	add(remedy.Held, "high", clock.Stamp{Wall: now.Add(2 * time.Minute).Wall, Boot: 1, BootID: "boot-0"}, remedy.FromPolicy)

	due := func(at clock.Stamp, n int) (ids []int64, next clock.Stamp) {
		rs, next, err := r.Due(context.Background(), at, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rs {
			ids = append(ids, m.ID)
		}
		return ids, next
	}
	ids, next := due(now, 100)
	if d := cmp.Diff([]int64{high, medium, medium2, held, gaveUp, unclear, jumped, low, theirs}, ids); d != "" {
		t.Fatal(d)
	}
	if next != soon {
		t.Fatalf("next is %v, want %v", next, soon)
	}
	if ids, next = due(now, 2); len(ids) != 2 || ids[0] != high || next != now {
		t.Fatalf("%v, next %v", ids, next)
	}
	if _, next = due(now.Add(100*time.Second), 100); next.Wall != now.Add(2*time.Minute).Wall {
		t.Fatalf("of an earlier boot the wall clock counts: %v", next)
	}
	if _, next = due(now.Add(time.Hour), 100); !next.IsZero() {
		t.Fatalf("nothing waits any more, but next is %v", next)
	}
	// In the next boot the wall clock is all there is.
	if ids, _ = due(clock.Stamp{Wall: now.Wall - 1, Boot: 1 << 60, BootID: "boot-b"}, 100); len(ids) != 7 {
		t.Fatalf("%v", ids)
	}
}

// TestListingFilters: each filter alone and with others, pages and cursor.
func TestListingFilters(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	ctx := context.Background()
	all := []remedy.State{remedy.Queued, remedy.Held, remedy.Succeeded, remedy.GaveUp, remedy.Refused, remedy.Cancelled, remedy.Indeterminate, remedy.Failed}
	for i := range 16 {
		m := order(fmt.Sprint("web", i%2), "s")
		m.State, m.Created.Wall, m.Fingerprint = all[i%8], int64(1000+i), uint64(i%4)
		if i >= 8 {
			m.Policy = ""
		}
		r.queue(m)
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
			t.Fatal(err)
		}
		var ids []int64
		for _, m := range rs {
			ids = append(ids, m.ID)
		}
		if d := cmp.Diff(tt.want, ids); d != "" || total != tt.total {
			t.Errorf("%s: total %d, want %d %s", name, total, tt.total, d)
		}
	}
	counts, err := r.Counts(ctx, clock.Stamp{Wall: 1008})
	if err != nil || len(counts) != 8 || counts[remedy.Queued] != 1 {
		t.Fatalf("%v %v", counts, err)
	}
	if counts, _ = r.Counts(ctx, clock.Stamp{}); counts[remedy.Queued] != 2 {
		t.Fatalf("%v", counts)
	}
	_, err = r.Remediation(ctx, 99)
	wantKind(t, err, fault.NotFound)
	_, err = r.Attempts(ctx, 99)
	wantKind(t, err, fault.NotFound)
}

// TestAttemptsComeBackWhole: request, result and capture as they were written.
func TestAttemptsComeBackWhole(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	m := r.queue(order("web1", "s"))
	mv, err := r.claim(m)
	if err != nil {
		t.Fatal(err)
	}
	as, rs, err := r.Unfinished(context.Background())
	if err != nil || len(rs) != 1 {
		t.Fatalf("%v %v", rs, err)
	}
	if d := cmp.Diff([]remedy.Attempt{*mv.Open}, as); d != "" {
		t.Fatal(d)
	}
	end := finish(mv.Next, *mv.Open, r.now())
	exit := 7
	end.Close.Result = remedy.Result{Exit: &exit, TimedOut: true, Error: "x\x00\xff", Output: "a\x00b", Data: map[string]any{"id": "1", "n": 2.0}}
	if err := r.Apply(context.Background(), 2, end); err != nil {
		t.Fatal(err)
	}
	got, err := r.Attempts(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	end.Close.Result.Error = "x\x00\ufffd" // JSON has no stray bytes
	if d := cmp.Diff([]remedy.Attempt{*end.Close}, got); d != "" {
		t.Fatal(d)
	}
}
