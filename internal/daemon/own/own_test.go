package own_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	nouns "vigil/engine"
	"vigil/engine/check"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/internal/daemon/own"
)

// engine says what it is told to say, and remembers what it adopted; what is written
// with the policies goes to its journal.
type engine struct {
	journal
	policies, holds error
	applied         []string
	written         func() // while the policies change
	views           []nouns.PolicyView
}

// ValidatePolicy wants the action that a policy is named after.
func (e *engine) ValidatePolicy(d document.Document, with remedy.Actions) (is fault.Issues) {
	if with != nil {
		if _, known := with.Action(d.Name); !known {
			is.Add(d.Place, "unknown action %s", d.Name)
		}
	}
	return is
}

func (e *engine) FolderChanges(document.Owner, []document.Document, remedy.Actions) ([]string, error) {
	return []string{"create Policy/p"}, e.policies
}

func (e *engine) Policies() []nouns.PolicyView { return e.views }

func (e *engine) ChangesOf(document.Owner, []document.Document) ([]string, error) {
	return []string{"create Silence/s"}, e.holds
}

func (e *engine) ApplyRevision(_ context.Context, actor string, o document.Owner, _ []document.Document, b nouns.Beside) error {
	if e.written != nil {
		e.written()
	}
	if err := e.commit(b); err != nil {
		return err
	}
	e.applied = append(e.applied, "policies by "+actor+" as "+string(o))
	return nil
}

func (e *engine) ApplyDocuments(_ context.Context, actor string, o document.Owner, _ []document.Document) error {
	e.applied = append(e.applied, "holds by "+actor+" as "+string(o))
	return nil
}

// journal keeps the checks and entries that it is told last, or refuses.
type journal struct {
	checks  []nouns.CheckRow
	entries []nouns.EntryRow
	audit   []string
	commits int
	refuse  error
}

func (j *journal) commit(b nouns.Beside) error {
	if j.refuse != nil || b.Desired == nil {
		return j.refuse
	}
	j.commits++
	if b.Desired.Checks != nil {
		j.checks = *b.Desired.Checks
	}
	if b.Desired.Entries != nil {
		j.entries = *b.Desired.Entries
	}
	for _, r := range b.Audit {
		j.audit = append(j.audit, r.Actor+" "+r.Verb+" "+r.Object)
	}
	return nil
}

func checks(t *testing.T, owner document.Owner, names ...string) []document.Document {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		name, every, _ := strings.Cut(n, " ")
		if every == "" {
			every = "1m"
		}
		text.WriteString("---\napiVersion: vigil/v1\nkind: Check\nmetadata: {name: " + name + "}\nspec: {kind: tcp, address: \"127.0.0.1:9\", every: " + every + "}\n")
	}
	ds, is := document.Parse(string(owner)+".yaml", []byte(text.String()), owner)
	if len(is) > 0 {
		t.Fatal(is)
	}
	return ds
}

