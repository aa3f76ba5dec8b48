package remedy

import (
	"testing"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
)

func TestPersonsVerbs(t *testing.T) {
	now := moment(0)
	cancel := func(r Remediation) (Move, error) { return Cancel(r, "token:ann", "not now", now) }
	retry := func(r Remediation) (Move, error) { return Retry(r, "token:ann", now) }
	approve := func(r Remediation) (Move, error) { r.Approval = true; return Approve(r, "token:ann", now) }
	done := func(r Remediation) (Move, error) { return Resolve(r, "token:ann", true, "I looked", now) }
	failed := func(r Remediation) (Move, error) { return Resolve(r, "token:ann", false, "I looked", now) }
	withdraw := func(r Remediation) (Move, error) { return Withdraw(r, "it cleared", now) }
	release := func(r Remediation) (Move, error) { return Release(r, now) }
	verbs := []struct {
		name string
		do   func(Remediation) (Move, error)
		ok   map[State]State
		mute bool
	}{
		{"cancel", cancel, map[State]State{Queued: Cancelled, Held: Cancelled, Running: Cancelled, Verifying: Cancelled, GaveUp: Cancelled, Indeterminate: Cancelled}, false},
		{"retry", retry, map[State]State{GaveUp: Queued, Refused: Queued, Cancelled: Queued, Failed: Queued, Indeterminate: Queued}, false},
		{"approve", approve, map[State]State{Queued: Queued, Held: Queued}, false},
		{"judge done", done, map[State]State{Indeterminate: Succeeded}, false},
		{"judge failed", failed, map[State]State{Indeterminate: Failed}, false},
		{"withdraw", withdraw, map[State]State{Queued: Cancelled, Held: Cancelled, GaveUp: Failed}, false},
		{"release", release, map[State]State{Queued: Queued, Held: Queued}, true},
	}
	for _, v := range verbs {
		for _, s := range States() {
			r := Remediation{ID: 7, Version: 3, State: s, Until: moment(time.Hour), Gate: "window", Rung: 1, Try: 1}
			m, err := v.do(r)
			want, ok := v.ok[s]
			switch {
			case ok && (err != nil || m.Next.State != want || m.Next.Version != 3):
				t.Errorf("%s of %s: %s, %v; want %s", v.name, s, m.Next.State, err, want)
			case ok && !m.Next.Until.IsZero():
				t.Errorf("%s of %s still waits until %v", v.name, s, m.Next.Until)
			case ok && !v.mute && len(m.Audit) != 1:
				t.Errorf("%s of %s is not told", v.name, s)
			case ok && want.Final() == m.Next.Finished.IsZero():
				t.Errorf("%s of %s: finished %v", v.name, s, m.Next.Finished)
			case !ok && (fault.KindOf(err) != fault.Conflict || m.Next.State != s):
				t.Errorf("%s of %s: %s, %v; want a conflict", v.name, s, m.Next.State, err)
			}
		}
	}
	if _, err := Approve(Remediation{State: Queued}, "x", now); fault.KindOf(err) != fault.Conflict {
		t.Errorf("approving what asks for nothing: %v", err)
	}
	if m, _ := Retry(Remediation{State: GaveUp, Rung: 2, Try: 1, GaveUps: 3, Error: "e"}, "x", now); m.Next.Rung != 0 || m.Next.Try != 0 || m.Next.GaveUps != 0 || m.Next.Error != "" {
		t.Errorf("a retry begins at %+v", m.Next)
	}
}

