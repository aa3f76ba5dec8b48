package actions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/engine/fault"
)

func written(argv ...string) map[string]actions.Written {
	return map[string]actions.Written{"theirs": {Entry: catalogue.Entry{Kind: "exec", Argv: argv}, Place: "a.yaml:1:1", Commit: "c1"}}
}

// fifo is a pipe with a name, by which a test and a program wait for each other.
func fifo(t *testing.T, name string) *os.File {
	t.Helper()
	must(t, unix.Mkfifo(name, 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	must(t, f.SetDeadline(time.Now().Add(time.Minute)))
	return f
}

// TestSet_AnActKeepsItsEntry: one that runs ends as it began, whatever the repository
// says meanwhile; the next one is the new entry, and there is none once it is gone.
func TestSet_AnActKeepsItsEntry(t *testing.T) {
	dir := t.TempDir()
	began, on := fifo(t, filepath.Join(dir, "began")), fifo(t, filepath.Join(dir, "go"))
	s := build(t, actions.Config{}, actions.Deps{})
	if err := s.Adopt(written("/bin/sh", "-c", "echo > "+began.Name()+"; read x < "+on.Name()+"; echo one")); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	running := action(t, s, "theirs")
	r := request("theirs", nil)
	r.Timeout = time.Minute
	go func() {
		res, err := running.Run(t.Context(), r)
		if err != nil {
			res.Output = err.Error()
		}
		said <- res.Output
	}()
	if _, err := began.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(written("/bin/echo", "two")); err != nil {
		t.Fatal(err)
	}
	if res, err := action(t, s, "theirs").Run(t.Context(), request("theirs", nil)); err != nil || res.Output != "two\n" {
		t.Errorf("the new one: %+v, %v", res, err)
	}
	if err := s.Adopt(nil); err != nil {
		t.Fatal(err)
	}
	if _, is := s.Action("theirs"); is || !strings.Contains(s.Former("theirs"), "a.yaml:1:1") {
		t.Errorf("it is there: %v, %q", is, s.Former("theirs"))
	}
	if _, err := on.WriteString("x\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-said; got != "one\n" {
		t.Errorf("the running one: %q", got)
	}
	if err := s.Adopt(written("/bin/echo", "three")); err != nil || s.Former("theirs") != "" {
		t.Errorf("back again: %v, %q", err, s.Former("theirs"))
	}
}

// TestSet_EntriesOfTheRepositoryStayOverAReload: what the local config reloads leaves
// them, and it cannot take a name of theirs.
func TestSet_EntriesOfTheRepositoryStayOverAReload(t *testing.T) {
	c := actions.Config{DataDir: t.TempDir()}
	s := build(t, c, actions.Deps{})
	if err := s.Adopt(written("/bin/echo", "two")); err != nil {
		t.Fatal(err)
	}
	c.Catalogue = map[string]catalogue.Entry{"theirs": {Kind: "exec", Argv: []string{"/bin/true"}}}
	if err := s.Reload(c); fault.KindOf(err) != fault.Unprocessable || !strings.Contains(err.Error(), "a.yaml:1:1: Action/theirs: the local config has [actions.theirs]") {
		t.Errorf("the local config took the name: %v", err)
	}
	c.Catalogue = map[string]catalogue.Entry{"ours": {Kind: "exec", Argv: []string{"/bin/true"}}}
	if err := s.Reload(c); err != nil {
		t.Fatal(err)
	}
	if s.Origin("theirs") != "a.yaml:1:1 of commit c1" || s.Origin("ours") != "the local config" {
		t.Errorf("theirs from %q, ours from %q", s.Origin("theirs"), s.Origin("ours"))
	}
	if o, err := s.RunEntry(t.Context(), "theirs", nil); err != nil || o.Output != "two\n" {
		t.Errorf("for a check: %+v, %v", o, err)
	}
	froms := map[string]string{}
	for _, l := range s.Catalogue() {
		froms[l.Name+" "+l.Kind] = l.From
	}
	if froms["theirs exec"] != s.Origin("theirs") || froms["ours exec"] != "the local config" || froms["wait wait"] != "built in" || len(froms) != len(s.Names()) {
		t.Errorf("listed %v", froms)
	}
	with, err := s.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, is := with.Action("theirs"); is || s.Origin("theirs") == "" {
		t.Error("as it would be is not as it is")
	}
}

// TestSet_AProgramThatOthersCanWriteIsNotStarted: the rule of the local catalogue holds
// for entries of the repository, at every start.
func TestSet_AProgramThatOthersCanWriteIsNotStarted(t *testing.T) {
	p := script(t, t.TempDir(), "p", "#!/bin/sh\necho ran\n")
	s := build(t, actions.Config{}, actions.Deps{})
	if err := s.Adopt(written(p)); err != nil {
		t.Fatal(err)
	}
	if res, err := action(t, s, "theirs").Run(t.Context(), request("theirs", nil)); err != nil || res.Output != "ran\n" {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := os.Chmod(p, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := action(t, s, "theirs").Run(t.Context(), request("theirs", nil)); fault.KindOf(err) != fault.Forbidden || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("others can write it: %v", err)
	}
}
