package carry

import (
	"context"
	"slices"

	"vigil/engine"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
)

// loose takes back what an older revision may have done and nobody wrote down: its
// step was under way when vigild died, or ended badly when a newer revision came,
// so the journal alone knows of it. What the set speaks of is left: it is compared
// with like everything else. It returns when ctx ends, and the next start goes on.
func (k *Carrier) loose(ctx context.Context, row *engine.Revision, set *reconcile.Set) {
	steps, err := k.journal(ctx)
	if err != nil {
		k.Log.Error("the journal cannot be read, what a revision that was cut short left may stay", "err", err)
		return
	}
	left := map[string]bool{} // by ref or path: it is compared, or its steps up to here are written down
	for _, it := range set.Items {
		if it.Conflict == "hold" {
			continue // what we did ourselves is no conflict that a person has to end
		}
		left[it.Key().Ref()] = true
		for _, p := range it.Paths() {
			left[p] = true
		}
	}
	for _, u := range slices.Backward(steps) {
		path, _ := u.With["path"].(string)
		if u.Revision == row.N { // what it does itself comes after, and so is taken back before
			left[u.Ref] = true
			if path != "" {
				left[path] = true
			}
			continue
		}
		if left[u.Ref] || left[path] {
			continue
		}
		if !k.unwritten(ctx, u) {
			left[u.Ref] = true
			continue
		}
		if err := k.undoOne(ctx, row, u); ctx.Err() != nil {
			return
		} else if err != nil {
			k.Log.Warn("what a revision that was cut short left could not be taken back", "step", u.Summary, "err", err)
			continue
		}
		k.Telling(row.N)("taken back, since nobody wants it any more: " + u.Summary)
	}
}

// unwritten says that the newest step of a thing may be done while what is
// remembered is from before it. A thing that is not there has nothing to take back.
func (k *Carrier) unwritten(ctx context.Context, u engine.Undo) bool {
	is, kept := k.Remembered()[u.Ref]
	switch {
	case u.Action == "":
		return false
	case u.Before == nil || !kept:
		return u.Before == nil && !kept
	case is.Commit != u.Before.Commit || is.Hash != u.Before.Hash:
		return false
	}
	r, can := kind.Retire(is.Key, is.Last)
	if !can {
		return true
	}
	seen, err := r.Observe(ctx, k.World)
	return err == nil && seen.State[reconcile.Exists] == reconcile.Yes
}
