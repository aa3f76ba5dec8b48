package decide

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

// claimed opens an attempt in a calm scene.
func claimed(t *testing.T, s *scene) (remedy.Remediation, remedy.Attempt) {
	t.Helper()
	m := rules(t).Decide(s.r, s.h, Case{Request: remedy.Request{Action: "service"}, Facts: s.f, Epoch: 1, Now: s.now})
	if m.Open == nil || m.Next.State != remedy.Running {
		t.Fatalf("not claimed: %+v", m)
	}
	return m.Next, *m.Open
}

func verbs(rs []audit.Record) string {
	var vs []string
	for _, r := range rs {
		vs = append(vs, r.Verb)
	}
	return strings.Join(vs, " ")
}

func TestClaimOpensTheAttempt(t *testing.T) {
	s := calm()
	s.r.Attempt = 1
	s.f.Values = map[string]string{"value": "0.7"}
	s.h.Budget = remedy.Budget{Points: 50, At: s.now}
	m := rules(t).Decide(s.r, s.h, Case{Request: remedy.Request{Action: "service"}, Facts: s.f, Epoch: 3, Now: s.now})
	a := m.Open
	if a == nil || a.ID() != "3-17-2" || a.Request.Attempt != "3-17-2" || a.Request.Started != s.now || a.Kind != "service" || a.Class != remedy.Probed || a.Subject != "systemd:web.service" {
		t.Fatalf("%+v", a)
	}
	if a.Request.Values["value"] != "0.7" {
		t.Errorf("the act is told the values %v", a.Request.Values)
	}
	if m.Next.Try != 1 || m.Next.Attempt != 2 || m.Next.Started != s.now || m.Budget == nil || m.Budget.Points != 48 {
		t.Errorf("%+v %+v", m.Next, m.Budget)
	}
	if verbs(m.Audit) != "attempt.start" || m.Audit[0].Actor != "policy:web-slow" || m.Audit[0].Object != "attempt:3-17-2" {
		t.Errorf("%+v", m.Audit)
	}
	var ev struct {
		Gates     []given.Answered
		Condition map[string]float64
	}
	if err := json.Unmarshal(m.Audit[0].Evidence, &ev); err != nil || len(ev.Gates) != len(rules(t).Gates()) || ev.Condition["value"] != 0.7 {
		t.Errorf("evidence %s: %v", m.Audit[0].Evidence, err)
	}
	again := rules(t).Decide(s.r, s.h, Case{Request: remedy.Request{Action: "service"}, Facts: s.f, Epoch: 3, Now: s.now})
	if string(again.Audit[0].Evidence) != string(m.Audit[0].Evidence) {
		t.Error("the same case was decided twice, differently")
	}
}

// TestHoldsAreToldOnce: a hold is audited when it begins and when another gate
// takes over, not each time it is looked at.
func TestHoldsAreToldOnce(t *testing.T) {
	c, s := rules(t), calm()
	s.f.Window = "maintenance: backup"
	step := func() remedy.Move {
		m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now})
		s.r, s.now = m.Next, s.now.Add(time.Minute)
		return m
	}
	first := step()
	if s.r.State != remedy.Held || s.r.Gate != "window" || verbs(first.Audit) != "gate.hold" {
		t.Fatalf("%+v", first)
	}
	since := s.r.Since
	if m := step(); len(m.Audit) != 0 || s.r.Since != since {
		t.Errorf("told again: %v, since %v", m.Audit, s.r.Since)
	}
	m, err := remedy.Release(s.r, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.r = m.Next
	if m := step(); len(m.Audit) != 0 {
		t.Errorf("told again after a release: %v", m.Audit)
	}
	s.f.Window, s.f.Cause = "", "db-down"
	if m := step(); verbs(m.Audit) != "gate.hold" || s.r.Gate != "dependency" || s.r.Since == since {
		t.Errorf("another gate: %+v", m)
	}
	s.f.Cause = ""
	if m := step(); m.Open == nil || s.r.Gate != "" || !s.r.Until.IsZero() {
		t.Errorf("not admitted: %+v", m)
	}
}

