package record

import (
	"encoding/json"
	"fmt"
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

var states = []remedy.State{remedy.Queued, remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying, remedy.GaveUp, remedy.Indeterminate, remedy.Cancelled}

// draw is a case of any kind: what no daemon would meet is drawn too.
type draw struct{ *rapid.T }

func (t draw) yes(name string) bool { return rapid.Bool().Draw(t.T, name) }

func (t draw) seldom(name string) bool { return rapid.IntRange(0, 5).Draw(t.T, name) == 0 }

func (t draw) length(name string) time.Duration {
	return rapid.SampledFrom([]time.Duration{1, time.Second + 7, 40 * time.Second, 9 * time.Minute, 59 * time.Minute, 5 * time.Hour, 400 * time.Hour}).Draw(t.T, name)
}

func (t draw) text(name string) string {
	if !t.seldom(name) {
		return ""
	}
	return rapid.StringMatching(`[a-zé<&" ]{1,9}`).Draw(t.T, name+" said") + rapid.SampledFrom([]string{"", "", "\xff\xfe\xfd", "\u2028"}).Draw(t.T, name+" ends")
}

// stamp lies before or behind now, in this boot or another, or is never.
func (t draw) stamp(name string, now clock.Stamp, past bool) clock.Stamp {
	if t.seldom(name + " never") {
		return clock.Stamp{}
	}
	d := t.length(name)
	if past || t.yes(name+" past") {
		d = -d
	}
	s := now.Add(d)
	if t.seldom(name + " in another boot") {
		s.BootID, s.Boot = "before", int64(t.length(name+" after its boot"))
	}
	s.Wall += rapid.SampledFrom([]int64{0, 0, 1e15, -1e15}).Draw(t.T, name+" jumped")
	return s
}

func (t draw) starts(name string, now clock.Stamp) (out []clock.Stamp) {
	n := rapid.SampledFrom([]int{0, 0, 1, 3, 4, 5, 21, 62}).Draw(t.T, name)
	at := now
	for range n {
		at = at.Add(-time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t.T, name+" before")))
		out = append([]clock.Stamp{at}, out...)
	}
	if n > 0 && t.seldom(name+" mixed") {
		i := rapid.IntRange(0, n-1).Draw(t.T, "which")
		out[i] = t.stamp(name+" other", now, true)
		if out[i].IsZero() {
			out[i] = now
		}
	}
	return out
}

