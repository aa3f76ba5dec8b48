package ledger_test

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// TestRestartForgetsNothing: everything a decision wrote is there, and equal,
// after a restart: policies, open firings, holds, waiting remediations, position.
func TestRestartForgetsNothing(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	f, closed := firing("hot", "web1", 0), firing("hot", "web2", 0)
	f.State.Value = math.NaN()
	hold := engine.Hold{ID: "01H", Kind: engine.HoldMaintenance, Owner: "api", Actor: "token:a", Reason: "deploy", Matchers: `{host="a"}`,
		Schedule: "0 2 * * *", Zone: "Europe/Berlin", Length: 3600, From: r.now(), Until: r.now(), Created: r.now()}
	rc := r.commit(&engine.Decision{
		Position: 42, Firings: []engine.FiringRow{f, closed}, Policies: []engine.PolicyRow{put("hot", 0), put("cold", 0)},
		Remediations: []remedy.Remediation{order("web1", "systemd:web.service"), order("web2", "systemd:web.service")},
		Holds:        []engine.Hold{hold, {ID: "02", Kind: engine.HoldPause}},
		Audit:        []audit.Record{record("firing.fire", "firing:1"), record("remediation.queue", "remediation:1")},
	})
	if d := cmp.Diff([]int64{1, 2}, rc.Remediations); d != "" || rc.AuditSeq != 2 {
		t.Fatalf("receipt %+v", rc)
	}
	closed.Version, closed.Closed = 1, "policy edited"
	r.commit(&engine.Decision{Position: 41, Firings: []engine.FiringRow{closed}, Deleted: []string{"cold"}, Released: []string{"02"},
		Policies: []engine.PolicyRow{put("hot", 1)}})

	f.Version = 1
	want := &engine.Snapshot{Position: 42, Epoch: 1, Policies: []engine.PolicyRow{put("hot", 2)}, Firings: []engine.FiringRow{f}, Holds: []engine.Hold{hold}}
	for i, m := range []remedy.Remediation{order("web1", "systemd:web.service"), order("web2", "systemd:web.service")} {
		m.ID, m.Version = int64(i+1), 1
		want.Active = append(want.Active, m)
	}
	if d := cmp.Diff(want, r.load(), cmpopts.EquateNaNs()); d != "" {
		t.Fatal(d)
	}
	r.reopen()
	if d := cmp.Diff(want, r.load(), cmpopts.EquateNaNs()); d != "" {
		t.Fatal("after the restart: " + d)
	}
	r.verify()
}

// TestCommitIsAllOrNothing: one stale version in a decision, and nothing of it
// is there, its audit included.
func TestCommitIsAllOrNothing(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	r.commit(&engine.Decision{Firings: []engine.FiringRow{firing("hot", "web1", 0)}, Policies: []engine.PolicyRow{put("hot", 0)},
		Remediations: []remedy.Remediation{order("web1", "s")}, Audit: []audit.Record{record("a", "b")}})
	before, head := r.load(), r.AuditHead()
	for name, d := range map[string]*engine.Decision{
		"second open firing": {Firings: []engine.FiringRow{firing("hot", "web1", 0)}},
		"stale firing":       {Firings: []engine.FiringRow{firing("hot", "web1", 7)}},
		"unknown firing":     {Firings: []engine.FiringRow{firing("hot", "web9", 1)}},
		"policy twice":       {Policies: []engine.PolicyRow{put("hot", 0)}},
		"stale policy":       {Policies: []engine.PolicyRow{put("hot", 5)}},
		"unknown policy":     {Deleted: []string{"none"}},
		"stale remediation":  {Moves: []engine.RemediationMove{{Version: 9, Move: remedy.Move{Next: before.Active[0]}}}},
		"unknown hold":       {Released: []string{"none"}},
		"unknown state":      {Firings: []engine.FiringRow{func() engine.FiringRow { f := firing("x", "y", 0); f.State.State = "odd"; return f }()}},
		"running from start": {Remediations: []remedy.Remediation{func() remedy.Remediation { m := order("a", "b"); m.State = remedy.Running; return m }()}},
		"attempt by a move":  {Moves: []engine.RemediationMove{{Version: 1, Move: start(before.Active[0], 1, r.now())}}},
	} {
		d.Position = 1000
		d.Remediations = append(d.Remediations, order("new", "n"))
		d.Audit = []audit.Record{record("never", name)}
		if _, err := r.Commit(context.Background(), d); err == nil {
			t.Fatalf("%s: it was committed", name)
		} else if k := fault.KindOf(err); k != fault.Conflict && k != fault.Internal {
			t.Fatalf("%s: %v (%s)", name, err, k)
		}
		if d := cmp.Diff(before, r.load()); d != "" || r.AuditHead() != head {
			t.Fatalf("%s left something: %s", name, d)
		}
	}
}

// TestVersionsCount: each write of a row adds one, and only the newest may write.
func TestVersionsCount(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	for v := range int64(5) {
		r.commit(&engine.Decision{Firings: []engine.FiringRow{firing("hot", "web1", v)}})
	}
	_, err := r.Commit(context.Background(), &engine.Decision{Firings: []engine.FiringRow{firing("hot", "web1", 4)}})
	wantKind(t, err, fault.Conflict)
	if f := r.load().Firings[0]; f.Version != 5 {
		t.Fatalf("version %d", f.Version)
	}
	// A closed firing makes room for a new one, which begins at 1 again.
	f := firing("hot", "web1", 5)
	f.Closed = "gone"
	r.commit(&engine.Decision{Firings: []engine.FiringRow{f}})
	r.commit(&engine.Decision{Firings: []engine.FiringRow{firing("hot", "web1", 0)}})
	if f := r.load().Firings[0]; f.Version != 1 || len(r.load().Firings) != 1 {
		t.Fatalf("%+v", f)
	}
}

// TestBoundsAreKept: what is too large is refused by name and leaves nothing.
func TestBoundsAreKept(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	big := string(make([]byte, 2<<20))
	for name, d := range map[string]*engine.Decision{
		"audit":       {Audit: []audit.Record{{Verb: "v", Evidence: []byte(big)}}},
		"policy":      {Policies: []engine.PolicyRow{{Name: "p", Text: []byte(big)}}},
		"remediation": {Remediations: []remedy.Remediation{func() remedy.Remediation { m := order("a", "b"); m.Details = big; return m }()}},
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
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff(&engine.DesiredSnapshot{}, r.desired()); d != "" {
		t.Fatal(d)
	}
	if h := r.AuditHead(); h.Seq != 0 {
		t.Fatalf("something was written: %d", h.Seq)
	}
}

// TestUncleanStartsAreCounted: only a start without a clean stop before it counts.
func TestUncleanStartsAreCounted(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	r.reopen()
	if n := len(r.load().UncleanStarts); n != 0 {
		t.Fatalf("%d unclean starts after clean ones", n)
	}
	var want []clock.Stamp
	for range 12 {
		r.crash()
		r.open()
		want = append(want, clock.Stamp{Wall: r.wall.Load() - 1000})
	}
	r.reopen()
	got := r.load().UncleanStarts
	if len(got) != 10 || got[9].Wall > r.wall.Load() || got[0].Wall < want[2].Wall-1000_000 {
		t.Fatalf("%d unclean starts: %v", len(got), got)
	}
	r.verify()
}
