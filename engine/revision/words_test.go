package revision_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// TestRevision_PruneFalseStays: what its document keeps, and what was there before
// vigild was and was adopted, stays when no document wants it any more, and is
// nobody's then.
func TestRevision_PruneFalseStays(t *testing.T) {
	r := newRig(t).start()
	r.write("found", "theirs\n")
	r.good("a1", r.file("kept", "k\n", "  prune: false"), r.file("found", "ours\n", "  adopt: true"), r.file("goes", "g\n"), r.file("x", "x\n"))
	r.good("a2", r.file("x", "x\n"))
	if r.is("kept") != "k\n" || r.is("found") != "ours\n" || r.is("goes") != "-" {
		t.Fatalf("kept=%q found=%q goes=%q", r.is("kept"), r.is("found"), r.is("goes"))
	}
	if got := len(must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())).Resources); got != 1 {
		t.Errorf("%d things are remembered, the one that is wanted expected", got)
	}
}

// TestRevision_APartThatWasAllThereWas: lines that nobody wants any more are taken out of
// a file in which there is nothing else.
func TestRevision_APartThatWasAllThereWas(t *testing.T) {
	r := newRig(t).start()
	lines := "---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: lines}\nspec: {path: " + r.path("lines") + ", match: lines, lines: [one, two]}\n"
	r.good("a1", lines, r.file("x", "x\n"))
	if r.is("lines") != "one\ntwo\n" {
		t.Fatalf("%q", r.is("lines"))
	}
	r.good("a2", r.file("x", "x\n"))
	if r.is("lines") != "" {
		t.Errorf("left: %q", r.is("lines"))
	}
}

