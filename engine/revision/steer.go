package revision

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/revision/ground"
	"vigil/engine/revision/plan"
)

var _ engine.Desired = (*Keeper)(nil)

// longestSuspend is the most that things are left alone by one word.
const longestSuspend = 30 * 24 * time.Hour

// Suspend leaves things alone for a while; see engine.Desired.
func (k *Keeper) Suspend(ctx context.Context, actor, selector, reason string, length time.Duration) (engine.Suspend, error) {
	var is fault.Issues
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 1000 {
		is.Add("/reason", "a reason of 1 to 1000 bytes is needed: who comes next wants to know why nothing is healed")
	}
	if length < time.Second || length > longestSuspend {
		is.Add("/for", "%s is not between 1s and 30d: nothing is suspended for ever", length)
	}
	if selector = strings.TrimSpace(selector); selector == "" || len(selector) > 500 || selector != "*" && !strings.Contains(selector, "/") {
		is.Add("/selector", "%q is neither * nor Kind/name, where a * stands for any letters", selector)
	}
	if err := is.Err(); err != nil {
		return engine.Suspend{}, err
	}
	id := make([]byte, 8)
	rand.Read(id)
	s := engine.Suspend{ID: hex.EncodeToString(id), Selector: selector, Actor: actor, Reason: reason}
	err := k.Ask(ctx, func() error {
		if s.Selector != "*" && len(k.selected(s.Selector)) == 0 {
			return fault.New(fault.NotFound, "nothing that is kept is called %s", selector).Mend("`vigild drift --all` lists what is kept")
		}
		if len(k.Suspends) >= maxSuspends {
			return fault.New(fault.TooLarge, "%d suspends stand already", maxSuspends)
		}
		s.From = k.Clock()
		s.Until = s.From.Add(length)
		return k.suspend(ctx, s, actor, "desired.suspend", reason)
	})
	return s, err
}

const maxSuspends = 1000

// Unsuspend ends a suspend before its time; see engine.Desired.
func (k *Keeper) Unsuspend(ctx context.Context, actor, id, reason string) error {
	return k.Ask(ctx, func() error {
		s, has := k.Suspends[id]
		if !has {
			return fault.New(fault.NotFound, "there is no suspend %q that stands", id)
		}
		s.Ended = k.Clock()
		return k.suspend(ctx, s, actor, "desired.unsuspend", reason)
	})
}

func (k *Keeper) suspend(ctx context.Context, s engine.Suspend, actor, verb, reason string) error {
	r := &ground.Round{D: engine.Decision{Desired: &engine.DesiredDecision{Suspends: []engine.Suspend{s}}}}
	r.Tell(actor, verb, "desired:"+s.Selector, reason, map[string]string{"id": s.ID, "selector": s.Selector, "until": s.Until.Time().Format(time.RFC3339)})
	if _, err := k.Commit(ctx, &r.D); err != nil {
		return err
	}
	k.Mu.Lock()
	if s.Ended.IsZero() {
		k.Suspends[s.ID] = s
	} else {
		delete(k.Suspends, s.ID)
	}
	k.Mu.Unlock()
	k.Touched(nil, true)
	return nil
}

// expire ends the suspends whose time has come.
func (k *Keeper) expire(ctx context.Context) {
	now := k.Clock()
	for _, s := range k.Suspends {
		if now.Reached(s.Until) {
			s.Ended = now
			if err := k.suspend(ctx, s, "", "desired.unsuspend", "its time is over"); err != nil {
				k.Log.Error("a suspend could not be ended", "id", s.ID, "err", err)
				return
			}
		}
	}
}

func (k *Keeper) selected(selector string) (out []*ground.Thing) {
	for _, t := range k.Order {
		if reconcile.Glob(selector, t.Ref) {
			out = append(out, t)
		}
	}
	return out
}

// Rollback returns to a revision that was good before; see engine.Desired.
func (k *Keeper) Rollback(ctx context.Context, actor, commit, reason string) (rev engine.Revision, err error) {
	if strings.TrimSpace(reason) == "" {
		return rev, fault.Issues{{Place: "/reason", Msg: "a reason is needed: who comes next wants to know what was wrong"}}
	}
	if err := k.loaded(ctx); err != nil {
		return rev, err
	}
	kept, err := k.Kept.Revisions(ctx, 0, 1000)
	if err != nil {
		return rev, err
	}
	err = k.Ask(ctx, func() error {
		now := k.LastGood()
		if now == nil {
			return fault.New(fault.Conflict, "no revision has been good yet: there is nothing to go back from")
		}
		if row := k.Rows[k.Newest]; row != nil && row.State.Open() && row.Return == 0 {
			now = row // what is on its way is what the person goes back from
		}
		to, err := wayTo(kept, now, commit)
		if err != nil {
			return err
		}
		to.N, to.Pusher, to.Reason, to.Return, to.Confirmed = 0, actor, reason, now.N, true
		to.Starts, to.Items, to.Changed, to.Pruned = 0, 0, 0, 0
		to.Began, to.Applied, to.Ended = clock.Stamp{}, clock.Stamp{}, clock.Stamp{}
		n, err := k.Enter(ctx, to, "a person goes back to it")
		if err == nil {
			rev = *k.Rows[n]
		}
		return err
	})
	return rev, err
}

