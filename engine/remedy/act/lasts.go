package act

import (
	"context"

	"vigil/engine/remedy"
)

// Lasting is an Action that knows what its act brought up: what ends again at once
// was not put right, whatever a sample of the moment in between says.
type Lasting interface {
	// Lasts blocks until what the act of r brought up has stood for as long as it
	// has to, or has ended again by itself: fell says how, for people. It reads
	// only; its error is that of ctx, or says that it cannot tell. Concurrent.
	Lasts(ctx context.Context, r remedy.Request) (fell string, err error)
}

// Verify is the judge's word on the newest act of r, and where the action can tell
// also that what it brought up still stands. It blocks until both are known, or
// one of them has said no. Nothing of the act waits for it.
func Verify(ctx context.Context, in remedy.Actions, r remedy.Remediation, judge func(context.Context) (remedy.Verification, error)) (remedy.Verification, error) {
	q, err := r.Request()
	action, _ := in.Action(q.Action)
	l, ok := action.(Lasting)
	if err != nil || !ok {
		return judge(ctx)
	}
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	type word struct {
		v   remedy.Verification
		err error
	}
	judged := make(chan word, 1)
	go func() { // ends with ctx at the latest, and is waited for on every way out
		v, err := judge(both)
		if err != nil || !v.OK {
			cancel() // whether it lasts is of no more interest
		}
		judged <- word{v, err}
	}()
	fell, err := l.Lasts(both, q)
	if fell != "" {
		cancel()
	}
	said := <-judged
	switch {
	case fell != "":
		return remedy.Verification{Fell: true, Reason: fell}, nil
	case err != nil && ctx.Err() != nil: // it was cut short, so nothing is proved
		return remedy.Verification{}, err
	}
	return said.v, said.err
}

// Proof is how a verification ended, for counting: ok, failed, fell (what the act
// brought up ended again), unasked.
func Proof(v remedy.Verification) string {
	switch {
	case v.Unasked:
		return "unasked"
	case v.Fell:
		return "fell"
	case v.OK:
		return "ok"
	}
	return "failed"
}
