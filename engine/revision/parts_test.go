package revision_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"vigil/engine/reconcile"
)

// part is a document of some lines of one file below the root.
func (r *rig) part(name, file string, lines ...string) string {
	return fmt.Sprintf("---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: %s}\nspec:\n  path: %s\n  match: lines\n  lines: [%q]\n",
		name, r.path(file), strings.Join(lines, `","`))
}

// TestRevision_PartsOfOneFile: several documents about one file are carried out,
// healed and taken away one after the other, since each writes the file anew.
func TestRevision_PartsOfOneFile(t *testing.T) {
	r := newRig(t).start()
	r.write("hosts", "127.0.0.1 localhost\n")
	all := func() bool {
		return strings.Count(r.is("hosts"), "\n") == 5 && strings.Contains(r.is("hosts"), "10.0.0.3 c\n")
	}
	r.good("a1", r.part("c1", "hosts", "10.0.0.1 a"), r.part("c2", "hosts", "10.0.0.2 b"), r.file("d", "d"), r.part("e", "hosts", "10.0.0.3 c"), r.part("f", "hosts", "10.0.0.4 d"))
	if !all() || r.is("d") != "d" {
		t.Fatalf("%q", r.is("hosts"))
	}
	r.touch("hosts", "127.0.0.1 localhost\n")
	r.until("every part is back", all)
	r.until("the heals are over", func() bool { return len(r.Drift()) == 0 })
	if s := r.Stats(); s.HealFailures != 0 {
		t.Fatalf("%d heals failed", s.HealFailures)
	}
	r.good("a2", r.file("d", "d"))
	if r.is("hosts") != "127.0.0.1 localhost\n" {
		t.Fatalf("%q", r.is("hosts"))
	}
}

// TestHeal_OfAFileThatIsBeingWrittenIsNoAttempt: a file is emptied and then written,
// and the heal of what was seen between the two finds another file. That is neither a
// heal nor a failure, and it is looked at again at once; who goes on writing has a few
// looks and then the pace of the document.
func TestHeal_OfAFileThatIsBeingWrittenIsNoAttempt(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	r.good("a1", r.part("c", "hosts", "10.0.0.1 a")+"  heal: {backoff: 1h}\n", r.part("d", "busy", "10.0.0.1 a")+"  heal: {backoff: 1h}\n")
	once := sync.OnceFunc(func() { r.write("hosts", "127.0.0.1 localhost\n") })
	n := 0
	w.mu.Lock()
	w.meanwhile["hosts"], w.meanwhile["busy"] = once, func() {
		n++
		r.write("busy", fmt.Sprint("line ", n, "\n"))
	}
	w.mu.Unlock()
	r.touch("hosts", "")
	r.until("the part is back", func() bool { return r.is("hosts") == "127.0.0.1 localhost\n10.0.0.1 a\n" })
	r.until("the heal is over", func() bool { return len(r.Drift()) == 0 })
	if s := r.Stats(); s.HealFailures != 0 || s.Heals != 1 {
		t.Errorf("%d heals and %d that failed", s.Heals, s.HealFailures)
	}
	for _, v := range r.Resources() {
		if v.Ref == "File/c" && v.Heals != 1 {
			t.Errorf("%d attempts are counted", v.Heals)
		}
	}
	r.touch("busy", "")
	r.until("it has failed", func() bool { return r.Stats().HealFailures == 1 })
	if d := r.Drift(); len(d) != 1 || d[0].Heals != 1 || n < 2 || n > 10 {
		t.Errorf("after %d acts: %+v", n, d)
	}
}

// TestRevision_WhatWasLeftToOthersStays: a file whose content, and a part of one of
// which every line, was left to others is not taken away with its document.
func TestRevision_WhatWasLeftToOthersStays(t *testing.T) {
	r := newRig(t).start()
	r.write("hosts", "127.0.0.1 localhost\n")
	r.good("a1", r.file("kept", "first\n", "  ignore: [sha256]"), r.part("c", "hosts", "10.0.0.1 a")+"  ignore: [\"line:*\"]\n", r.file("d", "d"))
	r.touch("kept", "the program's own\n")
	r.good("a2", r.file("d", "d"))
	if r.is("kept") != "the program's own\n" || !strings.HasPrefix(r.is("hosts"), "127.0.0.1 localhost\n") {
		t.Fatalf("kept %q, hosts %q", r.is("kept"), r.is("hosts"))
	}
}