// TestLadder walks a whole ladder to its end, and to the automatic retry.
func TestLadder(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Ladder[0].Tries = 2
	bad := remedy.Verification{Reason: "still slow"}
	for _, want := range []struct {
		rung, try int
		state     remedy.State
		told      string
	}{
		{0, 1, remedy.Queued, "verify.failed remediation.retry"},
		{1, 0, remedy.Queued, "verify.failed remediation.next_rung"},
		{0, 0, remedy.GaveUp, "verify.failed breaker.open remediation.gave_up"},
	} {
		r, a := claimed(t, s)
		m, err := c.Ended(r, a, remedy.Result{OK: true}, s.now.Add(time.Second), 0.5)
		if err != nil || m.Next.State != remedy.Verifying || m.Close == nil || !m.Close.Result.OK || m.Next.AttemptEnd != s.now.Add(time.Second) {
			t.Fatalf("%+v %v", m, err)
		}
		m, err = c.Verified(m.Next, s.h, bad, s.now.Add(time.Minute), 0.5)
		if err != nil || m.Next.State != want.state || m.Next.Rung != want.rung || m.Next.Try != want.try || verbs(m.Audit) != want.told {
			t.Fatalf("%s rung %d try %d, told %s, %v; want %+v", m.Next.State, m.Next.Rung, m.Next.Try, verbs(m.Audit), err, want)
		}
		s.r, s.h.Breaker, s.now = m.Next, *m.Breaker, s.now.Add(2*time.Minute)
	}
	if left, _ := s.r.Until.Sub(s.now); left != 59*time.Minute || s.r.GaveUps != 1 {
		t.Errorf("gave up until %s, %d times", left, s.r.GaveUps)
	}
	// The first rung alone had a wait, which is half of its 2 s by the jitter given.
}

// TestWhatNobodyAsksAnyMoreIsNoSuccess: an act whose policy went away while it was
// verified is neither a success nor a failure. It is cancelled, and the breaker of
// its subject stays as it was.
func TestWhatNobodyAsksAnyMoreIsNoSuccess(t *testing.T) {
	c, s := rules(t), calm()
	s.h.Breaker = remedy.Breaker{Failures: 2, Opened: 1}
	r, a := claimed(t, s)
	m, err := c.Ended(r, a, remedy.Result{OK: true}, s.now, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err = c.Verified(m.Next, s.h, remedy.Verification{Unasked: true, Reason: "the policy is gone"}, s.now, 0)
	if err != nil || m.Next.State != remedy.Cancelled || m.Next.Reason != "the policy is gone" || m.Next.Finished != s.now {
		t.Errorf("%+v %v", m.Next, err)
	}
	if m.Breaker != nil || verbs(m.Audit) != "verify.unasked" {
		t.Errorf("breaker %+v, told %s", m.Breaker, verbs(m.Audit))
	}
}

// TestBar_GivesUpAndRetries: giving up is never for ever; while the condition
// holds it is tried again after 1 h, 2 h, ... 24 h, and a cleared one ends.
func TestBar_GivesUpAndRetries(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Ladder = s.r.Plan.Ladder[:1]
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 24, 24} {
		r, a := claimed(t, s)
		m, err := c.Ended(r, a, remedy.Result{Error: "exit 1"}, s.now, 0)
		if err != nil || m.Next.State != remedy.GaveUp || verbs(m.Audit) != "attempt.end remediation.gave_up" {
			t.Fatalf("%+v %v", m.Next, err)
		}
		if left, _ := m.Next.Until.Sub(s.now); left != want*time.Hour {
			t.Errorf("round %d: tried again after %s, want %d h", i, left, want)
		}
		s.r, s.now = m.Next, m.Next.Until
	}
	unknown, gone := s.f, s.f
	unknown.Holds, gone.Holds = 0, -1
	if m := c.Decide(s.r, s.h, Case{Facts: unknown, Now: s.now}); m.Next.State != remedy.GaveUp || m.Next.Until != s.now.Add(time.Minute) || m.Next.Reason != s.r.Reason {
		t.Errorf("unknown: %+v", m.Next)
	}
	if m := c.Decide(s.r, s.h, Case{Facts: gone, Now: s.now}); m.Next.State != remedy.Failed || !m.Next.Until.IsZero() {
		t.Errorf("gone: %+v", m.Next)
	}
	m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now})
	if m.Open == nil || verbs(m.Audit) != "remediation.wake attempt.start" {
		t.Fatalf("not tried again: %+v", m)
	}
	done, _ := c.Ended(m.Next, *m.Open, remedy.Result{OK: true}, s.now, 0)
	ok, err := c.Verified(done.Next, s.h, remedy.Verification{OK: true}, s.now, 0)
	if err != nil || ok.Next.State != remedy.Succeeded || ok.Next.GaveUps != 0 {
		t.Errorf("%+v %v", ok.Next, err)
	}
}