// TestRevision_Once: it is written if it was never written, and left alone then,
// whatever becomes of it, of its document, and of vigild. With adopt, what is there
// already was written.
func TestRevision_Once(t *testing.T) {
	r := newRig(t).start()
	r.write("theirs", "theirs\n")
	docs := func(content string) []string {
		return []string{r.file("once", content, "  mode: once"), r.file("theirs", content, "  mode: once", "  adopt: true"), r.file("x", content)}
	}
	r.good("a1", docs("one\n")...)
	if r.is("once") != "one\n" || r.is("theirs") != "theirs\n" {
		t.Fatalf("once=%q theirs=%q", r.is("once"), r.is("theirs"))
	}
	alone := func(when, content string) {
		t.Helper()
		if err := r.Resync(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.good("f"+content[:1]+content[:1], docs(content)...)
		if r.is("once") != "by hand\n" || r.is("theirs") != "theirs\n" || len(r.Drift()) > 0 {
			t.Fatalf("%s: once=%q theirs=%q, drift %+v", when, r.is("once"), r.is("theirs"), r.Drift())
		}
	}
	r.touch("once", "by hand\n")
	alone("another document", "two\n")
	r.stop()
	r.start()
	alone("another run", "drei\n")
	r.good("a9", r.file("x", "x\n")) // what somebody made their own, and what was theirs before, is not taken away
	if r.is("once") != "by hand\n" || r.is("theirs") != "theirs\n" {
		t.Fatalf("their document is gone: once=%q theirs=%q", r.is("once"), r.is("theirs"))
	}
}

// TestRevision_Conflict: desired and the machine changed both. Git wins, or where
// the document says hold, a person has to say which is right, and is told.
func TestRevision_Conflict(t *testing.T) {
	r := newRig(t).start()
	docs := func(content string) []string {
		return []string{r.file("held", content, "  conflict: hold"), r.file("wins", content)}
	}
	r.good("a1", docs("one\n")...)
	s, err := r.Suspend(t.Context(), "ada", "*", "digging", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.touch("held", "by hand\n")
	r.touch("wins", "by hand\n")
	n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a2", docs("two\n")...)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.State(); s.State != engine.RevisionSeen || r.is("wins") != "by hand\n" {
		t.Fatalf("everything is suspended and it is %s, wins=%q", s.State, r.is("wins"))
	}
	if err := r.Unsuspend(t.Context(), "ada", s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if err := r.Await(t.Context(), n, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if r.is("held") != "by hand\n" || r.is("wins") != "two\n" {
		t.Fatalf("held=%q wins=%q", r.is("held"), r.is("wins"))
	}
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ds := r.Drift()
	if len(ds) != 1 || ds[0].Ref != "File/held" || !strings.Contains(ds[0].Reason, "conflict") || r.is("held") != "by hand\n" {
		t.Fatalf("held=%q %+v", r.is("held"), ds)
	}
}

// TestRevision_SuspendOfAPart: a revision is good without what is suspended, and
// that follows when the suspend ends.
func TestRevision_SuspendOfAPart(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"), r.file("b", "one\n"))
	s, err := r.Suspend(t.Context(), "ada", "File/a*", "digging", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.write("ant", "theirs\n")
	r.good("a2", r.file("a", "two\n"), r.file("b", "two\n"), r.file("ant", "two\n", "  adopt: true", "  mode: once"))
	if r.is("a") != "one\n" || r.is("b") != "two\n" || r.is("ant") != "theirs\n" {
		t.Fatalf("a=%q b=%q ant=%q", r.is("a"), r.is("b"), r.is("ant"))
	}
	r.stop()
	r.start()
	r.until("it is reported after a restart too", func() bool {
		ds := r.Drift()
		return len(ds) == 1 && ds[0].Status == "suspended"
	})
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Open > 0 || s.HealFailures > 0 {
		t.Fatalf("what is suspended is being healed: %+v", s)
	}
	if err := r.Unsuspend(t.Context(), "ada", s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	r.until("it follows", func() bool { return r.is("a") == "two\n" })
	if r.is("ant") != "theirs\n" {
		t.Errorf("what was to be adopted was written: %q", r.is("ant"))
	}
	if ds, err := r.ledger.Drifts(t.Context(), 0, "File/a", false, 10); err != nil || len(ds) != 0 {
		t.Errorf("nobody touched it, and drift is on record: %+v %v", ds, err)
	}
}

// TestRevision_ASuspendEndsByItself: at the time that was said.
func TestRevision_ASuspendEndsByItself(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	if _, err := r.Suspend(t.Context(), "ada", "File/a", "digging", time.Second); err != nil {
		t.Fatal(err)
	}
	r.touch("a", "mine\n")
	r.until("it is healed when its time is over", func() bool { return r.is("a") == "one\n" })
	if s := r.State(); len(s.Suspends) != 0 {
		t.Errorf("it stands still: %+v", s.Suspends)
	}
}

// TestRevision_Notify: what follows a change is done once however many things ask
// for it, after all of them, after a heal too, and never when nothing changed.
func TestRevision_Notify(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	note := "  notify: [{action: file, with: {path: " + r.path("flag") + ", absent: true}}]"
	docs := func(b string) []string {
		return []string{r.file("a", "a\n", note), r.file("b", b, note), r.file("c", "c\n", "  dependsOn: [File/a]")}
	}
	r.good("a1", docs("one\n")...)
	if got := w.taken(); len(got) != 4 || got[3] != "flag" {
		t.Fatalf("a1: %q", got)
	}
	r.good("a2", append(docs("one\n"), r.file("d", "d\n"))...)
	if got := w.taken(); !slices.Equal(got, []string{"d"}) {
		t.Fatalf("a2: %q", got)
	}
	r.good("a3", append(docs("two\n"), r.file("d", "d\n"))...)
	if got := w.taken(); !slices.Equal(got, []string{"b", "flag"}) {
		t.Fatalf("a3: %q", got)
	}
	r.touch("b", "by hand\n")
	var healed []string
	r.until("what follows a heal", func() bool { healed = append(healed, w.taken()...); return len(healed) == 2 })
	if !slices.Equal(healed, []string{"b", "flag"}) {
		t.Fatalf("healed: %q", healed)
	}

	w.fail("flag")
	if _, err := r.push("a4", docs("three\n")...); err == nil || !strings.Contains(err.Error(), "File/b") || r.is("b") != "two\n" {
		t.Fatalf("what follows failed: %v, b=%q", err, r.is("b"))
	}
}

// TestRevision_ANotifyThatCannotBeIsRefused before anything is done that it would
// follow.
func TestRevision_ANotifyThatCannotBeIsRefused(t *testing.T) {
	r := newRig(t).start()
	for id, note := range map[string]string{"a1": "{action: nonesuch}", "a2": "{action: file, with: {path: /proc/x, content: x}}"} {
		if _, err := r.push(id, r.file("a", "one\n", "  notify: ["+note+"]")); err == nil || !strings.Contains(err.Error(), "notify: ") {
			t.Errorf("%s: %v", note, err)
		}
	}
	if got := len(must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())).Undo); got != 0 || r.is("a") != "-" {
		t.Errorf("%d steps were begun, a=%q", got, r.is("a"))
	}
}

// TestRevision_OneVerdict: everything that speaks against a revision is said at once.
// What this host could not do refuses one that has not landed, also where it would take
// something away.
func TestRevision_OneVerdict(t *testing.T) {
	r := newRig(t)
	own := &owned{}
	r.own = own
	w := r.watchActs()
	r.start()
	var docs []string
	for _, n := range strings.Split("abcdefgh", "") {
		docs = append(docs, r.file(n, n))
	}
	r.good("a1", docs...)
	if err := os.Symlink(t.TempDir(), r.path("link")); err != nil {
		t.Fatal(err)
	}
	own.mu.Lock()
	own.wrong = "no such policy"
	own.mu.Unlock()
	w.close("b")
	w.close("s")
	commit := r.commit("a2", r.file("a", "a", "  notify: [{action: nonesuch}]"), strings.Replace(r.file("link/x", "x"), "name: link/x", "name: x", 1), r.file("s", "x", "  health: {check: nonesuch}"))
	both := []string{"all.yaml:1:1: no such policy", `all.yaml:2:1: notify: there is no action "nonesuch"`, "File/x cannot be looked at", "would take away 7 of 8 things"}
	stops := []string{"File/s: s cannot be written (1 bytes) (open it)", `File/s: health: there is no check "nonesuch"`, "File/b: b cannot be written (0 bytes) (open it)"}
	says := func(where, text string, what []string, not ...string) {
		t.Helper()
		for _, s := range what {
			if !strings.Contains(text, s) {
				t.Errorf("%s: it does not say %q:\n%s", where, s, text)
			}
		}
		for _, s := range not {
			if strings.Contains(text, s) {
				t.Errorf("%s: it says %q:\n%s", where, s, text)
			}
		}
	}
	err := r.Inspect(t.Context(), engine.Revision{Commit: commit}, must[*reconcile.Set](t)(r.load(t.Context(), commit)), func(string) {})
	if err == nil {
		t.Fatal("it would be taken")
	}
	says("before it lands", err.Error(), slices.Concat(both, stops))
	says("planned", must[engine.PlanView](t)(r.Plan(t.Context(), commit)).Refused, slices.Concat(both, stops))
	if _, err := r.push("a2"[:2], r.commits[commit]); err == nil {
		t.Fatal("it was taken")
	} else {
		says("landed", err.Error(), both, stops...)
	}
	own.mu.Lock()
	own.wrong = ""
	own.mu.Unlock()
	if err := r.Inspect(t.Context(), engine.Revision{Confirmed: true}, must[*reconcile.Set](t)(r.load(t.Context(), r.commit("a3", r.file("s", "x", "  health: {check: nonesuch}")))), func(string) {}); err == nil {
		t.Error("what cannot be done is no matter")
	} else {
		says("that alone", err.Error(), stops, both...)
	}
}

// TestRevision_ADocumentIsNotGuessedByItsMark: what a document asks for may be secret,
// and its hash would say whether a guess is right. Labels are told to viewers.
func TestRevision_ADocumentIsNotGuessedByItsMark(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "1234\n"))
	hash := must[*reconcile.Set](t)(r.load(t.Context(), r.commit("a2", r.file("a", "1234\n")))).Items[0].Hash
	rs, _, err := r.ledger.Remediations(t.Context(), engine.RemediationFilter{Limit: 10})
	if err != nil || len(rs) != 1 || rs[0].Labels["hash"] == "" || rs[0].Labels["hash"] == hash {
		t.Errorf("%+v %v, and the hash is %s", rs, err, hash)
	}
}

// TestRevision_DetectAppliesNothing: with mode detect in the local config a
// revision is compared with, whatever it says.
func TestRevision_DetectAppliesNothing(t *testing.T) {
	r := newRig(t)
	r.cfg.Mode = "detect"
	w := r.watchActs()
	r.start()
	r.write("a", "theirs\n")
	r.good("a1", r.file("a", "one\n"), r.file("b", "two\n"))
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ds := r.Drift()
	if n := r.Stats().Open; n > 0 {
		t.Fatalf("%d heals are under way", n)
	}
	if got := w.taken(); len(got) > 0 || len(ds) != 2 || r.is("a") != "theirs\n" || r.is("b") != "-" {
		t.Fatalf("done %q, a=%q b=%q, drift %+v", got, r.is("a"), r.is("b"), ds)
	}
	if s := r.State(); s.Good[:2] != "a1" || s.Applied != "" {
		t.Errorf("%+v", s)
	}
	if revs, err := r.ledger.Revisions(t.Context(), 0, 1); err != nil || revs[0].Items != 2 {
		t.Errorf("on disk it speaks of something else: %+v %v", revs, err)
	}
	r.stop()
	<-r.start().Ready()
	if len(r.marks) > 0 {
		t.Errorf("the repository says that something was applied: %v", r.marks)
	}
}

// TestRevision_PlanOfTheNewest: a plan that names no commit is of the newest
// revision, whether it holds or not; before the first one there is none.
func TestRevision_PlanOfTheNewest(t *testing.T) {
	r := newRig(t).start()
	if _, err := r.Plan(t.Context(), ""); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("before the first one: %v", err)
	}
	r.good("a1", r.file("a", "one\n"))
	if _, err := r.Suspend(t.Context(), "ada", "*", "digging", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a2", r.file("a", "two\n"), r.file("b", "x\n"))}); err != nil {
		t.Fatal(err)
	}
	p, err := r.Plan(t.Context(), "")
	if err != nil || p.Commit[:2] != "a2" || p.From[:2] != "a1" || p.Items != 2 {
		t.Errorf("%+v %v", p, err)
	}
}

