package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine/document"
	"vigil/engine/remedy"
)

func TestCarriesOutAndVerifies(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("fix", remedy.Convergent, nil)
		p := plan("fix")
		p.Ladder[0].With = map[string]any{"unit": "{{ labels.service }}.service"}
		r.run()
		id := r.queue(remedy.Remediation{Plan: p, Labels: map[string]string{"service": "web"}})[0]
		synctest.Wait()
		r.want(id, remedy.Verifying)
		if a.ran() != 1 || a.runs[0].With["unit"] != "web.service" || a.runs[0].Attempt != "1-1-1" || a.runs[0].Started.IsZero() {
			t.Fatalf("%+v", a.runs)
		}
		r.pass(4 * time.Second) // settle has not passed: whatever is seen does not count
		r.want(id, remedy.Verifying)
		r.pass(2 * time.Second)
		r.want(id, remedy.Succeeded)
		if got := r.told(id); got != "attempt.start attempt.end verify.ok" {
			t.Errorf("told %s", got)
		}
		s := r.w.Stats()
		if s.Acts[[2]string{"test", "ok"}] != 1 || s.Verified["ok"] != 1 || s.Verdicts[[2]string{"", "admit"}] != 1 || s.Busy != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestEndsOfReconcileAreTold: succeeded after its verification, given up, and
// refused before the act; each once it is on disk, at its version, and those of
// nobody else.
func TestEndsOfReconcileAreTold(t *testing.T) {
	inBubble(t, func(r *rig) {
		told := map[int64]remedy.Remediation{}
		var mu sync.Mutex
		r.ended = func(x remedy.Remediation) {
			now, err := r.l.Remediation(context.Background(), x.ID)
			mu.Lock()
			defer mu.Unlock()
			if _, twice := told[x.ID]; twice || err != nil || now.State != x.State || now.Version != x.Version {
				t.Errorf("told of %d at version %d as %s, on disk it is %d and %s (%v)", x.ID, x.Version, x.State, now.Version, now.State, err)
			}
			told[x.ID] = x
		}
		r.acts.add("a", remedy.Convergent, nil)
		r.acts.add("b", remedy.Convergent, nil)
		r.acts.add("c", remedy.Convergent, nil)
		r.run()
		mine := r.queue(remedy.Remediation{Source: remedy.FromReconcile, Plan: plan("a")}, remedy.Remediation{Source: remedy.FromReconcile, Plan: plan("nobody knows it")})
		r.queue(remedy.Remediation{Plan: plan("b")}, remedy.Remediation{Source: remedy.FromAPI, Plan: plan("c")})
		r.pass(2 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 2 || told[mine[0]].State != remedy.Succeeded || !told[mine[1]].State.Final() {
			t.Errorf("told of %v", told)
		}
	})
}

// TestOneOwnerAndBoundedParallelism: never two acts on one subject, never more
// at one time than there are places, and nobody is left waiting.
func TestOneOwnerAndBoundedParallelism(t *testing.T) {
	inBubble(t, func(r *rig) {
		slow := func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
			<-time.After(3 * time.Second)
			return remedy.Result{OK: true}, nil
		}
		r.cfg.Storm.Subjects = 1000
		var all []*act
		var rs []remedy.Remediation
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			all = append(all, r.acts.add(name, remedy.Convergent, slow))
			rs = append(rs, remedy.Remediation{Plan: plan(name)}, remedy.Remediation{Plan: plan(name)})
		}
		r.run()
		ids := r.queue(rs...)
		for range 40 {
			r.pass(time.Second)
			busy := 0
			for _, a := range all {
				a.mu.Lock()
				busy += a.now
				a.mu.Unlock()
			}
			if busy > 4 {
				t.Fatalf("%d acts at one time", busy)
			}
		}
		for _, id := range ids {
			r.want(id, remedy.Succeeded)
		}
		for _, a := range all {
			if a.most != 1 || a.ran() != 2 {
				t.Errorf("%d at one time, %d in all", a.most, a.ran())
			}
		}
	})
}