// TestBar_BackoffResets: what fails again and again waits longer and longer,
// and after a quiet time the wait begins anew; both between the tries of one
// remediation and between remediations that follow each other on a subject.
func TestBar_BackoffResets(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Ladder[0].Tries = 100
	fail := func() time.Duration {
		r, a := claimed(t, s)
		m, err := c.Ended(r, a, remedy.Result{Error: "exit 1"}, s.now, 0.999999999)
		if err != nil || m.Next.State != remedy.Queued {
			t.Fatalf("%+v %v", m.Next, err)
		}
		left, _ := m.Next.Until.Sub(s.now)
		s.r, s.now = m.Next, m.Next.Until
		return left.Round(time.Second)
	}
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		if got := fail(); got != want*time.Second {
			t.Errorf("try %d waits %s, want %d s", i+1, got, want)
		}
	}
	s.now = s.now.Add(11 * time.Minute) // held by something else meanwhile
	if got := fail(); got != 2*time.Second {
		t.Errorf("after a quiet time it waits %s, want 2s", got)
	}

	s = calm()
	s.r.Plan.Backoff, s.r.Plan.Cooldown = &remedy.Backoff{}, dur(0)
	s.r.Plan.Limit = &remedy.Limit{Max: 1000, Per: *dur(time.Hour)}
	var starts []clock.Stamp
	next := func() time.Duration { // the time a new remediation is held, then carried out
		s.h.BySubject, s.h.LastEndBy = starts, s.r.ID-1
		if len(starts) > 0 {
			s.h.LastEnd = s.now
		}
		v := s.ask(t)
		left := time.Duration(0)
		if v.Answer == remedy.Hold {
			left, _ = v.Until.Sub(s.now)
		}
		s.now = s.now.Add(left)
		starts, s.r.ID = append(starts, s.now), s.r.ID+1
		return left
	}
	for i, want := range []time.Duration{0, 2, 4, 8, 16, 32, 64, 128, 256, 300} {
		if got := next(); got != want*time.Second {
			t.Errorf("restart %d is held for %s, want %d s", i+1, got, want)
		}
	}
	s.now = s.now.Add(11 * time.Minute)
	if got := next(); got != 0 {
		t.Errorf("after a quiet time it is held for %s", got)
	}
}

// TestBar_ActsOnlyIfConditionStillHolds: in every state that can be claimed, a
// condition that is false or not known opens no attempt.
func TestBar_ActsOnlyIfConditionStillHolds(t *testing.T) {
	c := rules(t)
	for _, st := range []remedy.State{remedy.Queued, remedy.Held, remedy.GaveUp} {
		for _, holds := range []int8{-1, 0, 1} {
			s := calm()
			s.r.State, s.f.Holds = st, holds
			m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now})
			if (m.Open != nil) != (holds == 1) || holds == -1 && !m.Next.State.Final() {
				t.Errorf("%s, holds %d: %+v", st, holds, m.Next)
			}
			if holds == -1 && (m.Next.Gate != "recheck" || verbs(m.Audit) != "remediation.cleared") {
				t.Errorf("%s: told %s", st, verbs(m.Audit))
			}
		}
	}
}

