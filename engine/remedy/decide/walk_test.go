package decide

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// TestWalkKeepsTheInvariants drives one remediation through random events and
// checks after each what must always hold: a conflict changes nothing; an
// attempt is open exactly while something may be running; every attempt has a
// number of its own; what waits has a time or is due now; what gave up has an
// automatic retry; what is over has an end; every change is told.
func TestWalkKeepsTheInvariants(t *testing.T) {
	c := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		s := calm()
		s.r.Source = rapid.SampledFrom([]remedy.Source{remedy.FromPolicy, remedy.FromAPI, remedy.FromReconcile}).Draw(t, "source")
		s.r.Plan.Mode = rapid.SampledFrom([]string{"act", "suggest", "shadow"}).Draw(t, "mode")
		s.r.Plan.Ladder[0].Tries = rapid.IntRange(0, 3).Draw(t, "tries")
		class := rapid.SampledFrom([]remedy.Class{remedy.Convergent, remedy.Probed, remedy.Unsafe}).Draw(t, "class")
		var open *remedy.Attempt
		seen := map[int]bool{}
		unseen := 0 // unsafe acts whose end nobody saw
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "wait")))
			before := s.r
			m, err := randomStep(t, c, s, open, class)
			if err != nil {
				if fault.KindOf(err) != fault.Conflict || m.Next.State != before.State && m.Open != nil {
					t.Fatalf("%v %+v", err, m)
				}
				continue
			}
			s.r = m.Next
			if m.Breaker != nil {
				s.h.Breaker = *m.Breaker
			}
			if m.Open != nil {
				if open != nil || seen[m.Open.N] || s.r.State != remedy.Running {
					t.Fatalf("attempt %+v opens beside %+v", m.Open, open)
				}
				if unseen > 0 && before.State == remedy.Indeterminate {
					t.Fatal("an act of unknown end was repeated without a word")
				}
				open, seen[m.Open.N] = m.Open, true
				open.Class = class
			}
			if m.Close != nil {
				if open == nil || m.Close.N != open.N || m.Close.Finished.IsZero() {
					t.Fatalf("%+v closes %+v", m.Close, open)
				}
				open = nil
			}
			switch st := s.r.State; {
			case (st == remedy.Running) && open == nil, open != nil && st != remedy.Running && st != remedy.Cancelled:
				t.Fatalf("%s, open attempt %+v", st, open)
			case (st == remedy.Held || st == remedy.GaveUp || st == remedy.Indeterminate) && s.r.Until.IsZero():
				t.Fatalf("%s without an end: %+v", st, s.r)
			case st.Final() == s.r.Finished.IsZero():
				t.Fatalf("%s, finished %v", st, s.r.Finished)
			case st == remedy.Held && (s.r.Gate == "" || s.r.Reason == ""):
				t.Fatalf("held without a reason: %+v", s.r)
			case st != before.State && st != remedy.Queued && !(st == remedy.Held && s.r.Gate == before.Gate) && len(m.Audit) == 0:
				t.Fatalf("%s to %s is not told", before.State, st)
			case s.r.Rung >= len(s.r.Plan.Ladder) || s.r.Rung < 0:
				t.Fatalf("rung %d", s.r.Rung)
			}
			if s.r.State == remedy.Indeterminate {
				unseen++
			}
		}
	})
}

func randomStep(t *rapid.T, c *Rules, s *scene, open *remedy.Attempt, class remedy.Class) (remedy.Move, error) {
	j := Jitter(rapid.Float64Range(0, 1).Draw(t, "jitter"))
	what := rapid.SampledFrom([]string{"look", "look", "look", "end", "end", "verify", "start failed", "recover", "cancel", "retry", "approve", "withdraw", "release", "judge", "status"}).Draw(t, "what")
	switch what {
	case "look":
		if s.r.State == remedy.Running || s.r.State == remedy.Verifying || open != nil || s.r.State.Final() && s.r.State != remedy.GaveUp && s.r.State != remedy.Indeterminate {
			return remedy.Move{Next: s.r}, fault.New(fault.Conflict, "not due")
		}
		s.f.Spec.Class = class
		s.f.Holds = rapid.SampledFrom([]int8{-1, 0, 1, 1, 1}).Draw(t, "holds")
		s.f.Window = rapid.SampledFrom([]string{"", "", "maintenance"}).Draw(t, "window")
		if s.r.State == remedy.GaveUp || s.r.State == remedy.Indeterminate {
			if !s.now.Reached(s.r.Until) {
				s.now = s.r.Until
			}
		}
		return c.Decide(s.r, s.h, Case{Request: remedy.Request{Action: "service"}, Facts: s.f, Epoch: 1, Now: s.now}), nil
	case "end", "start failed", "recover":
		if open == nil {
			return remedy.Move{Next: s.r}, fault.New(fault.Conflict, "nothing is open")
		}
		switch what {
		case "end":
			res := remedy.Result{OK: rapid.Bool().Draw(t, "ok"), Unseen: rapid.Bool().Draw(t, "unseen"), Error: "e"}
			return c.Ended(s.r, *open, res, s.now, j)
		case "recover":
			return c.Recovered(s.r, *open, rapid.SampledFrom([]remedy.Sight{remedy.NotSeen, remedy.SeenDone, remedy.SeenNotDone}).Draw(t, "seen"), s.now)
		}
		return c.NotStarted(s.r, open, "no such file", s.now, j)
	case "verify":
		return c.Verified(s.r, s.h, remedy.Verification{OK: rapid.Bool().Draw(t, "ok"), Reason: "r"}, s.now, j)
	case "cancel":
		return remedy.Cancel(s.r, "ann", "no", s.now)
	case "retry":
		if open != nil { // the ledger refuses a second attempt on the subject
			return remedy.Move{Next: s.r}, fault.New(fault.Conflict, "still open")
		}
		return remedy.Retry(s.r, "ann", s.now)
	case "approve":
		return remedy.Approve(s.r, "ann", s.now)
	case "withdraw":
		return remedy.Withdraw(s.r, "it cleared", s.now)
	case "release":
		return remedy.Release(s.r, s.now)
	case "judge":
		return remedy.Resolve(s.r, "ann", rapid.Bool().Draw(t, "done"), "I looked", s.now)
	}
	word := rapid.SampledFrom([]string{"pending", "running", "completed", "failed", "cancelled"}).Draw(t, "word")
	if open != nil && word == "pending" {
		return remedy.Move{Next: s.r}, fault.New(fault.Conflict, "still open")
	}
	return remedy.SetStatus(s.r, "ann", word, "", "", s.now)
}
