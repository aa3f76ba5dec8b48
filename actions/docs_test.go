package actions_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/actions/supervise"
	"vigil/engine/remedy"
)

// TestActionsPageNamesEverything: docs/actions.md names every parameter of every
// kind and every setting of the catalogue, of receivers and of processes.
func TestActionsPageNamesEverything(t *testing.T) {
	text, err := os.ReadFile("../docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	s := build(t, actions.Config{}, actions.Deps{})
	there := regexp.MustCompile(`there is no parameter "no-such"; there is ([a-z_, ]+)`)
	for _, kind := range s.Names() {
		_, err := action(t, s, kind).Resolve(remedy.Request{Action: kind, With: with{"no-such": "x"}})
		if err == nil {
			t.Fatalf("%s takes a parameter that it does not know", kind)
		}
		m := there.FindStringSubmatch(err.Error())
		if m == nil {
			t.Fatalf("%s does not say what it knows: %v", kind, err)
		}
		for _, name := range append(strings.Split(m[1], ", "), kind) {
			if !strings.Contains(page, "`"+strings.TrimSpace(name)+"`") {
				t.Errorf("%s: the page does not name `%s`", kind, name)
			}
		}
	}
	for _, of := range []any{catalogue.Entry{}, actions.Receiver{}, supervise.Process{}, supervise.Ready{}} {
		typ := reflect.TypeOf(of)
		for i := range typ.NumField() {
			if tag := typ.Field(i).Tag.Get("toml"); tag != "" && tag != "-" && !strings.Contains(page, "`"+tag+"`") {
				t.Errorf("%s: the page does not name `%s`", typ, tag)
			}
		}
	}
}
