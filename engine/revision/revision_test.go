package revision_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"vigil/engine/clock"
	"vigil/engine/remedy"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// TestRevision_IsAppliedAndDriftComesBack walks the whole path once: a revision
// lands, is applied, somebody changes a file, it comes back and is on record.
func TestRevision_IsAppliedAndDriftComesBack(t *testing.T) {
	r := newRig(t).start()
	said := r.good("a1", r.file("motd", "hello\n"), r.file("other", "x\n"))
	if r.is("motd") != "hello\n" || r.is("other") != "x\n" {
		t.Fatalf("not applied: %q %q\n%s", r.is("motd"), r.is("other"), strings.Join(said, "\n"))
	}
	if s := r.State(); s.State != engine.RevisionGood || s.Good[:2] != "a1" || s.Applied[:2] != "a1" || s.Resources != 2 || s.Drifted != 0 {
		t.Fatalf("state %+v", s)
	}
	if r.marks["good"][:2] != "a1" || r.marks["applied"][:2] != "a1" {
		t.Fatalf("marks %v", r.marks)
	}
	r.touch("motd", "owned\n")
	r.until("the file comes back", func() bool { return r.is("motd") == "hello\n" })
	r.until("the drift has ended", func() bool {
		ds, err := r.ledger.Drifts(t.Context(), 0, "File/motd", false, 10)
		return err == nil && len(ds) == 1 && ds[0].How == "healed" && !ds[0].Ended.IsZero() && ds[0].Class == reconcile.Drift && ds[0].Field == "sha256"
	})
	if err := os.Remove(r.path("other")); err != nil {
		t.Fatal(err)
	}
	r.Touched([]string{r.path("other")}, false)
	r.until("the removed file comes back", func() bool { return r.is("other") == "x\n" })
}

// TestRevision_FailureReturns: a revision whose step fails is taken back whole, is
// bad, and is not tried again; what was good holds.
func TestRevision_FailureReturns(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"), r.file("old", "stays\n"))
	r.write("found", "was here\n")
	bad := r.file("b", "two\n", "  validate: [/bin/false, \"{}\"]", "  dependsOn: [File/a, File/found, File/in]")
	folder := "---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: d}\nspec: {path: " + r.path("d") + "}\n"
	said, err := r.push("b2", folder, strings.Replace(r.file("d/in", "x\n"), "name: d/in", "name: in", 1), r.file("a", "changed\n"), r.file("found", "ours\n"), bad)
	if err == nil || !strings.Contains(err.Error(), "File/b") {
		t.Fatalf("err %v\n%s", err, strings.Join(said, "\n"))
	}
	if r.is("a") != "one\n" || r.is("found") != "was here\n" || r.is("b") != "-" || r.is("old") != "stays\n" {
		t.Fatalf("a=%q found=%q b=%q old=%q\n%s", r.is("a"), r.is("found"), r.is("b"), r.is("old"), strings.Join(said, "\n"))
	}
	s := r.State()
	if s.State != engine.RevisionBad || s.Good[:2] != "a1" || s.Applied[:2] != "a1" {
		t.Fatalf("%+v", s)
	}
	for _, row := range must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())).Resources {
		if row.Commit[:2] != "a1" {
			t.Errorf("%s is remembered as written by %s, which was taken back", row.Key.Ref(), row.Commit[:2])
		}
	}
	if _, err := os.Stat(r.path("d")); err == nil {
		t.Fatal("the folder that the revision made stayed: what came last has to go first")
	}
	r.touch("a", "by hand\n")
	r.until("the good revision is held", func() bool { return r.is("a") == "one\n" })
	if ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10); err != nil || len(ds) != 1 || ds[0].Class != reconcile.Drift {
		t.Fatalf("what was last written is remembered wrongly: %+v %v", ds, err)
	}
	if n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("b2", "")}); err != nil || n != 2 {
		t.Fatalf("a bad commit came again: %d %v", n, err)
	}
}