// TestRevision_WhatNothingPutsRightIsTold: what differs and has no step, such as a unit
// that nobody describes or more surplus than may be purged, is told by the plan and
// by the drift with that word; a good end alone would pass over it.
func TestRevision_WhatNothingPutsRightIsTold(t *testing.T) {
	r := newRig(t).start()
	if err := os.Mkdir(r.path("full"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("full/one", "x")
	r.write("full/two", "x")
	doc := "---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: full}\nspec: {path: " + r.path("full") + ", purge: true, maxPurge: 1}\n"
	var lines []string
	c := r.commit("a1", doc, r.file("x", "x\n"))
	if err := r.Inspect(t.Context(), engine.Revision{Commit: c}, must[*reconcile.Set](t)(r.load(t.Context(), c)), func(s string) { lines = append(lines, s) }); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(lines, "\n")
	if want := "Directory/full: differs in entries, and nothing that vigild can do puts that right: wanted at most 1"; !strings.Contains(said, want) {
		t.Errorf("said:\n%s\nwithout %q", said, want)
	}
	if strings.Contains(said, "File/x: differs") {
		t.Errorf("what will be written is told as what cannot be:\n%s", said)
	}
	r.good("a1", doc, r.file("x", "x\n"))
	p := must[engine.PlanView](t)(r.Plan(t.Context(), ""))
	if len(p.Held) != 1 || p.Held[0].Ref != "Directory/full" || !strings.Contains(p.Held[0].Reason, "nothing that vigild can do") {
		t.Errorf("the plan leaves %+v", p.Held)
	}
	told := func(why string) func() bool {
		return func() bool {
			d := r.Drift()
			return len(d) == 1 && strings.Contains(d[0].Reason, why)
		}
	}
	r.until("the drift says so", told("nothing that vigild can do"))
	sus := must[engine.Suspend](t)(r.Suspend(t.Context(), "ada", "Directory/full", "digging", time.Hour))
	r.until("a suspend is told before it", told("digging"))
	if err := os.Remove(r.path("full/two")); err != nil {
		t.Fatal(err)
	}
	if err := r.Unsuspend(t.Context(), "ada", sus.ID, "done"); err != nil {
		t.Fatal(err)
	}
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.until("what can be put right again is", func() bool { return len(r.Drift()) == 0 && r.is("full/one") == "-" })
}

// TestRevision_IsReadWhileItTurns: whoever asks about a revision reads no row while
// the keeper writes it; the race detector says so.
func TestRevision_IsReadWhileItTurns(t *testing.T) {
	r := newRig(t).start()
	r.good("a0", r.file("a", "one\n"))
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			_, _ = r.Plan(ctx, "")
			for n := range int64(6) {
				short, stop := context.WithTimeout(ctx, time.Millisecond)
				_ = r.Await(short, n, func(string) {})
				stop()
			}
		}
	})
	for i := range 5 {
		r.good(strconv.Itoa(i+1), r.file("a", strconv.Itoa(i)+"\n"))
	}
	stop()
	all.Wait()
}

