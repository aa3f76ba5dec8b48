package check

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vigil/engine/document"
)

// fieldNames is the yaml names of a struct, opened ones included.
func fieldNames(t reflect.Type) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if opts == "inline" {
			out = append(out, fieldNames(f.Type)...)
		} else if name != "" && name != "-" {
			out = append(out, name)
		}
	}
	return out
}

var fieldRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

// TestDocsTellEveryField holds docs/checks.md to the code: the kinds and their
// order, and the fields of each and their order.
func TestDocsTellEveryField(t *testing.T) {
	text, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## Common fields\n")
	common, rest, ok2 := strings.Cut(rest, "\n## Kinds\n")
	perKind, _, ok3 := strings.Cut(rest, "\n## The host\n")
	if !ok || !ok2 || !ok3 {
		t.Fatal("the headings Common fields, Kinds, The host are not all there")
	}
	told := func(part string) (out []string) {
		for _, m := range fieldRow.FindAllStringSubmatch(part, -1) {
			out = append(out, m[1])
		}
		return out
	}
	if got, want := told(common), fieldNames(reflect.TypeFor[Common]()); !slices.Equal(got, want) {
		t.Errorf("common fields: the text tells\n%v\nthe code has\n%v", got, want)
	}
	sections := strings.Split(perKind, "\n### ")[1:]
	if len(sections) != len(kinds) {
		t.Fatalf("the text has %d kinds, the code %d", len(sections), len(kinds))
	}
	for i, k := range kinds {
		name, body, _ := strings.Cut(sections[i], "\n")
		if name != k.name {
			t.Errorf("kind %d is %q in the text and %q in the code", i, name, k.name)
		}
		_, params, _ := k.decode(document.Node{})
		if got, want := told(body), fieldNames(reflect.TypeOf(params).Elem()); !slices.Equal(got, want) {
			t.Errorf("%s: the text tells\n%v\nthe code has\n%v", k.name, got, want)
		}
	}
}

// TestDocsTellEveryName: each metric name stands in docs/checks.md, whole or as
// `node_area_*`: and its last words.
func TestDocsTellEveryName(t *testing.T) {
	text, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[A-Za-z0-9_]+`).FindAllString(string(text), -1) {
		words[w] = true
	}
	var families []string
	for _, m := range regexp.MustCompile("`([a-z_]+_)\\*`").FindAllStringSubmatch(string(text), -1) {
		families = append(families, m[1])
	}
	for _, n := range Names() {
		if words[n] {
			continue
		}
		if !slices.ContainsFunc(families, func(f string) bool { rest, ok := strings.CutPrefix(n, f); return ok && words[rest] }) {
			t.Errorf("%s is not told", n)
		}
	}
}
