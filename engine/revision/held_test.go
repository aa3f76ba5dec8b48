package revision_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// paused stops every act of the rig; the returned function lets them go on.
func (r *rig) paused() (release func()) {
	r.t.Helper()
	now := clock.System()
	h := must[engine.Hold](r.t)(r.engine.PutHold(r.t.Context(), "ada", engine.Hold{Kind: engine.HoldPause, Reason: "moving the racks", Until: now().Add(time.Hour)}))
	return func() {
		r.t.Helper()
		if err := r.engine.ReleaseHold(r.t.Context(), "ada", h.ID); err != nil {
			r.t.Fatal(err)
		}
	}
}

// held lands a revision while everything is paused, and returns when a gate holds
// its first step.
func (r *rig) held(id string, docs ...string) int64 {
	r.t.Helper()
	n, err := r.Land(r.t.Context(), engine.Revision{Commit: r.commit(id, docs...)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.until("a gate holds its step", func() bool {
		s, err := r.ledger.Desired(r.t.Context())
		return err == nil && slices.ContainsFunc(s.Active, func(rem remedy.Remediation) bool {
			return rem.State == remedy.Held && strings.HasPrefix(rem.Labels["commit"], id)
		})
	})
	return n
}

// TestRevision_AHeldOneIsReplaced: steps that a gate holds are taken back when a
// newer revision comes, and when vigild starts anew: nothing of them is ever done.
func TestRevision_AHeldOneIsReplaced(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	release := r.paused()
	older := r.held("a1", r.file("older", "x\n"))
	r.held("a2", r.file("a", "two\n"))
	if err := r.Await(t.Context(), older, func(string) {}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Fatalf("the older one: %v", err)
	}
	r.stop()
	<-r.start().Ready()
	s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context()))
	for _, rem := range s.Active {
		if len(rem.Labels["commit"]) < 2 || rem.Labels["commit"][:2] != "a2" {
			t.Errorf("a step of another revision is under way: %+v", rem.Labels)
		}
	}
	if len(s.Active) > 1 {
		t.Errorf("%d steps are under way for one file: that of the run before was not taken back", len(s.Active))
	}
	release()
	r.until("it is good", func() bool { return r.State().State == engine.RevisionGood })
	if got := w.taken(); !slices.Equal(got, []string{"a"}) || r.is("a") != "two\n" || r.is("older") != "-" {
		t.Errorf("done: %q", got)
	}
}

// TestRevision_ANewStartWithdrawsWhatWaited: steps that were queued and not begun when
// vigild ended are over when the next one is ready, and so are their ways back: it
// looks again at what is to be done.
func TestRevision_ANewStartWithdrawsWhatWaited(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	release := r.paused()
	r.held("a1", r.file("a", "one\n"))
	before := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context()))
	if len(before.Active) != 1 || len(before.Undo) != 1 {
		t.Fatalf("%+v", before)
	}
	r.stop()
	<-r.start().Ready()
	if rem := must[remedy.Remediation](t)(r.ledger.Remediation(t.Context(), before.Active[0].ID)); rem.State != remedy.Cancelled {
		t.Errorf("what the run before queued is %s", rem.State)
	}
	for _, u := range must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())).Undo {
		if u.N == before.Undo[0].N {
			t.Errorf("its way back is kept: %+v", u)
		}
	}
	release()
	r.until("it is good", func() bool { return r.State().State == engine.RevisionGood })
	if got := w.taken(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("done: %q", got)
	}
}

// TestRevision_SuspendWhileItIsHeld: a person who wants a thing left alone while its
// step waits gets that, and the revision is good without it.
func TestRevision_SuspendWhileItIsHeld(t *testing.T) {
	r := newRig(t).start()
	release := r.paused()
	n := r.held("a1", r.file("a", "one\n"))
	if _, err := r.Suspend(t.Context(), "ada", "File/a", "digging", time.Hour); err != nil {
		t.Fatal(err)
	}
	release()
	if err := r.Await(t.Context(), n, func(string) {}); err != nil || r.is("a") != "-" {
		t.Errorf("%v, a=%q", err, r.is("a"))
	}
	if s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())); len(s.Undo)+len(s.Active) > 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// TestRevision_ALeftStepIsNotTakenBack: what somebody does with a thing that they