// TestBar_HumanStopRespected: hands-off, pause and a person's cancel stop what
// waits, on every way by which it could act.
func TestBar_HumanStopRespected(t *testing.T) {
	c := rules(t)
	for _, src := range []remedy.Source{remedy.FromPolicy, remedy.FromAPI, remedy.FromReconcile} {
		for _, st := range []remedy.State{remedy.Queued, remedy.Held, remedy.GaveUp} {
			for name, stop := range map[string]func(*scene){
				"hands-off": func(s *scene) { s.f.HandsOff, s.f.HandsOffUntil = "ann: mine", s.now.Add(time.Hour) },
				"pause":     func(s *scene) { s.f.Paused = "ann: stop" },
				"window":    func(s *scene) { s.f.Window = "silence: ann" },
			} {
				s := calm()
				s.r.Source, s.r.State = src, st
				stop(s)
				if m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now}); m.Open != nil || m.Next.State != remedy.Held {
					t.Errorf("%s %s in spite of %s: %+v", src, st, name, m.Next)
				}
			}
		}
	}
	s := calm()
	r, a := claimed(t, s)
	m, err := remedy.Cancel(r, "token:ann", "stop", s.now)
	if err != nil || m.Next.State != remedy.Cancelled {
		t.Fatal(err)
	}
	for _, res := range []remedy.Result{{OK: true}, {Error: "killed"}, {Unseen: true}} {
		end, err := c.Ended(m.Next, a, res, s.now, 0)
		if err != nil || end.Next.State != remedy.Cancelled || end.Close == nil {
			t.Errorf("the end of a cancelled act: %+v %v", end.Next, err)
		}
	}
}

// TestBar_NotAllAtOnce: with twenty subjects failing together, five are acted
// on, then everything is held, and at no time are more than five touched within
// the brake's time.
func TestBar_NotAllAtOnce(t *testing.T) {
	c := rules(t)
	now, acted := moment(0), 0
	var ts []remedy.Touched
	var storm clock.Stamp
	waiting := map[string]clock.Stamp{}
	for i := range 20 {
		waiting["unit-"+string(rune('a'+i))] = now
	}
	for range 3600 {
		for name, at := range waiting {
			if !now.Reached(at) {
				continue
			}
			s := calm()
			s.now, s.f.Spec.Subject, s.h.Subjects, s.h.Storm = now, name, ts, storm
			m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: now})
			if m.Storm != nil {
				storm = *m.Storm
			}
			if m.Open == nil {
				waiting[name] = m.Next.Until
				continue
			}
			acted++
			ts = append(ts, remedy.Touched{Subject: name, At: now})
			delete(waiting, name)
			if n := others(ts, "", now, 2*time.Minute); n > 5 {
				t.Fatalf("%d subjects within two minutes", n)
			}
		}
		if acted > 5 && storm.IsZero() {
			t.Fatal("no brake")
		}
		now = now.Add(time.Second)
	}
	if acted != 20 {
		t.Errorf("%d of 20 were acted on within the hour: something was held for ever", acted)
	}
}

// TestBar_LimitOnEveryPath: whoever asks, and on whatever way a remediation
// comes to its turn, the limits are asked.
func TestBar_LimitOnEveryPath(t *testing.T) {
	c := rules(t)
	full := func(s *scene) { s.h.BySubject = s.ago(4*time.Minute, 3*time.Minute, 2*time.Minute, 90*time.Second) }
	for _, src := range []remedy.Source{remedy.FromPolicy, remedy.FromAPI, remedy.FromReconcile} {
		ways := map[string]func(*scene) (remedy.Move, error){
			"new":      func(s *scene) (remedy.Move, error) { return remedy.Move{Next: s.r}, nil },
			"gave up":  func(s *scene) (remedy.Move, error) { s.r.State = remedy.GaveUp; return remedy.Move{Next: s.r}, nil },
			"asked":    func(s *scene) (remedy.Move, error) { s.r.State = remedy.Failed; return remedy.Retry(s.r, "ann", s.now) },
			"approved": func(s *scene) (remedy.Move, error) { s.r.Approval = true; return remedy.Approve(s.r, "ann", s.now) },
			"released": func(s *scene) (remedy.Move, error) { s.r.State = remedy.Held; return remedy.Release(s.r, s.now) },
			"next rung": func(s *scene) (remedy.Move, error) {
				r, a := claimed(t, s)
				return c.Ended(r, a, remedy.Result{}, s.now, 0)
			},
			"next try": func(s *scene) (remedy.Move, error) {
				s.r.Plan.Ladder[0].Tries = 2
				r, a := claimed(t, s)
				return c.Ended(r, a, remedy.Result{}, s.now, 0)
			},
			"repeated": func(s *scene) (remedy.Move, error) {
				r, a := claimed(t, s)
				a.Class = remedy.Convergent
				return c.Recovered(r, a, remedy.NotSeen, s.now)
			},
			"orphaned": func(s *scene) (remedy.Move, error) { r, _ := claimed(t, s); return c.Orphaned(r, s.now) },
			"could not start": func(s *scene) (remedy.Move, error) {
				return c.NotStarted(s.r, nil, "no such file", s.now, 0)
			},
		}
		for name, way := range ways {
			s := calm()
			s.r.Source = src
			m, err := way(s)
			if err != nil {
				t.Fatalf("%s %s: %v", src, name, err)
			}
			s.r = m.Next
			full(s)
			if m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now}); m.Open != nil || m.Verdict.Gate != "limits" {
				t.Errorf("%s %s: %+v", src, name, m.Verdict)
			}
		}
	}
}

