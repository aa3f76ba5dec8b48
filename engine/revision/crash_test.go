package revision_test

import (
	"context"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
)

// TestRevision_WhatACrashLeftGoesWithTheNext: vigild died between an act and the
// word of its end, and a newer revision came meanwhile. Only the journal knows of
// the file, and it does not stay.
func TestRevision_WhatACrashLeftGoesWithTheNext(t *testing.T) {
	r := newRig(t).start()
	r.good("a", r.file("stays", "1"))
	cut := r.commit("b", r.file("stays", "1"), r.file("half", "made"), r.file("meant", "made"))
	r.stop()
	r.cutShort(cut, r.commit("c", r.file("stays", "2"), r.file("meant", "made")), "half", "meant")
	r.start()
	r.until("the newest is good", func() bool { return r.State().State == engine.RevisionGood })
	if r.is("half") != "-" || r.is("stays") != "2" || r.is("meant") != "made" {
		t.Errorf("half %q, stays %q, meant %q", r.is("half"), r.is("stays"), r.is("meant"))
	}
}

// TestRevision_WhatAnOlderWayBackBroughtIsBack: vigild died in the middle of a step, and
// the next one kept a way back of what it found, which cannot be gone. The first way back
// can, and nothing is left to tell; of what it does not bring back it is told.
func TestRevision_WhatAnOlderWayBackBroughtIsBack(t *testing.T) {
	for stays, told := range map[string]bool{"": false, "kept": true} {
		r := newRig(t)
		w := r.watchActs()
		r.start()
		r.good("a", r.file("stays", "1"))
		cut := r.commit("b", r.file("stays", "1"), r.file("half", "made"), r.file("wrong", "x"))
		r.stop()
		now := clock.System()
		back := func(n int64, more string) engine.Undo {
			with := map[string]any{"path": r.path("half"), more: true}
			if more != "absent" {
				with[more] = strings.Repeat("0", 64) // content that is kept no more
			}
			return engine.Undo{N: n, Revision: 2, Ref: "File/half", Summary: "write half", Action: "file", With: with}
		}
		d := &engine.DesiredDecision{Revisions: []engine.Revision{{N: 2, Commit: cut, State: engine.RevisionApplying, Starts: 1, Seen: now(), Began: now()}},
			Undo: []engine.Undo{back(2, "absent"), back(3, "sha256")}}
		if stays != "" {
			d.Undo = d.Undo[1:]
		} else { // what counts is how it was before all of them
			d.Undo[1].Before = &engine.Resource{Key: reconcile.Key{Kind: "File", Name: "half"}, Last: reconcile.State{reconcile.Exists: reconcile.Yes}}
		}
		r.write("half", "made")
		r.left(d)
		w.fail("wrong")
		r.start()
		r.until("it is taken back", func() bool { return r.State().State == engine.RevisionBad })
		if why := r.State().Why; strings.Contains(why, "not taken back: write half") != told || !told && strings.Contains(why, "not taken back") || (r.is("half") == "-") == told {
			t.Errorf("half is %q: %s", r.is("half"), why)
		}
		r.stop()
	}
}

// TestRevision_ARefusedOneLeavesNoHalfOfTheOneBefore: a revision that was cut short
// is overtaken by one that turns out to be wrong. The host goes back to what was
// good.
func TestRevision_ARefusedOneLeavesNoHalfOfTheOneBefore(t *testing.T) {
	r := newRig(t).start()
	r.good("a", r.file("stays", "1"))
	cut := r.commit("b", r.file("stays", "1"), r.file("half", "made"))
	r.stop()
	r.cutShort(cut, r.commit("c", "this is no document"), "half")
	r.start()
	<-r.Ready()
	r.until("the newest is given up", func() bool { return !r.State().State.Open() })
	if r.is("half") != "-" || r.is("stays") != "1" {
		t.Errorf("half %q, stays %q", r.is("half"), r.is("stays"))
	}
	if s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())); len(s.Undo) > 0 {
		t.Errorf("the journal has %+v", s.Undo)
	}
}