// suspended stays, though the revision fails afterwards.
func TestRevision_ALeftStepIsNotTakenBack(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	w.fail("b")
	r.write("a", "before\n")
	release := r.paused()
	n := r.held("a1", r.file("a", "one\n"), r.file("b", "one\n", "  dependsOn: [File/a]"))
	if _, err := r.Suspend(t.Context(), "ada", "File/a", "digging", time.Hour); err != nil {
		t.Fatal(err)
	}
	r.write("a", "by hand\n")
	release()
	if err := r.Await(t.Context(), n, func(string) {}); err == nil || !strings.Contains(err.Error(), "File/b") || r.is("a") != "by hand\n" {
		t.Errorf("%v, a=%q", err, r.is("a"))
	}
}

// TestHeal_ThatIsSuspendedIsNoAttempt: a heal that waits is dropped when its thing is
// suspended, and counts neither as a heal nor as a failure.
func TestHeal_ThatIsSuspendedIsNoAttempt(t *testing.T) {
	r := newRig(t).start()
	r.good("a1", r.file("a", "one\n"))
	release := r.paused()
	r.touch("a", "by hand\n")
	r.until("a gate holds the heal", func() bool {
		s, err := r.ledger.Desired(t.Context())
		return err == nil && len(s.Active) == 1 && s.Active[0].State == remedy.Held
	})
	s, err := r.Suspend(t.Context(), "ada", "File/a", "digging", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	release()
	r.until("it is dropped", func() bool { return r.Stats().Open == 0 })
	if s := r.Stats(); s.HealFailures > 0 || s.Heals > 0 || r.Drift()[0].Heals > 0 || r.is("a") != "by hand\n" {
		t.Errorf("%+v %+v", s, r.Drift())
	}
	if err := r.Unsuspend(t.Context(), "ada", s.ID, "done"); err != nil {
		t.Fatal(err)
	}
	r.until("it is healed", func() bool { return r.is("a") == "one\n" })
}

// TestRevision_AStopLeavesNobodyWaiting: who asks for something while vigild stops
// is told so, and does not wait for an answer that never comes.
func TestRevision_AStopLeavesNobodyWaiting(t *testing.T) {
	r := newRig(t).start()
	<-r.Ready()
	busy, asked, told := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go r.Ask(t.Context(), func() error { // the keeper is at work while vigild stops
		close(busy)
		<-asked
		go r.stop()
		<-time.After(100 * time.Millisecond)
		return nil
	})
	<-busy
	go func() {
		told <- r.Ask(waits{t.Context(), sync.OnceFunc(func() { close(asked) })}, func() error { return nil })
	}()
	select {
	case err := <-told:
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it still waits")
	}
}

// TestRevision_WhatWasGivenUpIsNotDone: who is told that nobody had time for it finds
// that it was not done later either; what had begun is answered for.
func TestRevision_WhatWasGivenUpIsNotDone(t *testing.T) {
	r := newRig(t).start()
	<-r.Ready()
	begun, over := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		first <- r.Ask(ctx, func() error { close(begun); <-over; return fault.New(fault.Conflict, "so it ended") })
	}()
	<-begun
	stop()
	done := false
	if err := r.Ask(ctx, func() error { done = true; return nil }); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("nobody had time for it: %v", err)
	}
	close(over)
	if err := <-first; fault.KindOf(err) != fault.Conflict {
		t.Errorf("what had begun: %v", err)
	}
	if err := r.Ask(t.Context(), func() error { return nil }); err != nil || done {
		t.Errorf("what was given up was done all the same (%v), %v", done, err)
	}
}

// waits tells when somebody begins to wait for the end of a context.
type waits struct {
	context.Context
	begun func()
}

func (w waits) Done() <-chan struct{} {
	w.begun()
	return w.Context.Done()
}

