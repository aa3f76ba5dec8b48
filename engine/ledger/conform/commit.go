package conform

import (
	"context"
	"math"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// restartForgetsNothing: everything a decision wrote is there, and equal,
// after a restart: policies, open firings, holds, waiting remediations, position.
func restartForgetsNothing(r *stand.Rig) {
	f, closed := stand.Firing("hot", "web1", 0), stand.Firing("hot", "web2", 0)
	f.State.Value = math.NaN()
	hold := engine.Hold{ID: "01H", Kind: engine.HoldMaintenance, Owner: "api", Actor: "token:a", Reason: "deploy", Matchers: `{host="a"}`,
		Schedule: "0 2 * * *", Zone: "Europe/Berlin", Length: 3600, From: r.Now(), Until: r.Now(), Created: r.Now()}
	rc := r.Decide(&engine.Decision{
		Position: 42, Firings: []engine.FiringRow{f, closed}, Policies: []engine.PolicyRow{stand.Policy("hot", 0), stand.Policy("cold", 0)},
		Remediations: []remedy.Remediation{stand.Order("web1", "systemd:web.service"), stand.Order("web2", "systemd:web.service")},
		Holds:        []engine.Hold{hold, {ID: "02", Kind: engine.HoldPause}},
		Audit:        []audit.Record{stand.Record("firing.fire", "firing:1"), stand.Record("remediation.queue", "remediation:1")},
	})
	if d := cmp.Diff([]int64{1, 2}, rc.Remediations); d != "" || rc.AuditSeq != 2 {
		r.Fatalf("receipt %+v", rc)
	}
	closed.Version, closed.Closed = 1, "policy edited"
	r.Decide(&engine.Decision{Position: 41, Firings: []engine.FiringRow{closed}, Deleted: []string{"cold"}, Released: []string{"02"},
		Policies: []engine.PolicyRow{stand.Policy("hot", 1)}})

	f.Version = 1
	want := &stand.Snapshot{Snapshot: &engine.Snapshot{Position: 42, Epoch: 1, Policies: []engine.PolicyRow{stand.Policy("hot", 2)}, Firings: []engine.FiringRow{f}, Holds: []engine.Hold{hold}}}
	for i, m := range []remedy.Remediation{stand.Order("web1", "systemd:web.service"), stand.Order("web2", "systemd:web.service")} {
		m.ID, m.Version = int64(i+1), 1
		want.Active = append(want.Active, m)
	}
	if d := cmp.Diff(want, r.Snap(), cmpopts.EquateNaNs()); d != "" {
		r.Fatal(d)
	}
	r.Reopen()
	if d := cmp.Diff(want, r.Snap(), cmpopts.EquateNaNs()); d != "" {
		r.Fatal("after the restart: " + d)
	}
	r.Verified()
}

// commitIsAllOrNothing: one stale version in a decision, and nothing of it
// is there, its audit included.
func commitIsAllOrNothing(r *stand.Rig) {
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{stand.Firing("hot", "web1", 0)}, Policies: []engine.PolicyRow{stand.Policy("hot", 0)},
		Remediations: []remedy.Remediation{stand.Order("web1", "s")}, Audit: []audit.Record{stand.Record("a", "b")}})
	before, head := r.Snap(), r.AuditHead()
	for name, d := range map[string]*engine.Decision{
		"second open firing": {Firings: []engine.FiringRow{stand.Firing("hot", "web1", 0)}},
		"stale firing":       {Firings: []engine.FiringRow{stand.Firing("hot", "web1", 7)}},
		"unknown firing":     {Firings: []engine.FiringRow{stand.Firing("hot", "web9", 1)}},
		"policy twice":       {Policies: []engine.PolicyRow{stand.Policy("hot", 0)}},
		"stale policy":       {Policies: []engine.PolicyRow{stand.Policy("hot", 5)}},
		"unknown policy":     {Deleted: []string{"none"}},
		"stale remediation":  {Moves: []engine.RemediationMove{{Version: 9, Move: remedy.Move{Next: before.Active[0]}}}},
		"unknown hold":       {Released: []string{"none"}},
		"unknown state":      {Firings: []engine.FiringRow{func() engine.FiringRow { f := stand.Firing("x", "y", 0); f.State.State = "odd"; return f }()}},
		"running from start": {Remediations: []remedy.Remediation{func() remedy.Remediation { m := stand.Order("a", "b"); m.State = remedy.Running; return m }()}},
		"attempt by a move":  {Moves: []engine.RemediationMove{{Version: 1, Move: stand.Start(before.Active[0], 1, r.Now())}}},
	} {
		d.Position = 1000
		d.Remediations = append(d.Remediations, stand.Order("new", "n"))
		d.Audit = []audit.Record{stand.Record("never", name)}
		if _, err := r.Commit(context.Background(), d); err == nil {
			r.Fatalf("%s: it was committed", name)
		} else if k := fault.KindOf(err); k != fault.Conflict && k != fault.Internal {
			r.Fatalf("%s: %v (%s)", name, err, k)
		}
		if d := cmp.Diff(before, r.Snap()); d != "" || r.AuditHead() != head {
			r.Fatalf("%s left something: %s", name, d)
		}
	}
}