// TestRevision_TheWayBackLeavesOthersAlone: what a document leaves to others,
// lines beside its own or a property that it ignores, is not taken back with it.
func TestRevision_TheWayBackLeavesOthersAlone(t *testing.T) {
	r := newRig(t)
	r.write("hosts", "127.0.0.1 localhost\n")
	r.write("kept", "mine\n")
	r.write("plain", "before\n")
	if err := os.Chmod(r.path("kept"), 0o600); err != nil { // there is something to do about it
		t.Fatal(err)
	}
	r.healthy = func(reconcile.Health) error {
		r.write("hosts", r.is("hosts")+"10.9.9.9 by-hand\n")
		r.write("kept", "the program's own\n")
		if err := os.Chmod(r.path("plain"), 0o640); err != nil {
			t.Error(err)
		}
		return context.DeadlineExceeded
	}
	r.start()
	plain := strings.Replace(r.file("plain", "after\n"), "  permissions: \"0644\"\n", "", 1)
	said, err := r.push("a1", r.part("c", "hosts", "10.0.0.1 a"), r.file("kept", "first\n", "  ignore: [sha256]"), plain+"  health: {expr: \"value > 0\", timeout: 1s}\n")
	if err == nil {
		t.Fatal("it is good")
	}
	if got := r.is("hosts"); got != "127.0.0.1 localhost\n10.9.9.9 by-hand\n" {
		t.Errorf("hosts: %q\n%s", got, strings.Join(said, "\n"))
	}
	if info, err := os.Stat(r.path("kept")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kept: %v %v", info, err)
	}
	if got := r.is("kept"); got != "the program's own\n" {
		t.Errorf("kept: %q", got)
	}
	info, err := os.Stat(r.path("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.is("plain"); got != "before\n" || info.Mode().Perm() != 0o640 {
		t.Errorf("plain: %q, %v", got, info.Mode())
	}
}

// TestRevision_ALinkComesBack: one that a file replaced, one that a document took away, and
// one that a folder was cleared of; nothing happens to where they lead.
func TestRevision_ALinkComesBack(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	r.good("a0", r.file("base", "base\n"))
	if err := os.Mkdir(r.path("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write("precious", "nobody's business\n")
	links := map[string]string{"app": "precious", "gone": "/nowhere", "d/surplus": "../precious"}
	for at, to := range links {
		if err := os.Symlink(to, r.path(at)); err != nil {
			t.Fatal(err)
		}
	}
	w.fail("last")
	gone := fmt.Sprintf("---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: gone}\nspec: {path: %s, mode: absent}\n", r.path("gone"))
	clear := fmt.Sprintf("---\napiVersion: vigil/v1\nkind: Directory\nmetadata: {name: d}\nspec: {path: %s, purge: true}\n", r.path("d"))
	said, err := r.push("a1", r.file("base", "base\n"), r.file("app", "a file\n"), gone, clear,
		r.file("last", "x", "  dependsOn: [File/app, File/gone, Directory/d]"))
	if err == nil {
		t.Fatal("it was good")
	}
	text := strings.Join(said, "\n")
	for _, did := range []string{"File/app: write", "File/gone: remove", "Directory/d: remove"} {
		if !strings.Contains(text, did) {
			t.Errorf("%q was not done:\n%s", did, text)
		}
	}
	if n := strings.Count(text, "\ntaken back: "); n != 3 {
		t.Errorf("%d were taken back:\n%s", n, text)
	}
	for at, to := range links {
		if got, err := os.Readlink(r.path(at)); got != to {
			t.Errorf("%s is %q (%v), and was a link to %s", at, got, err, to)
		}
	}
	if got := r.is("precious"); got != "nobody's business\n" {
		t.Errorf("where links lead stands %q", got)
	}
}

// TestPlan_NamesWhatDoesNotComeBack: what is neither a file nor a link and goes, and what
// follows a change, are in the plan, with the word that they are not taken back.
func TestPlan_NamesWhatDoesNotComeBack(t *testing.T) {
	r := newRig(t).start()
	if err := errors.Join(os.Symlink("elsewhere", r.path("link")), syscall.Mkfifo(r.path("pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	pipe := fmt.Sprintf("---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: pipe}\nspec: {path: %s, mode: absent}\n", r.path("pipe"))
	note := "  notify: [{action: file, with: {path: " + r.path("flag") + ", absent: true}}]"
	p, err := r.Plan(t.Context(), r.commit("a1", r.file("link", "one\n", note), r.file("plain", "one\n", note), pipe))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		got = append(got, s.Ref+": "+s.Final)
	}
	if want := "File/link: |File/pipe: what stands there now is neither a file nor a link|File/plain: |File/link: a notice is not taken back"; strings.Join(got, "|") != want {
		t.Fatalf("%q", got)
	}
}

// TestRevision_PruneOfItsOwn: what a revision says about vigild itself is held to
// the same guard.
func TestRevision_PruneOfItsOwn(t *testing.T) {
	r := newRig(t)
	var says []string
	for i := range 6 {
		says = append(says, fmt.Sprintf("delete Policy/p%d", i))
	}
	own := &owned{says: says}
	r.own = own
	r.start()
	if _, err := r.push("a1", r.file("a", "one\n")); err == nil || !strings.Contains(err.Error(), "6 of 6 things") || own.last() != "none" {
		t.Fatalf("%v, adopted %q", err, own.last())
	}
	own.mu.Lock()
	own.says = says[:5]
	own.mu.Unlock()
	r.good("a2", r.file("a", "one\n"))
}
