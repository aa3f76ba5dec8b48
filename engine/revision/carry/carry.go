// Package carry carries a revision out as a transaction: it is planned, applied
// level by level in the order of what depends on what, proved healthy, and good
// then; a failure takes everything back in reverse and returns to the last good
// revision.
//
// It refuses to go on after the first failure, to take away more than the guard
// admits, and to try a bad commit again. Invariants: after a crash at any point the
// next start goes on or takes back; a newer revision ends every wait but those for
// what is under way. All methods run in the keeper's goroutine and block; they
// return when ctx ends, leaving the rest to the next start.
package carry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/revision/ground"
	"vigil/engine/revision/plan"
)

// Carrier does it, on the ground of the keeper.
type Carrier struct{ *ground.Ground }

// errOvertaken ends the work on a revision because a newer one has come.
var errOvertaken = errors.New("a newer revision has come")

// maxStarts is how often a revision is begun: if vigild dies that often while it
// applies it, it may be why.
const maxStarts = 3

// Carry takes a revision from seen (or from where a crash left it) to its end. It
// blocks in Run's goroutine; when ctx ends it leaves everything to the next start.
func (k *Carrier) Carry(ctx context.Context, row *engine.Revision) {
	say := k.Telling(row.N)
	k.Busy = true
	defer func() { k.Busy = false }()
	if !k.quiet(ctx) {
		return
	}
	began := row.State == engine.RevisionApplying || row.State == engine.RevisionChecking
	if began && row.Starts >= maxStarts {
		k.fail(ctx, row, fmt.Errorf("vigild ended %d times while it was being applied", row.Starts))
		return
	}
	set, err := k.Load(ctx, row.Commit)
	if fault.KindOf(err) == fault.NotFound && ctx.Err() == nil {
		k.await(row, err)
		return
	}
	if err != nil {
		if ctx.Err() == nil {
			k.refuse(ctx, row, began, err)
		}
		return
	}
	k.Missing = ""
	if k.Cfg.Mode != "detect" {
		if k.loose(ctx, row, set); ctx.Err() != nil {
			return
		}
	}
	p, err := plan.Prepare(ctx, k.Ground, set, *row)
	if err != nil {
		return // ctx ended
	}
	if err := p.Refuse(); err != nil {
		k.refuse(ctx, row, began, err)
		return
	}
	r := k.Begin()
	if k.Cfg.Mode == "detect" {
		k.Put(r, row, engine.RevisionGood, "mode detect: it is compared with, nothing is applied").Items = len(p.Things)
		if k.Write(ctx, r) == nil {
			k.Install(ctx, row.N, set, p.Things, p.Away)
			k.Finish(row, nil)
		}
		return
	}
	k.Put(r, row, engine.RevisionApplying, "")
	r.D.Desired.Forgotten, r.D.Desired.Resources = p.Left, p.Moved
	if k.Write(ctx, r) != nil {
		return
	}
	say(fmt.Sprintf("applying %s: %s", ground.Short(row.Commit), plan.Count(len(p.Steps), "step")))
	k.Install(ctx, row.N, set, p.Things, p.Away)
	did, err := k.apply(ctx, row, p, say)
	if err == nil {
		err = k.applied(ctx, row, p, did)
	}
	if err == nil {
		err = k.prove(ctx, row, did, say)
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errOvertaken):
		r := k.Begin()
		k.Put(r, row, engine.RevisionReplaced, "a newer one came before it was good: "+ground.Short(k.Rows[k.Newest].Commit))
		if k.Write(ctx, r) == nil {
			k.Finish(row, fault.New(fault.Conflict, "%s", row.Why))
		}
	case err != nil && k.left(ctx, row, err):
	case err != nil:
		k.fail(ctx, row, err)
	default:
		k.good(ctx, row)
	}
}

// left says that vigild ended together with the machine, which cancels what is
// being started and stops what was: the next start goes on with the revision.
func (k *Carrier) left(ctx context.Context, row *engine.Revision, why error) bool {
	for told := false; k.Leaving != nil && k.Leaving(ctx); told = true {
		if !told {
			k.Log.Warn("the machine is going down, the next start goes on with the revision", "commit", ground.Short(row.Commit), "why", why)
			k.Telling(row.N)("the machine is going down, the next start goes on: " + why.Error())
		}
		if !ground.Sleep(ctx, ground.PollEvery) {
			break
		}
	}
	return ctx.Err() != nil
}

// await leaves a revision until the repository has it: it was lost, the commit is
// not to blame, and the next push or fetch brings it again.
func (k *Carrier) await(row *engine.Revision, why error) {
	if k.Missing != row.Commit {
		k.Log.Error("the repository has lost the newest revision, it waits for the next push or fetch", "commit", ground.Short(row.Commit), "err", why)
		k.Telling(row.N)("waiting: the repository has lost it: push it again")
	}
	k.Missing = row.Commit
	k.Mu.Lock()
	k.Stalled = "the repository has lost revision " + ground.Short(row.Commit) + ", push it again: " + why.Error()
	k.Mu.Unlock()
}