func (t draw) rules() *decide.Rules {
	c := remedy.Defaults()
	if t.yes("own config") {
		c.Cooldown, c.Limit = *dur(min(t.length("cooldown"), 7*24*time.Hour)), remedy.Limit{Max: 2, Per: *dur(time.Hour)}
		c.Tries, c.Unknown, c.Budget.Refill = 2, *dur(9 * time.Minute), 3.3
		c.Storm.Subjects, c.Break.Failures = 2, 1
	}
	r, err := decide.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (t draw) row(now clock.Stamp) remedy.Remediation {
	r := remedy.Remediation{
		ID: 17, Version: 3, Source: rapid.SampledFrom([]remedy.Source{remedy.FromPolicy, remedy.FromPolicy, remedy.FromAPI, remedy.FromReconcile, remedy.FromExternal}).Draw(t.T, "source"),
		Target: t.text("target"), Actor: "token:ann", Subject: t.text("subject"),
		State: rapid.SampledFrom(states).Draw(t.T, "state"), Try: rapid.IntRange(0, 3).Draw(t.T, "try"), Attempt: rapid.IntRange(0, 3).Draw(t.T, "attempt"),
		GaveUps: rapid.IntRange(0, 3).Draw(t.T, "gave ups"), Gate: rapid.SampledFrom([]string{"", remedy.GateRecheck, remedy.GateBudget}).Draw(t.T, "gate"),
		Since: t.stamp("since", now, true), Until: t.stamp("until", now, false), AttemptEnd: t.stamp("end", now, true),
		Approval: t.seldom("approval"), ApproveBy: t.stamp("approve by", now, false),
	}
	if r.Source == remedy.FromPolicy || t.seldom("policy") {
		r.Policy = "web-slow"
	}
	if t.yes("approved") {
		r.ApprovedBy = "token:bob"
	}
	p := &r.Plan
	p.Mode = rapid.SampledFrom([]string{"", "act", "act", "act", "suggest", "shadow", "off"}).Draw(t.T, "mode")
	p.Open, p.Asked = t.yes("open"), t.seldom("asked")
	for i := range rapid.IntRange(1, 3).Draw(t.T, "rungs") {
		p.Ladder = append(p.Ladder, remedy.Rung{Action: fmt.Sprint("act", i), Tries: rapid.IntRange(0, 3).Draw(t.T, "tries")})
		if t.seldom("timeout") {
			p.Ladder[i].Timeout = dur(t.length("timeout is"))
		}
	}
	r.Rung = rapid.IntRange(0, len(p.Ladder)-1).Draw(t.T, "rung")
	if t.seldom("own cooldown") {
		p.Cooldown = dur(t.length("cooldown is"))
	}
	if t.seldom("own limit") {
		p.Limit = &remedy.Limit{Max: rapid.IntRange(1, 5).Draw(t.T, "max"), Per: *dur(t.length("per"))}
	}
	if t.seldom("own cost") {
		x := rapid.SampledFrom([]float64{0, 0.1, 3, 1000}).Draw(t.T, "cost")
		p.Cost = &x
	}
	if t.seldom("asks") {
		p.Approval = &remedy.Approval{TTL: rapid.SampledFrom([]*document.Duration{nil, dur(time.Minute)}).Draw(t.T, "ttl")}
	}
	if t.yes("own backoff") {
		p.Backoff = &remedy.Backoff{Base: *dur(t.length("base")), Factor: rapid.SampledFrom([]float64{0, 1, 1.5, 3}).Draw(t.T, "factor"), Quiet: *dur(t.length("quiet"))}
	}
	return r
}

func (t draw) facts(now clock.Stamp) remedy.Facts {
	return remedy.Facts{
		Paused: t.text("paused"), PausedUntil: t.stamp("paused until", now, false), Window: t.text("window"), WindowUntil: t.stamp("window until", now, false),
		HandsOff: t.text("hands off"), HandsOffUntil: t.stamp("hands off until", now, false),
		Holds: rapid.SampledFrom([]int8{1, 1, 1, 1, 0, -1}).Draw(t.T, "holds"), Evaluation: 9, Flapping: t.seldom("flapping"),
		Warm: !t.seldom("cold"), Trusted: !t.seldom("untrusted"), Cause: t.text("cause"),
		Evidence: json.RawMessage(rapid.SampledFrom([]string{"", `{"a":"b > 1"}`, "{"}).Draw(t.T, "condition")),
		Spec: remedy.Spec{
			Subject: rapid.SampledFrom([]string{"systemd:web.service", "notify:ann", ""}).Draw(t.T, "of"), Kind: rapid.SampledFrom([]string{"service", "reboot"}).Draw(t.T, "kind"),
			Class: rapid.SampledFrom([]remedy.Class{remedy.Convergent, remedy.Probed, remedy.Unsafe}).Draw(t.T, "class"),
			Cost:  rapid.SampledFrom([]float64{0, 1, 2.5, 200}).Draw(t.T, "points"), Summary: "restart <web>",
		},
	}
}

func (t draw) history(now clock.Stamp) (h remedy.History) {
	if t.seldom("owned") {
		h.Open = "1-9-1"
	}
	h.LastEnd, h.LastEndBy = t.stamp("last end", now, true), rapid.SampledFrom([]int64{17, 9}).Draw(t.T, "by")
	h.BySubject, h.ByPolicy, h.ByKind = t.starts("of the subject", now), t.starts("of the policy", now), t.starts("of the kind", now)
	for i := range rapid.IntRange(0, 7).Draw(t.T, "subjects") {
		h.Subjects = append(h.Subjects, remedy.Touched{Subject: rapid.SampledFrom([]string{"systemd:web.service", "wait:x", fmt.Sprint("file:", i)}).Draw(t.T, "touched"), At: t.stamp("touched at", now, true)})
	}
	if t.yes("budget") {
		h.Budget = remedy.Budget{Points: rapid.Float64Range(0, 100).Draw(t.T, "left"), At: t.stamp("filled", now, true)}
	}
	if t.seldom("breaker") {
		h.Breaker = remedy.Breaker{Failures: rapid.IntRange(0, 6).Draw(t.T, "failures"), Opened: rapid.IntRange(0, 4).Draw(t.T, "opened"), Until: t.stamp("open until", now, false)}
	}
	if t.seldom("storm") {
		h.Storm = t.stamp("storm until", now, false)
	}
	return h
}

// decided makes one decision of any kind; false where it changes nothing.
func (t draw) decided(c *decide.Rules, now clock.Stamp) (remedy.Move, bool) {
	r, f, h := t.row(now), t.facts(now), t.history(now)
	a := remedy.Attempt{Epoch: 2, Remediation: r.ID, N: r.Attempt, Started: t.stamp("started", now, true), Class: f.Spec.Class}
	j := decide.Jitter(rapid.Float64Range(0, 1).Draw(t.T, "jitter"))
	why := t.text("error")
	var m remedy.Move
	var err error
	switch what := rapid.SampledFrom([]string{"claim", "claim", "claim", "taking", "offer", "not taken", "end", "no start", "not opened", "proof", "recovery", "orphan", "reject"}).Draw(t.T, "what"); what {
	case "claim":
		if t.yes("calm") { // so that the gates that count are asked
			r.State, r.Until, r.Plan.Mode, r.Approval, r.Plan.Approval, h.Open = remedy.Queued, clock.Stamp{}, "act", false, nil, ""
			f.Paused, f.Window, f.HandsOff, f.Cause = "", "", "", ""
			f.Holds, f.Warm, f.Trusted, f.Flapping = 1, true, true, false
			if t.yes("first of all") {
				h.BySubject, h.ByPolicy, h.ByKind, h.LastEnd, h.Budget = nil, nil, nil, clock.Stamp{}, remedy.Budget{}
			}
		}
		m = c.Decide(r, h, decide.Case{Facts: f, Epoch: 2, Now: now})
	case "taking":
		m, err = c.Taking(r, f, remedy.Move{Next: r}, now)
	case "offer":
		r.State, r.Source = remedy.Queued, remedy.FromExternal
		barred := false
		if m, barred = decide.Barred(r, f.Trusted, "firing:web-slow/1", now); !barred {
			return m, false
		}
	case "not taken":
		m, err = c.Untaken(r, f, now)
	case "end":
		if t.yes("in its turn") {
			r.State, r.Plan.Ladder[r.Rung].Tries = remedy.Running, 3
		}
		m, err = c.Ended(r, a, remedy.Result{OK: t.seldom("ok"), Error: why, Unseen: t.seldom("unseen"), Stale: t.seldom("stale"), Output: "o"}, now, j)
	case "no start":
		m, err = c.NotStarted(r, &a, why, now, j)
	case "not opened":
		m, err = c.NotStarted(r, nil, why, now, j)
	case "proof":
		r.State = remedy.Verifying
		m, err = c.Verified(r, h, remedy.Verification{OK: t.seldom("helped"), Unasked: t.seldom("unasked"), Fell: t.seldom("fell"), Reason: why}, now, j)
	case "recovery":
		m, err = c.Recovered(r, a, rapid.SampledFrom([]remedy.Sight{remedy.NotSeen, remedy.SeenDone, remedy.SeenNotDone}).Draw(t.T, "seen"), now)
	case "orphan":
		m, err = c.Orphaned(r, now)
	case "reject":
		m, err = c.Reject(r, why, now)
	}
	return m, err == nil
}

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
		for range 6 {
			comesOut(rt, seen)
		}
	})
	for _, verb := range []string{"attempt.start", "gate.hold", "gate.refuse", "remediation.retry", "remediation.gave_up"} {
		if seen[verb] == 0 {
			t.Errorf("no %s was drawn: this shows nothing of it", verb)
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
			seen[g.Gate+" "+g.Answer]++
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