// wayTo finds the revision to go back to. kept is newest first: what became of a
// commit last counts, unless it was overtaken or refused then, or is on its way, which
// says nothing of how it was before.
func wayTo(kept []engine.Revision, now *engine.Revision, commit string) (engine.Revision, error) {
	if commit == "" {
		for _, r := range kept {
			if r.State == engine.RevisionGood && r.N < now.N && r.Commit != now.Commit {
				return r, nil
			}
		}
		return engine.Revision{}, fault.New(fault.NotFound, "no other revision was good before %s", ground.Short(now.Commit))
	}
	never := fault.New(fault.NotFound, "no revision %s was ever here", commit)
	for _, r := range kept {
		if len(commit) < 4 || !strings.HasPrefix(r.Commit, commit) {
			continue
		}
		if r.State == engine.RevisionGood || r.State == engine.RevisionReplaced && !r.Applied.IsZero() {
			return r, nil
		}
		commit = r.Commit // and no other that begins the same
		never = fault.New(fault.Conflict, "revision %s was never good: it %s", ground.Short(r.Commit), became(r)).Mend("push it again, or one that is mended")
		if r.State != engine.RevisionReplaced && r.State != engine.RevisionRefused && !r.State.Open() {
			break
		}
	}
	return engine.Revision{}, never
}

// Retry applies a commit again that failed; see engine.Desired.
func (k *Keeper) Retry(ctx context.Context, actor, commit string) (rev engine.Revision, err error) {
	if err := k.loaded(ctx); err != nil {
		return rev, err
	}
	kept, err := k.Kept.Revisions(ctx, 0, 1000)
	if err != nil {
		return rev, err
	}
	err = k.Ask(ctx, func() error {
		row := k.tip(kept)
		if row == nil || commit != "" && !strings.HasPrefix(row.Commit, commit) {
			return elsewhere(kept, commit)
		}
		if row.State.Open() || row.State == engine.RevisionGood {
			return fault.New(fault.Conflict, "revision %s is %s", ground.Short(row.Commit), row.State)
		}
		again := *row
		again.Pusher, again.Return, again.Starts, again.Items, again.Changed, again.Pruned = actor, 0, 0, 0, 0, 0
		again.Began, again.Applied, again.Ended = clock.Stamp{}, clock.Stamp{}, clock.Stamp{}
		n, err := k.Enter(ctx, again, "a person wants it tried again")
		if err == nil {
			rev = *k.Rows[n]
		}
		return err
	})
	return rev, err
}

// elsewhere says that the branch is not at a commit, and what became of it when it was.
func elsewhere(kept []engine.Revision, commit string) error {
	for _, r := range kept {
		if len(commit) >= 4 && strings.HasPrefix(r.Commit, commit) {
			return fault.New(fault.Conflict, "the branch is not at %s any more, which %s", ground.Short(r.Commit), became(r)).Mend("push it again to have it back")
		}
	}
	return fault.New(fault.NotFound, "the branch is not at %s: push it again to have it back", commit)
}

// became is what a revision came to, in words.
func became(r engine.Revision) string {
	if r.Why == "" {
		return "was " + string(r.State)
	}
	return "was " + string(r.State) + ": " + r.Why
}

// tip is the newest revision that landed by itself, which the branch is at: what a
// person went back to came after it and is none.
func (k *Keeper) tip(kept []engine.Revision) *engine.Revision {
	for _, r := range kept {
		if r.Return != 0 {
			continue
		}
		if now := k.Rows[r.N]; now != nil {
			return now
		}
		return &r
	}
	return k.Rows[k.Newest]
}

// Resync looks at everything now; see engine.Desired.
func (k *Keeper) Resync(ctx context.Context) error {
	if err := k.loaded(ctx); err != nil {
		return err
	}
	return k.Ask(ctx, func() error {
		k.again(ctx)
		if k.Busy { // it is looked at as soon as the revision is done with
			k.Touched(nil, true)
			return nil
		}
		k.look(ctx, k.Order)
		return nil
	})
}

// Plan says what would be done about a commit; see engine.Desired.
func (k *Keeper) Plan(ctx context.Context, commit string) (engine.PlanView, error) {
	if err := k.loaded(ctx); err != nil {
		return engine.PlanView{}, err
	}
	k.Mu.RLock()
	from, rev := k.CommitOf(), engine.Revision{}
	if newest := k.Rows[k.Newest]; newest != nil {
		if rev.Source = newest.Source; commit == "" {
			commit = newest.Commit
		}
		if newest.Commit == commit {
			rev.Confirmed = newest.Confirmed
		}
	}
	k.Mu.RUnlock()
	if commit == "" {
		return engine.PlanView{}, fault.New(fault.NotFound, "no revision has come yet").Mend("clone, commit and push to /git/desired")
	}
	set, err := k.Load(ctx, commit)
	if err != nil {
		return engine.PlanView{}, err
	}
	p, err := plan.Judge(ctx, k.Ground, set, rev)
	if err != nil {
		return engine.PlanView{}, err
	}
	return p.View(commit, from), nil
}
