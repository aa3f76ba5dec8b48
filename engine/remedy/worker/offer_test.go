package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vigil/engine"
	"vigil/engine/atonce"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// slow is a ledger that answers late, or not with what was asked.
type slow struct {
	engine.Journal
	late  time.Duration
	fails []error // of the next commits
}

func (s *slow) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if len(s.fails) > 0 {
		err := s.fails[0]
		s.fails = s.fails[1:]
		if err != nil {
			return engine.Receipt{}, err
		}
	}
	rc, err := s.Journal.Commit(ctx, d)
	<-time.After(s.late)
	return rc, err
}

// claims counts what is claimed after it was queued.
type claims struct {
	remedy.Ledger
	mu sync.Mutex
	n  int
}

func (c *claims) Claim(ctx context.Context, q remedy.Claim) (remedy.Move, error) {
	m, err := c.Ledger.Claim(ctx, q)
	if m.Open != nil {
		c.mu.Lock()
		c.n++
		c.mu.Unlock()
	}
	return m, err
}

// atOnce puts a journal before the rig's ledger that offers to its worker.
func (r *rig) atOnce(j engine.Journal) *atonce.Journal {
	a := atonce.New(j)
	a.Introduce(r.w)
	return a
}

func asked(action string) remedy.Remediation {
	return remedy.Remediation{Source: remedy.FromAPI, Actor: "ops", Target: action, Plan: plan(action), State: remedy.Queued, Priority: "medium", Severity: "warning"}
}

// commit queues the actions in one decision, as the engine would.
func (r *rig) commit(j engine.Journal, actions ...string) ([]int64, engine.Receipt, error) {
	d := &engine.Decision{At: r.clock()}
	for _, a := range actions {
		x := asked(a)
		x.Created = r.clock()
		d.Remediations = append(d.Remediations, x)
	}
	rc, err := j.Commit(context.Background(), d)
	if rc.Waits(len(actions)) {
		r.nudge()
	}
	return rc.Remediations, rc, err
}

// TestAttemptOpensWithItsDecision: when a place is free, the transaction that
// queues a remediation opens its attempt too; nothing is claimed a second time,
// the record tells it in order, and the worker goes on to the end.
func TestAttemptOpensWithItsDecision(t *testing.T) {
	inBubble(t, func(r *rig) {
		counted := &claims{Ledger: r.l}
		r.face = counted
		fix := r.acts.add("fix", remedy.Unsafe, nil)
		r.run()
		r.pass(time.Second)
		ids, rc, err := r.commit(r.atOnce(r.l), "fix")
		if err != nil {
			t.Fatal(err)
		}
		if m := rc.Claimed[0]; m.Open == nil || m.Next.ID != ids[0] || m.Next.State != remedy.Running {
			t.Fatalf("not claimed with its decision: %+v", rc)
		}
		r.pass(time.Minute)
		r.want(ids[0], remedy.Succeeded)
		if fix.ran() != 1 || counted.n != 0 {
			t.Errorf("%d acts and %d claims of their own, want 1 and 0", fix.ran(), counted.n)
		}
		if got, want := r.told(ids[0]), "attempt.start attempt.end verify.ok"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestOffersStayWithinTheWorkers: of many remediations in one decision as many
// are claimed with it as there are free workers; the others wait in the queue, and
// never do more act at one time than may.
func TestOffersStayWithinTheWorkers(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers, r.cfg.Storm.Subjects, r.cfg.KindLimit.Max = 2, 1000, 1000
		var all []string
		var acts []*act
		var mu sync.Mutex
		now, most := 0, 0
		for i := range 7 {
			name := fmt.Sprintf("fix%d", i)
			all = append(all, name)
			acts = append(acts, r.acts.add(name, remedy.Unsafe, func(context.Context, remedy.Request) (remedy.Result, error) {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				<-time.After(10 * time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return remedy.Result{OK: true}, nil
			}))
		}
		r.run()
		r.pass(time.Second)
		j := r.atOnce(r.l)
		ids, rc, err := r.commit(j, all[:6]...)
		if err != nil || len(rc.Claimed) != 2 {
			t.Fatalf("%d of 6 were claimed with their decision, want 2; %v", len(rc.Claimed), err)
		}
		r.pass(time.Second)
		more, rc, err := r.commit(j, all[6])
		if err != nil || len(rc.Claimed) != 0 {
			t.Fatalf("one overtook what waits: %+v %v", rc, err)
		}
		r.pass(10 * time.Minute)
		for i, id := range append(ids, more...) {
			r.want(id, remedy.Succeeded)
			if acts[i].ran() != 1 {
				t.Errorf("%s ran %d times", all[i], acts[i].ran())
			}
		}
		if most != 2 {
			t.Errorf("%d acted at one time, want 2", most)
		}
		if _, rc, err := r.commit(j, "fix0"); err != nil || len(rc.Claimed) != 1 {
			t.Errorf("the places did not come back: %+v %v", rc, err)
		}
		r.pass(time.Minute)
	})
}

// TestGatesHoldInTheDecision: two claims of one decision count each other, and
// what the gates hold is held in that very transaction.
func TestGatesHoldInTheDecision(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.KindLimit.Max = 1
		r.acts.add("a", remedy.Unsafe, nil)
		b := r.acts.add("b", remedy.Unsafe, nil)
		r.run()
		r.pass(time.Second)
		ids, rc, err := r.commit(r.atOnce(r.l), "a", "b")
		if err != nil || len(rc.Claimed) != 2 || rc.Claimed[0].Open == nil || rc.Claimed[1].Open != nil {
			t.Fatalf("%+v %v", rc.Claimed, err)
		}
		if x := r.want(ids[1], remedy.Held); x.Gate != remedy.GateLimits {
			t.Errorf("held by %q", x.Gate)
		}
		r.pass(30 * time.Minute)
		if b.ran() != 0 {
			t.Error("the limit did not hold")
		}
		r.pass(45 * time.Minute)
		r.want(ids[1], remedy.Succeeded)
	})
}

