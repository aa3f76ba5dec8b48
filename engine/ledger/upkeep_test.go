package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/desired"
	"vigil/engine/remedy"
)

// TestTrimmingForgetsOnlyWhatIsOver: closed firings, ended holds and finished
// remediations go beyond what is kept, the oldest first; what is open, waits or
// needs a person stays, and ids never come back.
func TestTrimmingForgetsOnlyWhatIsOver(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Closed, cfg.Finished = 3, 1000
	r := newRig(t, cfg)
	ctx := context.Background()
	done := r.queue(order("done", "s"))
	mv, err := r.claim(done)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(ctx, 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
		t.Fatal(err)
	}
	open := r.queue(order("open", "s"))
	if _, err := r.claim(open); err != nil {
		t.Fatal(err)
	}
	over := order("over", "s")
	over.State = remedy.Refused
	waits := order("waits", "s")
	waits.State = remedy.GaveUp
	d := &engine.Decision{Remediations: []remedy.Remediation{over, waits}}
	for range 1001 {
		d.Remediations = append(d.Remediations, over)
	}
	r.commit(d)
	for i := range 8 {
		host := string(rune('a' + i))
		f := firing("hot", host, 0)
		r.commit(&engine.Decision{Firings: []engine.FiringRow{f, firing("cold", host, 0)}, Holds: []engine.Hold{{ID: host, Kind: engine.HoldPause}, {ID: host + "2", Kind: engine.HoldPause}}})
		f.Version, f.Closed = 1, "over"
		r.commit(&engine.Decision{Firings: []engine.FiringRow{f}, Released: []string{host}})
	}
	if err := r.Trim(ctx); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{done.ID, 3, 5} {
		_, err := r.Remediation(ctx, id)
		wantKind(t, err, fault.NotFound)
	}
	r.remediation(open.ID)
	r.remediation(4)
	r.remediation(6)
	s := r.load()
	if len(s.Firings) != 8 || len(s.Holds) != 8 {
		t.Fatalf("%d firings, %d holds stand", len(s.Firings), len(s.Holds))
	}
	for sql, want := range map[string]int64{
		"SELECT count(*) FROM firings": 11, "SELECT count(*) FROM holds": 11, "SELECT count(*) FROM attempts": 1,
		"SELECT count(*) FROM requests": 1, "SELECT count(*) FROM results": 0,
	} {
		if n, err := r.RawInt(sql); err != nil || n != want {
			t.Fatalf("%s: %d, %v", sql, n, err)
		}
	}
	if m := r.queue(order("new", "s")); m.ID != 1006 {
		t.Fatalf("id %d", m.ID)
	}
	r.reopen()
	r.verify()
}

// TestTrimmingForgetsOnlyOldDesiredState: what ended goes beyond what is kept;
// the newest good revision, what is open, what the journal names and every drift
// and suspend that stands stay, and no number comes back.
func TestTrimmingForgetsOnlyOldDesiredState(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	keep, trim := desired.Keep{Revisions: 1000, Drifts: 10_000, Suspends: 1000}, func() error { return r.Trim(context.Background()) }
	if brief() {
		keep = desired.Keep{Revisions: 30, Drifts: 50, Suspends: 30}
		trim = func() error { return r.TrimDesired(keep) }
	}
	returned := revision(7, engine.RevisionGood)
	returned.Return = 6
	d := engine.DesiredDecision{
		Revisions: []engine.Revision{revision(1, engine.RevisionGood), revision(2, engine.RevisionBad), revision(3, engine.RevisionSeen),
			revision(4, engine.RevisionBad), revision(5, engine.RevisionGood), revision(6, engine.RevisionBad), returned},
		Undo:   []engine.Undo{undo(1, 4, nil)},
		Drifts: []engine.Drift{drift(1, "old", "mode")},
	}
	for n := range keep.Revisions + 10 {
		d.Revisions = append(d.Revisions, revision(8+n, engine.RevisionReplaced))
		s := suspend(fmt.Sprintf("%05d", n))
		if n > 2 {
			s.Ended = at(n)
		}
		d.Suspends = append(d.Suspends, s)
	}
	for n := range keep.Drifts + 20 {
		d.Drifts = append(d.Drifts, ended(drift(2+n, "new", "mode"), "healed"))
	}
	r.put(d)
	before := r.desired()
	if err := trim(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sql  string
		want int64
	}{
		{"SELECT count(*) FROM revisions", keep.Revisions + 4}, // and 3, 4, 5, 7
		{"SELECT min(n) FROM revisions", 3},
		{"SELECT count(*) FROM revisions WHERE n IN (4, 5, 7)", 3},
		{"SELECT count(*) FROM drifts", keep.Drifts + 1},
		{"SELECT min(id) FROM drifts WHERE id > 1", 22},
		{"SELECT count(*) FROM suspends", keep.Suspends + 3},
		{"SELECT count(*) FROM suspends WHERE ended IS NULL", 3},
	} {
		if n, err := r.RawInt(tt.sql); err != nil || n != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.sql, n, err, tt.want)
		}
	}
	after := r.desired()
	before.Revisions = slices.DeleteFunc(before.Revisions, func(v engine.Revision) bool { return v.N == 6 || v.N > 7 && v.N <= 17 })
	if d := cmp.Diff(before, after); d != "" {
		t.Fatal(d)
	}
	r.reopen()
	r.verify()
}