// TestLimitHoldsForManyAtOnce: claims that run beside each other, on subjects
// of their own, do not pass one limit together.
func TestLimitHoldsForManyAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers, r.cfg.Storm.Subjects = 8, 1000
		r.cfg.KindLimit = remedy.Limit{Max: 4, Per: document.Duration(time.Hour)}
		var rs []remedy.Remediation
		var all []*act
		for i := range 20 {
			name := "fix-" + itoa(int64(i))
			all = append(all, r.acts.add(name, remedy.Convergent, nil))
			rs = append(rs, remedy.Remediation{Plan: plan(name)})
		}
		ran := func() (n int) {
			for _, a := range all {
				n += a.ran()
			}
			return n
		}
		r.queue(rs...)
		r.run()
		r.pass(59 * time.Minute)
		if ran() != 4 {
			t.Errorf("%d acts within the hour, the limit is 4", ran())
		}
		r.pass(2 * time.Minute)
		if ran() != 8 {
			t.Errorf("%d acts within two hours, the limit is 4 an hour", ran())
		}
	})
}

// TestClimbsGivesUpAndWakes is a ladder over hours: retry, next rung, giving up,
// the automatic retry, and success when the remedy helps at last.
func TestClimbsGivesUpAndWakes(t *testing.T) {
	inBubble(t, func(r *rig) {
		one := r.acts.add("one", remedy.Convergent, func(context.Context, remedy.Request) (remedy.Result, error) {
			return remedy.Result{Error: "exit 1"}, nil
		})
		two := r.acts.add("two", remedy.Convergent, nil)
		r.judge.good = func(remedy.Remediation) bool { return false }
		p := plan("one", "two")
		p.Ladder[0].Tries = 3
		r.run()
		id := r.queue(remedy.Remediation{Plan: p})[0]
		r.pass(1900 * time.Millisecond)
		if one.ran() != 1 {
			t.Errorf("%d tries before the backoff of 2 s", one.ran())
		}
		r.pass(5 * time.Second)
		if one.ran() != 3 || two.ran() != 1 {
			t.Errorf("%d and %d tries", one.ran(), two.ran())
		}
		r.pass(70 * time.Second)
		x := r.want(id, remedy.GaveUp)
		if got := r.told(id); got != "attempt.start attempt.end remediation.retry attempt.start attempt.end remediation.retry attempt.start attempt.end remediation.next_rung attempt.start attempt.end verify.failed remediation.gave_up" {
			t.Errorf("told %s", got)
		}
		if x.GaveUps != 1 {
			t.Errorf("%+v", x)
		}
		r.judge.set(func() { r.judge.good = nil })
		r.pass(62 * time.Minute)
		r.want(id, remedy.Succeeded)
	})
}

// TestCancelEndsARunningAct, also when every worker is busy, and the subject
// stays locked until the act has really ended.
func TestCancelEndsARunningAct(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 1
		a := r.acts.add("hang", remedy.Unsafe, func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
			<-ctx.Done()
			<-time.After(2 * time.Second) // dies slowly
			return remedy.Result{Error: "killed"}, nil
		})
		r.run()
		ids := r.queue(remedy.Remediation{Plan: plan("hang")}, remedy.Remediation{Plan: plan("hang")})
		synctest.Wait()
		x := r.want(ids[0], remedy.Running)
		m, err := remedy.Cancel(x, "token:ann", "wrong one", r.clock())
		r.apply(x, m, err)
		r.pass(2500 * time.Millisecond)
		r.want(ids[0], remedy.Cancelled)
		if a.ran() != 1 {
			t.Error("another act began on a subject that was still being acted on")
		}
		r.pass(2 * time.Second)
		if got := r.told(ids[0]); got != "attempt.start remediation.cancel attempt.end" {
			t.Errorf("told %s", got)
		}
		r.want(ids[1], remedy.Running)
	})
}

// TestPanicIsAFailedAct, and of an unsafe action one whose end nobody saw.
func TestPanicIsAFailedAct(t *testing.T) {
	inBubble(t, func(r *rig) {
		boom := func(context.Context, remedy.Request) (remedy.Result, error) { panic("boom") }
		r.acts.add("soft", remedy.Convergent, boom)
		r.acts.add("hard", remedy.Unsafe, boom)
		r.run()
		ids := r.queue(remedy.Remediation{Plan: plan("soft")}, remedy.Remediation{Plan: plan("hard")})
		synctest.Wait()
		if x := r.want(ids[0], remedy.GaveUp); x.Error != "the action panicked: boom" {
			t.Errorf("%q", x.Error)
		}
		r.want(ids[1], remedy.Indeterminate)
	})
}