// TestRevision_HealthGate: applied and not healthy is a failure.
func TestRevision_HealthGate(t *testing.T) {
	r := newRig(t)
	sick := true
	r.healthy = func(h reconcile.Health) error {
		if sick {
			return context.DeadlineExceeded
		}
		return nil
	}
	r.start()
	health := "  health: {expr: \"value > 0\", timeout: 1s}"
	if _, err := r.push("a1", r.file("a", "one\n", health)); err == nil || r.is("a") != "-" {
		t.Fatalf("err %v a=%q", err, r.is("a"))
	}
	sick = false
	r.good("a2", r.file("a", "two\n", health))
	sick = true
	if _, err := r.push("a3", r.file("a", "three\n", health)); err == nil || r.is("a") != "two\n" {
		t.Fatalf("err %v a=%q", err, r.is("a"))
	}
}

// TestRevision_Prune: what is wanted no more goes; too much at once does not.
func TestRevision_Prune(t *testing.T) {
	r := newRig(t).start()
	var docs []string
	for _, n := range strings.Split("abcdefgh", "") {
		docs = append(docs, r.file(n, n))
	}
	r.good("a1", docs...)
	r.good("a2", docs[1:]...)
	if r.is("a") != "-" || r.is("b") != "b" {
		t.Fatalf("a=%q b=%q", r.is("a"), r.is("b"))
	}
	if _, err := r.push("a3", docs[7]); err == nil || !strings.Contains(err.Error(), "confirm-prune") || r.is("b") != "b" {
		t.Fatalf("err %v b=%q", err, r.is("b"))
	}
	// Asked beforehand, it says what can be done where the commit comes from.
	for source, hint := range map[string]string{"push": "-o confirm-prune", "path": "Confirm-Prune: yes"} {
		set := must[*reconcile.Set](t)(r.load(t.Context(), r.commit("a3", docs[7])))
		if err := r.Inspect(t.Context(), engine.Revision{Source: source}, set, func(string) {}); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", source, err)
		}
	}
	n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a4", docs[7]), Confirmed: true})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.Plan(t.Context(), ""); err != nil || p.Refused != "" {
		t.Errorf("it is confirmed, and its plan says %+v %v", p, err)
	}
	if err := r.Await(t.Context(), n, func(string) {}); err != nil || r.is("b") != "-" || r.is("h") != "h" {
		t.Fatalf("err %v b=%q h=%q", err, r.is("b"), r.is("h"))
	}
	r.write("h", "somebody's own")
	r.good("a5", docs[0]) // h was changed by hand: it is not ours to take away... unless drift healed it before
	if r.is("a") != "a" {
		t.Fatalf("a=%q", r.is("a"))
	}
}

// TestRevision_WhatWasTakenAwayIsCounted: by what went and not by what the plan foresaw,
// in which a folder that the same revision empties is not empty yet.
func TestRevision_WhatWasTakenAwayIsCounted(t *testing.T) {
	r := newRig(t).start()
	folder := "---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: d}\nspec: {path: " + r.path("d") + "}\n"
	in := "---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: in}\nspec: {path: " + r.path("d/in") + ", content: x}\n"
	r.good("a1", folder, in, r.file("x", "x"))
	said := strings.Join(r.good("a2", r.file("x", "y")), "\n")
	if row := must[[]engine.Revision](t)(r.ledger.Revisions(t.Context(), 0, 1))[0]; row.Changed != 1 || row.Pruned != 2 || !strings.Contains(said, "is good: 1 changed, 2 taken away") {
		t.Errorf("%d changed, %d taken away; said:\n%s", row.Changed, row.Pruned, said)
	}
}