// TestRevision_SaysWhatItWaitsFor: whoever follows a revision is told once which gate
// holds its step, and why.
func TestRevision_SaysWhatItWaitsFor(t *testing.T) {
	r := newRig(t).start()
	r.paused()
	n := r.held("a1", r.file("a", "one\n"))
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	said := ""
	_ = r.Await(ctx, n, func(l string) {
		if strings.HasPrefix(l, "waiting: ") {
			said = l
			stop()
		}
	})
	if !strings.Contains(said, "moving the racks") {
		t.Errorf("said %q", said)
	}
}

// TestRevision_ATakingBackThatTheMachineCutsShortGoesOn: a step back that fails while the
// machine goes down is not crossed off: the next start takes it back, and so does this
// one when the machine stays up after all.
func TestRevision_ATakingBackThatTheMachineCutsShortGoesOn(t *testing.T) {
	for _, stays := range []bool{false, true} {
		r := newRig(t)
		w := r.watchActs()
		r.start()
		r.good("a1", r.file("a", "one\n"))
		w.mu.Lock()
		w.bad["b"] = true
		w.meanwhile["b"] = func() { // a is written by then, and is to be taken back
			r.write("b", "half")
			w.fail("a")
		}
		w.meanwhile["a"] = func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.bad["a"] {
				r.leaving.Store(true)
			}
		}
		w.mu.Unlock()
		n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit("a2", r.file("a", "two\n"), r.file("b", "two\n", "  dependsOn: [File/a]"))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		_ = r.Await(ctx, n, func(l string) {
			if strings.Contains(l, "going down") {
				stop()
			}
		})
		if s := must[*engine.DesiredSnapshot](t)(r.ledger.Desired(t.Context())); r.State().State != engine.RevisionUndoing || len(s.Undo) != 1 || s.Undo[0].Ref != "File/a" {
			t.Fatalf("%+v, the journal has %+v", r.State(), s.Undo)
		}
		if !stays {
			r.stop()
		}
		w.mu.Lock()
		delete(w.bad, "a")
		w.mu.Unlock()
		r.leaving.Store(false)
		if !stays {
			r.start()
		}
		r.until("it is taken back", func() bool { return r.State().State == engine.RevisionBad })
		if s := r.State(); r.is("a") != "one\n" || strings.Contains(s.Why, "write "+r.path("a")) || stays && !strings.Contains(s.Why, "not taken back: write "+r.path("b")) {
			t.Errorf("a=%q, %+v", r.is("a"), s)
		}
		r.stop()
	}
}

// TestRevision_AMachineThatGoesDownIsNotToBlame: what fails while the machine goes down
// leaves the revision to the next start, which goes on with it; and when it does not
// go down after all, the revision has failed.
func TestRevision_AMachineThatGoesDownIsNotToBlame(t *testing.T) {
	r := newRig(t)
	w := r.watchActs()
	r.start()
	r.good("a1", r.file("a", "one\n"))
	w.fail("b")
	r.leaving.Store(true)
	lands := func(id string) int64 {
		n, err := r.Land(t.Context(), engine.Revision{Commit: r.commit(id, r.file("a", "two\n"), r.file("b", "two\n", "  dependsOn: [File/a]"))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		told := false
		_ = r.Await(ctx, n, func(l string) {
			if strings.Contains(l, "going down") {
				told = true
				stop()
			}
		})
		if s := r.State(); !told || s.State != engine.RevisionApplying {
			t.Fatalf("%s: told %v, %+v", id, told, s)
		}
		return n
	}
	lands("a2")
	r.stop()
	w.mu.Lock()
	delete(w.bad, "b")
	w.mu.Unlock()
	r.leaving.Store(false)
	r.start()
	r.until("the next start goes on", func() bool { return r.State().State == engine.RevisionGood && r.is("b") == "two\n" })

	w.fail("b")
	r.write("b", "by hand\n")
	r.leaving.Store(true)
	n := lands("a3")
	r.leaving.Store(false)
	if err := r.Await(t.Context(), n, func(string) {}); err == nil || r.State().State != engine.RevisionBad {
		t.Errorf("%v, %+v", err, r.State())
	}
}
