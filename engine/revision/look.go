package revision

import (
	"context"
	"errors"
	"strconv"
	"time"

	"vigil/engine/reconcile"
	"vigil/engine/revision/ground"
)

// look compares things with the machine, writes down what is new, and queues what
// heals it. Things with something under way are left: their end looks again.
func (k *Keeper) look(ctx context.Context, ts []*ground.Thing) {
	for len(ts) > 0 && ctx.Err() == nil {
		n := min(len(ts), ground.MaxRound)
		r, looked := k.Begin(), map[*ground.Thing]bool{}
		r.Suspect = k.once(ctx)
		for _, t := range ts[:n] {
			k.lookAt(ctx, r, t, looked)
		}
		if k.Write(ctx, r) != nil {
			return
		}
		ts = ts[n:]
	}
}

// lookAt is look for one thing. looked is of this round: what was looked at, and
// whether it is there or not as it should be.
func (k *Keeper) lookAt(ctx context.Context, r *ground.Round, t *ground.Thing, looked map[*ground.Thing]bool) {
	if _, twice := looked[t]; twice || t.Flow != nil {
		return
	}
	looked[t] = false
	seen, err := t.Res.Observe(ctx, k.World)
	now := r.D.At.Time() // of the round: asking the clock for each thing is a good part of a look
	if err != nil {
		if ctx.Err() == nil {
			r.After = append(r.After, func() { t.Unseen, t.Looked = err.Error(), now })
		}
		return
	}
	k.TakeOver(t, seen)
	diffs := reconcile.Carry(t.Diffs, t.Differences(t.Row.Last, seen), now)
	looked[t] = len(diffs) > 0 && diffs[0].Field == reconcile.Exists
	k.Note(r, t, diffs, "gone")
	r.After = append(r.After, func() { t.Diffs, t.Unseen, t.Looked = diffs, "", now; k.Looks++ })
	switch {
	case len(diffs) == 0:
		if t.Item != nil && !t.Kept && k.Cfg.Mode != "detect" && t.Item.Mode != reconcile.Detect {
			r.Remember(t, t.Written(seen, k.CommitOf(), &r.D)) // it was right before we came: from now on a change is drift
		}
	case k.Cfg.Mode == "detect" || k.Suspended(t.Ref):
		r.After = append(r.After, func() { t.Held, t.Stuck = nil, false })
	case !t.Row.Heals.Due(t.Pace(), now):
	case diffs[0].Class == reconcile.Missing && k.foldersFirst(ctx, r, t, looked):
	case k.Beside(t): // its end looks at this one again
	default:
		steps, held := t.StepsFor(seen, diffs)
		r.After = append(r.After, func() { t.Held, t.Stuck = held, ground.Stops(steps, held, diffs) })
		if len(steps) > 0 {
			k.Queue(ctx, r, &ground.Flow{T: t, Steps: steps, Diffs: diffs, Done: k.healed(t, diffs)})
		}
	}
}

// maxStale is how many heals in a row may come too late before that counts as one
// that failed: somebody writes all the time.
const maxStale = 4

// healed is the end of a heal of drift.
func (k *Keeper) healed(t *ground.Thing, diffs []reconcile.Difference) func(context.Context, *ground.Round, error) {
	return func(ctx context.Context, r *ground.Round, err error) {
		if errors.Is(err, ground.ErrLeft) { // no heal, and no attempt at one
			k.Touched(t.Paths(), false)
			return
		}
		if errors.Is(err, ground.ErrStale) && t.Stale < maxStale { // who writes a file may empty it first
			t.Stale++
			k.Touched(t.Paths(), false)
			return
		}
		t.Stale = 0
		now := k.Clock().Time()
		row := t.Row
		row.Heals = row.Heals.After(t.Pace(), diffs, now)
		_, stopped := row.Heals.Stopped(t.Pace(), now)
		seen, lookErr := t.Res.Observe(ctx, k.World)
		if err == nil && lookErr == nil && t.Item != nil {
			if left := t.Differences(row.Last, seen); len(left) == 0 {
				w := t.Written(seen, t.Row.Commit, &r.D)
				if w.Commit == "" {
					w.Commit = k.CommitOf()
				}
				w.Heals = row.Heals
				row = w
				k.Note(r, t, nil, "healed")
				r.After = append(r.After, func() { t.Diffs, t.Looked = nil, now })
			}
		}
		if err != nil {
			r.Tell("", "drift.heal_failed", "resource:"+t.Ref, err.Error(), nil)
			k.Log.Warn("drift was not healed", "resource", t.Ref, "err", err)
		} else {
			r.Tell("", "drift.healed", "resource:"+t.Ref, ground.Why(diffs), nil)
		}
		r.Remember(t, row)
		r.After = append(r.After, func() {
			if err != nil {
				k.Failures++
			} else {
				k.Heals++
			}
		})
		if stopped {
			k.stopped(ctx, r, t, row.Heals)
		}
		if err == nil && t.Item != nil && len(t.Item.Notify) > 0 {
			k.notify(ctx, r, t)
		}
		k.Touched(t.Paths(), false) // whatever came meanwhile is looked at now
		k.TouchedBelow(t)
	}
}