// deeds is what a revision did.
type deeds struct {
	changed map[*ground.Thing]bool
	since   time.Time
	live    bool // something was started, stopped or restarted
}

// gone is how many things were taken away. The plan foresees fewer where a folder is
// only empty once what is in it has gone.
func (d *deeds) gone() (n int) {
	for t := range d.changed {
		if t.Item == nil {
			n++
		}
	}
	return n
}

// apply does the steps, level by level, then takes away what is no longer wanted.
func (k *Carrier) apply(ctx context.Context, row *engine.Revision, p *plan.Plan, say func(string)) (*deeds, error) {
	did := &deeds{changed: map[*ground.Thing]bool{}, since: k.Clock().Time()}
	if err := k.Own.Adopt(ctx, row.Commit, p.Set.Documents); err != nil {
		return did, err
	}
	for from := 0; from < len(p.Things); {
		to := from
		for to < len(p.Things) && p.Things[to].Level == p.Things[from].Level {
			to++
		}
		if err := k.level(ctx, row, p.Things[from:to], did, say); err != nil {
			return did, err
		}
		from = to
	}
	r := k.Begin()
	r.D.Desired.Forgotten = p.Forget
	if err := k.Write(ctx, r); err != nil {
		return did, err
	}
	for _, t := range p.Away { // one after the other: a folder waits for what is in it
		if err := k.level(ctx, row, []*ground.Thing{t}, did, say); err != nil {
			return did, err
		}
	}
	return did, k.notifyAll(ctx, row, did, say)
}

