package decide

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
	"vigil/engine/remedy/given"
)

const year = 365 * 24 * time.Hour

func moment(d time.Duration) clock.Stamp {
	return clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(100 * time.Hour), BootID: "a"}.Add(d)
}

func dur(d time.Duration) *document.Duration { x := document.Duration(d); return &x }

func rules(t testing.TB) *Rules {
	t.Helper()
	c, err := New(remedy.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scene is a claim that every gate admits, to be spoilt in one respect.
type scene struct {
	r   remedy.Remediation
	f   remedy.Facts
	h   remedy.History
	now clock.Stamp
}

func calm() *scene {
	return &scene{
		r: remedy.Remediation{
			ID: 17, Version: 1, Source: remedy.FromPolicy, Policy: "web-slow", Target: "web", Subject: "systemd:web.service", State: remedy.Queued,
			Plan: remedy.Plan{Mode: "act", Ladder: []remedy.Rung{{Action: "service"}, {Action: "notify"}}},
		},
		f: remedy.Facts{
			Holds: 1, Warm: true, Trusted: true, Evidence: json.RawMessage(`{"value":0.7}`),
			Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "service", Class: remedy.Probed, Cost: 2, Capture: true, Summary: "restart web.service"},
		},
		now: moment(0),
	}
}

func (s *scene) ago(ds ...time.Duration) []clock.Stamp {
	out := make([]clock.Stamp, len(ds))
	for i, d := range ds {
		out[i] = s.now.Add(-d)
	}
	return out
}

func (s *scene) ask(t testing.TB) remedy.Verdict {
	t.Helper()
	v, _ := rules(t).Ask(&s.r, &s.f, &s.h, s.now)
	return v
}

// TestGates: each gate with each of its answers, its reason in words, and when
// it looks again.
func TestGates(t *testing.T) {
	const m, h = time.Minute, time.Hour
	said := map[string]bool{}
	for _, tc := range []struct {
		name   string
		spoil  func(*scene)
		gate   string
		answer remedy.Answer
		in     time.Duration // until, from now
		reason string
	}{
		{"calm", func(s *scene) {}, "", remedy.Admit, 0, ""},
		{"paused", func(s *scene) { s.f.Paused = "ann: moving house" }, "pause", remedy.Hold, m, "moving house"},
		{"paused, ends soon", func(s *scene) { s.f.Paused, s.f.PausedUntil = "x", s.now.Add(20*time.Second) }, "pause", remedy.Hold, 20 * time.Second, ""},
		{"paused, ends late", func(s *scene) { s.f.Paused, s.f.PausedUntil = "x", s.now.Add(9*h) }, "pause", remedy.Hold, m, ""},
		{"paused, for a person too", func(s *scene) { s.r.Source = remedy.FromAPI; s.f.Paused = "x" }, "pause", remedy.Hold, m, ""},
		{"shadow", func(s *scene) { s.r.Plan.Mode = "shadow" }, "mode", remedy.Refuse, 0, "shadow: would have done: restart web.service"},
		{"off", func(s *scene) { s.r.Plan.Mode = "off" }, "mode", remedy.Refuse, 0, "off: would"},
		{"a mode nobody knows", func(s *scene) { s.r.Plan.Mode = "acr" }, "mode", remedy.Refuse, 0, "unknown mode"},
		{"suggest", func(s *scene) { s.r.Plan.Mode = "suggest" }, "mode", remedy.Hold, h, "waits for approval for 1h"},
		{"suggest, approved", func(s *scene) { s.r.Plan.Mode, s.r.ApprovedBy = "suggest", "token:ann" }, "", remedy.Admit, 0, ""},
		{"suggest, too late", func(s *scene) { s.r.Plan.Mode, s.r.ApproveBy = "suggest", s.now.Add(-1) }, "mode", remedy.Refuse, 0, "nobody did within 1h"},
		{"mode, for a person", func(s *scene) { s.r.Source, s.r.Plan.Mode = remedy.FromAPI, "off" }, "", remedy.Admit, 0, ""},
		{"untrusted", func(s *scene) { s.f.Trusted = false }, "mode", remedy.Refuse, 0, "origin=open"},
		{"untrusted, accepted", func(s *scene) { s.f.Trusted, s.r.Plan.Open = false, true }, "", remedy.Admit, 0, ""},
		{"window", func(s *scene) { s.f.Window = "maintenance: backup" }, "window", remedy.Hold, m, "maintenance: backup"},
		{"hands off", func(s *scene) { s.f.HandsOff = "bob: debugging" }, "hands_off", remedy.Hold, m, "hands off systemd:web.service: bob: debugging"},
		{"went away", func(s *scene) { s.f.Holds = -1 }, "recheck", remedy.Drop, 0, "went away before the act"},
		{"went away, for a person", func(s *scene) { s.r.Source, s.f.Holds = remedy.FromAPI, -1 }, "", remedy.Admit, 0, ""},
		{"unknown", func(s *scene) { s.f.Holds = 0 }, "recheck", remedy.Hold, time.Second, "unknown at this instant"},
		{"unknown for long", func(s *scene) { s.f.Holds, s.r.Gate, s.r.Since = 0, "recheck", s.now.Add(-10*m) }, "recheck", remedy.Refuse, 0, "unknown for 10m"},
		{"cold", func(s *scene) { s.f.Warm, s.f.Holds = false, -1 }, "recheck", remedy.Hold, time.Second, "not warm"},
		{"flapping", func(s *scene) { s.f.Flapping = true }, "recheck", remedy.Hold, m, "flapping"},
		{"cause", func(s *scene) { s.f.Cause = "db-down" }, "dependency", remedy.Hold, m, "db-down"},
		{"asks", func(s *scene) { s.r.Plan.Approval = &remedy.Approval{TTL: dur(5 * m)} }, "approval", remedy.Hold, 5 * m, "a person must approve"},
		{"asked in vain", func(s *scene) {
			s.r.Plan.Approval, s.r.ApproveBy = &remedy.Approval{TTL: dur(5 * m)}, s.now.Add(-time.Second)
		}, "approval", remedy.Refuse, 0, "nobody did within 5m"},
		{"asked, approved", func(s *scene) { s.r.Approval, s.r.ApprovedBy = true, "x" }, "", remedy.Admit, 0, ""},
		{"made without being queued", func(s *scene) {
			s.r.Source, s.r.Approval, s.r.ApproveBy = remedy.FromAPI, true, s.now.Add(-99*h)
		}, "approval", remedy.Hold, h, "until it is approved"},
		{"owned", func(s *scene) { s.h.Open = "1-9-1" }, "owner", remedy.Hold, time.Second, "attempt 1-9-1 is at work on systemd:web.service"},
		{"cooling", func(s *scene) { s.h.LastEnd, s.h.LastEndBy = s.now.Add(-20*time.Second), 9 }, "cooldown", remedy.Hold, 40 * time.Second, "was acted on 20s ago; next at"},
		{"cooled", func(s *scene) { s.h.LastEnd, s.h.LastEndBy = s.now.Add(-m), 9 }, "", remedy.Admit, 0, ""},
		{"its own next try", func(s *scene) { s.h.LastEnd, s.h.LastEndBy = s.now.Add(-1), 17 }, "", remedy.Admit, 0, ""},
		{"no cooldown", func(s *scene) {
			s.h.LastEnd, s.h.LastEndBy, s.r.Plan.Cooldown = s.now.Add(-1), 9, dur(0)
		}, "", remedy.Admit, 0, ""},
		{"subject's limit", func(s *scene) { s.h.BySubject = s.ago(59*m, 40*m, 30*m, 20*m) }, "limits", remedy.Hold, m, "limit of 4 in 1h"},
		{"subject's limit, oldest gone", func(s *scene) { s.h.BySubject = s.ago(60*m, 40*m, 30*m, 20*m) }, "", remedy.Admit, 0, ""},
		{"plan's limit", func(s *scene) {
			s.h.BySubject, s.r.Plan.Limit = s.ago(9*m, m), &remedy.Limit{Max: 1, Per: *dur(10 * m)}
		}, "limits", remedy.Hold, 9 * m, ""},
		{"policy's limit", func(s *scene) {
			for i := range 20 {
				s.h.ByPolicy = append(s.h.ByPolicy, s.now.Add(-time.Duration(50-i)*m))
			}
		}, "limits", remedy.Hold, 10 * m, "policy web-slow reached its limit of 20 in 1h"},
		{"kind's limit", func(s *scene) {
			s.f.Spec.Kind, s.h.ByKind = "reboot", s.ago(23*h, 2*h)
		}, "limits", remedy.Hold, h, "kind reboot reached its limit of 2 in 1d"},
		{"a revision's step is not held by what counts acts", func(s *scene) {
			s.r.Source, s.r.Plan.Asked = remedy.FromReconcile, true
			s.h.BySubject, s.h.ByKind, s.h.LastEnd = s.ago(4*m, 3*m, 2*m, m), s.ago(make([]time.Duration, 60)...), s.now
			s.h.Budget, s.h.Storm = remedy.Budget{Points: 0, At: s.now}, s.now.Add(m)
			s.h.Breaker = remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(m)}
		}, "", remedy.Admit, 0, ""},
		{"a revision's step is held by a pause", func(s *scene) { s.r.Source, s.r.Plan.Asked, s.f.Paused = remedy.FromReconcile, true, "x" }, "pause", remedy.Hold, m, ""},
		{"a step that nobody wants any more", func(s *scene) { s.r.Source, s.f.Holds = remedy.FromReconcile, -1 }, "recheck", remedy.Drop, 0, ""},
		{"writing back is not counted for the host", func(s *scene) {
			s.r.Source, s.f.Spec.Class = remedy.FromReconcile, remedy.Convergent
			s.h.ByKind, s.h.Storm = s.ago(make([]time.Duration, 60)...), s.now.Add(m)
			s.h.Budget = remedy.Budget{Points: 0, At: s.now}
		}, "", remedy.Admit, 0, ""},
		{"a restart out of drift is counted", func(s *scene) {
			s.r.Source, s.h.Budget = remedy.FromReconcile, remedy.Budget{Points: 0, At: s.now}
		}, "budget", remedy.Hold, 12 * m, ""},
		{"writing back that does not help opens the breaker", func(s *scene) {
			s.r.Source, s.f.Spec.Class = remedy.FromReconcile, remedy.Convergent
			s.h.Breaker = remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(m)}
		}, "breaker", remedy.Hold, m, ""},
		{"limits, for a person too", func(s *scene) { s.r.Source = remedy.FromAPI; s.h.BySubject = s.ago(4*m, 3*m, 2*m, m) }, "limits", remedy.Hold, 56 * m, ""},
		{"budget", func(s *scene) { s.h.Budget = remedy.Budget{Points: 1, At: s.now} }, "budget", remedy.Hold, 6 * m, "down to 1 of 100"},
		{"budget refilled", func(s *scene) { s.h.Budget = remedy.Budget{Points: 1, At: s.now.Add(-6 * m)} }, "", remedy.Admit, 0, ""},
		{"budget never", func(s *scene) { s.f.Spec.Cost = 101 }, "budget", remedy.Refuse, 0, "never holds more"},
		{"budget, free act", func(s *scene) { s.f.Spec.Cost, s.h.Budget = 0, remedy.Budget{At: s.now} }, "", remedy.Admit, 0, ""},
		{"storm held", func(s *scene) { s.h.Storm = s.now.Add(2 * m) }, "storm", remedy.Hold, 2 * m, "storm brake"},
		{"storm over", func(s *scene) { s.h.Storm = s.now.Add(-1) }, "", remedy.Admit, 0, ""},
		{"storm begins", func(s *scene) { s.h.Subjects = touched(s.now, "a", "b", "c", "d", "e") }, "storm", remedy.Hold, 5 * m, "would be the 6. subject"},
		{"telling people is no storm", func(s *scene) {
			s.h.Subjects = touched(s.now, "a", "b", "c", "d", "notify:oncall/a/a", "wait:b/b", "systemd:web.service")
		}, "", remedy.Admit, 0, ""},
		{"in a storm people are told", func(s *scene) {
			s.f.Spec.Subject, s.h.Storm = "notify:oncall/hot/web", s.now.Add(2*m)
		}, "", remedy.Admit, 0, ""},
		{"five is no storm", func(s *scene) { s.h.Subjects = touched(s.now, "a", "b", "c", "d", "systemd:web.service") }, "", remedy.Admit, 0, ""},
		{"broken", func(s *scene) { s.h.Breaker = remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(4 * m)} }, "breaker", remedy.Hold, 4 * m, "last 3 acts on systemd:web.service did not help"},
		{"half open", func(s *scene) { s.h.Breaker = remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(-1)} }, "", remedy.Admit, 0, ""},
	} {
		said[tc.gate] = true
		t.Run(tc.name, func(t *testing.T) {
			s := calm()
			tc.spoil(s)
			v := s.ask(t)
			if v.Gate != tc.gate || v.Answer != tc.answer || !strings.Contains(v.Reason, tc.reason) {
				t.Errorf("%s %s %q", v.Gate, v.Answer, v.Reason)
			}
			if left, _ := v.Until.Sub(s.now); v.Answer == remedy.Hold && left != tc.in {
				t.Errorf("looks again in %s, want %s", left, tc.in)
			}
		})
	}
	for _, g := range rules(t).Gates() {
		if !said[g.Name] {
			t.Errorf("no case in which gate %s does not admit", g.Name)
		}
	}
}

