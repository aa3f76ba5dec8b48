package own_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vigil/actions"
	"vigil/actions/catalogue"
	"vigil/actions/heal"
	nouns "vigil/engine"
	"vigil/engine/document"
	"vigil/engine/remedy"
	"vigil/internal/daemon/own"
)

// set is the real room of actions, with these names in the local config.
func set(t *testing.T, local ...string) *actions.Set {
	t.Helper()
	c := actions.Config{DataDir: t.TempDir(), Catalogue: map[string]catalogue.Entry{}, Own: []string{"/srv/vigil"}}
	for _, name := range local {
		c.Catalogue[name] = catalogue.Entry{Kind: "exec", Argv: []string{"/bin/true"}}
	}
	s, err := actions.New(c, actions.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func entries(t *testing.T) *own.Actions { return own.NewActions(set(t), true) }

// parse reads documents of the repository.
func parse(t *testing.T, text ...string) []document.Document {
	t.Helper()
	ds, is := document.Parse("acts.yaml", []byte(strings.Join(text, "---\n")), document.Git)
	if len(is) > 0 {
		t.Fatal(is)
	}
	return ds
}

func action(name, argv string) string {
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: Action\nmetadata: {name: %s}\nspec: {kind: exec, argv: [%s]}\n", name, argv)
}

func policy(name string) string {
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: %s}\nspec: {}\n", name)
}

// TestActions_ComeAndGoWithTheRevision: an action is there while the policies of its
// revision are written, and one that goes is there until they are; what is adopted is
// written with them, once, with its record; what the ledger refused is not in force.
func TestActions_ComeAndGoWithTheRevision(t *testing.T) {
	_, c := runner(t)
	s, e := set(t), &engine{}
	o := own.New(e, c, own.NewActions(s, true))
	var during []string
	e.written = func() { during = those(s, "a", "b", "c") }
	adopt := func(commit string, ds []document.Document) error {
		if is := o.Validate(ds); len(is) > 0 {
			t.Fatal(is)
		}
		return o.Adopt(t.Context(), commit, ds)
	}
	first := parse(t, action("a", "/bin/true"), action("b", "/bin/true"), policy("a"))
	for range 2 { // the second time nothing is written
		if err := adopt("c1", first); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(during, []string{"a", "b"}) || e.commits != 1 || !slices.Equal(e.audit, []string{"commit:c1 action.define action:a", "commit:c1 action.define action:b"}) {
		t.Fatalf("during %v, %d commits, %v", during, e.commits, e.audit)
	}
	second := parse(t, action("b", "/bin/false"), action("c", "/bin/true"))
	says, _ := o.Check(t.Context(), second)
	if want := []string{"change Action/b", "create Action/c", "create Policy/p", "create Silence/s", "delete Action/a"}; !slices.Equal(says, want) {
		t.Errorf("it says %v", says)
	}
	e.refuse = errors.New("the disk is full")
	if err := adopt("c2", second); !errors.Is(err, e.refuse) || !slices.Equal(those(s, "a", "b", "c"), []string{"a", "b"}) || !strings.Contains(s.Origin("b"), "commit c1") {
		t.Fatalf("%v, in force %v, b from %s", err, those(s, "a", "b", "c"), s.Origin("b"))
	}
	e.refuse, e.audit = nil, nil
	if err := adopt("c2", second); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(during, []string{"a", "b", "c"}) || !slices.Equal(those(s, "a", "b", "c"), []string{"b", "c"}) {
		t.Errorf("during %v, after %v", during, those(s, "a", "b", "c"))
	}
	if want := []string{"commit:c2 action.change action:b", "commit:c2 action.define action:c", "commit:c2 action.remove action:a"}; !slices.Equal(e.audit, want) {
		t.Errorf("audit %v", e.audit)
	}
	// A document that only moved is as the commit made it that wrote it so.
	e.audit = nil
	if err := adopt("c3", parse(t, action("c", "/bin/true"), action("b", "/bin/false"))); err != nil || len(e.audit) > 0 || !strings.Contains(s.Origin("b"), "commit c2") || strings.HasPrefix(s.Origin("b"), "acts.yaml:1:1 ") {
		t.Errorf("%v, audit %v, b from %s", err, e.audit, s.Origin("b"))
	}
	if why := s.Former("a"); !strings.Contains(why, "acts.yaml:1:1") {
		t.Errorf("why it is gone: %q", why)
	}
	if is := o.Validate(parse(t, policy("a"))); len(is) != 1 {
		t.Errorf("a policy that names what is gone: %v", is)
	}
	if is := o.Validate(parse(t, policy("b"))); len(is) != 1 {
		t.Errorf("a policy that names what goes with this revision: %v", is)
	}
	e.views = []nouns.PolicyView{{PolicyDocument: nouns.PolicyDocument{Name: "p", Remedy: &remedy.Plan{Ladder: []remedy.Rung{{Action: "c"}}}}, Owner: document.API}}
	if says, _ := o.Check(t.Context(), nil); !slices.Contains(says, "delete Action/c (named by Policy/p of owner api, which cannot act then)") {
		t.Errorf("it says %v", says)
	}
	if says, _ := o.Check(t.Context(), parse(t, action("c", "/bin/true"), action("d", "/nowhere/at/all"))); !slices.ContainsFunc(says, func(s string) bool {
		return strings.HasPrefix(s, "create Action/d (as things stand it would not start: /nowhere/at/all")
	}) {
		t.Errorf("it says %v", says)
	}
	if err := adopt("", nil); err != nil || len(those(s, "a", "b", "c")) > 0 || len(e.entries) > 0 {
		t.Errorf("%v, %v in force, %v kept", err, those(s, "a", "b", "c"), e.entries)
	}
}

// those of the names that are actions.
func those(s *actions.Set, names ...string) (out []string) {
	for _, n := range names {
		if _, is := s.Action(n); is {
			out = append(out, n)
		}
	}
	return out
}

// TestActions_WhatIsRefused: each by name and place, and nothing of the revision is
// adopted.
func TestActions_WhatIsRefused(t *testing.T) {
	_, c := runner(t)
	for name, tc := range map[string]struct {
		text string
		want string
	}{
		"a name of the local config": {action("here", "/bin/true"), "acts.yaml:1:1: Action/here: the local config has [actions.here]"},
		"a name of a kind":           {action("service", "/bin/true"), "acts.yaml:1:1: Action/service: that is the name of a built-in kind"},
		"vigild's own":               {action("x", "/srv/vigil/vigild, status"), "/srv/vigil/vigild belongs to vigild itself"},
		"vigild's own as argument":   {action("x", "/bin/cat, /srv/vigil/data/token"), "/srv/vigil/data/token belongs to vigild itself"},
		"a secret of vigild":         {"apiVersion: vigil/v1\nkind: Action\nmetadata: {name: x}\nspec: {kind: http, url: 'http://h.example/', headers: {Authorization: 'Bearer file:/srv/vigil/token'}}\n", "/srv/vigil/token belongs to vigild itself"},
		"no whole path":              {action("x", "purge"), "acts.yaml:4:26: \"purge\" is not an absolute path"},
		"a word too many":            {"apiVersion: vigil/v1\nkind: Action\nmetadata: {name: x}\nspec: {kind: exec, argv: [/bin/true], shell: true}\n", "acts.yaml:4:39"},
		"a pattern":                  {"apiVersion: vigil/v1\nkind: Action\nmetadata: {name: x}\nspec: {kind: exec, argv: [/bin/true, '{p}'], params: {p: '(a'}}\n", "acts.yaml:4:58: \"(a\" is not a pattern"},
		"a huge pattern":             {"apiVersion: vigil/v1\nkind: Action\nmetadata: {name: x}\nspec: {kind: exec, argv: [/bin/true, '{p}'], params: {p: '(abcdefghijklmnopqrstuvwxyz){1,1000}'}}\n", "steps when it is compiled"},
		"a long argv":                {action("x", "/bin/true, "+strings.Repeat("x", 512<<10)+", "+strings.Repeat("y", 511<<10)), "at most 64 KiB"},
		"too many":                   {many(1001, "x"), "more than 1000 actions in one repository"},
		"too many steps":             {many(40, "(abcdefghij){1000}"), "take more than 250000 steps together"},
	} {
		s, e := set(t, "here"), &engine{}
		o := own.New(e, c, own.NewActions(s, true))
		ds := parse(t, tc.text)
		if is := o.Validate(ds); len(is) == 0 || !strings.Contains(is.Error(), tc.want) {
			t.Errorf("%s: %.300v", name, is)
		}
		if _, is := o.Check(t.Context(), ds); len(is) == 0 || !strings.Contains(is.Error(), tc.want) {
			t.Errorf("%s: %.300v", name, is)
		}
		if err := o.Adopt(t.Context(), "c1", ds); err == nil || len(e.applied) > 0 || len(those(s, "x", "n1")) > 0 {
			t.Errorf("%s: it was adopted: %v, %v", name, err, e.applied)
		}
	}
	o := own.New(&engine{}, c, own.NewActions(set(t), false))
	if err := o.Adopt(t.Context(), "c1", parse(t, action("x", "/bin/true"))); err == nil || !strings.Contains(err.Error(), "git.trust_actions = true") {
		t.Errorf("not trusted: %v", err)
	}
	full := own.New(&engine{}, c, own.NewActions(set(t), true))
	for _, p := range []string{"a", "b"} { // none stays of those before, though both are there for a moment
		if err := full.Adopt(t.Context(), p, parse(t, strings.ReplaceAll(many(1000, "x"), "name: n", "name: "+p))); err != nil {
			t.Fatal(err)
		}
	}
}

// many are documents of actions with a parameter of that pattern.
func many(n int, pattern string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("apiVersion: vigil/v1\nkind: Action\nmetadata: {name: n%d}\nspec: {kind: exec, argv: [/bin/true, '{p}'], params: {p: '%s'}}\n", i, pattern))
	}
	return strings.Join(all, "---\n")
}

