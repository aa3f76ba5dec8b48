package record

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
)

func dur(d time.Duration) *document.Duration { x := document.Duration(d); return &x }

func now() clock.Stamp {
	return clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(1000 * time.Hour), BootID: "this"}
}

// through is a record as an export holds it.
func through(t *rapid.T, r audit.Record) audit.Record {
	r.Seq = 5
	got, err := audit.ParseLine(audit.MarshalLine(audit.Seal(audit.Hash{}, r)))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestEveryDecisionComesOutOfItsRecord: whatever was asked, by whichever
// configuration, on whatever facts and history, over reboots and jumps of the clock:
// what a record tells of is decided again from it alone, and what tells of no
// decision has no such evidence.
func TestEveryDecisionComesOutOfItsRecord(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range 12 {
			comesOut(rt, seen)
		}
	})
	for _, verb := range []string{"attempt.start", "gate.hold", "gate.refuse", "remediation.retry", "remediation.gave_up"} {
		if seen[verb] == 0 {
			t.Errorf("no %s was drawn: this shows nothing of it", verb)
		}
	}
	for _, g := range new(decide.Rules).Gates() {
		if seen[g.Name] == 0 {
			t.Errorf("gate %s only ever admitted: draw what it is given", g.Name)
		}
	}
}

// comesOut draws one decision and makes it again from its records.
func comesOut(rt *rapid.T, seen map[string]int) {
	t := draw{rt}
	c, now := t.rules(), now()
	if t.seldom("young boot") {
		now.Boot = int64(30 * time.Second)
	}
	m, ok := t.decided(c, now)
	if !ok {
		return
	}
	stored, err := decide.Stored(decide.Told(c.Config))
	if err != nil || stored.Digest() != c.Digest() {
		t.Fatalf("%v: the configuration is %s and comes back as %s", err, c.Digest(), stored.Digest())
	}
	if len(m.Audit) > given.MostTold {
		t.Fatalf("one move tells %d records, more than are looked at together: %+v", len(m.Audit), m.Audit)
	}
	tells, bears := false, 0
	for i, rec := range m.Audit {
		tells = tells || given.Tells(rec.Verb)
		rec = through(rt, rec)
		e, ok, err := Of(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		bears++
		told, at, err := Again(rec, e, stored)
		if err != nil || at != i || len(told) != len(m.Audit) {
			t.Fatalf("%s: %v; it is the %d. of %d, and comes out as the %d. of %d\n%s", rec.Verb, err, i, len(m.Audit), at, len(told), rec.Evidence)
		}
		for k, x := range told {
			if err := Same(through(rt, m.Audit[k]), x, true); err != nil {
				t.Fatalf("beside it: %v", err)
			}
		}
		seen[rec.Verb]++
		for _, g := range e.Gates {
			if g.Answer != remedy.Admit.String() {
				seen[g.Gate]++
			}
		}
	}
	if tells != (bears == 1) {
		t.Fatalf("%d records of %+v say what it stood on", bears, m.Audit)
	}
}

// scene is a claim that every gate admits.
func scene() (remedy.Remediation, remedy.Facts, remedy.History) {
	b := remedy.Backoff{Base: *dur(time.Minute), Factor: 2}
	return remedy.Remediation{
			ID: 17, Source: remedy.FromPolicy, Policy: "web-slow", Target: "web", State: remedy.Queued, Attempt: 1,
			Plan: remedy.Plan{Mode: "act", Backoff: &b, Ladder: []remedy.Rung{{Action: "service"}, {Action: "notify"}}},
		}, remedy.Facts{
			Holds: 1, Warm: true, Trusted: true,
			Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "service", Class: remedy.Probed, Cost: 2, Summary: "restart web.service"},
		}, remedy.History{
			LastEnd: now().Add(-time.Hour), LastEndBy: 9, BySubject: []clock.Stamp{now().Add(-61 * time.Minute)},
			Budget: remedy.Budget{Points: 50, At: now().Add(-time.Minute)},
		}
}

