package vigilsim

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/policy/record"
	"vigil/engine/remedy"
)

// reader goes through the audit chain, oldest first, and holds each record against
// those before it.
type reader struct {
	s        *sim
	attempts map[string]remedy.Attempt
	rems     map[int64]remedy.Remediation
	open     map[int64]string // the attempt of a remediation that has begun and not ended
	last     map[int64]remedy.Attempt
	lastEnd  map[int64]time.Time
	tries    map[int64]int  // of the rung of last, in this round
	round    map[int64]bool // the ladder begins anew
	silent   map[int64]bool // it gave up and nothing woke it since
	breaks   map[string]breaker
	storm    time.Time
	fired    map[string]bool
}

// breaker is a subject's, counted anew.
type breaker struct {
	failures, opened int
	until            time.Time
}

// end looks at all that is on record.
func (s *sim) end() {
	ctx, l := context.Background(), s.life.ledger
	if _, err := l.AuditVerify(ctx, nil); err != nil {
		s.say("the chain does not verify: %v", err)
	}
	r := &reader{
		s: s, attempts: map[string]remedy.Attempt{}, rems: map[int64]remedy.Remediation{}, open: map[int64]string{}, last: map[int64]remedy.Attempt{},
		lastEnd: map[int64]time.Time{}, tries: map[int64]int{}, round: map[int64]bool{}, silent: map[int64]bool{},
		breaks: map[string]breaker{}, fired: map[string]bool{},
	}
	for before := int64(0); ; {
		rs, _, err := l.Remediations(ctx, engine.RemediationFilter{Limit: 500, Before: before})
		if err != nil {
			s.say("remediations: %v", err)
			return
		}
		for _, m := range rs {
			r.rems[m.ID], before = m, m.ID
			as, err := l.Attempts(ctx, m.ID)
			if err != nil {
				s.say("attempts: %v", err)
			}
			for _, a := range as {
				r.attempts[a.ID()] = a
			}
		}
		if len(rs) < 500 {
			break
		}
	}
	for after := int64(0); ; {
		recs, err := l.Audit(ctx, after, "", 1000)
		if err != nil {
			s.say("audit: %v", err)
			return
		}
		if len(recs) == 0 {
			break
		}
		for i := range recs {
			r.take(&recs[i])
			after = recs[i].Seq
			s.counts.Records++
		}
	}
	r.world()
	s.counts.Remediations = len(r.rems)
}

// say names the record that a violation is about.
func (r *reader) say(x *audit.Record, format string, args ...any) {
	r.s.say("record %d (%s %s at %s): %s", x.Seq, x.Verb, x.Object, r.at(x).Format("02 15:04:05"), fmt.Sprintf(format, args...))
}

func (r *reader) at(x *audit.Record) time.Time { return r.s.house.clocks.when(x.At) }

func (r *reader) take(x *audit.Record) {
	kind, name, _ := strings.Cut(x.Object, ":")
	switch {
	case strings.HasPrefix(x.Verb, "firing."):
		r.firing(x)
	case x.Verb == "storm.brake":
		r.storm = r.at(x).Add(r.s.house.conf.Storm.Hold.Std())
	case x.Verb == "attempt.start":
		r.start(x, r.attempts[name])
	case kind == "attempt":
		a, ok := r.attempts[name]
		switch {
		case x.Verb == "attempt.recovered" && strings.HasPrefix(x.Reason, string(remedy.Convergent)), strings.Contains(x.Reason, "it was not done"):
			r.tries[a.Remediation]--
		}
		if !ok || r.open[a.Remediation] != name {
			r.say(x, "%q is open, and not this", r.open[a.Remediation])
		}
		delete(r.open, a.Remediation)
		r.lastEnd[a.Remediation] = r.s.house.clocks.when(a.Finished)
	case kind == "remediation":
		id, _ := strconv.ParseInt(name, 10, 64)
		r.remediation(x, id)
	}
}

// firing is a change of a firing: it comes out the same once more, and nothing
// recovers that has not fired.
func (r *reader) firing(x *audit.Record) {
	if x.Verb == "firing.close" {
		delete(r.fired, x.Object)
		return
	}
	var ev record.Evidence
	if err := json.Unmarshal(x.Evidence, &ev); err != nil {
		r.say(x, "its evidence: %v", err)
		return
	}
	if err := ev.Again(); err != nil {
		r.say(x, "decided once more: %v", err)
	}
	switch x.Verb {
	case "firing.fire":
		r.s.counts.Firings++
		r.fired[x.Object] = true
	case "firing.clear":
		if strings.HasPrefix(x.Reason, "recovered") && !r.fired[x.Object] {
			r.say(x, "it recovers and never fired")
		}
		delete(r.fired, x.Object)
	}
}

