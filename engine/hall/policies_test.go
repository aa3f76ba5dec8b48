package hall_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/series"
)

// apply puts documents in force as a folder would.
func (r *rig) apply(owner document.Owner, file, text string) error {
	ds, is := document.Parse(file, []byte(text), owner)
	if err := is.Err(); err != nil {
		return err
	}
	return r.ApplyFolder(context.Background(), "test", owner, ds)
}

// told are the reasons of the audit records of one verb, oldest first.
func (r *rig) told(t testing.TB, verb string) (reasons []string) {
	t.Helper()
	recs, err := r.ledger.Audit(context.Background(), 0, "", 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		if rec.Verb == verb {
			reasons = append(reasons, rec.Reason)
		}
	}
	return reasons
}

// Editing what a policy fires on closes its firings, and the reason is on
// record; any other edit leaves them as they are.
func TestEditsOfAPolicyAndItsFirings(t *testing.T) {
	spec := func(match, fire, rest string) string {
		return fmt.Sprintf("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: hot}\nspec: {match: %s, fire: %s%s}\n", match, fire, rest)
	}
	for name, c := range map[string]struct {
		text string
		kept bool
	}{
		"nothing":     {spec("heat", "value > 1", ""), true},
		"description": {spec("heat", "value > 1", ", description: words"), true},
		"severity":    {spec("heat", "value > 1", ", severity: critical"), true},
		"clear_for":   {spec("heat", "value > 1", ", clear_for: 1m"), true},
		"mode":        {spec("heat", "value > 1", ", mode: shadow"), true},
		"fire":        {spec("heat", "value > 2", ""), false},
		"match":       {spec("'heat{service=\"web\"}'", "value > 1", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, spec("heat", "value > 1", ""))
			r.push(t, 5, series.NoTime, "heat", "service", "web")
			until(t, "its firing is written down", func() bool { return len(r.told(t, "firing.fire")) == 1 })
			before := r.Firings()[0].Since
			r.put(t, c.text)
			fs := r.Firings()
			if kept := len(fs) == 1 && fs[0].State == "firing" && fs[0].Since == before; kept != c.kept {
				t.Fatalf("kept: %v, want %v: %+v", kept, c.kept, fs)
			}
			switch closed := r.told(t, "firing.close"); {
			case c.kept && len(closed) > 0:
				t.Errorf("closed: %v", closed)
			case !c.kept && (len(closed) != 1 || !strings.Contains(closed[0], "match or fire was edited")):
				t.Errorf("on record: %v", closed)
			}
		})
	}
}

// One name has one owner: whoever else comes with it is refused, and both places
// are named. Anybody who may can turn a policy off that this host has by itself.
func TestOnlyItsOwnerChangesAPolicy(t *testing.T) {
	r := start(t, t.TempDir())
	ctx := context.Background()
	if err := r.apply(document.Folder, "here.yaml", breach); err != nil {
		t.Fatal(err)
	}
	err := r.apply(document.Git, "there.yaml", breach)
	if err == nil || !strings.Contains(err.Error(), "here.yaml") || !strings.Contains(err.Error(), "there.yaml") {
		t.Errorf("two owners: %v; want both places named", err)
	}
	if err := r.DeletePolicy(ctx, "token:a", "breach"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the API deletes a folder's policy: %v", err)
	}
	if v, err := r.EnablePolicy(ctx, "token:a", "breach", false); err != nil || v.Enabled {
		t.Errorf("turned off: %+v, %v", v, err)
	}
	if err := r.apply(document.Folder, "here.yaml", breach); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Policy("breach"); err != nil || v.Enabled || v.Owner != document.Folder {
		t.Errorf("what a person turned off came back with the folder: %+v, %v", v, err)
	}
	if err := r.apply(document.Folder, "here.yaml", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Policy("breach"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("its document is gone, and it is not: %v", err)
	}

	// One of Git is turned off and on where it is written.
	for _, says := range []bool{false, true} {
		text := breach
		if !says {
			text += "  enabled: false\n"
		}
		if err := r.apply(document.Git, "there.yaml", text); err != nil {
			t.Fatal(err)
		}
		if v, err := r.Policy("breach"); err != nil || v.Enabled != says {
			t.Errorf("enabled: %v in Git: %+v, %v", says, v, err)
		}
		if _, err := r.EnablePolicy(ctx, "token:a", "breach", !says); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "there.yaml") {
			t.Errorf("turned round by the API: %v", err)
		}
	}
}

// Policies that depend on each other in a circle would hold each other for ever:
// refused, also when they come together in one folder.
func TestCirclesOfPoliciesAreRefused(t *testing.T) {
	one := func(name, on string) string {
		return fmt.Sprintf("---\napiVersion: vigil/v1\nkind: Policy\nmetadata: {name: %s}\nspec: {match: heat, fire: value > 1, depends_on: [%s]}\n", name, on)
	}
	for name, c := range map[string]struct {
		first, then string
		ok          bool
	}{
		"chain":               {"", one("a", "b") + one("b", "c") + one("c", "d"), true},
		"itself":              {"", one("a", "a"), false},
		"two together":        {"", one("a", "b") + one("b", "a"), false},
		"three together":      {"", one("a", "b") + one("b", "c") + one("c", "a"), false},
		"one after the other": {one("a", "b"), one("a", "b") + one("b", "a"), false},
		"one of two is gone":  {one("a", "b"), one("b", "a"), true},
		"turned round":        {one("a", "b"), one("b", "a") + one("a", "c"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			if err := r.apply(document.Folder, "p.yaml", c.first); err != nil {
				t.Fatal(err)
			}
			n := len(r.Policies())
			err := r.apply(document.Folder, "p.yaml", c.then)
			switch {
			case c.ok && err != nil:
				t.Error(err)
			case !c.ok && (err == nil || !strings.Contains(err.Error(), "depends on itself") || len(r.Policies()) != n):
				t.Errorf("%v, %d policies", err, len(r.Policies()))
			}
		})
	}
}

// Selectors that name no metric are compared with every series that comes, so
// they are counted and capped; whoever has one may still change it.
func TestSelectorsWithoutANameAreCapped(t *testing.T) {
	r := start(t, t.TempDir())
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "---\napiVersion: vigil/v1\nkind: Policy\nmetadata: {name: p%d}\nspec: {match: '{team=\"t%d\"}', fire: value > 1}\n", i, i)
	}
	if err := r.apply(document.Folder, "p.yaml", text.String()); err != nil {
		t.Fatal(err)
	}
	if n := r.Stats().UnnamedSelectors; n != 50 {
		t.Errorf("%d are counted", n)
	}
	more := "---\napiVersion: vigil/v1\nkind: Policy\nmetadata: {name: more}\nspec: {match: '{team=\"x\"}', fire: value > 1}\n"
	if err := r.apply(document.Folder, "p.yaml", text.String()+more); err == nil || !strings.Contains(err.Error(), "at most 50") {
		t.Errorf("the 51st: %v", err)
	}
	if err := r.apply(document.Folder, "p.yaml", strings.Replace(text.String(), "value > 1", "value > 2", 1)); err != nil {
		t.Errorf("one of the fifty is changed: %v", err)
	}
	r.put(t, breach) // those with a name are not concerned
	_, err := r.PutPolicy(context.Background(), "test", engine.PolicyDocument{}, document.API, "", true)
	if err == nil {
		t.Error("a policy of nothing is taken")
	}
}
