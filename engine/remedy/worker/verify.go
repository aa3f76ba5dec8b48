package worker

import (
	"context"
	"errors"
	"time"

	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
	"vigil/engine/remedy/decide"
)

// verifyBeside verifies a reserved remediation without keeping a place among
// the acts, and releases it. When too many wait already, it verifies here.
func (w *Worker) verifyBeside(cs contexts, r remedy.Remediation) {
	select {
	case w.slots <- struct{}{}:
		cs.verifies.Go(func() {
			defer func() { <-w.slots }()
			w.verify(cs, r)
		})
	default:
		w.verify(cs, r)
	}
}

// verify waits for the judge's word and writes it. When vigild stops it leaves
// the remediation verifying, for the next start.
func (w *Worker) verify(cs contexts, r remedy.Remediation) {
	defer w.release(r.ID)
	ctx, cancel := context.WithCancel(cs.look)
	defer cancel()
	w.stoppable(r.ID, cancel)
	after, deadline := w.rules.Times(&r, w.Clock())
	v, err := act.Verify(ctx, w.Actions, r, func(ctx context.Context) (remedy.Verification, error) { return w.Judge.Verify(ctx, r, after, deadline) })
	w.stoppable(r.ID, nil)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return
		}
		v = remedy.Verification{Reason: "it could not be verified: " + err.Error()}
	}
	w.mu.Lock()
	count(&w.stats.Verified, act.Proof(v))
	w.mu.Unlock()
	w.verified(cs, r, v)
}

// verified writes the end of a verification in a transaction that reads the
// breaker, so that two ends at one time both count.
func (w *Worker) verified(cs contexts, r remedy.Remediation, v remedy.Verification) {
	now, j := w.Clock(), decide.Jitter(w.Jitter())
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		m, err := w.Ledger.Claim(cs.writes, remedy.Claim{
			ID: r.ID, Version: r.Version, Policy: r.Policy, Fingerprint: r.Fingerprint,
			Query: decide.Past(&r), Now: now,
			Decide: func(r remedy.Remediation, h remedy.History) remedy.Move {
				m, err := w.rules.Verified(r, h, v, now, j)
				if err != nil {
					return remedy.Move{Next: r}
				}
				return m
			},
		})
		if err == nil {
			w.loud(m)
			m.Next.Version = r.Version + 1
			w.ended(m.Next)
			return
		}
		w.failing("recording a verification", err)
		switch fault.KindOf(err) {
		case fault.NotFound, fault.Cancelled:
			return
		case fault.Conflict:
			row, err := w.Ledger.Remediation(cs.writes, r.ID)
			if err == nil && row.State != remedy.Verifying {
				return // a person cancelled it
			}
			if err == nil {
				r = row
			}
		}
		if !sleep(cs.writes, pause) {
			return
		}
	}
}
