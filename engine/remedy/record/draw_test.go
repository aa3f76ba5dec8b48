package record

import (
	"encoding/json"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

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

// calm takes away what is in the way of the gates that count, and mostly puts one
// thing there that a gate which is seldom the first says no to.
func (t draw) calm(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) {
	r.State, r.Until, r.Plan.Mode, r.Approval, r.Plan.Approval, h.Open = remedy.Queued, clock.Stamp{}, "act", false, nil, ""
	f.Paused, f.Window, f.HandsOff, f.Cause = "", "", "", ""
	f.Holds, f.Warm, f.Trusted, f.Flapping = 1, true, true, false
	no := rapid.SampledFrom([]string{"", "", remedy.GateRecheck, remedy.GateDependency, remedy.GateApproval, remedy.GateOwner, remedy.GateCooldown, remedy.GateBudget, remedy.GateStorm, remedy.GateBreaker}).Draw(t.T, "no")
	if no != "" || t.yes("first of all") {
		h.BySubject, h.ByPolicy, h.ByKind, h.LastEnd, h.Budget = nil, nil, nil, clock.Stamp{}, remedy.Budget{}
	}
	if no != "" {
		r.Plan.Asked, r.Plan.Cost, f.Spec.Cost, f.Spec.Subject = false, nil, 1, "systemd:web.service"
	}
	switch no {
	case remedy.GateRecheck:
		r.Source, r.Policy = remedy.FromPolicy, "web-slow"
		f.Holds, f.Warm, f.Flapping = rapid.SampledFrom([]int8{1, 0, -1}).Draw(t.T, "holds now"), t.yes("warm"), t.yes("flaps")
	case remedy.GateDependency:
		f.Cause = "db-down"
	case remedy.GateApproval:
		r.Approval, r.ApprovedBy = true, ""
	case remedy.GateOwner:
		h.Open = "1-9-1"
	case remedy.GateCooldown:
		h.LastEnd, h.LastEndBy, r.Plan.Cooldown = now.Add(-time.Second), 9, dur(time.Minute)
	case remedy.GateBudget:
		h.Budget = remedy.Budget{Points: 0.5, At: now}
	case remedy.GateStorm:
		h.Storm = now.Add(t.length("storm"))
	case remedy.GateBreaker:
		h.Breaker, h.Subjects, h.Storm = remedy.Breaker{Failures: 3, Opened: 1, Until: now.Add(t.length("open"))}, nil, clock.Stamp{}
	}
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
		if t.yes("calm") {
			t.calm(&r, &f, &h, now)
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
