package carry

import (
	"context"
	"fmt"

	"vigil/engine"
	"vigil/engine/revision/ground"
)

// notifyAll does what follows the changes of a revision; one that fails fails it.
func (k *Carrier) notifyAll(ctx context.Context, row *engine.Revision, did *deeds, say func(string)) error {
	var ts []*ground.Thing
	for t := range did.changed {
		ts = append(ts, t)
	}
	ground.Sorted(ts)
	var failed error
	open := 0
	r := k.Begin()
	for _, f := range ground.Notes(ts) {
		f.Revision, did.live = row.N, true
		open++
		f.Done = func(_ context.Context, _ *ground.Round, err error) {
			open--
			if err != nil && failed == nil {
				failed = fmt.Errorf("what follows %s: %w", f.T.Ref, err)
				return
			}
			say(f.Steps[0].Summary)
		}
		k.Queue(ctx, r, f)
	}
	if err := k.Write(ctx, r); err != nil {
		return err
	}
	if err := k.hearUntil(ctx, func() bool { return open == 0 }); err != nil {
		return err
	}
	return failed
}

// hearUntil hears how things end until something is done; an error is the end of ctx.
func (k *Carrier) hearUntil(ctx context.Context, done func() bool) error {
	for !done() {
		k.Wait(ctx, k.Clock().Time().Add(ground.PollEvery))
		if err := ctx.Err(); err != nil {
			return err
		}
		k.Hear(ctx)
	}
	return nil
}