// TestStartFailureIsTold: unknown actions, requests that cannot be made and
// programs that do not start are all on record, none in silence.
func TestStartFailureIsTold(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.acts.add("nofork", remedy.Unsafe, func(context.Context, remedy.Request) (remedy.Result, error) {
			return remedy.Result{}, errors.New("fork: resource temporarily unavailable")
		})
		r.acts.add("picky", remedy.Unsafe, nil).fails = errors.New("unit is missing")
		p := plan("nofork")
		p.Ladder[0].With = map[string]any{"x": "{{ labels.none }}"}
		r.run()
		ids := r.queue(remedy.Remediation{Plan: plan("nofork")}, remedy.Remediation{Plan: plan("picky")}, remedy.Remediation{Plan: plan("gone")}, remedy.Remediation{Plan: p})
		synctest.Wait()
		for i, want := range []string{
			"attempt.start attempt.start_failed remediation.gave_up", "attempt.start_failed remediation.gave_up",
			"attempt.start_failed remediation.gave_up", "gate.refuse",
		} {
			if got := r.told(ids[i]); got != want {
				t.Errorf("%d: told %s, want %s", i, got, want)
			}
		}
		if s := r.w.Stats(); s.StartFailed != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestNoActWithoutARecord: while the started record cannot be written nothing
// is done; an end that cannot be written is held on to, and nothing runs twice.
func TestNoActWithoutARecord(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("fix", remedy.Unsafe, nil)
		s := &shaky{Ledger: r.l, claims: 3, ends: 5}
		r.face = s
		var claimedWhenRun int
		a.run = func(context.Context, remedy.Request) (remedy.Result, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			claimedWhenRun = s.claimed
			return remedy.Result{OK: true}, nil
		}
		r.run()
		id := r.queue(remedy.Remediation{Plan: plan("fix")})[0]
		r.pass(20 * time.Second)
		r.want(id, remedy.Succeeded)
		if a.ran() != 1 || claimedWhenRun != 4 {
			t.Errorf("ran %d times, first after %d claims", a.ran(), claimedWhenRun)
		}
		if got := r.told(id); got != "attempt.start attempt.end verify.ok" {
			t.Errorf("told %s", got)
		}
	})
}

// TestCrashRecovery: what a crash left open is settled by its class at the
// start, and no unsafe act runs twice.
func TestCrashRecovery(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Unseen = document.Duration(2 * time.Hour)
		conv := r.acts.add("conv", remedy.Convergent, nil)
		unsafe := r.acts.add("unsafe", remedy.Unsafe, nil)
		mute := r.acts.add("mute", remedy.Probed, nil)
		ids := r.queue(remedy.Remediation{Plan: plan("conv")}, remedy.Remediation{Plan: plan("unsafe")}, remedy.Remediation{Plan: plan("mute")})
		r.leave(ids[0], remedy.Convergent)
		r.leave(ids[1], remedy.Unsafe)
		r.leave(ids[2], remedy.Probed)
		r.run()
		synctest.Wait()
		r.want(ids[0], remedy.Verifying)
		r.want(ids[1], remedy.Indeterminate)
		r.want(ids[2], remedy.Indeterminate)
		if conv.ran() != 1 || unsafe.ran() != 0 || mute.ran() != 0 {
			t.Errorf("ran %d %d %d", conv.ran(), unsafe.ran(), mute.ran())
		}
		x := r.read(ids[2])
		m, err := remedy.Resolve(x, "token:ann", true, "I looked", r.clock())
		r.apply(x, m, err)
		r.pass(2*time.Hour + time.Minute)
		r.want(ids[1], remedy.GaveUp)
		r.want(ids[2], remedy.Succeeded)
		if unsafe.ran() != 0 {
			t.Error("an unsafe act was repeated before anybody decided")
		}
	})
}

// TestProbesAreAsked: a probed act is repeated only when its probe says that it
// was not done.
func TestProbesAreAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		done bool
		err  error
		want remedy.State
		runs int
	}{
		"done": {true, nil, remedy.Succeeded, 0}, "not done": {false, nil, remedy.Succeeded, 1}, "no answer": {false, errors.New("bus"), remedy.Indeterminate, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				a := r.acts.add("fix", remedy.Probed, nil)
				id := r.queue(remedy.Remediation{Plan: plan("fix")})[0]
				r.leave(id, remedy.Probed)
				r.face = r.l
				probe := probed{a, tc.done, tc.err}
				r.runWith(withProbe{r.acts, probe})
				r.pass(10 * time.Second)
				r.want(id, tc.want)
				if a.ran() != tc.runs {
					t.Errorf("ran %d times", a.ran())
				}
			})
		})
	}
}

