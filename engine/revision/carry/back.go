package carry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/revision/ground"
	"vigil/engine/revision/plan"
)

// fail gives a revision up: everything since the last good one is taken back.
func (k *Carrier) fail(ctx context.Context, row *engine.Revision, why error) {
	k.Log.Error("revision failed, it is taken back", "commit", ground.Short(row.Commit), "why", why)
	k.Telling(row.N)("it failed, and is taken back") // why is what the wait ends with
	r := k.Begin()
	k.Put(r, row, engine.RevisionUndoing, ground.Clip(why.Error()))
	if k.Write(ctx, r) == nil {
		k.TakeBack(ctx, row)
	}
}

// TakeBack undoes the journal in reverse and returns to the last good revision;
// then the commit is bad. What cannot be undone is told by name; comparing with
// the good revision heals what it speaks of anyway.
func (k *Carrier) TakeBack(ctx context.Context, row *engine.Revision) {
	say := k.Telling(row.N)
	k.Busy = true
	defer func() { k.Busy = false }()
	if !k.quiet(ctx) {
		return
	}
	steps, err := k.journal(ctx)
	if err != nil {
		k.Log.Error("the journal cannot be read", "err", err)
		ground.Sleep(ctx, ground.PollEvery)
		return // its state says what is to be done; the next turn tries again
	}
	good := k.LastGood()
	var left []string
	var failed []engine.Undo
	var whys []string
	were := k.were(steps)
	for _, u := range slices.Backward(steps) {
		if u.Action == "" {
			left = append(left, u.Summary+" ("+u.Final+")")
		}
		err := k.undoOne(ctx, row, u)
		for errors.Is(err, errLeaving) { // until it is gone, or stays after all
			if k.left(ctx, row, err) {
				return
			}
			err = k.undoOne(ctx, row, u)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failed, whys = append(failed, u), append(whys, fmt.Sprintf("%s (%v)", u.Summary, err))
			say("could not be taken back: " + u.Summary + ": " + err.Error())
		} else if u.Action != "" {
			say("taken back: " + u.Summary)
		}
	}
	for i, u := range failed {
		if !were[u.Ref].again(ctx, k.World) { // an older way back may have done it
			left = append(left, whys[i])
		}
	}
	if err := k.returnTo(ctx, good); err != nil {
		if ctx.Err() != nil {
			return
		}
		left = append(left, "the last good revision: "+err.Error())
	}
	why := row.Why
	if len(left) > 0 {
		why += "; not taken back: " + strings.Join(left, ", ")
	}
	r := k.Begin()
	r.D.Desired.Settled = k.LastUndo
	k.Put(r, row, engine.RevisionBad, ground.Clip(why))
	if k.Write(ctx, r) != nil {
		return
	}
	commit := ""
	if good != nil {
		commit = good.Commit
		say("back at " + ground.Short(commit))
	}
	if err := k.Mark(ctx, "applied", commit); err != nil {
		k.Log.Warn("the repository does not say what was applied", "err", err)
	}
	k.Finish(row, fault.New(fault.Conflict, "%s", row.Why))
	k.Touched(nil, true)
}

// was is how a thing was before the first step of a journal: as it was remembered, and
// not there where nothing was.
type was struct {
	res  reconcile.Resource // nil: it cannot be looked at
	last reconcile.State
}

// were is how the things of a journal, oldest first, were before it.
func (k *Carrier) were(steps []engine.Undo) map[string]was {
	out := map[string]was{}
	for _, u := range steps {
		if _, older := out[u.Ref]; older {
			continue
		}
		w := was{last: reconcile.State{reconcile.Exists: reconcile.No}}
		if t := k.Things[u.Ref]; t != nil {
			w.res = t.Res
		}
		if u.Before != nil {
			w.last = u.Before.Last
		}
		out[u.Ref] = w
	}
	return out
}

// again says that the thing is so once more.
func (w was) again(ctx context.Context, world reconcile.World) bool {
	if w.res == nil || len(w.last) == 0 {
		return false
	}
	seen, err := w.res.Observe(ctx, world)
	if err != nil {
		return false
	}
	for field, v := range w.last {
		if seen.State[field] != v {
			return false
		}
	}
	return true
}

// journal reads what is to be taken back, oldest first.
func (k *Carrier) journal(ctx context.Context) ([]engine.Undo, error) {
	s, err := k.Kept.Desired(ctx)
	if err != nil {
		return nil, err
	}
	return s.Undo, nil
}

// errLeaving is in the error of a step back that failed while the machine goes down: it
// stays in the journal.
var errLeaving = errors.New("the machine is going down")

