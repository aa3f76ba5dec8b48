package reconcile

import (
	"slices"
	"strings"

	"vigil/engine/document"
)

// Mode says what is done about a difference.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // heal every difference
	Detect  Mode = "detect"  // report every difference, heal none
	Once    Mode = "once"    // write it if it was never written, then leave it alone
	Absent  Mode = "absent"  // it should not be there
)

// Common are the fields that every document of a resource may have, beside those
// of its kind.
type Common struct {
	Mode      Mode     `yaml:"mode"`
	DependsOn []string `yaml:"dependsOn"` // Kind/name
	Notify    []Notify `yaml:"notify"`
	Ignore    Ignore   `yaml:"ignore"`
	Health    *Health  `yaml:"health"`
	Pace      Pace     `yaml:"heal"`
	Conflict  string   `yaml:"conflict"` // git-wins (default) or hold
	Prune     *bool    `yaml:"prune"`    // false: an orphan stays
	Adopt     bool     `yaml:"adopt"`    // what is there already is taken as last written
}

// Notify is an action that follows a change.
type Notify struct {
	Action string         `yaml:"action"`
	With   map[string]any `yaml:"with"`
}

// Health says when a thing that was changed counts as well: an expression over
// the samples, or the name of a check.
type Health struct {
	Expr      string            `yaml:"expr"`
	Check     string            `yaml:"check"`
	Timeout   document.Duration `yaml:"timeout"`
	Successes int               `yaml:"successes"`
}

// Item is one resource of a set, with what its document says for all kinds. Its
// methods are the only ones that the engine needs to call: they apply mode and
// ignore.
type Item struct {
	Resource
	Common
	Place string // file:line:column of its document
	Level int    // things of a lower level come first
	Hash  string // of what the document asks for: equal, nothing about it changed
	// Claims are the things that no other document may speak of: a whole
	// (file:/etc/motd, systemd:web.service) or a part (file:/etc/motd#line:x).
	Claims []string
	Also   []string // paths that others may have a document about, and that matter here too
}

// Paths are the files and folders whose change may change how the thing stands,
// sorted: an event on one of them, or in its folder, is a reason to look.
func (it *Item) Paths() []string {
	out := slices.Clone(it.Also)
	for _, c := range it.Claims {
		if p, ok := strings.CutPrefix(c, "file:"); ok {
			p, _, _ = strings.Cut(p, "#")
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Units are the units of systemd whose change may change how the thing stands.
func (it *Item) Units() []string {
	var out []string
	for _, c := range it.Claims {
		if u, ok := strings.CutPrefix(c, "systemd:"); ok {
			out = append(out, u)
		}
	}
	return out
}

// Differences is Compare under mode and ignore. Pure.
func (it *Item) Differences(last State, seen Observed) []Difference {
	if it.Mode == Once && len(last) > 0 {
		return nil
	}
	return it.Ignore.Without(it.Compare(last, seen))
}

// Plan is Heal under mode and ignore, and the conflict rule: what would be done
// now about the differences, and those that are held. Pure.
func (it *Item) Plan(seen Observed, diffs []Difference) (steps []Step, held []Difference) {
	diffs = it.Ignore.Without(diffs)
	if it.Mode == Detect {
		return nil, diffs
	}
	var act []Difference
	for _, d := range diffs {
		if d.Class == Conflict && it.Common.Conflict == Hold {
			held = append(held, d)
			continue
		}
		act = append(act, d)
	}
	if len(act) == 0 {
		return nil, held
	}
	if len(held) > 0 { // a thing is healed whole or not at all: half of it would be a state nobody wrote
		return nil, diffs
	}
	return it.Heal(seen, act), nil
}

// The answers to a conflict.
const (
	GitWins = "git-wins"
	Hold    = "hold"
)

// Prunes reports whether the thing may be taken away when no document wants it.
func (c Common) Prunes() bool { return c.Prune == nil || *c.Prune }

// Set is everything one revision wants of this host. It is never changed after
// it was loaded.
type Set struct {
	Items     []*Item             // in order of level, then of reference
	Documents []document.Document // that belong to vigild itself: Policy, Check, Silence, Maintenance
	Signers   Signers
	Read      []string // the folders that were read, for people
}

// Signers is what the tree says about who may sign the next revision.
type Signers struct {
	Required bool   `yaml:"required"`
	File     string `yaml:"file"` // in the tree
}

// Find is the item of a reference, nil none.
func (s *Set) Find(ref string) *Item {
	i := slices.IndexFunc(s.Items, func(it *Item) bool { return it.Key().Ref() == ref })
	if i < 0 {
		return nil
	}
	return s.Items[i]
}