// level carries out things of one level at the same time, parts of one file one
// after the other. After the first failure nothing more is begun; it returns when
// nothing is under way.
func (k *Carrier) level(ctx context.Context, row *engine.Revision, ts []*ground.Thing, did *deeds, say func(string)) error {
	var failed error
	open, next, told, beside := 0, 0, false, false
	fill := func() {
		r := k.Begin()
		beside = false
		for ; failed == nil && next < len(ts) && open < k.Cfg.AtOnce && r.Size() < ground.MaxRound; next++ {
			t := ts[next]
			if beside = k.Beside(t); beside {
				break
			}
			f, err := k.wanted(ctx, r, row, t)
			if err != nil {
				failed = err
				break
			}
			if f == nil {
				continue
			}
			open++
			f.Done = func(ctx context.Context, r *ground.Round, err error) {
				open--
				if errors.Is(err, ground.ErrLeft) && k.Suspended(t.Ref) {
					say(t.Ref + ": left, it was suspended meanwhile")
					return
				}
				if err != nil && failed == nil {
					failed = fmt.Errorf("%s: %w", t.Ref, err)
				}
				k.stepped(ctx, r, row, t, f, err, did, say)
			}
			k.Queue(ctx, r, f)
		}
		_ = k.Write(ctx, r)
	}
	for fill(); ; fill() {
		if open == 0 && (failed != nil || next == len(ts)) {
			return failed
		}
		if full := open >= k.Cfg.AtOnce; full || beside || failed != nil || next == len(ts) {
			k.Wait(ctx, k.Clock().Time().Add(ground.PollEvery))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		k.Hear(ctx)
		if failed == nil && k.overtaken(row) {
			failed = errOvertaken
		}
		if failed != nil {
			k.withdraw(ctx, "the revision is given up: "+ground.Clip(failed.Error()))
		}
		if held := k.heldUp(row); held != "" && !told {
			told = true
			say("waiting: " + held)
		}
	}
}

// wanted is what a thing needs for the revision, nil nothing. A thing that is
// right already is remembered as written.
func (k *Carrier) wanted(ctx context.Context, r *ground.Round, row *engine.Revision, t *ground.Thing) (*ground.Flow, error) {
	seen, err := t.Res.Observe(ctx, k.World)
	if err != nil {
		if t.Item != nil && t.Item.Mode == reconcile.Detect {
			return nil, nil
		}
		return nil, fmt.Errorf("%s cannot be looked at: %w", t.Ref, err)
	}
	k.TakeOver(t, seen)
	diffs := reconcile.Carry(t.Diffs, t.Differences(t.Row.Last, seen), k.Clock().Time())
	r.After = append(r.After, func() { t.Diffs, t.Looked, t.Unseen = diffs, k.Clock().Time(), "" })
	if len(diffs) == 0 {
		switch {
		case t.Item == nil:
			k.forgotten(r, t)
		case t.Item.Mode != reconcile.Detect && (!t.Kept || t.Row.Hash != t.Item.Hash || t.Row.Commit != row.Commit && t.Row.Prune != t.Item.Prunes()):
			if t.Item.Mode == reconcile.Once && t.Kept {
				return nil, nil
			}
			r.Remember(t, t.Written(seen, row.Commit, &r.D))
		}
		return nil, nil
	}
	if k.Suspended(t.Ref) {
		return nil, nil
	}
	steps, held := t.StepsFor(seen, diffs)
	r.After = append(r.After, func() { t.Held, t.Stuck = held, ground.Stops(steps, held, diffs) })
	if len(steps) == 0 {
		return nil, nil
	}
	return &ground.Flow{T: t, Steps: steps, Revision: row.N, Diffs: diffs}, nil
}

// stepped is the end of the steps of one thing.
func (k *Carrier) stepped(ctx context.Context, r *ground.Round, row *engine.Revision, t *ground.Thing, f *ground.Flow, err error, did *deeds, say func(string)) {
	did.changed[t] = true
	for _, s := range f.Steps {
		did.live = did.live || s.Action == "service" || s.Action == "process" || s.Action == "declare" || s.Action == "unit"
	}
	if err != nil {
		say(fmt.Sprintf("%s: failed: %v", t.Ref, err))
		return
	}
	say(fmt.Sprintf("%s: %s", t.Ref, f.Steps[len(f.Steps)-1].Summary))
	if t.Item == nil {
		k.forgotten(r, t)
		return
	}
	seen, lookErr := t.Res.Observe(ctx, k.World)
	if lookErr != nil {
		return // the next look says so
	}
	r.Remember(t, t.Written(seen, row.Commit, &r.D))
	k.Note(r, t, nil, "replaced")
	r.After = append(r.After, func() { t.Diffs = nil })
}

// forgotten ends what is remembered of a thing that was taken away.
func (k *Carrier) forgotten(r *ground.Round, t *ground.Thing) {
	k.Note(r, t, nil, "replaced")
	r.D.Desired.Forgotten = append(r.D.Desired.Forgotten, t.Ref)
	r.After = append(r.After, func() { delete(k.Things, t.Ref) })
}

// overtaken says that a newer revision waits.
func (k *Carrier) overtaken(row *engine.Revision) bool { return k.Newest != row.N }

// applied writes that all steps are done.
func (k *Carrier) applied(ctx context.Context, row *engine.Revision, p *plan.Plan, did *deeds) error {
	r := k.Begin()
	next := k.Put(r, row, engine.RevisionChecking, "")
	next.Items, next.Pruned = len(p.Things), did.gone()
	next.Changed = len(did.changed) - next.Pruned
	if err := k.Write(ctx, r); err != nil {
		return err
	}
	if err := k.Mark(ctx, "applied", row.Commit); err != nil {
		k.Log.Warn("the repository does not say what was applied", "commit", ground.Short(row.Commit), "err", err)
	}
	return nil
}

// good ends a revision well: its journal is done with, and what it returned from
// is bad from now on.
func (k *Carrier) good(ctx context.Context, row *engine.Revision) {
	r := k.Begin()
	r.D.Desired.Settled = k.LastUndo
	k.Put(r, row, engine.RevisionGood, "")
	if left := k.Rows[row.Return]; left != nil && left.State == engine.RevisionGood && left.Commit != row.Commit {
		k.Put(r, left, engine.RevisionBad, "a person went back from it: "+row.Reason)
	}
	r.After = append(r.After, func() { k.forgetRows(row.N) })
	if k.Write(ctx, r) != nil {
		return
	}
	if err := k.Mark(ctx, "good", row.Commit); err != nil {
		k.Log.Warn("the repository does not say what is good", "commit", ground.Short(row.Commit), "err", err)
	}
	k.Telling(row.N)(fmt.Sprintf("%s is good: %d changed, %d taken away", ground.Short(row.Commit), row.Changed, row.Pruned))
	k.Log.Info("revision is good", "commit", ground.Short(row.Commit), "subject", row.Subject, "changed", row.Changed, "pruned", row.Pruned)
	k.Finish(row, nil)
}

// rowsKept is how many ended revisions are remembered before the newest good one;
// the ledger has more.
const rowsKept = 32

// forgetRows lets go of old revisions. k.Mu is held.
func (k *Carrier) forgetRows(good int64) {
	for n, old := range k.Rows {
		if n < good-rowsKept && !old.State.Open() {
			delete(k.Rows, n)
		}
	}
}

// refuse ends a revision of which nothing was applied; one that a crash cut short
// is taken back, and so is what one left that this one overtook.
func (k *Carrier) refuse(ctx context.Context, row *engine.Revision, began bool, why error) {
	if steps, err := k.journal(ctx); began || err != nil || len(steps) > 0 {
		k.fail(ctx, row, why)
		return
	}
	r := k.Begin()
	k.Put(r, row, engine.RevisionRefused, ground.Clip(why.Error()))
	if k.Write(ctx, r) == nil {
		k.Log.Error("revision refused, nothing of it is applied", "commit", ground.Short(row.Commit), "why", why)
		k.Finish(row, why)
	}
}
