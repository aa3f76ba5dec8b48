package carry

import (
	"context"
	"fmt"
	"slices"

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
	for _, f := range slices.Clone(ground.Notes(ts)) {
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
	for open > 0 {
		k.Wait(ctx, k.Clock().Time().Add(ground.PollEvery))
		if err := ctx.Err(); err != nil {
			return err
		}
		k.Hear(ctx)
	}
	return failed
}
