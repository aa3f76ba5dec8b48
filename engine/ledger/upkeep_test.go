package ledger_test

import (
	"context"
	"testing"

	"vigil/engine"
	"vigil/engine/fault"
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