// TestAChangeAtEachGateIsNamed: an attempt was opened since every gate admitted.
// Were one of them given something else, or had it answered otherwise, the record
// does not come out, and that gate is named with both answers.
func TestAChangeAtEachGateIsNamed(t *testing.T) {
	c, err := decide.New(remedy.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() (audit.Record, given.Evidence) {
		r, f, h := scene()
		m := c.Decide(r, h, decide.Case{Facts: f, Epoch: 2, Now: now()})
		if m.Open == nil {
			t.Fatalf("%+v", m.Verdict)
		}
		e, ok, err := Of(m.Audit[0])
		if _, _, again := Again(m.Audit[0], e, c); err != nil || !ok || again != nil {
			t.Fatal(err, ok, again)
		}
		return m.Audit[0], e
	}
	soon := given.WhenOf(now().Add(time.Hour), now())
	just := given.WhenOf(now().Add(-time.Second), now())
	facts := map[string]func(*given.Given){
		remedy.GatePause:      func(g *given.Given) { g.Facts.Paused = "x" },
		remedy.GateMode:       func(g *given.Given) { g.Row.Mode = "shadow" },
		remedy.GateWindow:     func(g *given.Given) { g.Facts.Window = "x" },
		remedy.GateHandsOff:   func(g *given.Given) { g.Facts.HandsOff, g.Facts.HandsOffUntil = "x", soon },
		remedy.GateRecheck:    func(g *given.Given) { g.Facts.Holds = 0 },
		remedy.GateDependency: func(g *given.Given) { g.Facts.Cause = "x" },
		remedy.GateApproval:   func(g *given.Given) { g.Row.Approval = true },
		remedy.GateOwner:      func(g *given.Given) { g.Past.Open = "1-9-1" },
		remedy.GateCooldown:   func(g *given.Given) { g.Past.LastEnd = just },
		remedy.GateLimits:     func(g *given.Given) { g.Past.Policy = given.Count{N: 20, Age: 9} },
		remedy.GateBudget:     func(g *given.Given) { g.Past.Points = 0.5 },
		remedy.GateStorm:      func(g *given.Given) { g.Past.Others = 5 },
		remedy.GateBreaker:    func(g *given.Given) { g.Past.Breaker = &given.Fuse{Failures: 3, Opened: 1, Until: soon} },
	}
	for i, gate := range c.Gates() {
		spoil, ok := facts[gate.Name]
		if !ok {
			t.Errorf("nobody changes what gate %s is given", gate.Name)
			continue
		}
		rec, e := fresh()
		spoil(e.Given)
		wants(t, rec, e, c, "gate "+gate.Name+" is written as admit and comes out as ")
		rec, e = fresh()
		e.Gates[i].Answer = "hold"
		wants(t, rec, e, c, "gate "+gate.Name+" is written as hold and comes out as admit")
	}
	for what, spoil := range map[string]func(*audit.Record, *given.Evidence){
		"what is left of the budget": func(_ *audit.Record, e *given.Evidence) { e.Given.Past.Points = 60 },
		"the state it goes to":       func(_ *audit.Record, e *given.Evidence) { e.Then.State = remedy.Held },
		"the try":                    func(_ *audit.Record, e *given.Evidence) { e.Try = 5 },
		"its object":                 func(r *audit.Record, _ *given.Evidence) { r.Object = "attempt:2-18-2" },
		"its actor":                  func(r *audit.Record, _ *given.Evidence) { r.Actor = "policy:other" },
		"its reason":                 func(r *audit.Record, _ *given.Evidence) { r.Reason = "reload web.service" },
		"is no attempt":              func(r *audit.Record, _ *given.Evidence) { r.Object = "attempt:x" },
		"does not come out":          func(_ *audit.Record, e *given.Evidence) { e.Given.Row.State = remedy.Running },
		"not known here":             func(_ *audit.Record, e *given.Evidence) { e.Given.What = "guess" },
		"on no ladder":               func(_ *audit.Record, e *given.Evidence) { e.Rung = 1 << 40 },
		"any limit counts":           func(_ *audit.Record, e *given.Evidence) { e.Given.Past.Kind.N = 1 << 40 },
	} {
		rec, e := fresh()
		spoil(&rec, &e)
		wants(t, rec, e, c, what)
	}
	rec, e := fresh() // of an edition before the first gate
	e.Given.Edition = -1
	wants(t, rec, e, c, "gate pause is written as admit and comes out as not asked")
	rec, e = fresh() // in other words
	e.Given.Edition, rec.Reason = given.Edition+1, "restart of web.service"
	if _, _, err := Again(rec, e, c); err != nil {
		t.Error(err)
	}
}

func wants(t *testing.T, rec audit.Record, e given.Evidence, c *decide.Rules, want string) {
	t.Helper()
	if _, _, err := Again(rec, e, c); fault.KindOf(err) != fault.Corrupt || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// FuzzAgain: no record, however it was made, does harm.
func FuzzAgain(f *testing.F) {
	c, err := decide.New(remedy.Defaults())
	if err != nil {
		f.Fatal(err)
	}
	r, facts, h := scene()
	f.Add("attempt.start", "attempt:2-17-2", []byte(c.Decide(r, h, decide.Case{Facts: facts, Epoch: 2, Now: now()}).Audit[0].Evidence))
	f.Fuzz(func(t *testing.T, verb, object string, evidence []byte) {
		rec := audit.Record{Verb: verb, Object: object, Evidence: evidence, At: now()}
		if e, ok, err := Of(rec); ok && err == nil {
			_, _, _ = Again(rec, e, c)
		}
	})
}
