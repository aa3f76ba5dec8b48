package revision_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// TestRevision_Order: what something depends on is done with before it is begun,
// and what is taken away goes in the other direction.
func TestRevision_Order(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	folder := "---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: z}\nspec: {path: " + r.path("z") + "}\n"
	in := strings.Replace(r.file("z/in", "x\n"), "name: z/in", "name: in", 1)
	x := r.file("x", "x\n")
	r.good("a1", r.file("a", "x\n", "  dependsOn: [File/in]"), r.file("b", "x\n", "  dependsOn: [File/a]"), in, folder, x)
	got := w.taken()
	got = slices.DeleteFunc(got, func(s string) bool { return s == "x" })
	if want := []string{"z", "in", "a", "b"}; !slices.Equal(got, want) {
		t.Fatalf("done in the order %q, expected %q", got, want)
	}
	r.good("a2", x)
	got = w.taken()
	if slices.Index(got, "in") > slices.Index(got, "z") || r.is("a") != "-" || len(got) != 4 {
		t.Fatalf("taken away in the order %q", got)
	}
}

// TestRevision_WhatIsSaidToBeDoneIsLookedAt: an act that says it was done and was
// not fails its revision, and is no heal.
func TestRevision_WhatIsSaidToBeDoneIsLookedAt(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	r.good("a1", r.file("a", "one\n", "  heal: {maxAttempts: 1}"), r.file("b", "one\n"))
	w.lie("a")
	if _, err := r.push("a2", r.file("a", "two\n", "  heal: {maxAttempts: 1}"), r.file("b", "two\n")); err == nil || !strings.Contains(err.Error(), "File/a: write "+r.path("a")+": it is still not as the document says") {
		t.Fatalf("err %v, a=%q", err, r.is("a"))
	}
	if s := r.State(); s.State != engine.RevisionBad || r.is("b") != "one\n" {
		t.Fatalf("%+v b=%q", s, r.is("b"))
	}
	r.touch("a", "by hand\n")
	r.until("the heal gives up", func() bool { ds := r.Drift(); return len(ds) == 1 && ds[0].Status == "stopped" })
	if ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10); err != nil || len(ds) == 0 || !ds[0].Ended.IsZero() {
		t.Fatalf("the drift stands: %+v %v", ds, err)
	}
}

// TestRevision_StoppedOutlivesARestart: a fight that was given up is not taken up
// again because vigild was started anew.
func TestRevision_StoppedOutlivesARestart(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n", "  heal: {backoff: 1ms, maxAttempts: 2}"), r.file("b", "one\n"))
	r.until("it stops", func() bool {
		if r.is("a") == "one\n" {
			r.touch("a", "again\n")
		}
		ds := r.Drift()
		return len(ds) == 1 && ds[0].Status == "stopped"
	})
	until := r.Drift()[0].NextHeal
	r.stop()
	r.write("b", "by hand\n")
	r.start()
	r.until("another thing is healed", func() bool { return r.is("b") == "one\n" && len(r.Drift()) == 1 })
	if ds := r.Drift(); len(ds) != 1 || ds[0].Status != "stopped" || ds[0].Heals != 2 || !ds[0].NextHeal.Equal(until) || r.is("a") != "again\n" {
		t.Fatalf("a=%q %+v, expected to be left until %v", r.is("a"), ds, until)
	}
}

// TestRevision_ReplacedByANewer: a newer revision ends the wait for health of an
// older one, and nothing that the older one alone wanted stays.
func TestRevision_ReplacedByANewer(t *testing.T) {
	r := newRig(t)
	asked, answer := make(chan struct{}, 8), make(chan struct{})
	r.healthy = func(reconcile.Health) error { asked <- struct{}{}; <-answer; return nil }
	r.start()
	defer close(answer)
	health := "  health: {expr: \"value > 0\", timeout: 30s}"
	older, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a1", r.file("a", "one\n", health), r.file("only", "x\n"))})
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	r.good("a2", r.file("a", "two\n"))
	if err := r.Await(t.Context(), older, func(string) {}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Fatalf("the older one: %v", err)
	}
	if r.is("a") != "two\n" || r.is("only") != "-" {
		t.Fatalf("a=%q only=%q", r.is("a"), r.is("only"))
	}
	revs, err := r.ledger.Revisions(t.Context(), 0, 10)
	if err != nil || len(revs) != 2 || revs[0].State != engine.RevisionGood || revs[1].State != engine.RevisionReplaced {
		t.Fatalf("%+v %v", revs, err)
	}
	if s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())); len(s.Undo) > 0 {
		t.Errorf("the journal has %+v", s.Undo)
	}
}

