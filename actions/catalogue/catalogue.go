// Package catalogue is the list of named actions of the local config: programs
// with a fixed argv and requests to fixed hosts.
//
// Git and the API name an entry and give values; they define nothing. A value
// matches the whole pattern of its parameter and fills a whole element of argv,
// a whole segment, query value or JSON value; it is never pasted into text, and
// there is no shell. What is acted for is told as JSON on stdin and in VIGIL_*
// variables.
//
// It refuses entries that are not whole: every fault is named by its key path
// before anything runs. New starts nothing.
package catalogue

import (
	"context"
	"maps"
	"slices"

	"vigil/actions/detach"
	"vigil/actions/launch"
	"vigil/actions/outward"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Deps is what entries need. Crowd is kept over reloads, so that a mutex holds
// while one catalogue takes the other's place.
type Deps struct {
	Launcher *launch.Launcher
	Resolve  outward.Resolve // nil is the host's resolver
	Crowd    *Crowd
	Detacher *detach.Detacher // nil: entries that are to outlive vigild cannot be started
}

// Catalogue is every entry, ready to act. Concurrent.
type Catalogue struct {
	deps    Deps
	entries map[string]Entry
	actions map[string]remedy.Action
}

// makers lists the kinds of entries: one file and one line each.
func makers() map[string]func(*Catalogue, string, Entry) (remedy.Action, error) {
	return map[string]func(*Catalogue, string, Entry) (remedy.Action, error){
		"exec": newExec,
		"http": newHTTP,
	}
}

// Kinds lists the kinds of entries.
func Kinds() []string { return slices.Sorted(maps.Keys(makers())) }

// New builds entries that Validate found whole.
func New(entries map[string]Entry, d Deps) (*Catalogue, error) {
	c := &Catalogue{d, entries, map[string]remedy.Action{}}
	all := makers()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		build := all[entries[name].Kind]
		if build == nil {
			return nil, fault.New(fault.Unprocessable, "%q is not a kind of the catalogue", entries[name].Kind).At("actions." + name + ".kind")
		}
		a, err := build(c, name, entries[name])
		if err != nil {
			return nil, err
		}
		c.actions[name] = a
	}
	return c, nil
}

// Actions is every entry by its name.
func (c *Catalogue) Actions() map[string]remedy.Action { return c.actions }

// Entry is what stands in an entry.
func (c *Catalogue) Entry(name string) (Entry, bool) {
	e, ok := c.entries[name]
	return e, ok
}

// Run runs an exec entry for a check. What it leaves running is killed; stderr
// is kept apart. Blocks; an error means that it was not started.
func (c *Catalogue) Run(ctx context.Context, name string, params map[string]string) (launch.Outcome, error) {
	var a execute
	switch x := c.actions[name].(type) {
	case execute:
		a = x
	case probedExec:
		a = x.execute
	case isolated:
		a = x.execute
	case probedIsolated:
		a = x.execute
	default:
		return launch.Outcome{}, fault.New(fault.NotFound, "there is no exec entry [actions.%s] in the local config", name)
	}
	r := remedy.Request{Action: name, With: map[string]any{}}
	for k, v := range params {
		r.With[k] = v
	}
	vs, err := a.values(r)
	if err != nil {
		return launch.Outcome{}, err
	}
	leave, err := c.admit(ctx, name, a.e)
	if err != nil {
		return launch.Outcome{}, err
	}
	defer leave()
	p := a.program(a.e.Argv, r, vs)
	p.Separate, p.KillRest = true, true
	return c.deps.Launcher.Run(ctx, p)
}
