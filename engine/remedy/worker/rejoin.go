package worker

import (
	"context"
	"errors"
	"time"

	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
	"vigil/engine/remedy/decide"
)

// waiting is what Rejoiner.Rejoin gives.
type waiting func(context.Context) (remedy.Result, bool, error)

// act is the context of one act. Most acts have StopGrace to end when vigild
// stops; one that leaves, since it goes on by itself or is done again at the next
// start, ends at once.
func (cs contexts) act(leaves bool, limit time.Duration) (context.Context, context.CancelFunc) {
	if !leaves {
		return context.WithTimeout(cs.acts, limit)
	}
	left, leave := context.WithCancelCause(cs.acts)
	unhook := context.AfterFunc(cs.look, func() { leave(remedy.ErrLeft) })
	ctx, cancel := context.WithTimeout(left, limit)
	return ctx, func() {
		unhook()
		cancel()
		leave(nil)
	}
}

// rejoin takes up the act of an open attempt if it may still go on; nil: it
// cannot, and what became of it has to be asked otherwise.
func (w *Worker) rejoin(a remedy.Attempt) waiting {
	action, _ := w.Actions.Action(a.Action)
	j, ok := action.(remedy.Rejoiner)
	if !ok {
		return nil
	}
	wait, err := j.Rejoin(a.Request)
	if err != nil {
		w.failing("finding attempt "+a.ID()+" again", err)
		return nil
	}
	return wait
}

// rejoined waits for the end of a reserved act that was found again and goes on
// as if it had never been lost: a person may cancel it meanwhile, and vigild may
// stop and leave it once more.
func (w *Worker) rejoined(cs contexts, r remedy.Remediation, a remedy.Attempt, wait waiting) {
	handed := false
	defer func() {
		if !handed {
			w.release(r.ID)
		}
	}()
	limit := a.Request.Timeout
	if limit <= 0 {
		limit = act.Timeout
	}
	ctx, cancel := cs.act(true, limit)
	defer cancel()
	w.stoppable(r.ID, cancel)
	began := w.Clock()
	res, begun, err := wait(ctx)
	w.stoppable(r.ID, nil)
	if errors.Is(err, remedy.ErrLeft) {
		return
	}
	w.acted(a, res, err, began)
	ok := false
	switch {
	case err != nil:
		w.notStarted(cs, r, &a, err)
		return
	case !begun, res.Unseen:
		seen := remedy.SeenNotDone
		if begun {
			seen = remedy.NotSeen
			if a.Class == remedy.Probed {
				seen = w.probe(cs.look, a)
			}
		}
		r, ok = w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Recovered(r, a, seen, w.Clock()) })
	default:
		now, j := w.Clock(), decide.Jitter(w.Jitter())
		r, ok = w.finish(cs, r, func(r remedy.Remediation) (remedy.Move, error) { return w.rules.Ended(r, a, res, now, j) })
	}
	if ok && r.State == remedy.Verifying {
		handed = true
		w.verifyBeside(cs, r)
	}
}
