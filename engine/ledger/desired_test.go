package ledger_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// TestRestartForgetsNothingOfDesiredState: everything the keeper starts from is
// there, and equal, after a restart, and no number comes back.
func TestRestartForgetsNothingOfDesiredState(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	if d := cmp.Diff(&engine.DesiredSnapshot{}, r.desired()); d != "" {
		t.Fatal("a new ledger: " + d)
	}
	d := all()
	heal, other := order("host", "file:/etc/motd"), order("host", "file:/etc/hosts")
	heal.Source, heal.Policy = remedy.FromReconcile, ""
	r.commit(&engine.Decision{Desired: &d, Remediations: []remedy.Remediation{heal, other}, Audit: []audit.Record{record("revision.apply", "revision:2")}})
	heal.ID, heal.Version = 1, 1
	want := &engine.DesiredSnapshot{Revisions: d.Revisions, Resources: []engine.Resource{d.Resources[1], d.Resources[0], d.Resources[2]},
		Drifts: d.Drifts[:2], Suspends: d.Suspends, Undo: d.Undo, Active: []remedy.Remediation{heal}, LastRevision: 3, LastDrift: 3, LastUndo: 3}
	if d := cmp.Diff(want, r.desired()); d != "" {
		t.Fatal(d)
	}
	r.reopen()
	if d := cmp.Diff(want, r.desired()); d != "" {
		t.Fatal("after the restart: " + d)
	}

	// The apply went well: the journal is settled, and what was newer has its turn.
	gone := suspend("01A")
	gone.Ended = at(5)
	next := undo(5, 3, nil)
	r.put(engine.DesiredDecision{Revisions: []engine.Revision{revision(3, engine.RevisionApplying), revision(2, engine.RevisionGood)},
		Forgotten: []string{"File/hosts", "File/never"}, Suspends: []engine.Suspend{gone},
		Drifts: []engine.Drift{drift(4, "motd", "mode"), ended(drift(1, "motd", "mode"), "replaced")},
		Undo:   []engine.Undo{next, undo(4, 3, nil)}, Undone: []int64{4, 77}, Settled: 3})
	want.Revisions = []engine.Revision{revision(2, engine.RevisionGood), revision(3, engine.RevisionApplying)}
	want.Resources = want.Resources[1:]
	want.Drifts = []engine.Drift{drift(2, "motd", "owner"), drift(4, "motd", "mode")}
	want.Suspends, want.Undo, want.LastDrift, want.LastUndo = want.Suspends[1:], []engine.Undo{next}, 4, 5
	if d := cmp.Diff(want, r.desired()); d != "" {
		t.Fatal(d)
	}
	r.put(engine.DesiredDecision{Settled: 5})
	r.reopen()
	want.Undo = nil
	if d := cmp.Diff(want, r.desired()); d != "" {
		t.Fatal("after the second restart: " + d)
	}
	r.verify()
}

// TestChecksOfTheRepositoryAreKeptWhole: a decision has all of them or leaves them
// alone, and a name twice is an error that changes nothing.
func TestChecksOfTheRepositoryAreKeptWhole(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	row := func(name string) engine.CheckRow {
		return engine.CheckRow{Name: name, Place: name + ".yaml:1:1", Text: []byte(`{"kind":"Check"}`)}
	}
	for _, rows := range [][]engine.CheckRow{{row("a"), row("b")}, {row("b"), row("c")}, {}} {
		r.put(engine.DesiredDecision{Checks: &rows})
		r.put(engine.DesiredDecision{Resources: []engine.Resource{resource("motd", "c1")}})
		if d := cmp.Diff(append([]engine.CheckRow(nil), rows...), r.desired().Checks); d != "" {
			t.Fatal(d)
		}
		_, err := r.Commit(context.Background(), &engine.Decision{Desired: &engine.DesiredDecision{Checks: &[]engine.CheckRow{row("z"), row("z")}}})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "check z") {
			t.Errorf("twice: %v", err)
		}
		r.reopen()
		if d := cmp.Diff(append([]engine.CheckRow(nil), rows...), r.desired().Checks); d != "" {
			t.Fatal("after a restart: " + d)
		}
	}
	r.verify()
}

