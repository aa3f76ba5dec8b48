// Package own is what a revision says about vigild itself: policies, checks,
// silences and maintenance windows, adopted with it.
//
// Each kind has its room, which knows what a document of it means; here they are
// asked one after another, all of them before the first is changed. [Checks]
// holds the checks of the folders and those of Git together, since the room of
// checks knows one list.
//
// It refuses to adopt anything beside a single issue. Starts nothing; concurrent.
package own

import (
	"context"
	"errors"
	"slices"
	"sync"

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

// Own adopts.
type Own struct {
	engine Engine
	checks *Checks
}

// New makes an Own.
func New(e Engine, c *Checks) *Own { return &Own{e, c} }

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

// Adopt makes the documents of owner Git exactly these; none takes all away. It may be called again
// with the same ones: then it changes nothing but what is missing.
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
	return o.checks.Set(document.Git, ds)
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
