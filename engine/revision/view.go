package revision

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"vigil/engine"
	"vigil/engine/reconcile"
	"vigil/engine/revision/ground"
)

// judged is view with how it stands.
func (k *Keeper) judged(t *ground.Thing) engine.ResourceView {
	v := t.View()
	now := k.Clock().Time()
	until, stopped := t.Row.Heals.Stopped(t.Pace(), now)
	s, suspended := k.SuspendHeld(t.Ref, k.Clock())
	switch {
	case t.Unseen != "":
		v.Status = "unseen"
	case t.Item == nil:
		v.Status = "orphan"
	case len(t.Diffs) == 0:
		v.Status = "in_sync"
	case t.Flow != nil && t.Flow.Held != "":
		v.Status, v.Reason = "held", t.Flow.Held
	case t.Flow != nil:
		v.Status = "healing"
	case stopped:
		v.Status, v.NextHeal = "stopped", until
		v.Reason = "healed " + strconv.Itoa(t.Row.Heals.Count) + " times in a row and changed again"
	case suspended:
		v.Status, v.Reason = "suspended", s.Reason+" ("+s.Actor+")"
	default:
		v.Status, v.NextHeal = "drifted", t.Row.Heals.Until
		if t.Diffs[0].Class == reconcile.Pending {
			v.Status = "pending"
		}
		switch {
		case k.Cfg.Mode == "detect" || t.Item.Mode == reconcile.Detect:
			v.Reason, v.NextHeal = "detect: it is reported and not healed", time.Time{}
		case len(t.Held) > 0:
			v.Reason = "conflict: hold: a person has to say which of the two is right"
		case t.Stuck:
			v.Reason = ground.StuckWhy
		}
	}
	return v
}

// Resources lists every thing; see engine.Desired.
func (k *Keeper) Resources() []engine.ResourceView {
	return k.list(func(*ground.Thing) bool { return true })
}

// Drift lists those that differ or cannot be seen; see engine.Desired.
func (k *Keeper) Drift() []engine.ResourceView {
	return k.list(func(t *ground.Thing) bool { return len(t.Diffs) > 0 || t.Unseen != "" })
}

func (k *Keeper) list(which func(*ground.Thing) bool) []engine.ResourceView {
	k.Mu.RLock()
	defer k.Mu.RUnlock()
	out := []engine.ResourceView{}
	for _, t := range k.Order {
		if which(t) {
			out = append(out, k.judged(t))
		}
	}
	slices.SortFunc(out, func(a, b engine.ResourceView) int { return cmp.Compare(a.Ref, b.Ref) })
	return out
}

// State is where the host stands; see engine.Desired.
func (k *Keeper) State() engine.DesiredView {
	k.Mu.RLock()
	defer k.Mu.RUnlock()
	v := engine.DesiredView{Enabled: true, Mode: k.Cfg.Mode, Resources: len(k.Order), Stalled: k.Stalled}
	if k.Set == nil && k.Standing != 0 {
		v.Unread = k.Stalled
	}
	if row := k.Rows[k.Newest]; row != nil {
		v.State, v.Why = row.State, row.Why
		if v.Stalled == "" {
			v.Stalled = k.left(row)
		}
	}
	if row := k.Rows[k.Standing]; row != nil && k.Cfg.Mode != "detect" && row.State != engine.RevisionUndoing {
		v.Applied = row.Commit
	}
	if row := k.LastGood(); row != nil {
		v.Good = row.Commit
	}
	now := k.Clock().Time()
	for _, t := range k.Order {
		if len(t.Diffs) > 0 {
			v.Drifted++
		}
		if t.Unseen != "" {
			v.Unseen++
		}
		if _, stopped := t.Row.Heals.Stopped(t.Pace(), now); stopped && len(t.Diffs) > 0 {
			v.Stopped++
		}
	}
	for _, s := range k.Suspends {
		v.Suspends = append(v.Suspends, s)
	}
	slices.SortFunc(v.Suspends, func(a, b engine.Suspend) int { return cmp.Compare(a.ID, b.ID) })
	return v
}

// left says that a person went back from what the branch is still at, "" when nobody
// did: row is the newest revision.
func (k *Keeper) left(row *engine.Revision) string {
	if row.Return == 0 || row.State != engine.RevisionGood {
		return ""
	}
	var tip *engine.Revision // what landed last by itself
	for _, r := range k.Rows {
		if r.Return == 0 && (tip == nil || r.N > tip.N) {
			tip = r
		}
	}
	if tip == nil || tip.Commit == row.Commit {
		return ""
	}
	return "the branch is at " + ground.Short(tip.Commit) + ", from which a person went back: " + row.Reason
}

// Stats is the keeper seen from outside. Counts are since the start.
type Stats struct {
	Things, Differ, Unseen, Stopped, Suspended int
	Open                                       int // remediations under way
	Looks, Heals, HealFailures                 uint64
	Commit                                     string // that holds
	State                                      engine.RevisionState
}

// Stats is a copy; concurrent.
func (k *Keeper) Stats() Stats {
	v := k.State()
	k.Mu.RLock()
	defer k.Mu.RUnlock()
	return Stats{Things: len(k.Order), Differ: v.Drifted, Unseen: v.Unseen, Stopped: v.Stopped, Suspended: len(k.Suspends), Open: len(k.Flows),
		Looks: k.Looks, Heals: k.Heals, HealFailures: k.Failures, Commit: v.Applied, State: v.State}
}
