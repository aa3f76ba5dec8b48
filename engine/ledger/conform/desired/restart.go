package desired

import (
	"context"
	"strings"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// restartForgetsNothingOfDesiredState: everything the keeper starts from is
// there, and equal, after a restart, and no number comes back.
func restartForgetsNothingOfDesiredState(r *stand.Rig) {
	if d := cmp.Diff(&engine.DesiredSnapshot{}, r.Wanted()); d != "" {
		r.Fatal("a new ledger: " + d)
	}
	d := stand.All()
	heal, other := stand.Order("host", "file:/etc/motd"), stand.Order("host", "file:/etc/hosts")
	heal.Source, heal.Policy = remedy.FromReconcile, ""
	r.Decide(&engine.Decision{Desired: &d, Remediations: []remedy.Remediation{heal, other}, Audit: []audit.Record{stand.Record("revision.apply", "revision:2")}})
	heal.ID, heal.Version = 1, 1
	want := &engine.DesiredSnapshot{Revisions: d.Revisions, Resources: []engine.Resource{d.Resources[1], d.Resources[0], d.Resources[2]},
		Drifts: d.Drifts[:2], Suspends: d.Suspends, Undo: d.Undo, Active: []remedy.Remediation{heal}, LastRevision: 3, LastDrift: 3, LastUndo: 3}
	if d := cmp.Diff(want, r.Wanted()); d != "" {
		r.Fatal(d)
	}
	r.Reopen()
	if d := cmp.Diff(want, r.Wanted()); d != "" {
		r.Fatal("after the restart: " + d)
	}

	// The apply went well: the journal is settled, and what was newer has its turn.
	gone := stand.Suspend("01A")
	gone.Ended = stand.At(5)
	next := stand.Undo(5, 3, nil)
	r.Want(engine.DesiredDecision{Revisions: []engine.Revision{stand.Revision(3, engine.RevisionApplying), stand.Revision(2, engine.RevisionGood)},
		Forgotten: []string{"File/hosts", "File/never"}, Suspends: []engine.Suspend{gone},
		Drifts: []engine.Drift{stand.Drift(4, "motd", "mode"), stand.Ended(stand.Drift(1, "motd", "mode"), "replaced")},
		Undo:   []engine.Undo{next, stand.Undo(4, 3, nil)}, Undone: []int64{4, 77}, Settled: 3})
	want.Revisions = []engine.Revision{stand.Revision(2, engine.RevisionGood), stand.Revision(3, engine.RevisionApplying)}
	want.Resources = want.Resources[1:]
	want.Drifts = []engine.Drift{stand.Drift(2, "motd", "owner"), stand.Drift(4, "motd", "mode")}
	want.Suspends, want.Undo, want.LastDrift, want.LastUndo = want.Suspends[1:], []engine.Undo{next}, 4, 5
	if d := cmp.Diff(want, r.Wanted()); d != "" {
		r.Fatal(d)
	}
	r.Want(engine.DesiredDecision{Settled: 5})
	r.Reopen()
	want.Undo = nil
	if d := cmp.Diff(want, r.Wanted()); d != "" {
		r.Fatal("after the second restart: " + d)
	}
	r.Verified()
}

// checksOfTheRepositoryAreKeptWhole: a decision has all of them or leaves them
// alone, and a name twice is an error that changes nothing.
func checksOfTheRepositoryAreKeptWhole(r *stand.Rig) {
	row := func(name string) engine.CheckRow {
		return engine.CheckRow{Name: name, Place: name + ".yaml:1:1", Text: []byte(`{"kind":"Check"}`)}
	}
	for _, rows := range [][]engine.CheckRow{{row("a"), row("b")}, {row("b"), row("c")}, {}} {
		r.Want(engine.DesiredDecision{Checks: &rows})
		r.Want(engine.DesiredDecision{Resources: []engine.Resource{stand.Resource("motd", "c1")}})
		if d := cmp.Diff(append([]engine.CheckRow(nil), rows...), r.Wanted().Checks); d != "" {
			r.Fatal(d)
		}
		_, err := r.Commit(context.Background(), &engine.Decision{Desired: &engine.DesiredDecision{Checks: &[]engine.CheckRow{row("z"), row("z")}}})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "check z") {
			r.Errorf("twice: %v", err)
		}
		r.Reopen()
		if d := cmp.Diff(append([]engine.CheckRow(nil), rows...), r.Wanted().Checks); d != "" {
			r.Fatal("after a restart: " + d)
		}
	}
	r.Verified()
}