// TestStopsAndResumes: on a stop a running act may end by itself, then it is
// killed; its end is on disk either way, and a verification goes on at the next
// start.
func TestStopsAndResumes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.acts.add("short", remedy.Convergent, func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
			<-time.After(8 * time.Second)
			return remedy.Result{OK: ctx.Err() == nil}, nil
		})
		r.acts.add("long", remedy.Convergent, func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
			<-ctx.Done()
			return remedy.Result{Error: "killed", TimedOut: true}, nil
		})
		r.run()
		ids := r.queue(remedy.Remediation{Plan: plan("short")}, remedy.Remediation{Plan: plan("long", "short")})
		synctest.Wait()
		began := time.Now()
		r.halt()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("stopping took %s", took)
		}
		r.want(ids[0], remedy.Verifying)
		if x := r.want(ids[1], remedy.Queued); x.Rung != 1 {
			t.Errorf("%+v", x)
		}
		if open, _, err := r.l.Unfinished(context.Background()); len(open) != 0 || err != nil {
			t.Errorf("open after the stop: %v %v", open, err)
		}
		r.run()
		r.pass(time.Minute)
		r.want(ids[0], remedy.Succeeded)
		r.want(ids[1], remedy.Succeeded)
	})
}

// TestExternalIsLeftAlone: an outside remediator's work is never claimed here;
// its word of success is verified, and a lease that runs out gives it back.
func TestExternalIsLeftAlone(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("theirs", remedy.Convergent, nil)
		r.run()
		ext := remedy.Remediation{Source: remedy.FromExternal, Policy: "p", Plan: plan("theirs")}
		ids := r.queue(ext, ext)
		r.pass(time.Hour)
		for _, id := range ids {
			x := r.want(id, remedy.Queued)
			m, err := remedy.Lease(x, "token:bob", "r1", 10*time.Minute, r.clock())
			r.apply(x, m, err)
		}
		r.pass(time.Minute)
		x := r.want(ids[0], remedy.Running)
		m, err := remedy.SetStatus(x, "token:bob", "completed", "", "", r.clock())
		r.apply(x, m, err)
		r.pass(30 * time.Second)
		r.want(ids[0], remedy.Succeeded)
		r.want(ids[1], remedy.Running)
		r.pass(10 * time.Minute)
		if x := r.want(ids[1], remedy.Queued); x.Lease != "" {
			t.Errorf("%+v", x)
		}
		if a.ran() != 0 {
			t.Error("it was carried out here")
		}
	})
}

// TestExternalThatNobodyTakesEnds: with a reason, each rung in its time, over a
// restart too; one that is asked for again waits anew.
func TestExternalThatNobodyTakesEnds(t *testing.T) {
	inBubble(t, func(r *rig) {
		ext := remedy.Remediation{Source: remedy.FromExternal, Policy: "p", Plan: plan("theirs")}
		two := remedy.Remediation{Source: remedy.FromExternal, Policy: "p", Plan: plan("theirs", "others")}
		limit := document.Duration(time.Hour)
		two.Plan.Ladder[0].Timeout = &limit
		a := r.acts.add("mine", remedy.Convergent, nil)
		r.run()
		ids := r.queue(ext, two, remedy.Remediation{Plan: plan("mine")})
		r.pass(time.Minute)
		r.want(ids[2], remedy.Succeeded)
		r.halt()
		r.run()
		r.pass(58 * time.Minute)
		if x := r.want(ids[1], remedy.Queued); x.Rung != 0 {
			t.Fatalf("%+v", x)
		}
		r.pass(2 * time.Minute)
		if x := r.want(ids[1], remedy.Queued); x.Rung != 1 || x.Error != "no outside remediator took theirs within 1h" {
			t.Errorf("%+v", x)
		}
		r.pass(23 * time.Hour)
		x := r.want(ids[0], remedy.Failed)
		if x.Reason != "no outside remediator took theirs within 1d" || x.Try != 0 || r.told(ids[0]) != "remediation.failed" {
			t.Errorf("%+v; told %s", x, r.told(ids[0]))
		}
		r.want(ids[1], remedy.Queued)
		m, err := remedy.Retry(x, "token:ann", r.clock())
		r.apply(x, m, err)
		r.pass(2 * time.Hour)
		r.want(ids[1], remedy.Failed)
		if got := r.told(ids[1]); got != "remediation.next_rung remediation.failed" {
			t.Errorf("told %s", got)
		}
		r.want(ids[0], remedy.Queued)
		r.pass(23 * time.Hour)
		r.want(ids[0], remedy.Failed)
		if a.ran() != 1 {
			t.Errorf("ran %d times", a.ran())
		}
	})
}

