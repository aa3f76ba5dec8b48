package vigilsim

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

// plant is a bug of the engine that a test puts in between the rooms: what the gates
// are asked about, what they look back on, what they are told, what comes of a
// verification, and what is written. The zero plant is none.
type plant struct {
	row     func(r *remedy.Remediation)
	history func(h *remedy.History)
	facts   func(f *remedy.Facts)
	verify  func(v *remedy.Verification)
	move    func(before *remedy.Remediation, m *remedy.Move)
	forgets bool // what an apply writes is acknowledged and thrown away, now and then

	more string               // what the script has more of, so that it shows soon
	conf func(*remedy.Config) // and under which configuration
}

func (p plant) journal(j engine.Journal) engine.Journal {
	if p.history == nil && p.row == nil && p.move == nil {
		return j
	}
	return plantedJournal{j, p}
}

func (p plant) ledger(l remedy.Ledger) remedy.Ledger {
	if p.history == nil && p.row == nil && p.move == nil && !p.forgets {
		return l
	}
	return &plantedLedger{Ledger: l, p: p}
}

func (p plant) judge(j remedy.Judge) remedy.Judge {
	if p.facts == nil && p.verify == nil {
		return j
	}
	return plantedJudge{j, p}
}

// claim is a claim that decides by what the plant makes of it.
func (p plant) claim(c remedy.Claim) remedy.Claim {
	decide := c.Decide
	c.Decide = func(r remedy.Remediation, h remedy.History) remedy.Move {
		if p.history != nil && r.State != remedy.Verifying {
			p.history(&h)
		}
		was := r
		if p.row != nil {
			p.row(&r)
		}
		m := decide(r, h)
		m.Next.Plan, m.Next.Approval = was.Plan, was.Approval
		if p.move != nil {
			p.move(&r, &m)
		}
		return m
	}
	return c
}

type plantedJournal struct {
	engine.Journal
	p plant
}

func (j plantedJournal) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	for i, c := range d.Claims {
		d.Claims[i] = j.p.claim(c)
	}
	return j.Journal.Commit(ctx, d)
}

type plantedLedger struct {
	remedy.Ledger
	p plant
	n int
}

func (l *plantedLedger) Claim(ctx context.Context, c remedy.Claim) (remedy.Move, error) {
	return l.Ledger.Claim(ctx, l.p.claim(c))
}

func (l *plantedLedger) Apply(ctx context.Context, version int64, m remedy.Move) error {
	if l.p.move != nil {
		if r, err := l.Ledger.Remediation(ctx, m.Next.ID); err == nil {
			l.p.move(&r, &m)
		}
	}
	if l.n++; l.p.forgets && l.n%3 == 0 {
		return nil
	}
	return l.Ledger.Apply(ctx, version, m)
}

type plantedJudge struct {
	remedy.Judge
	p plant
}

func (j plantedJudge) Facts(ctx context.Context, r remedy.Remediation, s remedy.Spec) (remedy.Facts, error) {
	f, err := j.Judge.Facts(ctx, r, s)
	if err == nil && j.p.facts != nil {
		j.p.facts(&f)
	}
	return f, err
}

func (j plantedJudge) Verify(ctx context.Context, r remedy.Remediation, after, deadline clock.Stamp) (remedy.Verification, error) {
	v, err := j.Judge.Verify(ctx, r, after, deadline)
	if err == nil && j.p.verify != nil {
		j.p.verify(&v)
	}
	return v, err
}