// foldersFirst says whether a folder that the thing lies in is not there yet: then
// the thing has to wait, and the end of that looks at it again. Events come in any
// order, so the folders are looked at here.
func (k *Keeper) foldersFirst(ctx context.Context, r *ground.Round, t *ground.Thing, looked map[*ground.Thing]bool) bool {
	for _, f := range k.Folders(t) {
		k.lookAt(ctx, r, f, looked)
		if f.Flow != nil || looked[f] {
			return true
		}
		// It may have gone since this round looked at it.
		if seen, err := f.Res.Observe(ctx, k.World); err == nil && seen.State[reconcile.Exists] != reconcile.Yes {
			k.Touched(append(f.Paths(), t.Paths()...), false)
			return true
		}
	}
	return false
}

// stopped says that a thing fights with somebody.
func (k *Keeper) stopped(ctx context.Context, r *ground.Round, t *ground.Thing, h reconcile.Heals) {
	suspect := k.suspect(ctx, t)
	if suspect == "" {
		suspect = "nobody that can be named"
	}
	text := "healed " + strconv.Itoa(h.Count) + " times in a row and changed again: " + h.Field + " goes from " + ground.Shown(h.Wanted) + " to " + ground.Shown(h.Found) +
		", suspected: " + suspect + "; left alone until " + h.Until.UTC().Format(time.RFC3339)
	r.Tell("", "heal.stopped", "resource:"+t.Ref, text, h)
	k.Log.Error("a heal stopped itself", "resource", t.Ref, "why", text)
}

// once searches for the writer of the first thing that it is asked about: a search
// takes as long as many looks, and others wait for their heal.
func (k *Keeper) once(ctx context.Context) func(*ground.Thing) string {
	var of *ground.Thing
	var who string
	return func(t *ground.Thing) string {
		if of == nil && len(t.Paths()) > 0 {
			of, who = t, k.suspect(ctx, t)
		}
		if of != t {
			return ""
		}
		return who
	}
}

func (k *Keeper) suspect(ctx context.Context, t *ground.Thing) string {
	if k.Suspect == nil {
		return ""
	}
	for _, p := range t.Paths() {
		if s := k.Suspect(ctx, p); s != "" {
			return s
		}
	}
	return ""
}

// due is when the next thing that differs may be healed; zero none.
func (k *Keeper) due(now time.Time) (ts []*ground.Thing, next time.Time) {
	for _, t := range k.Order {
		if len(t.Diffs) == 0 || t.Flow != nil {
			continue
		}
		at := t.Row.Heals.Until
		if !now.Before(at) {
			if t.Row.Heals.Count > 0 && t.Looked.Before(at) {
				ts = append(ts, t)
			}
			continue
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return ts, next
}

// notify queues what follows the heal of one thing.
func (k *Keeper) notify(ctx context.Context, r *ground.Round, t *ground.Thing) {
	for _, f := range ground.Notes([]*ground.Thing{t}) {
		f.Done = func(_ context.Context, r *ground.Round, err error) {
			if err != nil {
				r.Tell("", "notify.failed", "resource:"+t.Ref, err.Error(), nil)
			}
		}
		k.Queue(ctx, r, f)
	}
}
