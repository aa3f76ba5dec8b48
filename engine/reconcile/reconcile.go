// Package reconcile is what should be, and where it differs: the nouns and the
// pure rules of desired state.
//
// A [Resource] is one thing in the world that somebody wrote a document about.
// Observe reads it through a [World]; Compare sets three states side by side
// (desired, last written, observed) and names every difference; Heal says in
// steps what would remove them. Documents become resources in the room load, the
// kinds stand in the room kind, the edited part of a file in the room part.
//
// It refuses I/O of its own, acts, and a bare "differs": a difference names its
// field, what was wanted, what was found and how that came about.
// Invariants: Compare and Heal are functions of their arguments; what ignore
// covers is seen by none of diff, heal, rollback and prune; after the steps of
// one Heal the next Compare finds nothing. Starts nothing, holds no state.
package reconcile

import (
	"context"
	"maps"
	"slices"
)

// Key is what a resource is.
type Key struct {
	Subject string // the thing in the world, as the actions name it: file:/etc/motd, systemd:web.service
	Kind    string // File, Service, ...
	Name    string // of its document
}

// Ref is how other documents name it: File/motd.
func (k Key) Ref() string { return k.Kind + "/" + k.Name }

// State is one value per property, in one canonical spelling, fit to be stored
// as JSON. The property exists is yes or no; nil is "never written".
type State map[string]string

// The values of the property exists, and of the yes-or-no properties of kinds.
const (
	Exists = "exists"
	Yes    = "yes"
	No     = "no"
)

// Observed is how a thing stands. Content is there for kinds that change a part
// of a file: the whole of it, of which State tells the managed part.
type Observed struct {
	State   State
	Content []byte
	Closed  bool // not everybody on the host may read it
	Rising  bool // it was brought up just now, and nobody knows yet whether it stays
}

// Hidden stands for a value in a file which not everybody on the host may read: a
// difference is told to more people than such a file is. A line of it is told by its
// number in the document, as line#3.
const Hidden = "(not shown: the file is not for everybody)"

// Resource is one thing that should be in some way.
type Resource interface {
	// Key names it. Pure.
	Key() Key
	// Observe reads how the thing stands now, only the properties that the
	// document speaks of, and nothing but through w. It blocks; concurrent. What
	// is not there is a State with exists no, and no error. Errors: Forbidden
	// (a link on the way), Unavailable (it cannot be seen now).
	Observe(ctx context.Context, w World) (Observed, error)
	// Compare sets desired, last written (nil: never) and observed side by side.
	// Pure. Since is left zero; see Carry.
	Compare(last State, seen Observed) []Difference
	// Heal says what would remove the given differences, in order. Pure.
	Heal(seen Observed, diffs []Difference) []Step
}

// Step is one act that would be asked for: an action kind and its parameters,
// which the engine turns into a request.
type Step struct {
	Action  string
	With    map[string]any
	Content []byte // the bytes whose sha256 With names; kept for the action before the step is queued
	Summary string // "write /etc/motd", for people
	// Final says why the step cannot be undone, "" that its kind can undo it.
	Final string
}

// Written is the state that is remembered as last written once the steps are
// done: what was seen then, with what ignore covers left out.
func Written(seen State, ignore Ignore) State {
	out := State{}
	for name, v := range seen {
		if !ignore.Covers(name) {
			out[name] = v
		}
	}
	return out
}

// Fields are the properties of a state, sorted; exists comes first.
func (s State) Fields() []string {
	names := slices.Sorted(maps.Keys(s))
	if i := slices.Index(names, Exists); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, Exists)
	}
	return names
}
