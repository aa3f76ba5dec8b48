package ground

import (
	"context"

	"vigil/engine"
	"vigil/engine/remedy"
)

// Withdraw cancels what is queued or held of ours: nothing of it has begun. What
// is under way ends by itself.
func (g *Ground) Withdraw(ctx context.Context, why string) {
	g.Mu.RLock()
	var ids []int64
	for id := range g.Flows {
		ids = append(ids, id)
	}
	g.Mu.RUnlock()
	for _, id := range ids {
		r, err := g.Reader.Remediation(ctx, id)
		if err != nil {
			continue
		}
		if r.State == remedy.Queued || r.State == remedy.Held {
			m, err := remedy.Cancel(r, "vigild", why, g.Clock())
			if err == nil {
				_, err = g.Commit(ctx, &engine.Decision{Moves: []engine.RemediationMove{{Version: r.Version, Move: m}}})
			}
			if err != nil {
				continue // it moved: its end is heard of
			}
			r = m.Next
		}
		if Over(r.State) {
			g.Ended(r)
		}
	}
}

// Quiet waits until nothing of ours is under way; false: ctx ended.
func (g *Ground) Quiet(ctx context.Context) bool {
	for len(g.Flows) > 0 {
		g.Withdraw(ctx, "a revision is carried out")
		g.Wait(ctx, g.Clock().Time().Add(PollEvery))
		if ctx.Err() != nil {
			return false
		}
		g.Hear(ctx)
	}
	return ctx.Err() == nil
}

// HeldUp is what a gate says about a step of a revision that waits, "" none does.
func (g *Ground) HeldUp(ctx context.Context, row *engine.Revision) string {
	g.Mu.RLock()
	var id int64
	for i, f := range g.Flows {
		if f.Revision == row.N {
			id = i
			break
		}
	}
	g.Mu.RUnlock()
	if id == 0 {
		return ""
	}
	r, err := g.Reader.Remediation(ctx, id)
	if err != nil || r.State != remedy.Held {
		return ""
	}
	return r.Gate + ": " + r.Reason
}
