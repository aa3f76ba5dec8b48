package carry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/revision/ground"
)

// prove is the health gate: everything that changed and says when it counts as
// well has to be proved so, and what was started or restarted has to stay well for
// the soak time. A newer revision ends the wait.
func (k *Carrier) prove(ctx context.Context, row *engine.Revision, did *deeds, say func(string)) error {
	own, stop := context.WithCancel(ctx)
	defer stop()
	var asked []*ground.Thing
	for t := range did.changed {
		if t.Item != nil && t.Item.Health != nil && k.Healthy != nil {
			asked = append(asked, t)
		}
	}
	// After a crash nobody knows what was changed: all that say so are asked.
	if row.Starts > 1 && k.Healthy != nil {
		asked = asked[:0]
		for _, t := range k.Order {
			if t.Item.Health != nil {
				asked = append(asked, t)
			}
		}
	}
	ground.Sorted(asked)
	var soak time.Time
	if did.live || len(asked) > 0 || row.Starts > 1 {
		soak = k.Clock().Time().Add(k.Cfg.Soak.Std())
	}
	answers := k.askHealth(own, asked, k.Clock())
	waiting := len(asked)
	if waiting > 0 {
		line := "waiting for the health of " + asked[0].Ref
		if waiting > 1 {
			line += fmt.Sprintf(" and %d more", waiting-1)
		}
		say(line)
	}
	if s := k.Cfg.Soak.Std(); s > 0 && !soak.IsZero() {
		say(fmt.Sprintf("it has to stay well for %v", s)) // else a pusher looks at nothing for so long
	}
	for {
		now := k.Clock().Time()
		if waiting == 0 && !now.Before(soak) {
			return k.stayed(ctx, did)
		}
		pause := ground.PollEvery
		if left := soak.Sub(now); left > 0 { // afterwards health alone is waited for
			pause = min(pause, left)
		}
		select {
		case a := <-answers:
			waiting--
			if a.err != nil {
				return fmt.Errorf("%s is not healthy: %w", a.t.Ref, a.err)
			}
			say(a.t.Ref + ": healthy: " + a.why)
			continue
		case <-ctx.Done():
			return ctx.Err()
		case <-k.Wake:
		case <-time.After(pause):
			k.Poll(ctx)
		}
		k.Hear(ctx)
		if k.overtaken(row) {
			return errOvertaken
		}
		ts, _ := k.Dirty()
		for _, t := range ts {
			if did.changed[t] {
				if err := k.still(ctx, t); err != nil {
					return err
				}
				continue
			}
			k.LookAgain(ctx, []*ground.Thing{t})
		}
	}
}

// stayed looks once more at everything that was changed.
func (k *Carrier) stayed(ctx context.Context, did *deeds) error {
	for t := range did.changed {
		if err := k.still(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// still says that a thing which the revision changed is no longer as wanted.
func (k *Carrier) still(ctx context.Context, t *ground.Thing) error {
	if t.Item == nil || t.Flow != nil {
		return nil
	}
	seen, err := t.Res.Observe(ctx, k.World)
	if err != nil {
		return fmt.Errorf("%s cannot be looked at: %w", t.Ref, err)
	}
	for _, d := range t.Differences(t.Row.Last, seen) {
		return fault.New(fault.Conflict, "%s did not stay as it was made: %s is %s, wanted %s", t.Ref, d.Field, ground.Shown(d.Found), ground.Shown(d.Wanted))
	}
	return nil
}

// answer is what became of one health.
type answer struct {
	t   *ground.Thing
	why string
	err error
}

// maxAsked is how many healths are waited for at one time.
const maxAsked = 32

// askHealth asks about each thing in a goroutine of its own, a bounded number at a
// time; all have ended soon after ctx does. Answers are never lost: the channel
// holds them all.
func (k *Carrier) askHealth(ctx context.Context, ts []*ground.Thing, after clock.Stamp) <-chan answer {
	out := make(chan answer, len(ts))
	places := make(chan struct{}, maxAsked)
	var all sync.WaitGroup
	for _, t := range ts {
		h := *t.Item.Health
		all.Go(func() {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-ctx.Done():
				out <- answer{t: t, err: ctx.Err()}
				return
			}
			why, err := k.Healthy(ctx, h, after)
			out <- answer{t, why, err}
			k.Poke()
		})
	}
	k.Proofs.Go(all.Wait)
	return out
}