// TestOfferThatIsNotWrittenIsGivenBack: what the ledger refuses leaves no place
// taken; a conflict is written without the claim, an outage is told as it is.
func TestOfferThatIsNotWrittenIsGivenBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.Workers = 1
		fix := r.acts.add("fix", remedy.Unsafe, nil)
		r.run()
		r.pass(time.Second)
		s := &slow{Journal: r.l}
		j := r.atOnce(s)
		away := fault.New(fault.Unavailable, "the disk is away")
		s.fails = []error{away, fault.New(fault.Conflict, "it moved")}
		if _, _, err := r.commit(j, "fix"); !errors.Is(err, away) {
			t.Fatalf("%v, want the outage", err)
		}
		ids, rc, err := r.commit(j, "fix")
		if err != nil || len(rc.Claimed) != 0 {
			t.Fatalf("%+v %v, want it queued alone", rc, err)
		}
		r.pass(time.Minute)
		r.want(ids[0], remedy.Succeeded)
		if ids, rc, err = r.commit(j, "fix"); err != nil || len(rc.Claimed) != 1 {
			t.Fatalf("the place was not given back: %+v %v", rc, err)
		}
		r.pass(time.Minute)
		r.want(ids[0], remedy.Succeeded)
		if fix.ran() != 2 {
			t.Errorf("%d acts, want 2", fix.ran())
		}
	})
}

// TestSweepLeavesOffersAlone: an attempt that is on disk before its worker has
// heard of it is nobody's crash, however long the ledger takes to answer.
func TestSweepLeavesOffersAlone(t *testing.T) {
	inBubble(t, func(r *rig) {
		fix := r.acts.add("fix", remedy.Convergent, nil)
		r.run()
		r.pass(time.Second)
		ids, rc, err := r.commit(r.atOnce(&slow{Journal: r.l, late: 35 * time.Second}), "fix") // three sweeps
		if err != nil || rc.Claimed[0].Open == nil {
			t.Fatalf("%+v %v", rc, err)
		}
		r.pass(time.Minute)
		r.want(ids[0], remedy.Succeeded)
		if fix.ran() != 1 {
			t.Errorf("%d acts, want 1", fix.ran())
		}
		if got, want := r.told(ids[0]), "attempt.start attempt.end verify.ok"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestStopWaitsForOffers: an attempt that is opened while the worker stops is
// carried to its end before Run returns, and after that nothing is taken.
func TestStopWaitsForOffers(t *testing.T) {
	inBubble(t, func(r *rig) {
		fix := r.acts.add("fix", remedy.Unsafe, nil)
		r.run()
		r.pass(time.Second)
		j := r.atOnce(&slow{Journal: r.l, late: 3 * time.Second})
		var ids []int64
		written := make(chan error, 1)
		go func() {
			var err error
			ids, _, err = r.commit(j, "fix")
			written <- err
		}()
		synctest.Wait()
		r.halt()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		if fix.ran() != 1 {
			t.Errorf("%d acts, want 1", fix.ran())
		}
		if got := r.told(ids[0]); got != "attempt.start attempt.end" && got != "attempt.start attempt.end verify.ok" {
			t.Errorf("told %q", got)
		}
		if _, rc, err := r.commit(j, "fix"); err != nil || len(rc.Claimed) != 0 {
			t.Errorf("a worker that has stopped took one: %+v %v", rc, err)
		}
	})
}