// versionsCount: each write of a row adds one, and only the newest may write.
func versionsCount(r *stand.Rig) {
	for v := range int64(5) {
		r.Decide(&engine.Decision{Firings: []engine.FiringRow{stand.Firing("hot", "web1", v)}})
	}
	_, err := r.Commit(context.Background(), &engine.Decision{Firings: []engine.FiringRow{stand.Firing("hot", "web1", 4)}})
	r.WantKind(err, fault.Conflict)
	if f := r.Snap().Firings[0]; f.Version != 5 {
		r.Fatalf("version %d", f.Version)
	}
	// A closed firing makes room for a new one, which begins at 1 again.
	f := stand.Firing("hot", "web1", 5)
	f.Closed = "gone"
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{f}})
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{stand.Firing("hot", "web1", 0)}})
	if f := r.Snap().Firings[0]; f.Version != 1 || len(r.Snap().Firings) != 1 {
		r.Fatalf("%+v", f)
	}
}

// boundsAreKept: what is too large is refused by name and leaves nothing.
func boundsAreKept(r *stand.Rig) {
	big := string(make([]byte, 2<<20))
	for name, d := range map[string]*engine.Decision{
		"audit":       {Audit: []audit.Record{{Verb: "v", Evidence: []byte(big)}}},
		"policy":      {Policies: []engine.PolicyRow{{Name: "p", Text: []byte(big)}}},
		"remediation": {Remediations: []remedy.Remediation{func() remedy.Remediation { m := stand.Order("a", "b"); m.Details = big; return m }()}},
		"hold":        {Holds: []engine.Hold{{ID: "h", Kind: engine.HoldPause, Reason: big}}},
		"rows":        {Audit: make([]audit.Record, 200_000)},
		"resources":   {Desired: &engine.DesiredDecision{Resources: make([]engine.Resource, 200_000)}},
		"resource": {Desired: &engine.DesiredDecision{Resources: []engine.Resource{{
			Key: reconcile.Key{Kind: "File", Name: "a"}, Last: reconcile.State{"sha256": big}}}}},
		"revision": {Desired: &engine.DesiredDecision{Revisions: []engine.Revision{{N: 1, Commit: "c", State: engine.RevisionSeen, Subject: big[:70<<10]}}}},
		"drift":    {Desired: &engine.DesiredDecision{Drifts: []engine.Drift{{ID: 1, Difference: reconcile.Difference{Wanted: big}}}}},
		"suspend":  {Desired: &engine.DesiredDecision{Suspends: []engine.Suspend{{ID: "a", Selector: "*", Reason: big}}}},
		"undo":     {Desired: &engine.DesiredDecision{Undo: []engine.Undo{{N: 1, Revision: 1, With: map[string]any{"content": big}}}}},
		"before":   {Desired: &engine.DesiredDecision{Undo: []engine.Undo{{N: 1, Revision: 1, Before: &engine.Resource{Last: reconcile.State{"a": big}}}}}},
	} {
		_, err := r.Commit(context.Background(), d)
		if fault.KindOf(err) != fault.TooLarge {
			r.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff(&engine.DesiredSnapshot{}, r.Wanted()); d != "" {
		r.Fatal(d)
	}
	if h := r.AuditHead(); h.Seq != 0 {
		r.Fatalf("something was written: %d", h.Seq)
	}
}