// TestBar_StartFailureIsTold: an action that could not be started is audited,
// counts as a try, and ends loudly; before and after the claim.
func TestBar_StartFailureIsTold(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Ladder = s.r.Plan.Ladder[:1]
	m, err := c.NotStarted(s.r, nil, "no such file", s.now, 0)
	if err != nil || m.Next.State != remedy.GaveUp || m.Next.Until.IsZero() || m.Next.Error != "no such file" || verbs(m.Audit) != "attempt.start_failed remediation.gave_up" {
		t.Errorf("%+v %v %s", m.Next, err, verbs(m.Audit))
	}
	r, a := claimed(t, s)
	m, err = c.NotStarted(r, &a, "fork: too many", s.now, 0)
	if err != nil || m.Close == nil || m.Next.State != remedy.GaveUp || verbs(m.Audit) != "attempt.start_failed remediation.gave_up" || m.Audit[0].Object != "attempt:1-17-1" {
		t.Errorf("%+v %v %s", m.Next, err, verbs(m.Audit))
	}
	if m, err = c.Reject(s.r, "there is no label x", s.now); err != nil || m.Next.State != remedy.Refused || verbs(m.Audit) != "gate.refuse" {
		t.Errorf("%+v %v", m.Next, err)
	}
}

// TestRecovered: what becomes of an act whose end nobody saw, by class and by
// what a probe said. An unsafe one is queued again only if it had not begun.
func TestRecovered(t *testing.T) {
	for _, tc := range []struct {
		class remedy.Class
		seen  remedy.Sight
		want  remedy.State
	}{
		{remedy.Convergent, remedy.NotSeen, remedy.Queued},
		{remedy.Probed, remedy.NotSeen, remedy.Indeterminate},
		{remedy.Probed, remedy.SeenDone, remedy.Verifying},
		{remedy.Probed, remedy.SeenNotDone, remedy.Queued},
		{remedy.Unsafe, remedy.NotSeen, remedy.Indeterminate},
		{remedy.Unsafe, remedy.SeenNotDone, remedy.Queued},
	} {
		s := calm()
		r, a := claimed(t, s)
		a.Class = tc.class
		m, err := rules(t).Recovered(r, a, tc.seen, s.now)
		if err != nil || m.Next.State != tc.want || m.Close == nil || !m.Close.Result.Unseen || len(m.Audit) == 0 {
			t.Errorf("%+v: %s %v", tc, m.Next.State, err)
		}
		if tc.want == remedy.Queued && m.Next.Try != 0 {
			t.Errorf("%+v: the lost try counts", tc)
		}
		if tc.want != remedy.Indeterminate {
			continue
		}
		c := rules(t)
		if early := c.Decide(m.Next, s.h, Case{Now: s.now.Add(23 * time.Hour)}); early.Next.State != remedy.Indeterminate {
			t.Errorf("after 23 h: %s", early.Next.State)
		}
		if late := c.Decide(m.Next, s.h, Case{Now: s.now.Add(24 * time.Hour)}); late.Next.State != remedy.GaveUp || late.Next.Until.IsZero() {
			t.Errorf("after 24 h: %+v", late.Next)
		}
		if _, err := remedy.Resolve(m.Next, "ann", true, "", s.now); err != nil {
			t.Error(err)
		}
	}
	s := calm()
	r, a := claimed(t, s)
	a.Class = remedy.Unsafe
	if m, err := rules(t).Ended(r, a, remedy.Result{Unseen: true}, s.now, 0); err != nil || m.Next.State != remedy.Indeterminate {
		t.Errorf("an unsafe act of unseen end: %+v %v", m.Next, err)
	}
}