// TestRevision_ALostRepositoryIsNoFaultOfTheCommit: the repository is gone when a
// revision that was cut short goes on. It waits, and is applied when it was pushed
// again.
func TestRevision_ALostRepositoryIsNoFaultOfTheCommit(t *testing.T) {
	r := newRig(t).start()
	r.good("a", r.file("stays", "1"))
	next := r.commit("c", r.file("stays", "2"))
	text := r.commits[next]
	r.stop()
	r.cutShort(r.commit("b", r.file("stays", "1"), r.file("half", "made")), next, "half")
	delete(r.commits, next)
	r.start()
	r.until("it is said", func() bool { return r.State().Stalled != "" })
	if s := r.State().State; !s.Open() {
		t.Fatalf("it is %s: %s", s, r.State().Why)
	}
	if _, err := r.push("c", text); err != nil {
		t.Fatal(err)
	}
	if s := r.State(); r.is("half") != "-" || r.is("stays") != "2" || s.Stalled != "" {
		t.Errorf("half %q, stays %q, %+v", r.is("half"), r.is("stays"), s)
	}
}

// TestRevision_ALostRepositoryHoldsAgainOncePushed: the repository is not in a backup.
// What was good is pushed again, is read at once and not with the next round, and
// whoever waits is told what becomes of it.
func TestRevision_ALostRepositoryHoldsAgainOncePushed(t *testing.T) {
	r := newRig(t).start()
	doc := r.file("a", "one\n")
	r.good("a1", doc)
	commit := r.commit("a1", doc)
	r.stop()
	delete(r.commits, commit)
	r.start()
	r.until("it is said", func() bool { return r.State().Stalled != "" })
	if r.State().Unread == "" {
		t.Error("nothing is compared, and nobody is told")
	}
	r.write("a", "by hand\n") // and if it was told, there was nothing then to compare it with
	said := r.good("a1", doc)
	r.until("it holds again", func() bool { return r.is("a") == "one\n" && r.State().Stalled+r.State().Unread == "" })
	if len(said) != 1 || !strings.Contains(said[0], "is good already") {
		t.Errorf("said: %q", said)
	}
}

// cutShort makes the folder of a stopped rig that of a vigild which died while it
// applied a commit: these files were written, and nothing but the journal says so.
// next came before the next start.
func (r *rig) cutShort(commit, next string, files ...string) {
	r.t.Helper()
	now := clock.System()
	d := &engine.DesiredDecision{Revisions: []engine.Revision{
		{N: 2, Commit: commit, State: engine.RevisionApplying, Starts: 1, Seen: now(), Began: now()},
		{N: 3, Commit: next, State: engine.RevisionSeen, Seen: now()},
	}}
	for i, name := range files {
		r.write(name, "made")
		d.Undo = append(d.Undo, engine.Undo{N: int64(i + 2), Revision: 2, Ref: "File/" + name, Summary: "write " + name, Action: "file", With: map[string]any{"path": r.path(name), "absent": true}})
	}
	r.left(d)
}

// left writes into the ledger of a stopped rig.
func (r *rig) left(d *engine.DesiredDecision) {
	r.t.Helper()
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB = r.dir, 0
	now := clock.System()
	led := must[*ledger.Ledger](r.t)(ledger.Open(lc, ledger.Deps{Clock: now}))
	if _, err := led.Commit(context.Background(), &engine.Decision{At: now(), Desired: d}); err != nil {
		r.t.Fatal(err)
	}
	if err := led.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// TestRevision_ALostGoodOneBringsNoBadOneBack: a revision fails, and the good one to
// return to cannot be read. What failed is kept no more than anything else, until
// the good one can be read again.
func TestRevision_ALostGoodOneBringsNoBadOneBack(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	r.good("a1", r.file("a", "one\n"))
	good := r.commit("a1")
	r.mu.Lock()
	delete(r.commits, good)
	r.mu.Unlock()
	w.fail("b")
	if _, err := r.push("a2", r.file("a", "two\n"), r.file("b", "x\n", "  dependsOn: [File/c]"), r.file("c", "x\n")); err == nil {
		t.Fatal("it is good")
	}
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.State(); s.State != engine.RevisionBad || s.Stalled == "" || r.Stats().Open > 0 || r.is("a") != "one\n" || r.is("c") != "-" {
		t.Fatalf("a=%q c=%q, %d heals are under way, %+v", r.is("a"), r.is("c"), r.Stats().Open, s)
	}
	r.commit("a1", r.file("a", "one\n"))
	r.touch("a", "by hand\n")
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.until("the good one is held", func() bool { return r.is("a") == "one\n" })
	if s := r.State(); s.Stalled != "" || r.is("c") != "-" {
		t.Errorf("c=%q %+v", r.is("c"), s)
	}
}