// undoOne takes one step back and remembers of the thing what was remembered
// before.
func (k *Carrier) undoOne(ctx context.Context, row *engine.Revision, u engine.Undo) error {
	t := k.Things[u.Ref]
	if t == nil {
		t = &ground.Thing{Ref: u.Ref, Row: engine.Resource{Key: keyOf(u)}, Drifts: nil}
	}
	if t.Res == nil {
		t.Res = ground.Gone{Of: keyOf(u)}
	}
	over, done := false, error(nil)
	restore := func(r *ground.Round) {
		r.D.Desired.Undone = append(r.D.Desired.Undone, u.N)
		if u.Before != nil {
			r.D.Desired.Resources = append(r.D.Desired.Resources, before(u))
		} else {
			r.D.Desired.Forgotten = append(r.D.Desired.Forgotten, u.Ref)
			if len(t.Drifts) > 0 {
				k.Note(r, t, nil, "replaced")
			}
		}
		r.After = append(r.After, func() { k.recall(u) })
	}
	if u.Action == "" {
		r := k.Begin()
		restore(r)
		return k.Write(ctx, r)
	}
	end := func(ctx context.Context, r *ground.Round, err error) {
		over, done = true, err
		if err != nil && k.Leaving != nil && k.Leaving(ctx) {
			done = fmt.Errorf("%w: %w", errLeaving, err)
			return
		}
		restore(r)
	}
	f := &ground.Flow{T: t, Revision: row.N, Back: true, Steps: []reconcile.Step{{Action: u.Action, With: u.With, Summary: u.Summary}}}
	f.Done = func(ctx context.Context, r *ground.Round, err error) {
		if err == nil {
			end(ctx, r, nil)
			return
		}
		steps, ok := k.partly(ctx, t, u)
		switch {
		case !ok:
			end(ctx, r, err)
		case len(steps) == 0:
			end(ctx, r, nil)
		default:
			k.Queue(ctx, r, &ground.Flow{T: t, Revision: row.N, Back: true, Steps: steps, Done: end})
		}
	}
	r := k.Begin()
	k.Queue(ctx, r, f)
	if err := k.Write(ctx, r); err != nil {
		return err
	}
	if err := k.hearUntil(ctx, func() bool { return over }); err != nil {
		return err
	}
	return done
}

// partly are the steps that take back a part of a file that others changed since:
// what the revision wrote there goes, but for what a document wanted before, which
// is compared with the good revision like everything else. ok is false when it is
// no part of a file, or cannot be looked at.
func (k *Carrier) partly(ctx context.Context, t *ground.Thing, u engine.Undo) (steps []reconcile.Step, ok bool) {
	if !t.Kept || !strings.Contains(t.Row.Key.Subject, "#") {
		return nil, false
	}
	ours := maps.Clone(t.Row.Last)
	maps.DeleteFunc(ours, func(field, _ string) bool { return u.Before != nil && u.Before.Last[field] != "" })
	r, can := kind.Retire(t.Row.Key, ours)
	if !can {
		return nil, false
	}
	seen, err := r.Observe(ctx, k.World)
	if err != nil {
		return nil, false
	}
	steps = r.Heal(seen, r.Compare(ours, seen))
	attrs := maps.Clone(u.With)
	delete(attrs, "sha256")
	delete(attrs, "was")
	_, added := attrs["absent"]
	_, link := attrs["link"]
	if _, in := attrs["within"]; !added && !link && (len(attrs) > 2 || len(attrs) > 1 && !in) {
		steps = append(steps, reconcile.Step{Action: u.Action, With: attrs, Summary: u.Summary})
	}
	return steps, true
}

// before is what was remembered, but for how often it was healed: what the way
// back leaves to be healed, a service that has to start again, is due at once.
func before(u engine.Undo) engine.Resource {
	row := *u.Before
	row.Heals = reconcile.Heals{}
	return row
}

// recall makes memory say what the journal says was there before. k.mu is held.
func (k *Carrier) recall(u engine.Undo) {
	t := k.Things[u.Ref]
	switch {
	case u.Before == nil && t != nil && t.Item == nil:
		delete(k.Things, u.Ref)
	case u.Before == nil && t != nil:
		t.Row, t.Kept = engine.Resource{Key: t.Row.Key}, false
	case u.Before != nil && t != nil:
		t.Row, t.Kept = before(u), true
	case u.Before != nil:
		k.Things[u.Ref] = &ground.Thing{Ref: u.Ref, Row: before(u), Kept: true, Drifts: map[string]engine.Drift{}}
	}
}

// keyOf is the key of a thing that only the journal knows.
func keyOf(u engine.Undo) reconcile.Key {
	if u.Before != nil {
		return u.Before.Key
	}
	kind, name, _ := strings.Cut(u.Ref, "/")
	return reconcile.Key{Kind: kind, Name: name}
}

// returnTo makes a revision that was good what is wanted again; nil: nothing is.
func (k *Carrier) returnTo(ctx context.Context, good *engine.Revision) error {
	if good == nil {
		err := k.Own.Adopt(ctx, "", nil)
		k.Install(ctx, 0, nil, nil, k.orphans())
		return err
	}
	set, err := k.Load(ctx, good.Commit)
	if err != nil { // what failed is not held in its place; it is read again at every resync
		k.Install(ctx, good.N, nil, nil, k.orphans())
		k.Mu.Lock()
		k.Stalled = "the revision " + ground.Short(good.Commit) + " cannot be read: " + err.Error()
		k.Mu.Unlock()
		return err
	}
	a := plan.Arrange(set, k.Remembered())
	k.Install(ctx, good.N, set, a.Things, a.Away)
	return k.Own.Adopt(ctx, good.Commit, set.Documents)
}

// orphans are the things that are remembered while nothing is wanted.
func (k *Carrier) orphans() (out []*ground.Thing) {
	for ref, row := range k.Remembered() {
		t := &ground.Thing{Ref: ref, Row: row, Kept: true, Res: ground.Gone{Of: row.Key}, Drifts: map[string]engine.Drift{}}
		if r, can := kind.Retire(row.Key, row.Last); can {
			t.Res = r
		}
		out = append(out, t)
	}
	return out
}