// TestRevision_SuspendAndDetect: drift is reported and left alone.
func TestRevision_SuspendAndDetect(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"), r.file("d", "watched\n", "  mode: detect"))
	if r.is("d") != "-" {
		t.Fatal("detect wrote something")
	}
	s, err := r.Suspend(t.Context(), "ada", "File/a", "digging", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.touch("a", "mine\n")
	r.until("it is reported", func() bool {
		ds := r.Drift()
		return len(ds) == 2 && ds[0].Status == "suspended"
	})
	if r.is("a") != "mine\n" {
		t.Fatal("a suspended thing was healed")
	}
	if err := r.Unsuspend(t.Context(), "ada", s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	r.until("it is healed", func() bool { return r.is("a") == "one\n" })
	for _, bad := range []struct {
		sel, why string
		d        time.Duration
	}{{"File/a", "", time.Hour}, {"File/a", "x", 0}, {"a", "x", time.Hour}, {"File/none", "x", time.Hour}, {"*", "x", 31 * 24 * time.Hour}} {
		if _, err := r.Suspend(t.Context(), "ada", bad.sel, bad.why, bad.d); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestRevision_Rollback: a person goes back, and what was left is bad.
func TestRevision_Rollback(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	r.good("a2", r.file("a", "two\n"), r.file("b", "b\n"))
	rev, err := r.Rollback(t.Context(), "ada", "", "two is no good")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Await(t.Context(), rev.N, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if r.is("a") != "one\n" || r.is("b") != "-" {
		t.Fatalf("a=%q b=%q", r.is("a"), r.is("b"))
	}
	revs, err := r.ledger.Revisions(t.Context(), 0, 10)
	if err != nil || len(revs) != 3 || revs[1].State != engine.RevisionBad || revs[0].State != engine.RevisionGood {
		t.Fatalf("%+v %v", revs, err)
	}

	// The branch is still at what was left, and is not what holds: that is said, also
	// by the next run, until a person has it tried again.
	for range 2 {
		if s := r.State(); !strings.Contains(s.Stalled, "a2000") || !strings.Contains(s.Stalled, "two is no good") {
			t.Errorf("stalled: %q", s.Stalled)
		}
		r.stop()
		r.start()
		r.until("it is loaded", func() bool { return r.State().State == engine.RevisionGood })
	}
	for commit, says := range map[string]string{revs[2].Commit[:6]: "the branch is not at " + revs[2].Commit[:10] + " any more, which was good", "feed": "the branch is not at feed"} {
		if _, err := r.Retry(t.Context(), "ada", commit); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("what the branch is not at was tried again: %v, want %q", err, says)
		}
	}
	if _, err := r.Rollback(t.Context(), "ada", revs[1].Commit[:6], "no reason"); err == nil || !strings.Contains(err.Error(), "was never good: it was bad: a person went back from it: two is no good") {
		t.Errorf("a bad one says %v", err)
	}
	if rev, err = r.Retry(t.Context(), "ada", revs[1].Commit); err != nil || rev.Return != 0 {
		t.Fatalf("%+v %v", rev, err)
	}
	if err := r.Await(t.Context(), rev.N, func(string) {}); err != nil || r.is("a") != "two\n" || r.State().Stalled != "" {
		t.Fatalf("a=%q %v, stalled: %q", r.is("a"), err, r.State().Stalled)
	}
	if _, err := r.Retry(t.Context(), "ada", revs[1].Commit); fault.KindOf(err) != fault.Conflict {
		t.Errorf("what is good was tried again: %v", err)
	}
}

// TestRevision_RollbackFromWhatIsOnItsWay: who goes back while a revision is being applied,
// pushed or tried again, comes to the last good one and no further.
func TestRevision_RollbackFromWhatIsOnItsWay(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	r.good("b2", r.file("a", "two\n"))
	good := r.State().Good
	if _, err := r.push("c3", r.file("a", "three\n", "  validate: [/bin/false, \"{}\"]")); err == nil {
		t.Fatal("it is good")
	}
	release := r.paused()
	for _, what := range []string{"retry", "push"} {
		switch what {
		case "retry":
			if _, err := r.Retry(t.Context(), "ada", ""); err != nil {
				t.Fatal(err)
			}
		case "push":
			r.held("d4", r.file("a", "four\n"))
		}
		back, err := r.Rollback(t.Context(), "ada", "", "it takes too long")
		if err != nil || back.Commit != good {
			t.Fatalf("back from a %s to %s, want %s: %v", what, back.Commit, good, err)
		}
		again, err := r.Rollback(t.Context(), "ada", "", "asked twice")
		if err != nil || again.Commit == good {
			t.Fatalf("while it is on its way back, to %s: %v", again.Commit, err)
		}
	}
	back, err := r.Rollback(t.Context(), "ada", good, "that one")
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := r.Await(t.Context(), back.N, func(string) {}); err != nil || r.is("a") != "two\n" {
		t.Errorf("a=%q %v", r.is("a"), err)
	}
	if s := r.State(); !strings.Contains(s.Stalled, "d4") {
		t.Errorf("the branch is at what was left, and that is not said: %+v", s)
	}
}

// TestRevision_RollbackToOneThatWasOvertaken: that a return to a good revision was
// overtaken does not make it one that never was good.
func TestRevision_RollbackToOneThatWasOvertaken(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	r.good("b2", r.file("a", "two\n"))
	release := r.paused()
	over, err := r.Rollback(t.Context(), "ada", "a100", "two is no good")
	if err != nil {
		t.Fatal(err)
	}
	r.held("c3", r.file("a", "three\n"))
	if err := r.Await(t.Context(), over.N, func(string) {}); err == nil {
		t.Fatal("it was not overtaken")
	}
	release()
	r.until("the newer one is good", func() bool { return r.State().State == engine.RevisionGood })
	back, err := r.Rollback(t.Context(), "ada", "a100", "nor is three")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Await(t.Context(), back.N, func(string) {}); err != nil || r.is("a") != "one\n" {
		t.Errorf("a=%q %v", r.is("a"), err)
	}
}

// TestRevision_FightStopsItself: what is changed again and again is left alone
// after so many heals, by name, and nothing else suffers.
func TestRevision_FightStopsItself(t *testing.T) {
	r := newRig(t)
	r.suspect = func(context.Context, string) string { return "mallory" }
	r.start()
	r.good("a1", r.file("a", "one\n", "  heal: {backoff: 1ms, maxAttempts: 3}"))
	fought := 0
	r.until("it stops", func() bool {
		if r.is("a") == "one\n" {
			fought++
			r.touch("a", "again\n")
		}
		ds := r.Drift()
		return len(ds) == 1 && ds[0].Status == "stopped"
	})
	if fought != 4 {
		t.Fatalf("changed %d times, three heals and then it stays", fought)
	}
	if d := r.Drift()[0]; d.NextHeal.Before(time.Now()) || d.Heals != 3 {
		t.Fatalf("%+v", d)
	}
	if ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", true, 10); err != nil || len(ds) != 1 || ds[0].Suspect != "mallory" {
		t.Errorf("on record is %+v, %v", ds, err)
	}
}

// TestDrift_NamesWhoChangesItAgain: on record, from the second change on. A first one
// is healed, and does not wait for a search.
func TestDrift_NamesWhoChangesItAgain(t *testing.T) {
	r := newRig(t)
	r.suspect = func(context.Context, string) string { return "mallory" }
	r.start()
	r.good("a1", r.file("a", "one\n", "  heal: {backoff: 1ms}"))
	for i, text := range []string{"two\n", "three\n"} {
		r.touch("a", text)
		r.until("it is healed", func() bool { return r.Stats().Heals == uint64(i+1) && len(r.Drift()) == 0 })
	}
	ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10)
	if err != nil || len(ds) != 2 || ds[0].Suspect != "mallory" || ds[1].Suspect != "" || ds[0].How != "healed" {
		t.Errorf("on record is %+v, %v", ds, err)
	}
}

// TestDrift_OneSearchARound: a folder that somebody empties again and again does not
// keep the heal of it waiting for a search after each file.
func TestDrift_OneSearchARound(t *testing.T) {
	r := newRig(t)
	var asked atomic.Int32
	r.suspect = func(context.Context, string) string { asked.Add(1); return "mallory" }
	r.start()
	var docs, paths []string
	for i := range 50 {
		name := "f" + strconv.Itoa(i)
		docs, paths = append(docs, r.file(name, "one\n", "  heal: {backoff: 1ms}")), append(paths, r.path(name))
	}
	r.good("a1", docs...)
	for turn := range 2 {
		for _, p := range paths {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
		r.Touched(paths, false)
		r.until("all are back", func() bool { return r.Stats().Heals == uint64((turn+1)*len(paths)) && len(r.Drift()) == 0 })
	}
	if n := asked.Load(); n < 1 || n > 25 {
		t.Errorf("searched %d times for %d files", n, len(paths))
	}
}

// TestRevision_ASecondChangeWaitsForItsBackoffAlone: what may not be healed yet when it
// is found is healed when it may, and not at the next turn of an idle keeper.
func TestRevision_ASecondChangeWaitsForItsBackoffAlone(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	back := func() bool { return r.is("a") == "one\n" }
	r.touch("a", "first\n")
	r.until("the first change is healed", back)
	healed := time.Now()
	r.until("the keeper is idle, and the backoff not over", func() bool { return time.Since(healed) > 300*time.Millisecond })
	r.touch("a", "second\n")
	found := time.Now()
	r.until("the second change is healed", back)
	if took := time.Since(found); took > 9*time.Second { // an idle keeper turns every ten
		t.Errorf("after %v, and its backoff is a second", took)
	}
}

// TestRevision_ComesBackAfterAStop: a new start holds what the old one held, and
// heals what changed meanwhile.
func TestRevision_ComesBackAfterAStop(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	r.stop()
	r.write("a", "in the night\n")
	r.marks = map[string]string{} // a crash came between the ledger and the repository
	r.start()
	r.until("the repository says where the host stands", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return strings.HasPrefix(r.marks["good"], "a1") && strings.HasPrefix(r.marks["applied"], "a1")
	})
	r.until("it is healed", func() bool { return r.is("a") == "one\n" })
	ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10)
	if err != nil || len(ds) != 1 || ds[0].Class != reconcile.Drift {
		t.Fatalf("%+v %v", ds, err)
	}
}

// TestRevision_DriftEndsWithItsDocument: what nobody speaks of any more has no
// drift that stands, over a restart too, and can drift again later; whether it
// might be taken away or not.
func TestRevision_DriftEndsWithItsDocument(t *testing.T) {
	for _, prune := range []string{"  prune: true", "  prune: false"} {
		r := newRig(t).start()
		wanted := func(mode string) string { return r.file("w", "one\n", "  mode: "+mode, prune) }
		stands := func() int {
			ds, err := r.ledger.Drifts(t.Context(), 0, "File/w", true, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(ds)
		}
		other := r.file("x", "x\n")
		r.good("a1", wanted("enforce"), other)
		r.good("a2", wanted("detect"), other)
		r.touch("w", "by hand\n")
		r.until("it drifts", func() bool { return stands() == 1 })
		r.stop()
		r.start()
		r.good("a3", other)
		if n := stands(); n != 0 {
			t.Fatalf("%s: %d drifts stand of what nobody speaks of", prune, n)
		}
		r.write("w", "one\n")
		r.good("a4", wanted("enforce"), other)
		r.good("a5", wanted("detect"), other)
		r.touch("w", "by hand\n")
		r.until("it drifts again", func() bool { return stands() == 1 })
		r.stop()
	}
}

// TestRevision_ADocumentThatMoves: a document that speaks of another path leaves
// nothing behind at the old one, comes back whole when the revision fails, and what
// another document takes over stays.
func TestRevision_ADocumentThatMoves(t *testing.T) {
	r := newRig(t).start()
	at := func(doc, file, content string) string {
		return strings.Replace(r.file(file, content), "name: "+file, "name: "+doc, 1)
	}
	bad := r.file("bad", "x\n", "  validate: [/bin/false, \"{}\"]", "  dependsOn: [File/a]")
	r.good("a1", at("a", "old", "one\n"), at("b", "other", "b\n"))
	if _, err := r.push("a2", at("a", "new", "two\n"), at("b", "other", "b\n"), bad); err == nil {
		t.Fatal("a broken revision was good")
	}
	if r.is("old") != "one\n" || r.is("new") != "-" {
		t.Fatalf("old=%q new=%q", r.is("old"), r.is("new"))
	}
	r.touch("old", "by hand\n")
	r.until("the old path is kept again", func() bool { return r.is("old") == "one\n" })
	r.good("a3", at("a", "new", "two\n"), at("b", "other", "b\n"))
	if r.is("old") != "-" || r.is("new") != "two\n" || r.is("other") != "b\n" {
		t.Fatalf("old=%q new=%q other=%q", r.is("old"), r.is("new"), r.is("other"))
	}
	r.good("a4", at("a", "other", "b\n"), at("b", "new", "two\n"))
	if r.is("new") != "two\n" || r.is("other") != "b\n" {
		t.Fatalf("two that change places: new=%q other=%q", r.is("new"), r.is("other"))
	}
	r.stop()
	r.start()
	r.touch("new", "by hand\n")
	r.until("it is kept under its new name", func() bool { return r.is("new") == "two\n" })
	if got := len(r.Resources()); got != 2 {
		t.Fatalf("%d things are kept: %+v", got, r.Resources())
	}
}

// TestRevision_ADocumentThatMovesOverACrash: what a document left is taken away by the
// next start too, though no document speaks of it and its name is another's by then.
func TestRevision_ADocumentThatMovesOverACrash(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("old", "one\n"))
	release := r.paused()
	r.held("a2", strings.Replace(r.file("new", "one\n"), "name: new", "name: old", 1))
	r.stop()
	r.start()
	release()
	r.until("it is good", func() bool { s := r.State(); return s.State == engine.RevisionGood && s.Good[:2] == "a2" })
	if r.is("new") != "one\n" || r.is("old") != "-" {
		t.Errorf("new=%q old=%q", r.is("new"), r.is("old"))
	}
}

// TestRevision_AHealThatHelpedIsNoFailure: somebody changes a thing again before its
// heal is verified, again and again; no breaker opens over it, and it is healed in
// the end. While a gate holds a heal, that is what is told of the thing.
func TestRevision_AHealThatHelpedIsNoFailure(t *testing.T) {
	r := newRig(t)
	meddle := func() {}
	r.acts = func(as remedy.Actions) remedy.Actions { return meddled{as, func() { meddle() }} }
	r.start()
	r.good("a1", r.file("a", "one\n", "  heal: {backoff: 1ms, maxAttempts: 100}"))
	for i := range 6 {
		meddle = sync.OnceFunc(func() { // between the act and the look that verifies it
			if err := os.Chmod(r.path("a"), os.FileMode(0o600+i)); err != nil {
				t.Error(err)
			}
		})
		r.touch("a", "by hand\n")
		r.until("all is well", func() bool { return r.is("a") == "one\n" && len(r.Drift()) == 0 })
	}
	rs, _, err := r.ledger.Remediations(t.Context(), engine.RemediationFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rs {
		if x.State != remedy.Succeeded {
			t.Errorf("%d is %s: %s", x.ID, x.State, x.Reason+x.Error)
		}
	}
	if _, err := r.engine.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldPause, Reason: "digging", Until: clock.System()().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	r.touch("a", "while paused\n")
	r.until("the gate is told", func() bool {
		ds := r.Drift()
		return len(ds) == 1 && ds[0].Status == "held" && strings.Contains(ds[0].Reason, "digging")
	})
}

// TestRevision_AFolderThatIsGoneComesBackWhole: a managed folder that somebody
// removed with all that is in it comes back outermost first, without a failed heal.
func TestRevision_AFolderThatIsGoneComesBackWhole(t *testing.T) {
	r := newRig(t).start()
	folder := func(name string) string {
		return "---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: " + name + "}\nspec: {path: " + r.path(name) + "}\n"
	}
	file := func(name string) string {
		return strings.Replace(r.file(name, "x\n"), "name: "+name, "name: "+strings.ReplaceAll(name, "/", "-"), 1)
	}
	r.good("a1", strings.ReplaceAll(folder("d"), "name: d/", "name: "), strings.Replace(folder("d/in"), "name: d/in", "name: in", 1), file("d/one"), file("d/in/two"))
	for i, first := range []string{"d/in/two", "d/one", "d"} { // whichever event comes first
		if err := os.Rename(r.path("d"), r.path("away"+strconv.Itoa(i))); err != nil { // all at once
			t.Fatal(err)
		}
		r.Touched([]string{r.path(first)}, false)
		r.Touched([]string{r.path("d"), r.path("d/in"), r.path("d/one"), r.path("d/in/two")}, false)
		r.until("all is back", func() bool {
			return r.is("d/one") == "x\n" && r.is("d/in/two") == "x\n" && len(r.Drift()) == 0
		})
	}
	rs, _, err := r.ledger.Remediations(t.Context(), engine.RemediationFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rs {
		if x.State != remedy.Succeeded {
			t.Errorf("%d (%s) is %s: %s", x.ID, x.Target, x.State, x.Error)
		}
	}
}

// meddled are actions after each of which somebody else does something.
type meddled struct {
	remedy.Actions
	after func()
}

func (m meddled) Action(name string) (remedy.Action, bool) {
	a, ok := m.Actions.Action(name)
	return meddledAction{a, m.after}, ok
}

type meddledAction struct {
	remedy.Action
	after func()
}

func (m meddledAction) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	defer m.after()
	return m.Action.Run(ctx, r)
}