// TestRevision_OwnDocuments: vigild's own documents follow the revision that holds,
// there and back; mistakes in them refuse it, and a failure to adopt them fails it.
func TestRevision_OwnDocuments(t *testing.T) {
	r := newRig(t)
	own := &owned{}
	r.own = own
	r.start()
	r.good("a1", r.file("a", "one\n"))
	if got := own.last(); !strings.HasPrefix(got, "a1") {
		t.Fatalf("adopted %q", got)
	}
	if _, err := r.push("a2", r.file("a", "two\n"), r.file("b", "two\n", "  validate: [/bin/false, \"{}\"]", "  dependsOn: [File/a]")); err == nil {
		t.Fatal("a broken revision was good")
	}
	if got := own.last(); !strings.HasPrefix(got, "a1") {
		t.Fatalf("back at a1, and adopted is %q", got)
	}
	a3 := r.commit("a3", "")
	own.mu.Lock()
	own.fails = a3
	own.mu.Unlock()
	if _, err := r.push("a3", r.file("a", "three\n")); err == nil || !strings.Contains(err.Error(), "do not fit") || r.is("a") != "one\n" || own.last()[:2] != "a1" {
		t.Fatalf("err %v a=%q adopted %q", err, r.is("a"), own.last())
	}
	own.mu.Lock()
	own.wrong = "no such policy"
	own.mu.Unlock()
	if _, err := r.push("a4", r.file("a", "four\n")); err == nil || !strings.Contains(err.Error(), "no such policy") || own.last()[:2] != "a1" {
		t.Fatalf("err %v adopted %q", err, own.last())
	}
	if s := r.State(); s.State != engine.RevisionRefused || r.is("a") != "one\n" {
		t.Fatalf("%+v a=%q", s, r.is("a"))
	}
	own.mu.Lock()
	own.wrong, own.adopted = "", nil
	own.mu.Unlock()
	r.stop()
	r.start()
	r.until("they are adopted by the next run", func() bool { return strings.HasPrefix(own.last(), "a1") })
}

// TestRevision_TheFirstOneThatFailsLeavesNothing: there is no good one to go back
// to, and nothing of it stays.
func TestRevision_TheFirstOneThatFailsLeavesNothing(t *testing.T) {
	r := newRig(t)
	own := &owned{}
	r.own = own
	w := r.watchActs()
	r.start()
	w.fail("b")
	if _, err := r.push("a1", r.file("a", "one\n"), r.file("b", "one\n", "  dependsOn: [File/a]")); err == nil || r.is("a") != "-" {
		t.Fatalf("err %v a=%q", err, r.is("a"))
	}
	if s := r.State(); s.State != engine.RevisionBad || s.Good != "" || s.Applied != "" || s.Resources != 0 || own.last() != "" {
		t.Fatalf("%+v, adopted %q", s, own.last())
	}
	if s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())); len(s.Undo)+len(s.Resources) > 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestRevision_MarksFollowTheWayBack: the repository says where the host stands,
// after an applied revision was taken back for its health too.
func TestRevision_MarksFollowTheWayBack(t *testing.T) {
	r := newRig(t)
	r.cfg.Soak = document.Duration(3 * time.Millisecond)
	var during string
	sick := false
	r.healthy = func(reconcile.Health) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		during = r.marks["applied"]
		if sick {
			return context.DeadlineExceeded
		}
		return nil
	}
	r.start()
	health := "  health: {expr: \"value > 0\", timeout: 1s}"
	if said := r.good("a1", r.file("a", "one\n", health)); !slices.Contains(said, "waiting for the health of File/a") || !slices.Contains(said, "it has to stay well for 3ms") {
		t.Errorf("said: %q", said)
	}
	r.mu.Lock()
	sick = true
	r.mu.Unlock()
	if _, err := r.push("a2", r.file("a", "two\n", health)); err == nil {
		t.Fatal("sick and good")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if during[:2] != "a2" || r.marks["applied"][:2] != "a1" || r.marks["good"][:2] != "a1" {
		t.Fatalf("during %q, after %v", during, r.marks)
	}
}