// TestActions_GoOnWithoutTheRepository: a later start has them from the ledger alone,
// with where they came from; one that does not fit any more is named, the others go
// on; and where the repository is trusted no longer there is none.
func TestActions_GoOnWithoutTheRepository(t *testing.T) {
	_, c := runner(t)
	e := &engine{}
	if err := own.New(e, c, entries(t)).Adopt(t.Context(), "0123456789abcdef", parse(t, action("a", "/bin/true"), action("b", "/bin/true"))); err != nil {
		t.Fatal(err)
	}
	s := set(t, "b")
	later := own.NewActions(s, true)
	broken := nouns.EntryRow{Name: "old", Place: "old.yaml:1:1", Text: []byte(`{"apiVersion":"vigil/v1","kind":"Action","metadata":{"name":"old"},"spec":{"kind":"shell"}}`)}
	err := later.Restore(append(slices.Clone(e.entries), broken))
	if err == nil || !strings.Contains(err.Error(), "old.yaml") || !strings.Contains(err.Error(), "[actions.b]") {
		t.Errorf("what does not fit: %v", err)
	}
	if from := s.Origin("a"); from != "acts.yaml:1:1 of commit 0123456789" {
		t.Errorf("a from %q", from)
	}
	if from := s.Origin("b") + ", " + s.Origin("wait") + ", " + s.Origin("old"); from != "the local config, built in, " {
		t.Errorf("from %s", from)
	}
	s = set(t)
	if err := own.NewActions(s, false).Restore(e.entries); err == nil || !strings.Contains(err.Error(), "git.trust_actions") || s.Origin("a") != "" {
		t.Errorf("not trusted: %v, a from %q", err, s.Origin("a"))
	}
}

// TestActions_WhatCouldNotActIsSaid: a policy whose process nobody keeps is no mistake,
// since it may come with the same commit; who pushes it is told.
func TestActions_WhatCouldNotActIsSaid(t *testing.T) {
	_, c := runner(t)
	s, err := actions.New(actions.Config{DataDir: t.TempDir(), Heal: heal.Config{Processes: true}}, actions.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	o := own.New(&engine{}, c, own.NewActions(s, true))
	says, is := o.Check(t.Context(), parse(t, "apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: p}\nspec: {match: m, fire: value > 1, remedy: {ladder: [{action: process, with: {process: workr}}]}}\n"))
	if len(is) > 0 || !slices.Contains(says, "create Policy/p (no process workr is kept as things stand: the act fails until there is one)") {
		t.Errorf("%q, %v", says, is)
	}
}
