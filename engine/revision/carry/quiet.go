package carry

import (
	"context"

	"vigil/engine"
	"vigil/engine/remedy"
	"vigil/engine/revision/ground"
)

// withdraw cancels what is queued or held of ours: nothing of it has begun. What
// is under way ends by itself.
func (k *Carrier) withdraw(ctx context.Context, why string) {
	k.Mu.RLock()
	var ids []int64
	for id := range k.Flows {
		ids = append(ids, id)
	}
	k.Mu.RUnlock()
	for _, id := range ids {
		r, err := k.Reader.Remediation(ctx, id)
		if err != nil {
			continue
		}
		if r.State == remedy.Queued || r.State == remedy.Held {
			m, err := remedy.Cancel(r, "vigild", why, k.Clock())
			if err == nil {
				_, err = k.Commit(ctx, &engine.Decision{Moves: []engine.RemediationMove{{Version: r.Version, Move: m}}})
			}
			if err != nil {
				continue // it moved: its end is heard of
			}
			r = m.Next
		}
		if ground.Over(r.State) {
			k.Ended(r)
		}
	}
}

// quiet waits until nothing of ours is under way; false: ctx ended.
func (k *Carrier) quiet(ctx context.Context) bool {
	for len(k.Flows) > 0 {
		k.withdraw(ctx, "a revision is carried out")
		k.Wait(ctx, k.Clock().Time().Add(ground.PollEvery))
		if ctx.Err() != nil {
			return false
		}
		k.Hear(ctx)
	}
	return ctx.Err() == nil
}

// heldUp is what a gate says about a step of a revision that waits, "" none does.
func (k *Carrier) heldUp(row *engine.Revision) string {
	for _, f := range k.Flows {
		if f.Revision == row.N && f.Held != "" {
			return f.Held
		}
	}
	return ""
}