// TestRemediationPageNamesTheGates in the order they are asked.
func TestRemediationPageNamesTheGates(t *testing.T) {
	page, err := os.ReadFile("../../../docs/remediation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## The gates\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var told, asked []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \|`).FindAllStringSubmatch(table, -1) {
		told = append(told, m[1])
	}
	for _, g := range rules(t).Gates() {
		asked = append(asked, g.Name)
	}
	if !slices.Equal(told, asked) {
		t.Errorf("docs/remediation.md tells of %v, and what is asked is %v", told, asked)
	}
}

func touched(now clock.Stamp, names ...string) (ts []remedy.Touched) {
	for _, n := range names {
		ts = append(ts, remedy.Touched{Subject: n, At: now.Add(-time.Minute)})
	}
	return ts
}

// TestGateOrder: the order is the one promised, and the first that does not
// admit decides alone.
func TestGateOrder(t *testing.T) {
	var got []string
	for _, g := range rules(t).Gates() {
		got = append(got, g.Name)
	}
	if want := "pause mode window hands_off recheck dependency approval owner cooldown limits budget storm breaker"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	s := calm() // everything is wrong at once
	s.r.Plan.Mode, s.r.Plan.Approval = "suggest", &remedy.Approval{}
	s.f.Paused, s.f.Window, s.f.HandsOff, s.f.Flapping, s.f.Cause = "x", "x", "x", true, "x"
	s.h.Open, s.h.LastEnd, s.h.BySubject = "x", s.now, s.ago(4, 3, 2, 1)
	s.h.Budget = remedy.Budget{At: s.now}
	s.h.Subjects, s.h.Breaker = touched(s.now, "a", "b", "c", "d", "e"), remedy.Breaker{Failures: 3, Opened: 1, Until: s.now.Add(time.Hour)}
	mends := []func(){
		func() { s.f.Paused = "" }, func() { s.r.Plan.Mode = "act" }, func() { s.f.Window = "" }, func() { s.f.HandsOff = "" },
		func() { s.f.Flapping = false }, func() { s.f.Cause = "" }, func() { s.r.Plan.Approval = nil }, func() { s.h.Open = "" },
		func() { s.h.LastEnd = clock.Stamp{} }, func() { s.h.BySubject = nil }, func() { s.h.Budget = remedy.Budget{} },
		func() { s.h.Subjects = nil }, func() { s.h.Breaker = remedy.Breaker{} },
	}
	if len(mends) != len(got) {
		t.Fatalf("%d things are wrong, and %d gates are asked: one of them is held to no place", len(mends), len(got))
	}
	for i, mend := range mends {
		if v := s.ask(t); v.Gate != got[i] || v.Answer != remedy.Hold {
			t.Errorf("step %d: %s %s, want %s to hold", i, v.Gate, v.Answer, got[i])
		}
		mend()
	}
	if v := s.ask(t); v.Answer != remedy.Admit {
		t.Errorf("all mended: %+v", v)
	}
}

