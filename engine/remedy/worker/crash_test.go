package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// mortal is a ledger as a process sees it that dies: from the n-th call on
// nothing is answered any more, and that call itself was or was not carried out.
type mortal struct {
	remedy.Ledger
	mu    sync.Mutex
	left  int  // calls until death
	after bool // the last call is carried out, but its answer is lost
	calls int
}

var errDead = fault.New(fault.Unavailable, "the process is dead")

// pass says whether the call may happen, and whether its answer arrives.
func (m *mortal) pass() (do, answer bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.left--
	return m.left > 0 || m.left == 0 && m.after, m.left > 0
}

func (m *mortal) dead() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.left <= 0 }

func through[T any](m *mortal, f func() (T, error)) (T, error) {
	var none T
	do, answer := m.pass()
	if !do {
		return none, errDead
	}
	v, err := f()
	if !answer {
		return none, errDead
	}
	return v, err
}

func (m *mortal) Claim(ctx context.Context, c remedy.Claim) (remedy.Move, error) {
	return through(m, func() (remedy.Move, error) { return m.Ledger.Claim(ctx, c) })
}

func (m *mortal) Apply(ctx context.Context, v int64, mv remedy.Move) error {
	_, err := through(m, func() (struct{}, error) { return struct{}{}, m.Ledger.Apply(ctx, v, mv) })
	return err
}

func (m *mortal) Due(ctx context.Context, now clock.Stamp, n int) ([]remedy.Remediation, clock.Stamp, error) {
	if m.dead() {
		return nil, clock.Stamp{}, errDead
	}
	return m.Ledger.Due(ctx, now, n)
}

func (m *mortal) Unfinished(ctx context.Context) ([]remedy.Attempt, []remedy.Remediation, error) {
	if m.dead() {
		return nil, nil, errDead
	}
	return m.Ledger.Unfinished(ctx)
}

// TestCrashAtEveryPoint lets the ledger go at each of its writing calls, once
// before the write and once after it, and starts another worker. However it
// went: no unsafe act runs twice, an act that ran has its record, nothing is
// left open or running, and what may be repeated ends well.
func TestCrashAtEveryPoint(t *testing.T) {
	for _, class := range []remedy.Class{remedy.Convergent, remedy.Unsafe} {
		for n := 1; n <= 7; n++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", class, n, after), func(t *testing.T) {
					inBubble(t, func(r *rig) { crashStory(r, class, n, after) })
				})
			}
		}
	}
}

func crashStory(r *rig, class remedy.Class, n int, after bool) {
	fails := 1 // the first rung's first try fails, so that the story is longer
	a := r.acts.add("fix", class, func(context.Context, remedy.Request) (remedy.Result, error) {
		if fails > 0 {
			fails--
			return remedy.Result{Error: "exit 1"}, nil
		}
		return remedy.Result{OK: true}, nil
	})
	p := plan("fix")
	p.Ladder[0].Tries = 2
	m := &mortal{Ledger: r.l, left: n, after: after}
	r.face = m
	r.run()
	id := r.queue(remedy.Remediation{Plan: p})[0]
	r.pass(30 * time.Second)
	r.halt()
	before := a.ran()
	cut, _, err := r.l.Unfinished(context.Background())
	if err != nil {
		r.Fatal(err)
	}

	r.face = r.l
	r.run()
	r.pass(2 * time.Minute)
	x := r.read(id)
	as, err := r.l.Attempts(context.Background(), id)
	if err != nil {
		r.Fatal(err)
	}
	for _, at := range cut {
		if !slices.Contains(a.swept, at.ID()) {
			r.Errorf("what attempt %s left was not taken away: %q", at.ID(), a.swept)
		}
	}
	open, rest, err := r.l.Unfinished(context.Background())
	if err != nil || len(open)+len(rest) > 0 {
		r.Errorf("left unfinished: %v %v %v", open, rest, err)
	}
	if len(as) < a.ran() {
		r.Errorf("%d acts, but %d attempts on record", a.ran(), len(as))
	}
	ids := map[string]bool{}
	for _, q := range a.runs {
		if ids[q.Attempt] {
			r.Errorf("attempt %s ran twice", q.Attempt)
		}
		ids[q.Attempt] = true
	}
	for i, at := range as {
		if class == remedy.Unsafe && at.Result.Unseen && i+1 < len(as) {
			r.Errorf("attempt %s, whose end nobody saw, was followed by another", at.ID())
		}
	}
	switch {
	case class == remedy.Convergent && x.State != remedy.Succeeded:
		r.Errorf("ended %s: %s", x.State, x.Reason)
	case x.State == remedy.Indeterminate && a.ran() > before:
		r.Errorf("an unsafe act ran again after its end was lost")
	case x.State != remedy.Succeeded && x.State != remedy.Indeterminate:
		r.Errorf("ended %s: %s", x.State, x.Reason)
	}
}