// runner is the real room of checks, which nobody runs.
func runner(t *testing.T) (*check.Runner, *own.Checks) {
	t.Helper()
	cfg := check.Defaults()
	r, err := check.New(cfg, check.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return r, own.NewChecks(r, r.Probe())
}

// told is a room of checks that counts how often it is told that all are there.
type told struct {
	*check.Runner
	times int
}

func (r *told) Complete() { r.times++ }

// TestChecks_AreCompleteOnceEachOwnerSpoke: what is refused was not said, and nothing
// is said twice.
func TestChecks_AreCompleteOnceEachOwnerSpoke(t *testing.T) {
	real, _ := runner(t)
	r := &told{Runner: real}
	c := own.NewChecks(r, r.Probe(), document.Folder, document.Git)
	set := func(owner document.Owner, want int, names ...string) {
		t.Helper()
		_ = c.Set(owner, checks(t, owner, names...)) // refused or not
		if r.times != want {
			t.Fatalf("told %d times, want %d", r.times, want)
		}
	}
	set(document.Folder, 0, "a", "b")
	set(document.Folder, 0, "a")
	set(document.Git, 0, "a")
	set(document.Git, 1)
	set(document.Git, 1, "c")
	set(document.Folder, 1)
}

// TestChecks_OfFoldersAndGitStandBesideEachOther: setting those of one owner
// leaves the other's; one name under two owners is refused, naming the other place,
// and changes nothing.
func TestChecks_OfFoldersAndGitStandBesideEachOther(t *testing.T) {
	_, c := runner(t)
	o := own.New(&engine{}, c, entries(t))
	if err := c.Set(document.Folder, checks(t, document.Folder, "a", "b")); err != nil {
		t.Fatal(err)
	}
	ask := func(ds []document.Document, want ...string) {
		t.Helper()
		says, is := o.Check(t.Context(), ds)
		want = append(want, "create Policy/p", "create Silence/s")
		slices.Sort(want)
		if len(is) > 0 || !slices.Equal(says, want) {
			t.Errorf("%v, %v; expected %v", says, is, want)
		}
	}
	ask(checks(t, document.Git, "c", "d"), "create Check/c", "create Check/d")
	if err := o.Adopt(t.Context(), "abc", checks(t, document.Git, "c", "d")); err != nil {
		t.Fatal(err)
	}
	ask(checks(t, document.Git, "c", "d"))
	for name, want := range map[string]bool{"a": true, "b": true, "e": true, "host": true, "c": false, "d": false, "none": false} { // c and d go
		if got := o.HasCheck(checks(t, document.Git, "e"), name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	ask(checks(t, document.Git, "c 2m"), "change Check/c", "delete Check/d")
	if _, is := o.Check(t.Context(), checks(t, document.Git, "b")); len(is) != 1 || !strings.Contains(is.Error(), "folder.yaml:7") || !strings.Contains(is.Error(), "git.yaml:2") {
		t.Errorf("one name under two owners: %v", is)
	}
	if err := c.Set(document.Folder, checks(t, document.Folder, "a", "c")); err == nil {
		t.Error("a folder took a name of Git's")
	}
	ask(checks(t, document.Git, "c", "d"))
	if err := c.Set(document.Folder, checks(t, document.Folder, "a")); err != nil {
		t.Fatal(err)
	}
	ask(checks(t, document.Git, "c", "d"))
	ask(nil, "delete Check/c", "delete Check/d")
	if err := o.Adopt(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	ask(checks(t, document.Git, "d"), "create Check/d")
}

// TestAdopt_AllOrNothing: one issue anywhere and no room is asked to change
// anything; every issue is told at once.
func TestAdopt_AllOrNothing(t *testing.T) {
	_, c := runner(t)
	e := &engine{}
	o := own.New(e, c, entries(t))
	bad := checks(t, document.Git, "c")
	bad[0].Name = "host"
	for name, tc := range map[string]struct {
		policies, holds error
		ds              []document.Document
	}{
		"a policy": {policies: fault.Issues{{Place: "p.yaml:1", Msg: "x"}}},
		"a hold":   {holds: fault.Issues{{Place: "h.yaml:1", Msg: "x"}}},
		"a check":  {ds: bad},
		"a room":   {holds: errors.New("the evaluator is not ready")},
	} {
		e.policies, e.holds = tc.policies, tc.holds
		if err := o.Adopt(t.Context(), "abc", tc.ds); err == nil || len(e.applied) > 0 {
			t.Errorf("%s: %v, and %v", name, err, e.applied)
		}
	}
	e.policies, e.holds = fault.Issues{{Place: "p.yaml:1", Msg: "x"}}, fault.Issues{{Place: "h.yaml:1", Msg: "y"}}
	if _, is := o.Check(t.Context(), bad); len(is) < 3 {
		t.Errorf("not every issue at once: %v", is)
	}
	e.policies, e.holds = nil, nil
	if err := o.Adopt(t.Context(), "abc", nil); err != nil || !slices.Equal(e.applied, []string{"policies by commit:abc as git", "holds by commit:abc as git"}) {
		t.Errorf("%v, %v", err, e.applied)
	}
}

// TestChecks_AreOnRecord: each that comes, changes or goes, with the transaction that
// makes it so, by the commit; one that only moves within the repository does not, and
// neither does anything when the ledger refuses or a start restores it.
func TestChecks_AreOnRecord(t *testing.T) {
	_, c := runner(t)
	j := &engine{journal: journal{refuse: errors.New("the disk is full")}}
	o := own.New(j, c, entries(t))
	adopt := func(by *own.Own, commit string, ds []document.Document, want ...string) {
		t.Helper()
		j.audit = nil
		if err := by.Adopt(t.Context(), commit, ds); err != nil && j.refuse == nil {
			t.Fatal(err)
		}
		if !slices.Equal(j.audit, want) {
			t.Errorf("%s: on record %q, want %q", commit, j.audit, want)
		}
	}
	adopt(o, "a1", checks(t, document.Git, "a", "b"))
	j.refuse = nil
	adopt(o, "a1", checks(t, document.Git, "b", "a"), "commit:a1 check.define check:a", "commit:a1 check.define check:b")
	adopt(o, "a1", checks(t, document.Git, "b", "a"))
	moved := checks(t, document.Git, "b", "a")
	moved[0].Place = "elsewhere.yaml:1:1"
	adopt(o, "a2", moved)
	adopt(o, "a3", checks(t, document.Git, "a 5m", "c"), "commit:a3 check.change check:a", "commit:a3 check.define check:c", "commit:a3 check.remove check:b")

	_, c = runner(t)
	later := own.New(j, c, entries(t))
	if err := later.Restore(j.checks); err != nil {
		t.Fatal(err)
	}
	adopt(later, "a3", checks(t, document.Git, "a 5m", "c"))
	adopt(later, "", nil, "vigild check.remove check:a", "vigild check.remove check:c")
}

// TestChecks_GoOnWithoutTheRepository: what was adopted is in the ledger before it is
// in force, once, and a later start puts it in force from there alone, at its place
// in the repository; a check that cannot be read any more is named, and the others
// go on.
func TestChecks_GoOnWithoutTheRepository(t *testing.T) {
	_, c := runner(t)
	j := &engine{journal: journal{refuse: errors.New("the disk is full")}}
	o := own.New(j, c, entries(t))
	ds := checks(t, document.Git, "b 5m", "a")
	if err := o.Adopt(t.Context(), "abc", ds); !errors.Is(err, j.refuse) {
		t.Fatalf("adopted, and not in the ledger: %v", err)
	}
	if says, _ := o.Check(t.Context(), ds); !slices.Contains(says, "create Check/a") {
		t.Fatalf("in force, and not in the ledger: %v", says)
	}
	j.refuse = nil
	for range 2 {
		if err := o.Adopt(t.Context(), "abc", ds); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.checks) != 2 || j.checks[0].Name != "a" || j.commits != 1 {
		t.Fatalf("%d commits, %v", j.commits, j.checks)
	}

	_, c = runner(t)
	later := own.New(j, c, entries(t))
	broken := nouns.CheckRow{Name: "old", Place: "old.yaml:1:1", Text: []byte(`{"apiVersion":"vigil/v1","kind":"Check","metadata":{"name":"old"},"spec":{"kind":"tcp","speed":1}}`)}
	if err := later.Restore(append(slices.Clone(j.checks), broken)); err == nil || !strings.Contains(err.Error(), "old.yaml:1:1") {
		t.Errorf("a check that cannot be read: %v", err)
	}
	if says, is := later.Check(t.Context(), ds); len(is) > 0 || !slices.Equal(says, []string{"create Policy/p", "create Silence/s"}) {
		t.Errorf("%v, %v", says, is)
	}
	if err := c.Set(document.Folder, checks(t, document.Folder, "b")); err == nil || !strings.Contains(err.Error(), ds[0].Place) {
		t.Errorf("a check's place in the repository: %v", err)
	}
	if err := later.Adopt(t.Context(), "", nil); err != nil || len(j.checks) > 0 || j.commits != 2 {
		t.Errorf("taken away: %v, %v", err, j.checks)
	}
}