// TestEntriesOfTheRepositoryAreKeptWhole: as the checks, and they are read alone too.
func TestEntriesOfTheRepositoryAreKeptWhole(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	row := func(name string) engine.EntryRow {
		return engine.EntryRow{Name: name, Place: name + ".yaml:1:1", Commit: "c1", Text: []byte(`{"kind":"Action"}`)}
	}
	for _, rows := range [][]engine.EntryRow{{row("a"), row("b")}, {row("b"), row("c")}, {}} {
		r.put(engine.DesiredDecision{Entries: &rows})
		r.put(engine.DesiredDecision{Resources: []engine.Resource{resource("motd", "c1")}})
		_, err := r.Commit(context.Background(), &engine.Decision{Desired: &engine.DesiredDecision{Entries: &[]engine.EntryRow{row("z"), row("z")}}})
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "entry z") {
			t.Errorf("twice: %v", err)
		}
		r.reopen()
		want := append([]engine.EntryRow(nil), rows...)
		if d := cmp.Diff(want, r.desired().Entries); d != "" {
			t.Fatal("after a restart: " + d)
		}
		alone, err := r.Entries(context.Background())
		if d := cmp.Diff(want, alone); d != "" || err != nil {
			t.Fatal(err, d)
		}
	}
	r.verify()
}

// TestDesiredStateIsAllOrNothing: each of these is a bug of the one who decides;
// it is an error that says what is wrong, and nothing of the decision is there,
// its audit included.
func TestDesiredStateIsAllOrNothing(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	r.put(all())
	r.put(engine.DesiredDecision{Revisions: []engine.Revision{revision(4, engine.RevisionBad)}})
	over := suspend("01A")
	over.Ended = at(2)
	r.put(engine.DesiredDecision{Suspends: []engine.Suspend{over}})
	before, head := r.desired(), r.AuditHead()
	change := func(v engine.Revision, f func(*engine.Revision)) engine.DesiredDecision {
		f(&v)
		return engine.DesiredDecision{Revisions: []engine.Revision{v}}
	}
	sus := func(f func(*engine.Suspend)) engine.DesiredDecision {
		s := suspend("02")
		f(&s)
		return engine.DesiredDecision{Suspends: []engine.Suspend{s}}
	}
	for name, tt := range map[string]struct {
		d    engine.DesiredDecision
		says string
	}{
		"two under way":      {change(revision(3, engine.RevisionChecking), func(*engine.Revision) {}), "revision 3"},
		"another commit":     {change(revision(3, engine.RevisionSeen), func(v *engine.Revision) { v.Commit = "ff" }), "another commit"},
		"taken up again":     {change(revision(4, engine.RevisionSeen), func(*engine.Revision) {}), "not taken up again"},
		"an end, yet open":   {change(revision(3, engine.RevisionSeen), func(v *engine.Revision) { v.Ended = at(9) }), "revision 3"},
		"unknown state":      {change(revision(5, "odd"), func(*engine.Revision) {}), "revision 5"},
		"no commit":          {change(revision(5, engine.RevisionSeen), func(v *engine.Revision) { v.Commit = "" }), "revision 5"},
		"no number":          {change(revision(0, engine.RevisionSeen), func(*engine.Revision) {}), "revision 0"},
		"return to the next": {change(revision(5, engine.RevisionSeen), func(v *engine.Revision) { v.Return = 6 }), "revision 5"},
		"drift twice":        {engine.DesiredDecision{Drifts: []engine.Drift{drift(9, "motd", "mode")}}, "drift 9 of File/motd"},
		"another drift":      {engine.DesiredDecision{Drifts: []engine.Drift{drift(1, "motd", "group")}}, "another one"},
		"drift stands again": {engine.DesiredDecision{Drifts: []engine.Drift{drift(3, "hosts", "mode")}}, "ends once"},
		"end without how":    {engine.DesiredDecision{Drifts: []engine.Drift{ended(drift(1, "motd", "mode"), "")}}, "drift 1"},
		"how without end":    {engine.DesiredDecision{Drifts: []engine.Drift{{ID: 1, How: "healed", Ref: "File/motd", Difference: drift(1, "motd", "mode").Difference}}}, "drift 1"},
		"no reason":          {sus(func(s *engine.Suspend) { s.Reason = "" }), "suspend 02"},
		"no end":             {sus(func(s *engine.Suspend) { s.Until = at(0); s.Until.Wall, s.Until.BootID = 0, "" }), "suspend 02"},
		"suspended again":    {engine.DesiredDecision{Suspends: []engine.Suspend{suspend("01A")}}, "ends once"},
		"step of nothing":    {engine.DesiredDecision{Undo: []engine.Undo{undo(9, 77, nil)}}, "step 9 of the undo journal"},
		"another step":       {engine.DesiredDecision{Undo: []engine.Undo{undo(1, 3, nil)}}, "another one"},
		"final without why":  {engine.DesiredDecision{Undo: []engine.Undo{{N: 9, Revision: 2, Ref: "a"}}}, "step 9"},
	} {
		d := &engine.Decision{Desired: &tt.d, Position: 1000, Remediations: []remedy.Remediation{order("new", "n")}, Audit: []audit.Record{record("never", name)}}
		d.Desired.Resources = []engine.Resource{resource("never", "c9")}
		_, err := r.Commit(context.Background(), d)
		if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v (%s)", name, err, fault.KindOf(err))
		}
		if d := cmp.Diff(before, r.desired()); d != "" || r.AuditHead() != head {
			t.Fatalf("%s left something: %s", name, d)
		}
	}
}

