package ground

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
)

// Thing is one thing in the world that is wanted in some way, or was.
type Thing struct {
	Ref   string
	Item  *reconcile.Item    // nil: no document wants it any more
	Res   reconcile.Resource // of the item, or what takes an orphan away
	Row   engine.Resource
	Kept  bool // the ledger has row
	Level int

	Diffs  []reconcile.Difference
	Drifts map[string]engine.Drift // that stand, by field
	Held   []reconcile.Difference  // of diffs: left by the conflict rule or by detect
	Stuck  bool                    // it differs, nothing of that is left to others, and no step puts it right
	Looked time.Time
	Unseen string // why it cannot be looked at
	Flow   *Flow  // what is under way for it
	Stale  int    // heals in a row that came too late; see ErrStale
}

// Differences are those of the thing under mode and ignore.
func (t *Thing) Differences(last reconcile.State, seen reconcile.Observed) []reconcile.Difference {
	if t.Item == nil {
		return t.Res.Compare(last, seen)
	}
	return t.Item.Differences(last, seen)
}

// StepsFor are what would be done about differences now, and what is left.
func (t *Thing) StepsFor(seen reconcile.Observed, diffs []reconcile.Difference) (steps []reconcile.Step, held []reconcile.Difference) {
	if t.Item == nil {
		return t.Res.Heal(seen, diffs), nil
	}
	return t.Item.Plan(seen, diffs)
}

// StuckWhy is the word for a thing that is Stuck.
const StuckWhy = "nothing that vigild can do puts that right"

// Stops says whether differences are neither healed nor left: see Stuck.
func Stops(steps []reconcile.Step, held, diffs []reconcile.Difference) bool {
	return len(diffs) > 0 && len(steps) == 0 && len(held) == 0
}

// Pace is how fast it is healed again and again.
func (t *Thing) Pace() reconcile.Pace {
	if t.Item == nil {
		return reconcile.PaceDefaults()
	}
	return t.Item.Pace
}

// Written remembers what was seen as last written.
func (t *Thing) Written(seen reconcile.Observed, commit string, d *engine.Decision) engine.Resource {
	row := t.Row
	row.Key, row.Commit, row.Written = t.Res.Key(), commit, d.At
	row.Last = reconcile.Written(seen.State, t.Item.Ignore)
	row.Hash, row.Prune = t.Item.Hash, t.Item.Prunes()
	return row
}

// Remember writes with the round what is remembered of a thing from now on.
func (r *Round) Remember(t *Thing, row engine.Resource) {
	r.D.Desired.Resources = append(r.D.Desired.Resources, row)
	r.After = append(r.After, func() { t.Row, t.Kept = row, true })
}

// TakeOver is Adopt for a thing that others can see.
func (g *Ground) TakeOver(t *Thing, seen reconcile.Observed) {
	g.Mu.Lock()
	defer g.Mu.Unlock()
	if t.Row.Last == nil {
		t.Adopt(seen)
	}
}

// Adopt takes what is there already as written by us, where the document says so.
func (t *Thing) Adopt(seen reconcile.Observed) {
	if t.Item == nil || t.Kept || !t.Item.Adopt || seen.State[reconcile.Exists] != reconcile.Yes {
		return
	}
	t.Row.Last, t.Row.Adopted = reconcile.Written(seen.State, t.Item.Ignore), true
}

// NewThing is the thing of an item, with what is remembered of it.
func NewThing(it *reconcile.Item, row engine.Resource, kept bool) *Thing {
	if !kept {
		row = engine.Resource{Key: it.Key()}
	}
	return &Thing{Ref: it.Key().Ref(), Item: it, Res: it.Resource, Row: row, Kept: kept, Level: it.Level, Drifts: map[string]engine.Drift{}}
}

// Sorted puts things in the order in which they are carried out.
func Sorted(ts []*Thing) {
	slices.SortFunc(ts, func(a, b *Thing) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Ref, b.Ref))
	})
}

