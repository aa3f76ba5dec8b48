// Package own is what a revision says about vigild itself: policies, checks,
// actions, silences and maintenance windows, adopted with it.
//
// Each kind has its room, which knows what a document of it means; here they are
// asked one after another, all of them before the first is changed. [Checks]
// holds the checks of the folders and those of Git together, since the room of
// checks knows one list; like policies and holds those of Git are in the ledger
// before they are in force, and go on when the repository cannot be read.
//
// It refuses to adopt anything beside a single issue. Starts nothing; concurrent.
package own

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"vigil/actions/catalogue"
	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/check"
	"vigil/engine/check/probe"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/holds"
	"vigil/engine/remedy"
)

// Engine is what the engine does with documents of one owner; see the methods of
// policies.Keeper and holds.Book.
type Engine interface {
	ValidatePolicy(d document.Document, with remedy.Actions) fault.Issues
	FolderChanges(owner document.Owner, ds []document.Document, with remedy.Actions) ([]string, error)
	ApplyRevision(ctx context.Context, actor string, owner document.Owner, ds []document.Document, b engine.Beside) error
	Policies() []engine.PolicyView
	ChangesOf(owner document.Owner, ds []document.Document) ([]string, error)
	ApplyDocuments(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error
}

// Own adopts.
type Own struct {
	engine  Engine
	checks  *Checks
	actions *Actions

	mu   sync.Mutex
	kept []engine.CheckRow // as the ledger has them, by name
}

// New makes an Own.
func New(e Engine, c *Checks, a *Actions) *Own { return &Own{engine: e, checks: c, actions: a} }

// Validate looks at each document by itself, and at the policies among them with the
// actions that they bring along.
func (o *Own) Validate(ds []document.Document) (is fault.Issues) {
	acts, wrong := o.actions.with(ds)
	is = append(is, wrong...)
	for _, d := range ds {
		var more fault.Issues
		switch d.Kind {
		case catalogue.DocumentKind: // done
		case "Policy":
			more = o.engine.ValidatePolicy(d, acts)
		case check.DocumentKind:
			_, more = check.FromDocument(d, o.checks.probe)
		default:
			_, more = holds.FromDocument(d)
		}
		is = append(is, more...)
	}
	return is
}

// Actions are those that there would be once the documents are adopted; nil when
// these are not right.
func (o *Own) Actions(ds []document.Document) remedy.Actions {
	acts, _ := o.actions.with(ds)
	return acts
}

// Check says what Adopt would do, "create Policy/disk", and every issue of the
// documents. It changes nothing.
func (o *Own) Check(ctx context.Context, ds []document.Document) (says []string, is fault.Issues) {
	acts, is := o.actions.with(ds)
	if len(is) > 0 {
		return nil, is
	}
	policies := func(owner document.Owner, ds []document.Document) ([]string, error) {
		says, err := o.engine.FolderChanges(owner, ds, acts)
		o.actions.doubts(ctx, says, ds, acts)
		return says, err
	}
	entries := func(_ document.Owner, ds []document.Document) ([]string, error) {
		return o.actions.changes(ds, o.engine.Policies), nil
	}
	for _, ask := range []func(document.Owner, []document.Document) ([]string, error){policies, o.engine.ChangesOf, o.checks.changes, entries} {
		said, err := ask(document.Git, ds)
		says = append(says, said...)
		var more fault.Issues
		switch {
		case err == nil:
		case errors.As(err, &more):
			is = append(is, more...)
		default:
			is.Add("", "%v", err)
		}
	}
	if len(is) > 0 {
		return nil, is
	}
	slices.Sort(says)
	return says, nil
}

// HasCheck says whether a check of that name would measure once these are the
// documents of owner Git: one of theirs, of a folder, or the host's own.
func (o *Own) HasCheck(ds []document.Document, name string) bool {
	if name == check.Host || slices.ContainsFunc(ds, func(d document.Document) bool { return d.Kind == check.DocumentKind && d.Name == name }) {
		return true
	}
	o.checks.mu.Lock()
	defer o.checks.mu.Unlock()
	for owner, theirs := range o.checks.by {
		if owner != document.Git && slices.ContainsFunc(theirs, func(d check.Definition) bool { return d.Name == name }) {
			return true
		}
	}
	return false
}

// Adopt makes the documents of owner Git exactly these; none takes all away. It may be called again
// with the same ones: then it changes nothing but what is missing. Never twice at once.
//
// Policies, checks and actions are one transaction. An action is there before the
// policies that name it, and goes after them.
func (o *Own) Adopt(ctx context.Context, commit string, ds []document.Document) error {
	if _, is := o.Check(ctx, ds); len(is) > 0 {
		return is
	}
	actor := "vigild"
	if commit != "" {
		actor = "commit:" + commit
	}
	rows, err := measuring(ds)
	if err != nil {
		return err
	}
	next, err := o.actions.begin(actor, commit, ds)
	if err != nil {
		return err
	}
	b := engine.Beside{Audit: slices.Concat(next.records, o.records(actor, rows))}
	desired := engine.DesiredDecision{}
	if o.differs(rows) {
		desired.Checks, b.Desired = &rows, &desired
	}
	if next.differs {
		desired.Entries, b.Desired = &next.rows, &desired
	}
	if err := o.engine.ApplyRevision(ctx, actor, document.Git, ds, b); err != nil {
		return errors.Join(err, next.back())
	}
	o.mu.Lock()
	o.kept = rows
	o.mu.Unlock()
	if err := next.done(); err != nil {
		return err
	}
	if err := o.engine.ApplyDocuments(ctx, actor, document.Git, ds); err != nil {
		return err
	}
	return o.checks.Set(document.Git, ds)
}

// measuring are the checks among the documents as the ledger has them, by name.
func measuring(ds []document.Document) (rows []engine.CheckRow, err error) {
	for _, d := range ds {
		if d.Kind != check.DocumentKind {
			continue
		}
		text, err := d.Text()
		if err != nil {
			return nil, err
		}
		rows = append(rows, engine.CheckRow{Name: d.Name, Place: d.Place, Text: text})
	}
	slices.SortFunc(rows, func(a, b engine.CheckRow) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}

// differs says whether the ledger has other checks.
func (o *Own) differs(rows []engine.CheckRow) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !slices.EqualFunc(rows, o.kept, func(a, b engine.CheckRow) bool {
		return a.Name == b.Name && a.Place == b.Place && bytes.Equal(a.Text, b.Text)
	})
}

// records are what the audit is told of checks that come, change and go. Of a check's
// text it has the sum alone, since headers and the like may not be for everybody.
func (o *Own) records(actor string, rows []engine.CheckRow) (out []audit.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	stood := map[string]engine.CheckRow{}
	for _, r := range o.kept {
		stood[r.Name] = r
	}
	tell := func(verb, name, reason string, evidence []byte) {
		out = append(out, audit.Record{Actor: actor, Verb: "check." + verb, Object: "check:" + name, Reason: reason, Evidence: evidence})
	}
	for _, r := range rows {
		old, is := stood[r.Name]
		delete(stood, r.Name)
		verb := "define"
		if is {
			verb = "change"
		}
		if !is || !bytes.Equal(old.Text, r.Text) {
			tell(verb, r.Name, "as "+r.Place+" says", audit.Evidence(map[string]string{"sha256": fmt.Sprintf("%x", sha256.Sum256(r.Text))}))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stood)) {
		tell("remove", name, "its document at "+stood[name].Place+" is gone", nil)
	}
	return out
}

// Restore puts the checks in force that the ledger has. One that cannot be read any
// more is named in the error and left out.
func (o *Own) Restore(rows []engine.CheckRow) error {
	o.mu.Lock()
	o.kept = rows
	o.mu.Unlock()
	var ds []document.Document
	var is fault.Issues
	for _, r := range rows {
		read, bad := document.Parse(r.Place, r.Text, document.Git)
		for i := range read {
			read[i].Place = r.Place
		}
		if _, more := o.checks.Read(read); len(bad)+len(more) > 0 {
			is = append(is, append(bad, more...)...)
			continue
		}
		ds = append(ds, read...)
	}
	return errors.Join(is.Err(), o.checks.Set(document.Git, ds))
}

// Runner is the room of checks; see check.Runner.
type Runner interface {
	SetChecks(defs []check.Definition) error
	Complete()
}

// Checks is the checks by their owners.
type Checks struct {
	runner Runner
	probe  probe.Deps
	owners []document.Owner // all that there are

	mu sync.Mutex
	by map[document.Owner][]check.Definition
}

// NewChecks begins without any. Once each of the owners has set its checks the runner
// is told that they are complete.
func NewChecks(r Runner, p probe.Deps, owners ...document.Owner) *Checks {
	return &Checks{runner: r, probe: p, owners: owners, by: map[document.Owner][]check.Definition{}}
}

// Read reads the checks among documents.
func (c *Checks) Read(ds []document.Document) (defs []check.Definition, is fault.Issues) {
	for _, d := range ds {
		if d.Kind != check.DocumentKind {
			continue
		}
		def, bad := check.FromDocument(d, c.probe)
		defs, is = append(defs, def), append(is, bad...)
	}
	return defs, is
}

// Set makes the checks of an owner exactly those among the documents. On an error
// nothing has changed.
func (c *Checks) Set(owner document.Owner, ds []document.Document) error {
	defs, is := c.Read(ds)
	if err := is.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(defs)
	for o, theirs := range c.by {
		if o != owner {
			all = append(all, theirs...)
		}
	}
	if err := c.runner.SetChecks(all); err != nil {
		return err
	}
	_, heard := c.by[owner]
	if c.by[owner] = defs; !heard && !slices.ContainsFunc(c.owners, func(o document.Owner) bool { _, is := c.by[o]; return !is }) {
		c.runner.Complete()
	}
	return nil
}

// changes says what Set would do.
func (c *Checks) changes(owner document.Owner, ds []document.Document) (says []string, err error) {
	defs, is := c.Read(ds)
	c.mu.Lock()
	defer c.mu.Unlock()
	was := map[string]uint64{}
	for o, theirs := range c.by {
		for _, d := range theirs {
			if o == owner {
				was[d.Name] = d.Digest
			} else if i := slices.IndexFunc(defs, func(x check.Definition) bool { return x.Name == d.Name }); i >= 0 {
				is.Add(defs[i].Place, "there is another check named %q at %s", d.Name, d.Place)
			}
		}
	}
	for _, d := range defs {
		digest, stood := was[d.Name]
		switch {
		case !stood:
			says = append(says, "create Check/"+d.Name)
		case digest != d.Digest:
			says = append(says, "change Check/"+d.Name)
		}
		delete(was, d.Name)
	}
	for name := range was {
		says = append(says, "delete Check/"+name)
	}
	return says, is.Err()
}