// TestKeeperStartsFromWhatMatters: whatever came since the newest good revision
// that landed, the bad ones that a return left behind, and what is open.
func TestKeeperStartsFromWhatMatters(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	states := func() (out string) {
		for _, v := range r.desired().Revisions {
			out += string(rune('0'+v.N)) + string(v.State) + " "
		}
		return out
	}
	for _, tt := range []struct {
		put  []engine.Revision
		want string
	}{
		{[]engine.Revision{revision(1, engine.RevisionRefused), revision(2, engine.RevisionSeen)}, "1refused 2seen "},
		{[]engine.Revision{revision(2, engine.RevisionGood)}, "2good "},
		{[]engine.Revision{revision(3, engine.RevisionReplaced), revision(4, engine.RevisionGood), revision(5, engine.RevisionSeen)}, "4good 5seen "},
		{[]engine.Revision{revision(4, engine.RevisionBad), func() engine.Revision { v := revision(6, engine.RevisionGood); v.Return = 4; return v }()}, "2good 3replaced 4bad 5seen 6good "},
		{[]engine.Revision{revision(7, engine.RevisionGood)}, "5seen 7good "},
	} {
		r.put(engine.DesiredDecision{Revisions: tt.put})
		if got := states(); got != tt.want {
			t.Fatalf("got %s, want %s", got, tt.want)
		}
	}
}

// TestDesiredListings: pages, newest first, each row once.
func TestDesiredListings(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	var d engine.DesiredDecision
	for n := range int64(25) {
		d.Revisions = append(d.Revisions, revision(n+1, engine.RevisionReplaced))
		f := drift(n+1, string(rune('a'+n%5)), string(rune('a'+n/5)))
		if n%2 == 0 {
			f = ended(f, "healed")
		}
		d.Drifts = append(d.Drifts, f)
	}
	r.put(d)
	var revisions []engine.Revision
	for before := int64(0); ; before = revisions[len(revisions)-1].N {
		page, err := r.Revisions(context.Background(), before, 10)
		if err != nil || len(page) > 10 {
			t.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		revisions = append(revisions, page...)
	}
	for i, v := range revisions {
		if v.N != int64(25-i) || !cmp.Equal(v, d.Revisions[24-i]) {
			t.Fatalf("revision %d in place %d", v.N, i)
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
			t.Fatal(err)
		}
		var got []int64
		for _, x := range ds {
			got = append(got, x.ID)
			if !cmp.Equal(x, d.Drifts[x.ID-1]) {
				t.Fatalf("%+v", x)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%+v: %s", tt, d)
		}
	}
}

// TestDesiredRowsAreWhatWasWritten: a changed value in any of the tables is found
// by the start, which puts the newest snapshot in the file's place.
func TestDesiredRowsAreWhatWasWritten(t *testing.T) {
	for _, change := range []string{
		"UPDATE numbers SET undo = undo - 1", "UPDATE revisions SET why = 'another' WHERE n = 2", "UPDATE resources SET hash = 'another' WHERE ref = 'File/motd'",
		"UPDATE drifts SET wanted = 'another' WHERE id = 2", "UPDATE suspends SET actor = 'another' WHERE id = '01A'", "UPDATE undo SET action = 'another' WHERE n = 1",
	} {
		t.Run(strings.Fields(change)[1], func(t *testing.T) {
			r := newRig(t, config(t.TempDir()))
			r.put(all())
			want := r.desired()
			if _, err := r.Snapshot(context.Background(), ""); err != nil {
				t.Fatal(err)
			}
			if n, err := r.Raw(change); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			_, err := r.Desired(context.Background())
			wantKind(t, err, fault.Corrupt)
			r.reopen()
			if d := cmp.Diff(want, r.desired()); d != "" || r.Epoch() != 2 {
				t.Fatalf("epoch %d: %s", r.Epoch(), d)
			}
			if err := os.Remove(filepath.Join(r.cfg.Dir, "ledger.suspect")); err == nil {
				t.Fatal("it is still suspected")
			}
		})
	}
}