// TestRevision_WhatStandsInTheWayIsForeseen: what else stands where a document wants
// something, or on the way to it, refuses a push by place and is in the plan; what the
// same plan makes or takes away first does not.
func TestRevision_WhatStandsInTheWayIsForeseen(t *testing.T) {
	r := newRig(t).start()
	folder := func(name, more string) string {
		return fmt.Sprintf("---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: %s}\nspec: {path: %s%s}\n", name, r.path(name), more)
	}
	for _, d := range []string{"here", "old"} {
		if err := os.Mkdir(r.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("plain", "x")
	r.write("old/one", "x")
	within := func(in, name string) string {
		return strings.Replace(r.file(in+"/"+name, "x"), "name: "+in+"/"+name, "name: "+name, 1)
	}
	wrong := r.commit("a1", r.file("here", "x"), folder("plain", ""), within("none", "lost"), folder("old", ", mode: absent"))
	err := r.Inspect(t.Context(), engine.Revision{Commit: wrong}, must[*reconcile.Set](t)(r.load(t.Context(), wrong)), func(string) {})
	plan := must[engine.PlanView](t)(r.Plan(t.Context(), wrong)).Refused
	for _, s := range []string{
		"all.yaml:2:1: File/here: " + r.path("here") + " is no file, and is not replaced by one",
		"Directory/plain: " + r.path("plain") + " is no folder, and is not replaced by one",
		"File/lost: " + r.path("none") + " is not there",
		"Directory/old: " + r.path("old") + " is not empty, and is only removed when it is: one is in it",
	} {
		if !strings.Contains(fmt.Sprint(err), s) || !strings.Contains(plan, s) {
			t.Errorf("no %q in\n%v\nand\n%s", s, err, plan)
		}
	}
	gone := strings.Replace(within("old", "one"), "  content: \"x\"\n  permissions: \"0644\"\n", "  mode: absent\n", 1)
	right := r.commit("a2", folder("none", ""), within("none", "lost"), gone, folder("old", ", mode: absent"))
	if err := r.Inspect(t.Context(), engine.Revision{Commit: right}, must[*reconcile.Set](t)(r.load(t.Context(), right)), func(string) {}); err != nil {
		t.Error(err)
	}
	r.good("a2"[:2], r.commits[right])
}
