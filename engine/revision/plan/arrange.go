package plan

import (
	"cmp"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/revision/ground"
)

// Arrangement is a set beside what is remembered.
type Arrangement struct {
	Things []*ground.Thing   // of the set, in order, each with its memory
	Away   []*ground.Thing   // to be taken away: what lies deeper first, so that folders are empty when their turn comes
	Forget []string          // rows that are only forgotten
	Left   []string          // rows whose document speaks of another thing now: forgotten at once
	Moved  []engine.Resource // what a document speaks of no more though it is still there: remembered under a name of its own
}

// moved ends the name under which a thing is remembered that its document left
// for another one.
const moved = "~moved"

// Arrange sorts what is remembered: what the set speaks of, what is to be taken
// away, and what is only forgotten, because something else wants the same thing
// now, because it may not be taken away, or because its kind never is. What is
// taken over by another document keeps its memory. Pure.
func Arrange(set *reconcile.Set, rows map[string]engine.Resource) Arrangement {
	var a Arrangement
	w := claimed(set)
	memory, rest := map[string]engine.Resource{}, map[string]engine.Resource{}
	for ref, row := range rows {
		it := w.items[ref]
		switch {
		case it == nil:
			rest[ref] = row
		case base(row.Key.Subject) == base(it.Key().Subject):
			memory[ref] = row
		default: // the document speaks of another thing now
			a.Left = append(a.Left, ref)
			row.Key.Name += moved
			if _, twice := rows[row.Key.Ref()]; !twice {
				a.Moved = append(a.Moved, row)
				rest[row.Key.Ref()] = row
			}
		}
	}
	for ref, row := range rest {
		by := w.whole[base(row.Key.Subject)]
		_, part, _ := strings.Cut(row.Key.Subject, "#")
		r, can := kind.Retire(row.Key, row.Last)
		switch {
		case by != "":
			if _, has := memory[by]; !has && part == "" {
				row.Key = w.items[by].Key()
				memory[by] = row
			}
		case part == "" && w.touched[base(row.Key.Subject)], part != "" && all(row.Last, base(row.Key.Subject), w.parts):
		case !can || !row.Prune || row.Adopted || len(row.Last) == 0:
		default:
			a.Away = append(a.Away, &ground.Thing{Ref: ref, Res: r, Row: row, Kept: true, Drifts: map[string]engine.Drift{}})
			continue
		}
		if _, was := rows[ref]; was {
			a.Forget = append(a.Forget, ref)
		}
	}
	a.Moved = slices.DeleteFunc(a.Moved, func(row engine.Resource) bool {
		return !slices.ContainsFunc(a.Away, func(t *ground.Thing) bool { return t.Ref == row.Key.Ref() })
	})
	for _, it := range set.Items {
		row, kept := memory[it.Key().Ref()]
		a.Things = append(a.Things, ground.NewThing(it, row, kept))
	}
	ground.Sorted(a.Things)
	slices.SortFunc(a.Away, func(x, y *ground.Thing) int {
		return cmp.Or(cmp.Compare(len(y.Row.Key.Subject), len(x.Row.Key.Subject)), cmp.Compare(x.Ref, y.Ref))
	})
	slices.Sort(a.Forget)
	return a
}

// claims is what a set speaks of.
type claims struct {
	items   map[string]*reconcile.Item // by Ref
	whole   map[string]string          // a thing -> the Ref that wants all of it
	parts   map[string]bool            // thing#part
	touched map[string]bool            // things of which anything is wanted
}

func claimed(set *reconcile.Set) claims {
	w := claims{map[string]*reconcile.Item{}, map[string]string{}, map[string]bool{}, map[string]bool{}}
	for _, it := range set.Items {
		w.items[it.Key().Ref()] = it
		for _, c := range it.Claims {
			thing, _, part := strings.Cut(c, "#")
			w.touched[thing] = true
			if part {
				w.parts[c] = true
			} else {
				w.whole[c] = it.Key().Ref()
			}
		}
	}
	return w
}

// base is the thing of a subject that may be a part of it.
func base(subject string) string {
	thing, _, _ := strings.Cut(subject, "#")
	return thing
}

// all says whether every part that a row speaks of is wanted by somebody else.
func all(last reconcile.State, base string, parts map[string]bool) bool {
	n := 0
	for field := range last {
		if strings.Contains(field, ":") {
			n++
			if !parts[base+"#"+field] {
				return false
			}
		}
	}
	return n > 0
}