// TestGatesOfAnEdition: a gate that comes later is not asked about what was decided
// before it came.
func TestGatesOfAnEdition(t *testing.T) {
	all := func() []Named { return []Named{{Name: "a", Since: 1}, {Name: "b", Since: 3}, {Name: "c", Since: 2}} }
	for edition, want := range map[int]string{0: "a b c", 1: "a", 2: "a c", 3: "a b c", 4: "a b c", -1: ""} {
		var got []string
		for _, g := range in(edition, all()) {
			got = append(got, g.Name)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("edition %d: %q, want %q", edition, s, want)
		}
	}
	for _, g := range rules(t).Gates() {
		if g.Since < 1 || g.Since > given.Edition {
			t.Errorf("gate %s is of edition %d; those of today are of 1 to %d", g.Name, g.Since, given.Edition)
		}
	}
	if n := len(rules(t).Of(-1).Gates()); n != 0 {
		t.Errorf("%d gates before the first edition", n)
	}
}

// TestClockJumpAdmitsNothingEarly: whatever the wall clock does, by ten years
// in either direction, within a boot or across a reboot, no gate that counts
// time lets an act through before the real time has passed; and once it has
// passed on the boot clock, none holds for ever.
func TestClockJumpAdmitsNothingEarly(t *testing.T) {
	c := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		then := moment(0)
		real := time.Duration(rapid.Int64Range(0, int64(30*time.Hour)).Draw(t, "real time passed"))
		jump := time.Duration(rapid.Int64Range(-int64(10*year), int64(10*year)).Draw(t, "jump"))
		now := then.Add(real)
		if rapid.Bool().Draw(t, "rebooted") {
			up := time.Duration(rapid.Int64Range(0, int64(real)).Draw(t, "up"))
			now.BootID, now.Boot = "b", int64(up)
		}
		now.Wall += jump.Microseconds()
		up := real
		if now.BootID == "b" {
			up = time.Duration(now.Boot)
		}
		for _, g := range []struct {
			name  string
			spoil func(*scene)
			after time.Duration // admits when so much real time has passed
		}{
			{"cooldown", func(s *scene) { s.h.LastEnd, s.h.LastEndBy = then, 9 }, time.Minute},
			{"limits", func(s *scene) { s.h.BySubject = []clock.Stamp{then, then, then, then} }, time.Hour},
			{"kind", func(s *scene) { s.f.Spec.Kind, s.h.ByKind = "reboot", []clock.Stamp{then, then} }, 24 * time.Hour},
			{"budget", func(s *scene) { s.h.Budget = remedy.Budget{Points: 0, At: then} }, 12 * time.Minute},
			{"storm", func(s *scene) { s.h.Storm = then.Add(5 * time.Minute) }, 5 * time.Minute},
			{"breaker", func(s *scene) {
				s.h.Breaker = remedy.Breaker{Failures: 5, Opened: 3, Until: then.Add(time.Hour)}
			}, time.Hour},
			{"gave up", func(s *scene) { s.r.State, s.r.GaveUps, s.r.Until = remedy.GaveUp, 1, then.Add(time.Hour) }, time.Hour},
		} {
			s := calm()
			s.now = now
			g.spoil(s)
			m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: now})
			if real < g.after && m.Open != nil {
				t.Fatalf("%s: admitted after %s, needs %s", g.name, real, g.after)
			}
			if up >= g.after && m.Open == nil {
				t.Fatalf("%s: still held after %s: %+v", g.name, up, m.Verdict)
			}
			if left, same := m.Next.Until.Sub(now); m.Open == nil && (!same || left <= 0 || left > 25*time.Hour) {
				t.Fatalf("%s: looks again in %s (%v)", g.name, left, same)
			}
		}
	})
}