// TestExternalThatIsHeldIsNotGivenUp: while a gate holds it nobody can take it, so
// its time stands still; let go, it waits anew.
func TestExternalThatIsHeldIsNotGivenUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		paused := "moving house"
		r.judge.facts = func(_ remedy.Remediation, f *remedy.Facts) { f.Paused = paused }
		r.run()
		x := remedy.Remediation{Source: remedy.FromExternal, Policy: "p", Plan: plan("theirs")}
		limit := document.Duration(5 * time.Minute)
		x.Plan.Ladder[0].Timeout = &limit
		id := r.queue(x)[0]
		r.pass(20 * time.Minute)
		if x := r.want(id, remedy.Held); x.Gate != remedy.GatePause || !strings.Contains(x.Reason, paused) || r.told(id) != "gate.hold" {
			t.Errorf("gate %q: %s; told %s", x.Gate, x.Reason, r.told(id))
		}
		paused = ""
		r.nudge()
		r.pass(2 * time.Second)
		if x := r.want(id, remedy.Queued); x.Gate != "" || x.Reason != "" {
			t.Errorf("%+v", x)
		}
		r.pass(4 * time.Minute)
		r.want(id, remedy.Queued)
		r.pass(time.Minute)
		r.want(id, remedy.Failed)
	})
}

// TestHoldsAndGoesOn: what a fact holds is looked at again and goes on when the
// fact is gone; a condition that went away cancels it.
func TestHoldsAndGoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("fix", remedy.Convergent, nil)
		window := "maintenance: backup"
		gone := map[int64]bool{}
		r.judge.facts = func(x remedy.Remediation, f *remedy.Facts) {
			if f.Window = window; gone[x.ID] {
				f.Holds = -1
			}
		}
		r.run()
		ids := r.queue(remedy.Remediation{Plan: plan("fix")}, remedy.Remediation{Plan: plan("fix")})
		r.pass(10*time.Minute + 30*time.Second)
		r.want(ids[0], remedy.Held)
		if got := r.told(ids[0]); got != "gate.hold" || a.ran() != 0 {
			t.Errorf("told %s, ran %d", got, a.ran())
		}
		x := r.want(ids[1], remedy.Held)
		r.judge.set(func() { window, gone[ids[0]] = "", true })
		m, err := remedy.Release(x, r.clock())
		r.apply(x, m, err)
		r.pass(100 * time.Millisecond)
		r.want(ids[1], remedy.Verifying)
		r.pass(2 * time.Minute)
		r.want(ids[0], remedy.Cancelled)
		r.want(ids[1], remedy.Succeeded)
		if a.ran() != 1 {
			t.Errorf("ran %d times", a.ran())
		}
	})
}

// TestTimeoutAndCapture: an act is ended at its timeout, and evidence taken
// before it is kept with the attempt.
func TestTimeoutAndCapture(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("hang", remedy.Convergent, func(ctx context.Context, q remedy.Request) (remedy.Result, error) {
			<-ctx.Done()
			return remedy.Result{TimedOut: true, Error: "timeout"}, nil
		})
		a.spec.Capture = true
		p := plan("hang")
		limit := document.Duration(7 * time.Second)
		p.Ladder[0].Timeout = &limit
		r.runWith(capturing{r.acts})
		id := r.queue(remedy.Remediation{Plan: p})[0]
		r.pass(6 * time.Second)
		r.want(id, remedy.Running)
		r.pass(2 * time.Second)
		r.want(id, remedy.GaveUp)
		as, err := r.l.Attempts(context.Background(), id)
		if err != nil || len(as) != 1 || string(as[0].Capture) != `{"subject":"s:hang"}` || !as[0].Result.TimedOut {
			t.Errorf("%+v %v", as, err)
		}
	})
}

// TestConflictIsLookedAtAgain: a claim that finds its firing moved is tried
// again with new facts, neither given up nor in a tight loop.
func TestConflictIsLookedAtAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.acts.add("fix", remedy.Convergent, nil)
		asked := 0
		r.judge.facts = func(_ remedy.Remediation, f *remedy.Facts) {
			if asked++; asked <= 10 {
				f.FiringVersion = 99 // there is no such firing
			}
		}
		r.run()
		id := r.queue(remedy.Remediation{Plan: plan("fix")})[0]
		r.pass(time.Millisecond)
		r.judge.set(func() {
			if asked > 3 {
				t.Errorf("asked %d times within a millisecond", asked)
			}
		})
		r.pass(10 * time.Second)
		r.want(id, remedy.Succeeded)
		if a.ran() != 1 {
			t.Errorf("ran %d times", a.ran())
		}
	})
}