// TestRevision_StartsAreCounted: a revision that was cut short is gone on with by
// the next start; one during which vigild died three times may be why, and is taken
// back.
func TestRevision_StartsAreCounted(t *testing.T) {
	for starts, want := range map[int]engine.RevisionState{1: engine.RevisionGood, 2: engine.RevisionGood, 3: engine.RevisionBad} {
		for _, at := range []engine.RevisionState{engine.RevisionApplying, engine.RevisionChecking} {
			r := newRig(t).start()
			r.good("a1", r.file("a", "one\n"))
			r.stop()
			commit := r.commit("a2", r.file("a", "two\n"), r.file("half", "made"))
			r.row(engine.Revision{N: 2, Commit: commit, State: at, Starts: starts})
			<-r.start().Ready()
			r.until("it has ended", func() bool { return !r.State().State.Open() })
			revs, err := r.ledger.Revisions(t.Context(), 0, 1)
			if err != nil || revs[0].State != want || want == engine.RevisionGood && revs[0].Starts != starts+1 {
				t.Fatalf("%s, %d starts: %+v %v", at, starts, revs, err)
			}
			if good := want == engine.RevisionGood; (r.is("a") == "two\n") != good || (r.is("half") == "made") != good {
				t.Fatalf("%s, %d starts: a=%q half=%q", at, starts, r.is("a"), r.is("half"))
			}
			r.stop()
		}
	}
}

// row writes a revision into the ledger of a stopped rig.
func (r *rig) row(rev engine.Revision) {
	r.t.Helper()
	lc := ledger.Defaults()
	lc.Dir, lc.BallastMB = r.dir, 0
	now := clock.System()
	rev.Seen, rev.Began = now(), now()
	led := must[*ledger.Ledger](r.t)(ledger.Open(lc, ledger.Deps{Clock: now}))
	if _, err := led.Commit(context.Background(), &engine.Decision{At: now(), Desired: &engine.DesiredDecision{Revisions: []engine.Revision{rev}}}); err != nil {
		r.t.Fatal(err)
	}
	if err := led.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// TestRevision_TheFirstFailureEndsIt: nothing more of the same level is begun.
func TestRevision_TheFirstFailureEndsIt(t *testing.T) {
	r := newRig(t)
	r.cfg.AtOnce = 1
	w := r.watchActs()
	r.start()
	w.fail("a")
	if _, err := r.push("a1", r.file("a", "one\n"), r.file("b", "one\n"), r.file("c", "one\n")); err == nil || !strings.Contains(err.Error(), "File/a") {
		t.Fatalf("err %v", err)
	}
	if got := w.taken(); len(got) > 0 {
		t.Errorf("done after it: %q", got)
	}
}

// TestRevision_HasToStayAsItWasMade until it is good: what somebody changes while
// health is waited for fails it, whether an event told of it or not.
func TestRevision_HasToStayAsItWasMade(t *testing.T) {
	for _, told := range []bool{false, true} {
		r := newRig(t)
		asked, answer := make(chan struct{}, 8), make(chan struct{})
		r.healthy = func(reconcile.Health) error { asked <- struct{}{}; <-answer; return nil }
		r.start()
		n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a1", r.file("a", "one\n", "  health: {expr: \"value > 0\", timeout: 30s}"))})
		if err != nil {
			t.Fatal(err)
		}
		<-asked
		r.write("a", "by hand\n")
		if told {
			r.Touched([]string{r.path("a")}, false)
			r.until("it is given up before health answers", func() bool { return !r.State().State.Open() })
		}
		close(answer)
		if err := r.Await(t.Context(), n, func(string) {}); err == nil || !strings.Contains(err.Error(), "did not stay") {
			t.Errorf("told %v: %v", told, err)
		}
		r.stop()
	}
}

// TestRevision_HealthIsAskedAgainAfterACrash: nobody knows any more what the last
// run changed, so everything that says when it is well has to be.
func TestRevision_HealthIsAskedAgainAfterACrash(t *testing.T) {
	r := newRig(t)
	sick := false
	r.healthy = func(reconcile.Health) error {
		if sick {
			return context.DeadlineExceeded
		}
		return nil
	}
	r.start()
	health := "  health: {expr: \"value > 0\", timeout: 1s}"
	r.good("a1", r.file("a", "one\n", health))
	r.stop()
	r.write("a", "two\n") // it was done, and then vigild died
	r.row(engine.Revision{N: 2, Commit: r.commit("a2", r.file("a", "two\n", health)), State: engine.RevisionChecking, Starts: 1})
	sick = true
	<-r.start().Ready()
	r.until("it has ended", func() bool { return !r.State().State.Open() })
	if s := r.State(); s.State != engine.RevisionBad {
		t.Fatalf("sick, and %s", s.State)
	}
	r.until("the good one is held", func() bool { return r.is("a") == "one\n" })
}

