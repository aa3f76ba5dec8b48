package revision

import (
	"context"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/revision/plan"
)

// Inspect is the verdict on a revision before its branch moves: say gets the plan
// line by line, an error refuses it. It changes nothing, and blocks.
func (k *Keeper) Inspect(ctx context.Context, r engine.Revision, set *reconcile.Set, say func(string)) error {
	if err := k.loaded(ctx); err != nil {
		return err
	}
	p, err := plan.Judge(ctx, k.Ground, set, r)
	if err != nil {
		return err
	}
	if err := p.Verdict(); err != nil {
		return err
	}
	p.Say(say)
	if why := k.standsStill(); why != "" {
		say(why)
	}
	return nil
}

// loaded waits until what the ledger holds is known.
func (k *Keeper) loaded(ctx context.Context) error {
	select {
	case <-k.Up:
		return nil
	case <-k.Down:
		return fault.New(fault.Unavailable, "vigild is stopping")
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the desired state is not loaded yet")
	}
}

// standsStill says why a revision that lands now would not be applied soon, "" if
// it would.
func (k *Keeper) standsStill() string {
	if k.Cfg.Mode == "detect" {
		return "mode detect: nothing will be applied"
	}
	if s, is := k.SuspendOf("*"); is {
		return "suspended until " + clockTime(s.Until) + " (" + s.Reason + "): it will be applied then"
	}
	if k.Paused == nil {
		return ""
	}
	if why, until := k.Paused(k.Clock()); why != "" {
		return "paused until " + clockTime(until) + " (" + why + "): it will be applied then, or after `vigild resume`"
	}
	return ""
}

func clockTime(s clock.Stamp) string { return s.Time().UTC().Format("15:04:05") + " UTC" }

// Land takes a revision in: when it returns nil the row is on disk, and Run
// applies it when its turn comes. The commit that is the newest row already is not
// landed twice; n is that row then, and what the repository had lost of it is read again.
func (k *Keeper) Land(ctx context.Context, rev engine.Revision) (n int64, err error) {
	if err := k.loaded(ctx); err != nil {
		return 0, err
	}
	err = k.Ask(ctx, func() error {
		if row := k.Rows[k.Newest]; row != nil && row.Commit == rev.Commit && row.State != engine.RevisionRefused && rev.Return == 0 {
			n = row.N
			if k.Set == nil {
				// A repository that was lost has it back; what changed meanwhile was
				// compared with nothing.
				k.again(ctx)
				k.Touched(nil, true)
			}
			return nil
		}
		n, err = k.Enter(ctx, rev, "")
		return err
	})
	return n, err
}
