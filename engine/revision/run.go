package revision

import (
	"context"
	"strconv"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/revision/ground"
	"vigil/engine/revision/plan"
)

// Run keeps the desired state until ctx ends; then it returns nil, and what is
// under way is left to the worker and the next start. It is called once.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.Proofs.Wait()
	defer close(k.Down)
	if err := k.load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	k.remark(ctx)
	close(k.Up)
	var resync time.Time
	for ctx.Err() == nil {
		k.Hear(ctx)
		if k.turn(ctx) {
			resync = time.Time{} // the set may be another one
			continue
		}
		k.expire(ctx)
		now := k.Clock().Time()
		ts, all := k.Dirty()
		if all || !now.Before(resync) {
			k.again(ctx)
			ts, resync = k.Order, now.Add(k.Cfg.Resync.Std())
		}
		k.look(ctx, ts)
		late, next := k.due(k.Clock().Time()) // after the look: what it found may be due before all else
		k.look(ctx, late)
		if next.IsZero() || resync.Before(next) {
			next = resync
		}
		k.Wait(ctx, next)
	}
	return nil
}

// remark makes the refs of the repository say what the ledger does: a crash may
// have come between the two. With mode detect nothing was applied, and they stay.
func (k *Keeper) remark(ctx context.Context) {
	if k.Cfg.Mode == "detect" {
		return
	}
	marks := map[string]string{}
	if row := k.LastGood(); row != nil {
		marks["good"] = row.Commit
	}
	if row := k.Rows[k.Standing]; row == nil || row.State == engine.RevisionGood || row.State == engine.RevisionChecking {
		marks["applied"] = k.CommitOf()
	}
	for name, commit := range marks {
		if err := k.Mark(ctx, name, commit); err != nil && fault.KindOf(err) != fault.NotFound {
			k.Log.Warn("the repository does not say what is "+name, "commit", ground.Short(commit), "err", err)
		}
	}
}

// Ready is closed once what the ledger holds is loaded.
func (k *Keeper) Ready() <-chan struct{} { return k.Up }

// again tries to read the set that could not be read before.
func (k *Keeper) again(ctx context.Context) {
	if k.Set != nil || k.Standing == 0 {
		return
	}
	row := k.Rows[k.Standing]
	set, err := k.Load(ctx, row.Commit)
	if err != nil {
		k.Mu.Lock()
		k.Stalled = "the revision " + ground.Short(row.Commit) + " cannot be read: " + err.Error()
		k.Mu.Unlock()
		return
	}
	a := plan.Arrange(set, k.Remembered())
	k.Install(ctx, k.Standing, set, a.Things, a.Away)
	// Those of a revision that failed may stand, if this one could not be read when it was gone back to.
	if err := k.Own.Adopt(ctx, row.Commit, set.Documents); err != nil {
		k.Log.Error("vigild's own documents of the revision do not hold", "commit", ground.Short(row.Commit), "err", err)
	}
}

// load takes over what the ledger holds. Steps that an earlier run queued and
// nobody began are taken back; those under way are waited for.
func (k *Keeper) load(ctx context.Context) error {
	s, err := k.Kept.Desired(ctx)
	if err != nil {
		return err
	}
	k.Mu.Lock()
	for _, r := range s.Revisions {
		k.Rows[r.N] = &r
		k.Newest = max(k.Newest, r.N)
		switch r.State {
		case engine.RevisionApplying, engine.RevisionChecking, engine.RevisionUndoing, engine.RevisionGood:
			k.Standing = max(k.Standing, r.N)
		}
	}
	k.Newest, k.LastDrift, k.LastUndo = max(k.Newest, s.LastRevision), s.LastDrift, s.LastUndo
	for _, u := range s.Suspends {
		k.Suspends[u.ID] = u
	}
	for _, row := range s.Resources {
		ref := row.Key.Ref()
		t := &ground.Thing{Ref: ref, Row: row, Kept: true, Drifts: map[string]engine.Drift{}}
		k.Things[ref] = t // without a resource: install gives it one
	}
	for _, d := range s.Drifts {
		t := k.Things[d.Ref]
		if t == nil { // never written, and compared all the same
			kind, name, _ := strings.Cut(d.Ref, "/")
			t = &ground.Thing{Ref: d.Ref, Row: engine.Resource{Key: reconcile.Key{Subject: d.Subject, Kind: kind, Name: name}}, Drifts: map[string]engine.Drift{}}
			k.Things[d.Ref] = t
		}
		t.Drifts[d.Field] = d
	}
	k.Mu.Unlock()
	if err := k.Own.Restore(s.Checks); err != nil {
		k.Log.Error("not every check of the repository goes on", "err", err)
	}
	if err := k.settle(ctx, s.Active); err != nil {
		return err
	}
	if row := k.Rows[k.Standing]; row != nil && row.State == engine.RevisionGood {
		k.again(ctx)
	}
	return nil
}

// settle ends what an earlier run had queued.
func (k *Keeper) settle(ctx context.Context, active []remedy.Remediation) error {
	for _, r := range active {
		for {
			now, err := k.Reader.Remediation(ctx, r.ID)
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
			if err != nil || ground.Over(now.State) {
				break
			}
			if now.State == remedy.Queued || now.State == remedy.Held {
				m, err := remedy.Cancel(now, "vigild", "vigild was started anew and looks again", k.Clock())
				if err == nil {
					d := &engine.Decision{Moves: []engine.RemediationMove{{Version: now.Version, Move: m}}}
					if n, way := strconv.ParseInt(now.Labels[ground.LabelUndo], 10, 64); way == nil && now.Attempt == 0 {
						d.Desired = &engine.DesiredDecision{Undone: []int64{n}} // it was not begun: there is nothing to take back
					}
					_, err = k.Commit(ctx, d)
				}
				if err == nil {
					break
				}
			}
			if !ground.Sleep(ctx, 20*time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// turn carries out what is open among the revisions. It says whether it did
// anything.
func (k *Keeper) turn(ctx context.Context) bool {
	for _, row := range k.Rows {
		if row.State == engine.RevisionUndoing {
			k.carrier.TakeBack(ctx, row)
			return true
		}
	}
	row := k.Rows[k.Newest]
	if row == nil || !row.State.Open() || k.SuspendedAll() {
		return false
	}
	r := k.Begin()
	var passed []*engine.Revision
	for n, old := range k.Rows {
		if n != k.Newest && old.State.Open() {
			k.Put(r, old, engine.RevisionReplaced, "a newer one came: "+ground.Short(row.Commit))
			passed = append(passed, old)
		}
	}
	if k.Write(ctx, r) != nil {
		return true
	}
	for _, old := range passed {
		k.Finish(old, fault.New(fault.Conflict, "%s", old.Why))
	}
	k.carrier.Carry(ctx, row)
	return k.Missing != row.Commit
}
