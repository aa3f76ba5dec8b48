package worker_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine/remedy"
)

// lasting is an act that goes on while no worker runs: a world of its own, in
// which it ends when its time has come.
type lasting struct {
	*act
	mu     sync.Mutex
	begun  bool
	runs   int
	until  time.Time
	result remedy.Result
}

func (l *lasting) Run(ctx context.Context, q remedy.Request) (remedy.Result, error) {
	l.mu.Lock()
	l.begun = true
	l.runs++
	l.until = time.Now().Add(time.Minute)
	l.mu.Unlock()
	res, _, err := l.wait(ctx)
	return res, err
}

func (l *lasting) Rejoin(remedy.Request) (func(context.Context) (remedy.Result, bool, error), error) {
	return l.wait, nil
}

func (l *lasting) wait(ctx context.Context) (remedy.Result, bool, error) {
	l.mu.Lock()
	left, begun, res := time.Until(l.until), l.begun, l.result
	l.mu.Unlock()
	if !begun {
		return remedy.Result{}, false, nil
	}
	select {
	case <-time.After(left):
		return res, true, nil
	case <-ctx.Done():
	}
	if context.Cause(ctx) == remedy.ErrLeft {
		return remedy.Result{}, true, remedy.ErrLeft
	}
	return remedy.Result{Error: "ended", TimedOut: true}, true, nil
}

type one struct {
	*acts
	a remedy.Action
}

func (o one) Action(string) (remedy.Action, bool) { return o.a, true }

// TestActsThatOutliveVigild: a stop leaves them at once and without an end on
// record; the next start waits for their end and goes on with it, whatever it
// is; and one that had not begun is done, though it is unsafe.
func TestActsThatOutliveVigild(t *testing.T) {
	for name, tc := range map[string]struct {
		begun  bool
		result remedy.Result
		want   remedy.State
		runs   int
	}{
		"ends well":     {true, remedy.Result{OK: true}, remedy.Succeeded, 1},
		"fails":         {true, remedy.Result{Error: "exit 3"}, remedy.GaveUp, 1},
		"end not known": {true, remedy.Result{Unseen: true, Error: "killed"}, remedy.Indeterminate, 1},
		"had not begun": {false, remedy.Result{OK: true}, remedy.Succeeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				l := &lasting{act: r.acts.add("fix", remedy.Unsafe, nil), result: tc.result}
				p := plan("fix")
				id := r.queue(remedy.Remediation{Plan: p})[0]
				if tc.begun {
					r.runWith(one{r.acts, l})
					r.pass(10 * time.Second)
					r.want(id, remedy.Running)
					began := time.Now()
					r.halt()
					if took := time.Since(began); took != 0 {
						t.Errorf("stopping took %v", took)
					}
					if acts := r.w.Stats().Acts; len(acts) > 0 {
						t.Errorf("an act that goes on counts as ended: %v", acts)
					}
				} else {
					r.leave(id, remedy.Unsafe)
				}
				r.want(id, remedy.Running)
				if open, _, err := r.l.Unfinished(context.Background()); err != nil || len(open) != 1 {
					t.Fatalf("%v %v", open, err)
				}
				r.runWith(one{r.acts, l}) // found, and left once more
				synctest.Wait()
				if tc.begun {
					r.halt()
					r.want(id, remedy.Running)
					r.runWith(one{r.acts, l})
					r.pass(30 * time.Second)
					r.want(id, remedy.Running)
				}
				r.pass(3 * time.Minute)
				r.want(id, tc.want)
				if l.runs != tc.runs {
					t.Errorf("ran %d times", l.runs)
				}
			})
		})
	}
}

// TestActsThatOutliveVigildCanBeCancelled: also after they were found again.
func TestActsThatOutliveVigildCanBeCancelled(t *testing.T) {
	inBubble(t, func(r *rig) {
		l := &lasting{act: r.acts.add("fix", remedy.Unsafe, nil)}
		id := r.queue(remedy.Remediation{Plan: plan("fix")})[0]
		r.runWith(one{r.acts, l})
		r.pass(time.Second)
		r.halt()
		r.runWith(one{r.acts, l})
		r.pass(time.Second)
		x := r.want(id, remedy.Running)
		m, err := remedy.Cancel(x, "ann", "", r.clock())
		r.apply(x, m, err)
		r.pass(5 * time.Second)
		r.want(id, remedy.Cancelled)
		as, err := r.l.Attempts(context.Background(), id)
		if err != nil || len(as) != 1 || as[0].Result.Error != "ended" {
			t.Errorf("%+v %v", as, err)
		}
	})
}