// TestRevision_WhatCannotBeSeenIsNotKept: it refuses the revision, with its place,
// unless it is only to be looked at.
func TestRevision_WhatCannotBeSeenIsNotKept(t *testing.T) {
	r := newRig(t).start()
	if err := os.Symlink(t.TempDir(), r.path("link")); err != nil {
		t.Fatal(err)
	}
	behind := func(more ...string) string {
		return strings.Replace(r.file("link/x", "x\n", more...), "name: link/x", "name: x", 1)
	}
	if _, err := r.push("a1", r.file("a", "one\n"), behind()); err == nil || !strings.Contains(err.Error(), "File/x cannot be looked at") || !strings.Contains(err.Error(), "all.yaml:") || r.is("a") != "-" {
		t.Fatalf("err %v a=%q", err, r.is("a"))
	}
	if s := r.State(); s.State != engine.RevisionRefused {
		t.Fatalf("%+v", s)
	}
	r.good("a2", r.file("a", "one\n"), behind("  mode: detect"))
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ds := r.Drift(); len(ds) != 1 || ds[0].Status != "unseen" || ds[0].Reason == "" {
		t.Errorf("%+v", ds)
	}
	if s := r.State(); s.Unseen != 1 || s.Drifted != 0 || r.Stats().Unseen != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRevision_Wanted: a step that waits is done only while its document stands as
// it was, and nobody wants the thing left alone; what takes back is always wanted.
func TestRevision_Wanted(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"), r.file("b", "one\n"))
	if _, err := r.Suspend(t.Context(), "ada", "File/b", "digging", time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		labels map[string]string
		why    string
	}{
		{map[string]string{"resource": "File/a"}, ""},
		{map[string]string{"resource": "File/a", "hash": "of another document"}, "its document has changed since"},
		{map[string]string{"resource": "File/c"}, "no document speaks of File/c any more"},
		{map[string]string{"resource": "File/b"}, "suspended: digging"},
		{map[string]string{"resource": "File/b", "back": "yes"}, ""},
		{map[string]string{"resource": "File/c", "notice": "yes"}, ""},
	} {
		if why, ok := r.Wanted(remedy.Remediation{Labels: tt.labels}); why != tt.why || ok != (tt.why == "") {
			t.Errorf("%v: %v %q, expected %q", tt.labels, ok, why, tt.why)
		}
	}
}

// TestRevision_LostWordsAreMadeGood: no event comes, and drift is found at the next
// round all the same.
func TestRevision_LostWordsAreMadeGood(t *testing.T) {
	r := newRig(t)
	if err := r.cfg.Resync.UnmarshalText([]byte("1s")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.good("a1", r.file("a", "one\n"))
	r.write("a", "by hand\n")
	r.until("the round finds it", func() bool { return r.is("a") == "one\n" })
}

// TestRevision_WhatAnOvertakenOneWroteGoesInItsOrder: a revision that was overtaken had
// made a file, the newer one takes it away, vigild ends, and the newer one fails. The
// way back is the newest step first: the file, which nobody wants, does not stay.
func TestRevision_WhatAnOvertakenOneWroteGoesInItsOrder(t *testing.T) {
	r := newRig(t)
	r.healthy = func(reconcile.Health) error { return context.DeadlineExceeded }
	r.start()
	health := "  health: {expr: \"value > 0\", timeout: 1s}"
	r.good("a1", r.file("a", "one\n"))
	r.hang.Store(true)
	land := func(id string, docs ...string) {
		t.Helper()
		if _, err := r.Land(t.Context(), engine.Revision{Commit: r.commit(id, docs...)}); err != nil {
			t.Fatal(err)
		}
		r.until(id+" is looked at", func() bool {
			return r.State().State == engine.RevisionChecking && strings.HasPrefix(r.State().Applied, id)
		})
	}
	land("b2", r.file("a", "one\n"), r.file("f", "made\n", health))
	land("c3", r.file("a", "one\n"), r.file("s", "sick\n", health))
	if r.is("f") != "-" || r.is("s") != "sick\n" {
		t.Fatalf("f=%q s=%q", r.is("f"), r.is("s"))
	}
	r.stop()
	r.hang.Store(false)
	r.start()
	r.until("it has failed", func() bool { return r.State().State == engine.RevisionBad })
	if r.is("f") != "-" || r.is("s") != "-" || r.is("a") != "one\n" {
		t.Errorf("f=%q s=%q a=%q", r.is("f"), r.is("s"), r.is("a"))
	}
}