// start is an attempt: one at a time, numbered, on a rung whose turn it is, and by no
// brake forbidden.
func (r *reader) start(x *audit.Record, a remedy.Attempt) {
	id := a.Remediation
	if id == 0 {
		r.say(x, "there is no such attempt")
		return
	}
	if o := r.open[id]; o != "" {
		r.say(x, "%s has not ended", o)
	}
	if r.silent[id] {
		r.say(x, "it gave up, and nothing woke it")
	}
	prev, any := r.last[id]
	if a.N != prev.N+1 {
		r.say(x, "its number follows %d", prev.N)
	}
	t, at := r.s.world.rules.of(a.Request.Policy), r.at(x)
	fresh := !any || r.round[id]
	switch {
	case fresh && a.Rung == 0:
		r.tries[id] = 1
	case !fresh && a.Rung == prev.Rung:
		r.tries[id]++
	case a.Rung == prev.Rung+1, fresh && a.Rung == 1: // the first could not be started
		r.tries[id] = 1
	case a.Rung > prev.Rung && r.skipped(id, prev.Rung, a.Rung):
		r.tries[id] = 1
	default:
		r.say(x, "rung %d after rung %d", a.Rung, prev.Rung)
	}
	if a.Rung < len(t.tries) && r.tries[id] > t.tries[a.Rung] {
		r.say(x, "try %d of rung %d, at most %d", r.tries[id], a.Rung, t.tries[a.Rung])
	}
	if b := r.breaks[a.Subject]; at.Before(b.until) {
		r.say(x, "the breaker of %s is open until %s after %d failures", a.Subject, b.until.Format(time.TimeOnly), b.failures)
	}
	if a.Subject != "notify:oncall" && at.Before(r.storm) {
		r.say(x, "the storm brake holds until %s", r.storm.Format(time.TimeOnly))
	}
	r.open[id], r.last[id] = a.ID(), a
	delete(r.round, id)
}

// skipped says whether rungs between two were left because they could not be started.
func (r *reader) skipped(id int64, from, to int) bool { return to <= from+1 }

func (r *reader) remediation(x *audit.Record, id int64) {
	m := r.rems[id]
	subject := r.last[id].Subject
	switch verb := x.Verb; verb {
	case "remediation.gave_up":
		if r.silent[id] {
			r.say(x, "it gave up already, and nothing woke it: told twice")
		}
		r.silent[id], r.round[id] = true, true
	case "remediation.wake", "remediation.ask":
		delete(r.silent, id)
		r.round[id] = true
	case "remediation.cancel", "remediation.cleared", "remediation.failed":
		delete(r.silent, id)
	case "verify.failed":
		b := r.breaks[subject]
		c := &r.s.house.conf.Break
		if b.failures++; b.failures >= c.Failures {
			b.opened++
			b.until = r.at(x).Add(min(c.Open.Std()<<(b.opened-1), c.Cap.Std()))
		}
		r.breaks[subject] = b
		r.verified(x, m, false)
	case "verify.ok":
		delete(r.breaks, subject)
		r.verified(x, m, true)
	}
	if strings.HasPrefix(x.Verb, "verify.") && r.open[id] != "" {
		r.say(x, "attempt %s has not ended", r.open[id])
	}
}

// verified is a verification of a policy that looks at the newest sample alone: what it
// says was so in the world.
func (r *reader) verified(x *audit.Record, m remedy.Remediation, ok bool) {
	t := r.s.world.rules.of(m.Policy)
	s := r.s.world.service(m.Target)
	if !t.plain || s == nil {
		return
	}
	after, at := r.lastEnd[m.ID].Add(t.settle), r.at(x)
	good, bad := 0, 0
	for _, y := range s.log {
		switch {
		case !y.at.After(after) || y.at.After(at):
		case y.up:
			good++
		default:
			bad++
		}
	}
	switch {
	case ok && good == 0:
		r.say(x, "verified, and %d samples since the act say that %s is down, none that it is up", bad, m.Target)
	case !ok && bad == 0 && good >= t.successes:
		r.say(x, "said not to have helped, and all %d samples since the act say that %s is up", good, m.Target)
	}
}

// world compares what happened outside with what is on record.
func (r *reader) world() {
	for _, a := range r.s.world.acts {
		if x, ok := r.attempts[a.attempt]; !ok || x.Subject != a.subject {
			r.s.say("%s happened and is not on record", a.attempt)
		}
	}
	for id, m := range r.rems {
		if m.State == remedy.GaveUp && m.Until.IsZero() {
			r.s.say("remediation %d gave up for ever", id)
		}
	}
	r.s.counts.Acts = len(r.s.world.acts)
}