// Install makes the things of a set what is kept from now on. What was known of
// a thing that stays (drifts, what is under way) stays.
// rest are remembered and not looked at: what waits to be taken away.
func (g *Ground) Install(ctx context.Context, n int64, set *reconcile.Set, ts, rest []*Thing) {
	g.Mu.Lock()
	before := g.Things
	g.Things, g.Order = make(map[string]*Thing, len(ts)), slices.Clone(ts)
	g.byPath, g.byUnit = map[string][]*Thing{}, map[string][]*Thing{}
	g.Standing, g.Set, g.Stalled = n, set, ""
	var spots []Spot
	var units []string
	for _, t := range ts {
		if old := before[t.Ref]; old != nil {
			t.Drifts, t.Diffs = old.Drifts, old.Diffs
		}
		g.Things[t.Ref] = t
		if t.Item == nil {
			continue
		}
		inside := kind.Purges(t.Item)
		for _, p := range t.Item.Paths() {
			g.byPath[p] = append(g.byPath[p], t)
			spots = append(spots, Spot{Path: p, Inside: inside})
		}
		for _, u := range t.Item.Units() {
			g.byUnit[u] = append(g.byUnit[u], t)
			units = append(units, u)
		}
	}
	Sorted(g.Order)
	for _, t := range rest {
		if old := before[t.Ref]; old != nil {
			t.Drifts = old.Drifts
		}
		g.Things[t.Ref] = t
	}
	r := g.Begin()
	var lost []*Thing // of which nobody speaks any more
	for ref, t := range before {
		if g.Things[ref] == nil && len(t.Drifts) > 0 {
			lost = append(lost, t)
		}
	}
	g.Mu.Unlock()
	for _, t := range lost {
		g.Note(r, t, nil, "replaced")
	}
	_ = g.Write(ctx, r) // an error is the end of ctx: the next start finds them again
	slices.Sort(units)
	g.Watch(spots, slices.Compact(units))
}

// Beside says that a step for another part of the same file is under way: each
// writes the file anew, so who comes next has to look at what the first one wrote.
func (g *Ground) Beside(t *Thing) bool {
	file, _, part := strings.Cut(t.Res.Key().Subject, "#")
	return part && slices.ContainsFunc(g.byPath[strings.TrimPrefix(file, "file:")], func(o *Thing) bool {
		other, _, _ := strings.Cut(o.Res.Key().Subject, "#")
		return o != t && o.Flow != nil && other == file
	})
}

// Remembered is a copy of the rows of all things, wanted or not.
func (g *Ground) Remembered() map[string]engine.Resource {
	g.Mu.RLock()
	defer g.Mu.RUnlock()
	out := make(map[string]engine.Resource, len(g.Things))
	for ref, t := range g.Things {
		if t.Kept {
			out[ref] = t.Row
		}
	}
	return out
}

// Gone is a resource about which nothing is wanted.
type Gone struct{ Of reconcile.Key }

// Key is the thing's.
func (g Gone) Key() reconcile.Key { return g.Of }

// Observe sees nothing.
func (g Gone) Observe(context.Context, reconcile.World) (reconcile.Observed, error) {
	return reconcile.Observed{}, nil
}

// Compare finds nothing.
func (g Gone) Compare(reconcile.State, reconcile.Observed) []reconcile.Difference { return nil }

// Heal does nothing.
func (g Gone) Heal(reconcile.Observed, []reconcile.Difference) []reconcile.Step { return nil }

// CommitOf is the commit whose set is what is wanted now, "" none. Mu is held, or
// the caller is Run's goroutine.
func (g *Ground) CommitOf() string {
	if row := g.Rows[g.Standing]; row != nil {
		return row.Commit
	}
	return ""
}

// Paths are what an event about the thing names.
func (t *Thing) Paths() []string {
	if t.Item == nil {
		p, _, _ := strings.Cut(strings.TrimPrefix(t.Row.Key.Subject, "file:"), "#")
		return []string{p}
	}
	out := t.Item.Paths()
	for _, u := range t.Item.Units() {
		out = append(out, unitPrefix+u)
	}
	return out
}

// View is a thing for the faces. g.mu is held, or the thing is the caller's own.
func (t *Thing) View() engine.ResourceView {
	key := t.Row.Key
	if t.Res != nil {
		key = t.Res.Key()
	}
	v := engine.ResourceView{Ref: t.Ref, Kind: key.Kind, Name: key.Name, Subject: key.Subject, Level: t.Level,
		Drift: slices.Clone(t.Diffs), Commit: t.Row.Commit, Written: t.Row.Written, Looked: t.Looked, Heals: t.Row.Heals.Count, Reason: t.Unseen}
	if t.Item != nil {
		v.Place, v.Mode, v.Paths, v.Units = t.Item.Place, string(t.Item.Mode), t.Item.Paths(), t.Item.Units()
	}
	return v
}