// TestLimitsNeverExceeded: claims at random moments, with reboots and jumps
// between; in no real hour are there more acts on the subject than its limit.
func TestLimitsNeverExceeded(t *testing.T) {
	c := rules(t)
	c.Cooldown, c.Budget.Points = 0, 1e6
	rapid.Check(t, func(t *rapid.T) {
		now, real := moment(0), time.Duration(0)
		var starts []clock.Stamp
		var acted []time.Duration
		for i := range rapid.IntRange(1, 60).Draw(t, "claims") {
			d := time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "wait"))
			now, real = now.Add(d), real+d
			now.Wall += rapid.SampledFrom([]int64{0, 0, 0, -10 * year.Microseconds(), 10 * year.Microseconds()}).Draw(t, "jump")
			if rapid.IntRange(0, 9).Draw(t, "reboot") == 0 {
				now.BootID, now.Boot = string(rune('b'+i)), 0
			}
			s := calm()
			s.h.BySubject = starts
			if m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: now}); m.Open != nil {
				starts, acted = append(starts, now), append(acted, real)
			}
			for i, a := range acted {
				if i >= 4 && a-acted[i-4] < time.Hour {
					t.Fatalf("five acts within %s", a-acted[i-4])
				}
			}
		}
	})
}

// TestBudgetIsNeverOverspent: whatever is claimed when, the points spent never
// exceed what the bucket held and what was refilled in real time.
func TestBudgetIsNeverOverspent(t *testing.T) {
	c := rules(t)
	rapid.Check(t, func(t *rapid.T) {
		now, real, spent := moment(0), time.Duration(0), 0.0
		var b remedy.Budget
		for i := range rapid.IntRange(1, 80).Draw(t, "claims") {
			d := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "wait"))
			now, real = now.Add(d), real+d
			now.Wall += rapid.SampledFrom([]int64{0, 0, -10 * year.Microseconds(), 10 * year.Microseconds()}).Draw(t, "jump")
			if rapid.IntRange(0, 9).Draw(t, "reboot") == 0 {
				now.BootID, now.Boot = string(rune('b'+i)), 0
			}
			s := calm()
			s.f.Spec.Cost = float64(rapid.IntRange(0, 50).Draw(t, "cost"))
			s.h.Budget = b
			m := c.Decide(s.r, s.h, Case{Facts: s.f, Now: now})
			if m.Open == nil {
				continue
			}
			spent += s.f.Spec.Cost
			if m.Budget != nil {
				b = *m.Budget
			}
			if spent > 100+10*real.Hours()+1e-6 {
				t.Fatalf("spent %v points in %s", spent, real)
			}
		}
	})
}