// TestUnknownVerificationIsNotSuccess: a judge that cannot tell, or fails, has
// not said that it is well.
func TestUnknownVerificationIsNotSuccess(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.acts.add("fix", remedy.Convergent, nil)
		r.judge.fails = errors.New("the expression does not compile any more")
		r.run()
		id := r.queue(remedy.Remediation{Plan: plan("fix")})[0]
		r.pass(10 * time.Second)
		x := r.want(id, remedy.GaveUp)
		if got := r.told(id); got != "attempt.start attempt.end verify.failed remediation.gave_up" {
			t.Errorf("told %s: %s", got, x.Reason)
		}
	})
}

// TestManyWaitNobodyStarves: hundreds of remediations on many subjects all end,
// with one worker and with acts that fail.
func TestManyWaitNobodyStarves(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers, r.cfg.Storm.Subjects, r.cfg.KindLimit.Max, r.cfg.PolicyLimit.Max = 2, 10_000, 10_000, 10_000
		var rs []remedy.Remediation
		for i := range 100 {
			name := "act-" + itoa(int64(i))
			ok := i%3 != 0
			r.acts.add(name, remedy.Convergent, func(context.Context, remedy.Request) (remedy.Result, error) {
				<-time.After(100 * time.Millisecond)
				return remedy.Result{OK: ok, Error: "e"}, nil
			})
			rs = append(rs, remedy.Remediation{Plan: plan(name)})
		}
		r.run()
		ids := r.queue(rs...)
		r.pass(30 * time.Second)
		for i, id := range ids {
			want := remedy.Succeeded
			if i%3 == 0 {
				want = remedy.GaveUp
			}
			r.want(id, want)
		}
	})
}

// TestLooksAreSeenWhileAllAreBusy: what feeds the watchdog goes on while every
// worker is at a long act.
func TestLooksAreSeenWhileAllAreBusy(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 1
		r.acts.add("long", remedy.Unsafe, func(context.Context, remedy.Request) (remedy.Result, error) {
			<-time.After(5 * time.Minute)
			return remedy.Result{OK: true}, nil
		})
		r.run()
		r.queue(remedy.Remediation{Plan: plan("long")})
		for range 20 {
			r.pass(12 * time.Second)
			if age, _ := r.clock().Sub(r.w.Stats().Looked); age > 12*time.Second {
				t.Fatalf("nobody has looked for %s", age)
			}
		}
		r.pass(2 * time.Minute)
	})
}

// TestLiftedHoldGoesOnAtOnce: when a pause ends, the nudge that comes with it is
// enough: nobody waits for the next look.
func TestLiftedHoldGoesOnAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		pause := "ann: moving house"
		r.judge.facts = func(_ remedy.Remediation, f *remedy.Facts) { f.Paused = pause }
		var rs []remedy.Remediation
		for i := range 5 {
			r.acts.add("fix-"+itoa(int64(i)), remedy.Convergent, nil)
			rs = append(rs, remedy.Remediation{Plan: plan("fix-" + itoa(int64(i)))})
		}
		r.run()
		ids := r.queue(rs...)
		r.pass(90 * time.Second)
		r.nudge() // about something else
		r.pass(5 * time.Second)
		for _, id := range ids {
			r.want(id, remedy.Held)
		}
		r.judge.set(func() { pause = "" })
		r.nudge()
		r.pass(500 * time.Millisecond)
		for _, id := range ids {
			r.want(id, remedy.Verifying)
		}
	})
}

// TestHoldThatIsLiftedWhileItIsWritten: a pause that ends between the decision to
// hold and its record holds nothing for a minute, though its nudge was spent.
func TestHoldThatIsLiftedWhileItIsWritten(t *testing.T) {
	inBubble(t, func(r *rig) {
		pause := "ann: moving house"
		r.judge.facts = func(_ remedy.Remediation, f *remedy.Facts) { f.Paused, pause = pause, "" }
		r.acts.add("fix", remedy.Convergent, nil)
		ids := r.queue(remedy.Remediation{Plan: plan("fix")})
		<-r.wake // it is found at the start, and no nudge comes after it
		r.run()
		r.pass(3 * time.Second)
		r.want(ids[0], remedy.Verifying)
	})
}
