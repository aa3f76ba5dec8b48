// Package own is what a revision says about vigild itself: policies, checks,
// silences and maintenance windows, adopted with it.
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
	"errors"
	"slices"
	"strings"
	"sync"

	"vigil/engine"
	"vigil/engine/check"
	"vigil/engine/check/probe"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/holds"
)

// Engine is what the engine does with documents of one owner; see the methods of
// policies.Keeper and holds.Book.
type Engine interface {
	ValidatePolicy(d document.Document) fault.Issues
	FolderChanges(owner document.Owner, ds []document.Document) ([]string, error)
	ApplyFolder(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error
	ChangesOf(owner document.Owner, ds []document.Document) ([]string, error)
	ApplyDocuments(ctx context.Context, actor string, owner document.Owner, ds []document.Document) error
}

// Journal is the ledger; engine.Journal has it.
type Journal interface {
	Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error)
}

// Own adopts.
type Own struct {
	engine  Engine
	checks  *Checks
	journal Journal

	mu   sync.Mutex
	kept []engine.CheckRow // as the ledger has them, by name
}

// New makes an Own.
func New(e Engine, c *Checks, j Journal) *Own { return &Own{engine: e, checks: c, journal: j} }

// Validate looks at one document by itself.
func (o *Own) Validate(d document.Document) fault.Issues {
	switch d.Kind {
	case "Policy":
		return o.engine.ValidatePolicy(d)
	case check.DocumentKind:
		_, is := check.FromDocument(d, o.checks.probe)
		return is
	}
	_, is := holds.FromDocument(d)
	return is
}

// Check says what Adopt would do, "create Policy/disk", and every issue of the
// documents. It changes nothing.
func (o *Own) Check(_ context.Context, ds []document.Document) (says []string, is fault.Issues) {
	for _, ask := range []func(document.Owner, []document.Document) ([]string, error){o.engine.FolderChanges, o.engine.ChangesOf, o.checks.changes} {
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
func (o *Own) Adopt(ctx context.Context, commit string, ds []document.Document) error {
	if _, is := o.Check(ctx, ds); len(is) > 0 {
		return is
	}
	actor := "vigild"
	if commit != "" {
		actor = "commit:" + commit
	}
	if err := o.engine.ApplyFolder(ctx, actor, document.Git, ds); err != nil {
		return err
	}
	if err := o.engine.ApplyDocuments(ctx, actor, document.Git, ds); err != nil {
		return err
	}
	if err := o.keep(ctx, ds); err != nil {
		return err
	}
	return o.checks.Set(document.Git, ds)
}

// keep makes the checks that the ledger has exactly those among the documents.
func (o *Own) keep(ctx context.Context, ds []document.Document) error {
	var rows []engine.CheckRow
	for _, d := range ds {
		if d.Kind != check.DocumentKind {
			continue
		}
		text, err := d.Text()
		if err != nil {
			return err
		}
		rows = append(rows, engine.CheckRow{Name: d.Name, Place: d.Place, Text: text})
	}
	slices.SortFunc(rows, func(a, b engine.CheckRow) int { return strings.Compare(a.Name, b.Name) })
	o.mu.Lock()
	same := slices.EqualFunc(rows, o.kept, func(a, b engine.CheckRow) bool {
		return a.Name == b.Name && a.Place == b.Place && bytes.Equal(a.Text, b.Text)
	})
	o.mu.Unlock()
	if same {
		return nil
	}
	if _, err := o.journal.Commit(ctx, &engine.Decision{Desired: &engine.DesiredDecision{Checks: &rows}}); err != nil {
		return err
	}
	o.mu.Lock()
	o.kept = rows
	o.mu.Unlock()
	return nil
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
}

// Checks is the checks by their owners.
type Checks struct {
	runner Runner
	probe  probe.Deps

	mu sync.Mutex
	by map[document.Owner][]check.Definition
}

// NewChecks begins without any.
func NewChecks(r Runner, p probe.Deps) *Checks {
	return &Checks{runner: r, probe: p, by: map[document.Owner][]check.Definition{}}
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
	c.by[owner] = defs
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
