package conform

import (
	"context"
	"fmt"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// positionNeverGoesBack: shards finish in any order; what is stored is the furthest,
// and a decision that says nothing of it leaves it alone.
func positionNeverGoesBack(r *stand.Rig) {
	for _, tt := range []struct{ put, want uint64 }{{7, 7}, {3, 7}, {0, 7}, {1 << 62, 1 << 62}, {9, 1 << 62}} {
		r.Decide(&engine.Decision{Position: tt.put})
		if got := r.Snap().Position; got != tt.want {
			r.Fatalf("after %d it is %d, want %d", tt.put, got, tt.want)
		}
	}
	r.Crash()
	r.Start()
	if got := r.Snap().Position; got != 1<<62 {
		r.Fatalf("after a crash it is %d", got)
	}
}

// readsAreOfOneMoment: a decision that writes several rows is in a snapshot whole or
// not at all, however many are written meanwhile.
func readsAreOfOneMoment(r *stand.Rig) {
	const rounds = 60
	written := make(chan error, 1)
	go func() {
		for v := range int64(rounds) {
			_, err := r.Commit(context.Background(), &engine.Decision{
				At: clock.Stamp{Wall: 1}, Position: uint64(v + 1), Policies: []engine.PolicyRow{stand.Policy("hot", v)},
				Firings: []engine.FiringRow{stand.Firing("hot", "web1", v)}, Remediations: []remedy.Remediation{stand.Order("web1", "s")},
				Desired: &engine.DesiredDecision{Drifts: []engine.Drift{stand.Drift(v+1, fmt.Sprint(v), "mode")}, Resources: []engine.Resource{stand.Resource(fmt.Sprint(v), "c")}},
			})
			if err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for ended := false; !ended; {
		select {
		case err := <-written:
			if err != nil {
				r.Fatal(err)
			}
			ended = true // and one more look
		default:
		}
		s, w := r.Snap(), r.Wanted()
		n := int(s.Position)
		whole := len(s.Policies) == min(n, 1) && len(s.Firings) == min(n, 1)
		if !whole || len(s.Active) < n || n > 0 && (s.Policies[0].Version != int64(n) || s.Firings[0].Version != int64(n)) {
			r.Fatalf("at position %d: %d remediations, %+v, %+v", n, len(s.Active), s.Policies, s.Firings)
		}
		if len(w.Drifts) != int(w.LastDrift) || len(w.Resources) != len(w.Drifts) {
			r.Fatalf("drift %d: %d drifts, %d resources", w.LastDrift, len(w.Drifts), len(w.Resources))
		}
		if ended && n != rounds {
			r.Fatalf("%d of %d are there", n, rounds)
		}
	}
}

// whoStoppedWaitingChangesNothing: a caller that is gone before its turn is told
// Cancelled, and nothing of what it wanted is there.
func whoStoppedWaitingChangesNothing(r *stand.Rig) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	m := r.Queue(stand.Order("web1", "s"))
	head := r.AuditHead()
	_, d := piece(r, 0)
	_, err := r.Commit(gone, d)
	r.WantKind(err, fault.Cancelled)
	_, err = r.Claim(gone, remedy.Claim{ID: m.ID, Version: m.Version, Now: r.Now(),
		Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), r.Now()) }})
	r.WantKind(err, fault.Cancelled)
	r.WantKind(r.Apply(gone, m.Version, remedy.Move{Next: m, Audit: []audit.Record{stand.Record("move", "x")}}), fault.Cancelled)
	r.WantKind(r.PutToken(gone, "a", engine.Token{Name: "ci", Role: "viewer"}), fault.Cancelled)
	r.WantKind(r.PutReplay(gone, engine.Replay{Key: "a"}, nil), fault.Cancelled)
	if s := r.Snap(); len(s.Policies) != 0 || r.Of(m.ID).Version != m.Version || r.Verified() != head {
		r.Fatalf("something was written: %+v", s)
	}
}