// TestSimulationFindsPlantedBugs: a simulation that finds nothing in an engine that is
// wrong proves nothing about one that is right.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	type test struct {
		name string
		gate string // that is cheated; "" none is
		p    plant
		want string // what the watcher says of it
		seed uint64 // that shows it; those that follow are tried too
	}
	tests := []test{
		{"a pause is not heard", remedy.GatePause, plant{facts: func(f *remedy.Facts) { f.Paused = "" }, more: "hold"}, "during a pause", 1},
		{"the budget is never spent", remedy.GateBudget, plant{move: func(_ *remedy.Remediation, m *remedy.Move) { m.Budget = nil }, conf: func(c *remedy.Config) { c.Budget = remedy.BudgetConfig{Points: 6, Refill: 1} }}, "overspends", 1},
		{"limits of a kind are not counted", remedy.GateLimits, plant{history: func(h *remedy.History) { h.ByKind = nil }, conf: func(c *remedy.Config) { c.KindLimit.Max = 3 }}, "of kind", 1},
		{"what was acknowledged is thrown away", "", plant{forgets: true, more: "kill"}, "was acknowledged", 2},
		{"limits of a subject are not counted", remedy.GateLimits, plant{history: func(h *remedy.History) { h.BySubject = nil }}, "at most", 2},
		{"limits of a policy are not counted", remedy.GateLimits, plant{history: func(h *remedy.History) { h.ByPolicy = nil }}, "of policy", 2},
		{"no cool-down", remedy.GateCooldown, plant{history: func(h *remedy.History) { h.LastEnd = clock.Stamp{} }}, "cool-down is", 2},
		{"no storm brake", remedy.GateStorm, plant{history: func(h *remedy.History) { h.Storm, h.Subjects = clock.Stamp{}, nil }}, "storm brake", 2},
		{"the storm is over at once", remedy.GateStorm, plant{history: func(h *remedy.History) { h.Storm = clock.Stamp{} }}, "storm brake", 3},
		{"an open breaker holds nothing", remedy.GateBreaker, plant{history: func(h *remedy.History) { h.Breaker = remedy.Breaker{} }}, "the breaker of", 2},
		{"a silence is not heard", remedy.GateWindow, plant{facts: func(f *remedy.Facts) { f.Window = "" }, more: "hold"}, "silenced", 11},
		{"hands-off is not heard", remedy.GateHandsOff, plant{facts: func(f *remedy.Facts) { f.HandsOff = "" }, more: "hold"}, "hands off", 3},
		{"the condition is not looked at again", remedy.GateRecheck, plant{facts: func(f *remedy.Facts) { f.Holds = 1 }}, "which was up", 3},
		{"a deeper cause is not heard of", remedy.GateDependency, plant{facts: func(f *remedy.Facts) { f.Cause = "" }, more: "cascade"}, "which it depends on", 2},
		{"the host's boot is not waited for", remedy.GateRecheck, plant{facts: func(f *remedy.Facts) { f.Warm = true }, more: "kill"}, "after the host's boot", 6},
		{"what only watches acts", remedy.GateMode, plant{row: func(r *remedy.Remediation) {
			if r.Plan.Mode == "shadow" {
				r.Plan.Mode = "act"
			}
		}}, "is in shadow", 1},
		{"nobody is asked", remedy.GateApproval, plant{row: func(r *remedy.Remediation) {
			if r.Plan.Mode == "suggest" {
				r.Plan.Mode, r.Plan.Approval, r.Approval = "act", nil, false
			}
		}}, "nobody approved", 1},
		{"two may be at work on one thing", remedy.GateOwner, plant{history: func(h *remedy.History) { h.Open = "" }, move: func(_ *remedy.Remediation, m *remedy.Move) {
			if m.Open != nil { // the ledger has one open attempt of a subject, whatever the gates say
				m.Open.Subject += " " + m.Open.ID()
			}
		}}, "at one time", 6},
		{"every verification succeeds", "", plant{verify: func(v *remedy.Verification) { v.OK = true }}, "none that it is up", 1},
		{"no verification succeeds", "", plant{verify: func(v *remedy.Verification) { v.OK = false }}, "said not to have helped", 1},
		{"an unsafe act is taken for one that may be repeated", "", plant{move: func(_ *remedy.Remediation, m *remedy.Move) {
			if m.Open != nil {
				m.Open.Class = remedy.Convergent
			}
		}, more: "arm ask"}, "nobody has said what became", 4},
		{"a rung is left out", "", plant{move: func(r *remedy.Remediation, m *remedy.Move) {
			if m.Next.Rung > r.Rung && m.Next.Rung+1 < len(r.Plan.Ladder) {
				m.Next.Rung++
			}
		}}, "after rung", 1},
		{"giving up is for ever", "", plant{move: func(_ *remedy.Remediation, m *remedy.Move) {
			if m.Next.State == remedy.GaveUp {
				m.Next.Until = clock.Stamp{}
			}
		}}, "waits for ever", 2},
		{"what is held is forgotten", "", plant{move: func(_ *remedy.Remediation, m *remedy.Move) {
			if m.Next.State == remedy.Held {
				m.Next.Until = m.Next.Until.Add(1000 * time.Hour)
			}
		}}, "not well", 2},
	}
	for _, g := range new(decide.Rules).Gates() {
		if !slices.ContainsFunc(tests, func(tt test) bool { return tt.gate == g.Name }) {
			t.Errorf("no bug is planted at gate %s", g.Name)
		}
	}
	for _, tt := range tests[:min(planted, len(tests))] {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for s := tt.seed; s < tt.seed+12; s++ {
				bad, _, _ := simulate(t, s, 3*time.Hour, tt.p)
				if text := strings.Join(bad, "\n"); strings.Contains(text, tt.want) {
					t.Logf("seed %d: %s", s, text[:min(200, len(text))])
					return
				} else if text != "" {
					t.Logf("seed %d says something else: %s", s, text[:min(200, len(text))])
				}
			}
			t.Errorf("no seed shows it")
		})
	}
}