// desiredStateIsAllOrNothing: each of these is a bug of the one who decides;
// it is an error that says what is wrong, and nothing of the decision is there,
// its audit included.
func desiredStateIsAllOrNothing(r *stand.Rig) {
	r.Want(stand.All())
	r.Want(engine.DesiredDecision{Revisions: []engine.Revision{stand.Revision(4, engine.RevisionBad)}})
	over := stand.Suspend("01A")
	over.Ended = stand.At(2)
	r.Want(engine.DesiredDecision{Suspends: []engine.Suspend{over}})
	before, head := r.Wanted(), r.AuditHead()
	change := func(v engine.Revision, f func(*engine.Revision)) engine.DesiredDecision {
		f(&v)
		return engine.DesiredDecision{Revisions: []engine.Revision{v}}
	}
	sus := func(f func(*engine.Suspend)) engine.DesiredDecision {
		s := stand.Suspend("02")
		f(&s)
		return engine.DesiredDecision{Suspends: []engine.Suspend{s}}
	}
	for name, tt := range map[string]struct {
		d    engine.DesiredDecision
		says string
	}{
		"two under way":      {change(stand.Revision(3, engine.RevisionChecking), func(*engine.Revision) {}), "revision 3"},
		"another commit":     {change(stand.Revision(3, engine.RevisionSeen), func(v *engine.Revision) { v.Commit = "ff" }), "revision 3"},
		"taken up again":     {change(stand.Revision(4, engine.RevisionSeen), func(*engine.Revision) {}), "revision 4"},
		"an end, yet open":   {change(stand.Revision(3, engine.RevisionSeen), func(v *engine.Revision) { v.Ended = stand.At(9) }), "revision 3"},
		"unknown state":      {change(stand.Revision(5, "odd"), func(*engine.Revision) {}), "revision 5"},
		"no commit":          {change(stand.Revision(5, engine.RevisionSeen), func(v *engine.Revision) { v.Commit = "" }), "revision 5"},
		"no number":          {change(stand.Revision(0, engine.RevisionSeen), func(*engine.Revision) {}), "revision 0"},
		"return to the next": {change(stand.Revision(5, engine.RevisionSeen), func(v *engine.Revision) { v.Return = 6 }), "revision 5"},
		"drift twice":        {engine.DesiredDecision{Drifts: []engine.Drift{stand.Drift(9, "motd", "mode")}}, "drift 9 of File/motd"},
		"another drift":      {engine.DesiredDecision{Drifts: []engine.Drift{stand.Drift(1, "motd", "group")}}, "drift 1"},
		"drift stands again": {engine.DesiredDecision{Drifts: []engine.Drift{stand.Drift(3, "hosts", "mode")}}, "drift 3"},
		"end without how":    {engine.DesiredDecision{Drifts: []engine.Drift{stand.Ended(stand.Drift(1, "motd", "mode"), "")}}, "drift 1"},
		"how without end":    {engine.DesiredDecision{Drifts: []engine.Drift{{ID: 1, How: "healed", Ref: "File/motd", Difference: stand.Drift(1, "motd", "mode").Difference}}}, "drift 1"},
		"no reason":          {sus(func(s *engine.Suspend) { s.Reason = "" }), "suspend 02"},
		"no end":             {sus(func(s *engine.Suspend) { s.Until = stand.At(0); s.Until.Wall, s.Until.BootID = 0, "" }), "suspend 02"},
		"suspended again":    {engine.DesiredDecision{Suspends: []engine.Suspend{stand.Suspend("01A")}}, "suspend 01A"},
		"step of nothing":    {engine.DesiredDecision{Undo: []engine.Undo{stand.Undo(9, 77, nil)}}, "step 9 of the undo journal"},
		"another step":       {engine.DesiredDecision{Undo: []engine.Undo{stand.Undo(1, 3, nil)}}, "step 1 of the undo journal"},
		"final without why":  {engine.DesiredDecision{Undo: []engine.Undo{{N: 9, Revision: 2, Ref: "a"}}}, "step 9"},
	} {
		d := &engine.Decision{Desired: &tt.d, Position: 1000, Remediations: []remedy.Remediation{stand.Order("new", "n")}, Audit: []audit.Record{stand.Record("never", name)}}
		d.Desired.Resources = []engine.Resource{stand.Resource("never", "c9")}
		_, err := r.Commit(context.Background(), d)
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), tt.says) {
			r.Errorf("%s: %v (%s)", name, err, fault.KindOf(err))
		}
		if d := cmp.Diff(before, r.Wanted()); d != "" || r.AuditHead() != head {
			r.Fatalf("%s left something: %s", name, d)
		}
	}
}

// entriesOfTheRepositoryAreKeptWhole: as the checks, and they are read alone too.
func entriesOfTheRepositoryAreKeptWhole(r *stand.Rig) {
	row := func(name string) engine.EntryRow {
		return engine.EntryRow{Name: name, Place: name + ".yaml:1:1", Commit: "c1", Text: []byte(`{"kind":"Action"}`)}
	}
	for _, rows := range [][]engine.EntryRow{{row("a"), row("b")}, {row("b"), row("c")}, {}} {
		r.Want(engine.DesiredDecision{Entries: &rows})
		r.Want(engine.DesiredDecision{Resources: []engine.Resource{stand.Resource("motd", "c1")}})
		_, err := r.Commit(context.Background(), &engine.Decision{Desired: &engine.DesiredDecision{Entries: &[]engine.EntryRow{row("z"), row("z")}}})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "entry z") {
			r.Errorf("twice: %v", err)
		}
		r.Reopen()
		want := append([]engine.EntryRow(nil), rows...)
		if d := cmp.Diff(want, r.Wanted().Entries); d != "" {
			r.Fatal("after a restart: " + d)
		}
		alone, err := r.Entries(context.Background())
		if d := cmp.Diff(want, alone); d != "" || err != nil {
			r.Fatal(err, d)
		}
	}
	r.Verified()
}