func TestBreaker(t *testing.T) {
	c, b, now := rules(t), remedy.Breaker{}, moment(0)
	for i, want := range []time.Duration{0, 0, 15, 30, 60, 120, 240, 360, 360} {
		b = c.tripped(b, now)
		left, _ := b.Until.Sub(now)
		if b.Until.IsZero() {
			left = 0
		}
		if left != want*time.Minute {
			t.Errorf("failure %d opens it for %s, want %d min", i+1, left, want)
		}
	}
	s := calm()
	r, a := claimed(t, s)
	m, _ := c.Ended(r, a, remedy.Result{OK: true}, now, 0)
	ok, err := c.Verified(m.Next, remedy.History{Breaker: b}, remedy.Verification{OK: true}, now, 0)
	if err != nil || ok.Breaker == nil || *ok.Breaker != (remedy.Breaker{}) || verbs(ok.Audit) != "verify.ok breaker.close" {
		t.Errorf("a success leaves %+v, %v", ok.Breaker, err)
	}
	if _, err := c.Verified(r, remedy.History{}, remedy.Verification{OK: true}, now, 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("verified while running: %v", err)
	}
}

// TestWhatEndsAgainIsTriedAtTheLaddersPace: it backs off try by try, as what ended
// before it was ready; the breaker counts all tries of a rung as one act that did
// not help, and then the ladder goes on.
func TestWhatEndsAgainIsTriedAtTheLaddersPace(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Ladder[0].Tries = 3
	s.h.Breaker = remedy.Breaker{Failures: 1}
	fell := remedy.Verification{Fell: true, Reason: "process web exited with 7, 3ms after its start"}
	var waits []time.Duration
	for try := 1; try <= 3; try++ {
		r, a := claimed(t, s)
		m, _ := c.Ended(r, a, remedy.Result{OK: true}, s.now, 0)
		m, err := c.Verified(m.Next, s.h, fell, s.now, 0.999999)
		if err != nil || m.Next.Error != fell.Reason {
			t.Fatalf("try %d: %+v %v", try, m.Next, err)
		}
		if try < 3 {
			if m.Breaker != nil || m.Next.State != remedy.Queued || verbs(m.Audit) != "verify.failed remediation.retry" {
				t.Errorf("try %d: breaker %+v, %s, told %s", try, m.Breaker, m.Next.State, verbs(m.Audit))
			}
			wait, _ := m.Next.Until.Sub(s.now)
			waits = append(waits, wait.Round(time.Second))
		} else if m.Breaker == nil || m.Breaker.Failures != 2 || m.Next.Rung != 1 || verbs(m.Audit) != "verify.failed remediation.next_rung" {
			t.Errorf("try %d: breaker %+v, rung %d, told %s", try, m.Breaker, m.Next.Rung, verbs(m.Audit))
		}
		s.r = m.Next
		if try < 3 {
			s.now = m.Next.Until
		}
	}
	if !slices.Equal(waits, []time.Duration{2 * time.Second, 4 * time.Second}) {
		t.Errorf("waited %v", waits)
	}
}

// TestBar_SilenceDoesNotReturn: once a silence is lifted, the remediation goes
// on, and the fact that it had been held holds nothing.
func TestBar_SilenceDoesNotReturn(t *testing.T) {
	c, s := rules(t), calm()
	s.f.Window, s.f.WindowUntil = "silence: ann", s.now.Add(10*time.Hour)
	s.r = c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now}).Next
	if left, _ := s.r.Until.Sub(s.now); s.r.State != remedy.Held || left != time.Minute {
		t.Fatalf("held until %s: a lifted silence must be noticed", left)
	}
	s.f.Window, s.f.WindowUntil = "", clock.Stamp{}
	for i := range 3 {
		s.now = s.now.Add(time.Minute)
		if m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now}); m.Open == nil {
			t.Errorf("look %d: %+v", i, m.Verdict)
		}
	}
}

