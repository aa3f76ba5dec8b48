package kind_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
)

// machine is the kinds that describe the machine.
func machine() []string {
	return slices.DeleteFunc(kind.Names(), func(k string) bool { return slices.Contains(kind.Owned(), k) })
}

// TestKinds_EachIsDrawn: no kind is in the list that the properties do not draw, and
// whatever a document makes is among what they touch.
func TestKinds_EachIsDrawn(t *testing.T) {
	for _, k := range machine() {
		if documents[k] == "" {
			t.Errorf("documents has no %s: nothing proves that its drift is gone in one round", k)
		}
	}
	for name, text := range documents {
		for _, p := range item(t, text).Paths() {
			if !slices.Contains(places, p) {
				t.Errorf("%s is about %s, which the properties do not touch", name, p)
			}
		}
	}
}

// TestKinds_MayMakeWhatTheyWant: where the local config lists a kind and trusts
// commands, the actions may touch every file that a document of it makes, though
// paths says nothing.
func TestKinds_MayMakeWhatTheyWant(t *testing.T) {
	for name, text := range documents {
		it := item(t, text)
		trust := reconcile.Trust{Kinds: []string{it.Key().Kind}, Commands: true}
		for _, c := range it.Claims {
			p, is := strings.CutPrefix(c, "file:")
			p, _, _ = strings.Cut(p, "#")
			if !is || it.Key().Kind == "File" || it.Key().Kind == "Directory" {
				continue // the document says where, within paths
			}
			if !slices.ContainsFunc(trust.Places(), func(f string) bool { return reconcile.Below(f, p) }) &&
				!slices.ContainsFunc(trust.Made(), func(m string) bool { ok, _ := path.Match(m, p); return ok }) {
				t.Errorf("%s makes %s, which is neither in Trust.Places nor in Trust.Made: the act would be refused", name, p)
			}
		}
	}
}

// TestDocsTellEveryKindAndField: docs/documents.md has every kind under a heading of
// its own and every field that a document may have, docs/git.md what a commit of
// drift can say of each kind.
func TestDocsTellEveryKindAndField(t *testing.T) {
	page := func(name string) string {
		b, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	documents, git := page("documents.md"), page("git.md")
	words := func(of, line string) bool {
		return regexp.MustCompile(`(?m)^` + line + `.*\b` + of + `\b`).MatchString(documents)
	}
	for _, k := range machine() {
		if !words(k, "### ") {
			t.Errorf("docs/documents.md has no heading for %s", k)
		}
		if !regexp.MustCompile(`(?m)^\| [A-Za-z, ]*\b` + k + `\b[A-Za-z, ]* \|`).MatchString(git) {
			t.Errorf("docs/git.md does not say what a commit of drift can say of a %s", k)
		}
	}
	field := regexp.MustCompile("yaml:\"([a-zA-Z]+)\"`(.*)")
	sources := []string{"../item.go", "../pace.go"}
	for _, room := range []string{"../files", "../units"} {
		fs, err := filepath.Glob(room + "/*.go")
		if err != nil || len(fs) < 3 {
			t.Fatalf("%s: %q %v", room, fs, err)
		}
		sources = append(sources, fs...)
	}
	for _, f := range sources {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range field.FindAllStringSubmatch(string(b), -1) {
			if refused := strings.Contains(m[2], "refused"); !refused && !words(m[1], "") {
				t.Errorf("docs/documents.md does not tell of the field %s (%s)", m[1], filepath.Base(f))
			}
		}
	}
}