// TestSetStatusEveryPair: every word of the original on every state of ours.
func TestSetStatusEveryPair(t *testing.T) {
	now := moment(0)
	type pair struct {
		s Source
		f State
		w string
	}
	want := map[pair]State{}
	for _, s := range States() {
		if _, can := life[s][Dropped]; can {
			want[pair{FromAPI, s, "cancelled"}], want[pair{FromExternal, s, "cancelled"}] = Cancelled, Cancelled
		}
		if s.Final() && s != Succeeded {
			want[pair{FromAPI, s, "pending"}], want[pair{FromExternal, s, "pending"}] = Queued, Queued
		}
	}
	for _, src := range []Source{FromAPI, FromExternal} {
		want[pair{src, Indeterminate, "completed"}], want[pair{src, Indeterminate, "failed"}] = Succeeded, Failed
	}
	for _, s := range []State{Queued, Held} {
		want[pair{FromExternal, s, "running"}], want[pair{FromExternal, s, "failed"}] = Running, Failed
	}
	for _, s := range []State{Queued, Held, Running} {
		want[pair{FromExternal, s, "completed"}] = Succeeded // there is nothing to verify
	}
	want[pair{FromExternal, Running, "failed"}], want[pair{FromExternal, Verifying, "failed"}] = Failed, Failed
	for _, src := range []Source{FromAPI, FromExternal} {
		for _, s := range States() {
			for _, w := range []string{"pending", "running", "completed", "failed", "cancelled"} {
				to, ok := want[pair{src, s, w}]
				if s.Word() == w && s != Indeterminate {
					to, ok = s, true // nothing but details changes
				}
				m, err := SetStatus(Remediation{ID: 1, Source: src, State: s}, "token:bob", w, "d", "e", now)
				if ok && (err != nil || m.Next.State != to || m.Next.Details != "d" || len(m.Audit) != 1) {
					t.Errorf("%s %s to %s: %s, %v; want %s", src, s, w, m.Next.State, err, to)
				}
				if !ok && fault.KindOf(err) != fault.Conflict {
					t.Errorf("%s %s to %s: %s, %v; want a conflict", src, s, w, m.Next.State, err)
				}
			}
		}
	}
	ext := Remediation{Source: FromExternal, Policy: "p", State: Running}
	if m, err := SetStatus(ext, "x", "completed", "", "", now); err != nil || m.Next.State != Verifying || m.Next.AttemptEnd != now {
		t.Errorf("a word of success that can be verified: %+v %v", m.Next, err)
	}
	// Made without being queued: whoever made it may carry it out, until somebody approves it.
	own := Remediation{Source: FromAPI, Approval: true, State: Held}
	if m, err := SetStatus(own, "x", "running", "", "", now); err != nil || m.Next.State != Running || m.Next.LeaseUntil.IsZero() || !m.Next.Outside() {
		t.Errorf("%+v %v", m.Next, err)
	}
	if m, err := SetStatus(own, "x", "completed", "", "", now); err != nil || m.Next.State != Succeeded {
		t.Errorf("%+v %v", m.Next, err)
	}
	own.ApprovedBy = "ann"
	if _, err := SetStatus(own, "x", "running", "", "", now); fault.KindOf(err) != fault.Conflict {
		t.Errorf("approved, so it is vigild's: %v", err)
	}
	if _, err := SetStatus(Remediation{State: Queued}, "x", "done", "", "", now); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("an unknown word: %v", err)
	}
}

func TestLease(t *testing.T) {
	now := moment(0)
	if _, err := Lease(Remediation{Source: FromAPI, State: Queued}, "t", "r1", time.Minute, now); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	m, err := Lease(Remediation{Source: FromExternal, State: Queued}, "t", "r1", 100*time.Hour, now)
	if err != nil || m.Next.State != Running || m.Next.Lease != "r1" || m.Next.LeaseUntil != now.Add(MaxLease) {
		t.Errorf("%+v %v", m.Next, err)
	}
	if _, err := Lease(m.Next, "t", "r2", time.Minute, now); fault.KindOf(err) != fault.Conflict {
		t.Errorf("leased twice: %v", err)
	}
	if _, err := Lease(Remediation{Source: FromExternal, State: Queued, Approval: true}, "t", "r1", time.Minute, now); fault.KindOf(err) != fault.Conflict {
		t.Errorf("leased before a person said yes: %v", err)
	}
}

func TestRequestIsSubstituted(t *testing.T) {
	r := Remediation{ID: 9, Policy: "p", Target: "t", Labels: map[string]string{"service": "web"}, Plan: Plan{Ladder: []Rung{{
		Action: "service", With: map[string]any{"unit": "{{ labels.service }}.service", "n": 3.0, "list": []any{"{{ target }}", map[string]any{"a": "{{ policy }}"}}},
		Timeout: ptr(document.Duration(time.Second)),
	}}}}
	q, err := r.Request()
	if err != nil || q.With["unit"] != "web.service" || q.With["n"] != 3.0 || q.Timeout != time.Second {
		t.Fatalf("%+v %v", q, err)
	}
	list := q.With["list"].([]any)
	if list[0] != "t" || list[1].(map[string]any)["a"] != "p" {
		t.Errorf("%v", list)
	}
	if r.Plan.Ladder[0].With["unit"] != "{{ labels.service }}.service" {
		t.Error("the plan itself was changed")
	}
	r.Rung = 1
	if _, err := r.Request(); err == nil {
		t.Error("a rung that does not exist")
	}
}