// TestApprovalIsForOneRound: a yes covers the ladder it was given for, not the
// automatic retry an hour or a day later.
func TestApprovalIsForOneRound(t *testing.T) {
	c, s := rules(t), calm()
	s.r.Plan.Mode, s.r.Plan.Ladder = "suggest", s.r.Plan.Ladder[:1]
	s.r = c.Decide(s.r, s.h, Case{Facts: s.f, Now: s.now}).Next
	if left, _ := s.r.ApproveBy.Sub(s.now); s.r.State != remedy.Held || left != time.Hour {
		t.Fatalf("%+v", s.r)
	}
	yes, err := remedy.Approve(s.r, "token:ann", s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.r = yes.Next
	r, a := claimed(t, s)
	m, err := c.Ended(r, a, remedy.Result{Error: "exit 1"}, s.now, 0)
	if err != nil || m.Next.State != remedy.GaveUp {
		t.Fatalf("%+v %v", m.Next, err)
	}
	s.now = m.Next.Until
	if m := c.Decide(m.Next, s.h, Case{Facts: s.f, Now: s.now}); m.Open != nil || m.Next.Gate != "mode" || m.Next.ApproveBy != s.now.Add(time.Hour) {
		t.Errorf("acted again on an old approval: %+v", m.Next)
	}
	late := yes.Next // nobody says yes in time
	late.ApprovedBy, late.State, late.Gate = "", remedy.Held, "mode"
	if m := c.Decide(late, s.h, Case{Facts: s.f, Now: late.ApproveBy}); m.Next.State != remedy.Refused {
		t.Errorf("%+v", m.Next)
	}
}

// TestDirectActionFails: nobody waits for a retry of what a person asked for.
func TestDirectActionFails(t *testing.T) {
	s := calm()
	s.r.Source, s.r.Policy, s.r.Plan.Ladder = remedy.FromAPI, "", s.r.Plan.Ladder[:1]
	r, a := claimed(t, s)
	m, err := rules(t).Ended(r, a, remedy.Result{Error: "exit 3"}, s.now, 0)
	if err != nil || m.Next.State != remedy.Failed || !m.Next.Until.IsZero() || m.Next.Error != "exit 3" {
		t.Errorf("%+v %v", m.Next, err)
	}
}

// TestUntaken: what waits for others has its time from when it was first looked at,
// and a clock that jumps, or a reboot, lets none of it go early.
func TestUntaken(t *testing.T) {
	c, now := rules(t), moment(0)
	fresh := remedy.Remediation{ID: 9, Source: remedy.FromExternal, State: remedy.Queued, Plan: remedy.Plan{External: true, Ladder: []remedy.Rung{{Action: "theirs", Tries: 5}}}}
	began, err := c.Untaken(fresh, remedy.Facts{}, now)
	if err != nil || began.Next.State != remedy.Queued || began.Next.Until != now.Add(24*time.Hour) || len(began.Audit) != 0 {
		t.Fatalf("%+v %v", began, err)
	}
	booted := clock.Stamp{Wall: now.Wall + 10*year.Microseconds(), Boot: int64(time.Minute), BootID: "b"}
	for name, tc := range map[string]struct {
		at   clock.Stamp
		left time.Duration
	}{
		"just before":                    {now.Add(24*time.Hour - time.Second), time.Second},
		"the clock was set":              {clock.Stamp{Wall: now.Wall + year.Microseconds(), Boot: now.Boot, BootID: now.BootID}, 24 * time.Hour},
		"another boot, years ahead":      {booted, 24*time.Hour - time.Minute},
		"its time":                       {now.Add(24 * time.Hour), 0},
		"a day after the clock was lost": {booted.Add(24 * time.Hour), 0},
	} {
		m, err := c.Untaken(began.Next, remedy.Facts{}, tc.at)
		if tc.left > 0 {
			if err != nil || m.Next.State != remedy.Queued || m.Next.Until != tc.at.Add(tc.left) || len(m.Audit) != 0 {
				t.Errorf("%s: %+v %v", name, m, err)
			}
			continue
		}
		if err != nil || m.Next.State != remedy.Failed || m.Next.Error == "" || verbs(m.Audit) != "remediation.failed" {
			t.Errorf("%s: %+v %v", name, m, err)
		}
	}
	if _, err := c.Untaken(remedy.Remediation{State: remedy.Cancelled, Until: now, Plan: fresh.Plan}, remedy.Facts{}, now); err == nil {
		t.Error("one that is over has failed")
	}
	// A success that did not help gives it back: its time is not that of a backoff.
	back := fresh
	back.State, back.Try = remedy.Verifying, 1
	m, err := c.Verified(back, remedy.History{}, remedy.Verification{Reason: "no"}, now, 0.5)
	if err != nil || m.Next.State != remedy.Queued || !m.Next.Until.IsZero() {
		t.Errorf("%+v %v", m.Next, err)
	}
}
