package decide

import (
	"math"
	"slices"
	"strings"
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// Lookback is how far back the history must reach for the gates of r, whose
// current rung is spec, to be right. What no gate counts is not read: during a
// revision of thousands of files each claim would go through the acts of all the
// others.
func (c *Rules) Lookback(r *remedy.Remediation, spec remedy.Spec) remedy.Query {
	q := remedy.Query{Subject: spec.Subject, Policy: r.Policy, Kind: spec.Kind}
	if r.Plan.Asked {
		return q
	}
	t := c.terms(r)
	subject := t.limit().Per.Std()
	if r.Plan.Backoff != nil {
		subject = max(subject, t.backoff().Quiet.Std()+t.backoff().Cap.Std())
	}
	q.SubjectPer, q.PolicyPer = int64(subject), int64(c.PolicyLimit.Per)
	if !writesBack(r, spec) {
		q.KindPer, q.Storm = int64(t.kindLimit(spec.Kind).Per), int64(c.Storm.Within)
	}
	return q
}

// Past is what the end of a verification of r looks back on: the breaker of its
// subject alone.
func Past(r *remedy.Remediation) remedy.Query {
	return remedy.Query{Subject: r.Subject, Policy: r.Policy}
}

// cooldown: gate 8. A subject that was just acted on is left alone for a while.
// The remediation's own next try is exempt: its backoff governs that. Where the
// policy asks for a backoff, remediations that follow one another on the
// subject within its quiet time are spaced out by it too, so that what breaks
// again and again is restarted less and less often.
func (c *Rules) cooldown(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if h.LastEnd.IsZero() || h.LastEndBy == r.ID || r.Plan.Asked {
		return remedy.Verdict{}
	}
	t := c.terms(r)
	wait, why := t.cooldown(), "cooldown"
	if r.Plan.Backoff != nil {
		b := t.backoff()
		if n := chain(h.BySubject, now, b.Quiet.Std()); n > 0 {
			if w := delay(b, n-1); w > wait {
				wait, why = w, "backoff"
			}
		}
	}
	ago := since(now, h.LastEnd)
	if ago >= wait {
		return remedy.Verdict{}
	}
	at := now.Add(wait - ago)
	return hold(at, "held by %s: %s was acted on %s ago; next at %s", why, thing(r), short(ago), clockTime(at))
}

// chain counts how many of the newest starts follow each other, and now, with
// less than quiet in between.
func chain(starts []clock.Stamp, now clock.Stamp, quiet time.Duration) int {
	n := 0
	for i := len(starts) - 1; i >= 0 && since(now, starts[i]) < quiet; i-- {
		now = starts[i]
		n++
	}
	return n
}

// limits: gate 9. So many acts in so much time, per subject, policy and kind.
func (c *Rules) limits(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	t := c.terms(r)
	if r.Plan.Asked {
		return remedy.Verdict{}
	}
	for _, l := range []struct {
		what   string
		starts []clock.Stamp
		limit  remedy.Limit
		on     bool
	}{
		{thing(r), h.BySubject, t.limit(), true},
		{"policy " + r.Policy, h.ByPolicy, c.PolicyLimit, r.Policy != ""},
		{"all acts of kind " + f.Spec.Kind, h.ByKind, t.kindLimit(f.Spec.Kind), !writesBack(r, f.Spec)},
	} {
		if left := over(l.starts, l.limit, now); l.on && left > 0 {
			at := now.Add(left)
			return hold(at, "%s reached its limit of %s; next at %s", l.what, l.limit, clockTime(at))
		}
	}
	return remedy.Verdict{}
}

// over is how long it takes until one more start is within the limit; zero when
// it is so now.
func over(starts []clock.Stamp, l remedy.Limit, now clock.Stamp) time.Duration {
	_, left := within(starts, l, now)
	return left
}

// within counts the starts that lie within a limit's time, and says how long it
// takes until one more fits; zero when it does now.
func within(starts []clock.Stamp, l remedy.Limit, now clock.Stamp) (n int, left time.Duration) {
	per := l.Per.Std()
	var live []time.Duration // ages within the period
	for _, s := range starts {
		if age := since(now, s); age < per {
			live = append(live, age)
		}
	}
	if len(live) < l.Max || l.Max < 1 {
		return len(live), 0
	}
	// One more fits when at most Max-1 are left. Ages of earlier boots are lower
	// bounds, so the starts' order says nothing here.
	slices.Sort(live)
	return len(live), per - live[l.Max-1]
}

// budget: gate 10. The host's autonomy budget, a token bucket.
func (c *Rules) budget(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	cost := c.terms(r).cost(f.Spec)
	if cost <= 0 || r.Plan.Asked || writesBack(r, f.Spec) {
		return remedy.Verdict{}
	}
	if cost > c.Budget.Points {
		return refuse("it costs %.3g points, but the host's budget never holds more than %.3g", cost, c.Budget.Points)
	}
	have := c.points(h.Budget, now)
	if have >= cost {
		return remedy.Verdict{}
	}
	left := time.Duration(math.Ceil((cost - have) / c.Budget.Refill * float64(time.Hour)))
	at := now.Add(max(left, lookSoon))
	return hold(at, "the host's autonomy budget is down to %.3g of %.3g points and this costs %.3g; enough at %s", have, c.Budget.Points, cost, clockTime(at))
}

// points is what the bucket holds now; one never touched is full.
func (c *Rules) points(b remedy.Budget, now clock.Stamp) float64 {
	if b.At.IsZero() {
		return c.Budget.Points
	}
	return min(c.Budget.Points, b.Points+since(now, b.At).Hours()*c.Budget.Refill)
}

// storm: gate 11. Too many different subjects at once look like one cause that
// no single act will mend. Telling people and waiting touch nothing: they neither
// make a storm nor are held by one, for then people most want to be told.
func (c *Rules) storm(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	if touchesNothing(f.Spec.Subject) || r.Plan.Asked || writesBack(r, f.Spec) {
		return remedy.Verdict{}
	}
	if left := remaining(now, h.Storm, c.Storm.Hold.Std()); left > 0 {
		return hold(now.Add(left), "storm brake: too many different subjects were acted on at once; calm at %s", clockTime(now.Add(left)))
	}
	if n := others(h.Subjects, f.Spec.Subject, now, c.Storm.Within.Std()); n >= c.Storm.Subjects {
		at := now.Add(c.Storm.Hold.Std())
		return hold(at, "storm brake: %s would be the %d. subject acted on within %s; everything is held until %s",
			thing(r), n+1, short(c.Storm.Within.Std()), clockTime(at))
	}
	return remedy.Verdict{}
}

// writesBack says whether r makes something what a commit says that it is, by an
// act that changes nothing when it is so already. Its document's pace bounds it,
// thing by thing; a folder of files that somebody emptied must come back whole, so
// what the host as a whole may be acted on does not count it.
func writesBack(r *remedy.Remediation, spec remedy.Spec) bool {
	return r.Source == remedy.FromReconcile && spec.Class == remedy.Convergent
}

// others counts the subjects but for one that were touched within the time.
func others(ts []remedy.Touched, but string, now clock.Stamp, within time.Duration) int {
	n := 0
	for _, t := range ts {
		if t.Subject != but && !touchesNothing(t.Subject) && since(now, t.At) < within {
			n++
		}
	}
	return n
}

// touchesNothing says whether a subject is one of a kind that is idle: such a key
// begins with the kind.
func touchesNothing(subject string) bool {
	kind, _, _ := strings.Cut(subject, ":")
	return idle(kind)
}

// breaker: gate 12. Acts that do not help are stopped for longer and longer.
func (c *Rules) breaker(r *remedy.Remediation, f *remedy.Facts, h *remedy.History, now clock.Stamp) remedy.Verdict {
	b := h.Breaker
	if r.Plan.Asked {
		return remedy.Verdict{}
	}
	left := remaining(now, b.Until, c.opening(b.Opened))
	if left == 0 {
		return remedy.Verdict{}
	}
	at := now.Add(left)
	return hold(at, "circuit breaker: the last %d acts on %s did not help; tried again at %s", b.Failures, thing(r), clockTime(at))
}

// opening is how long a breaker stays open the n-th time in a row.
func (c *Rules) opening(n int) time.Duration {
	return doubled(c.Break.Open.Std(), n-1, c.Break.Cap.Std())
}

// tripped is a breaker after one more failed verification. Once open, each
// further failure opens it again for twice as long; only a success resets it.
func (c *Rules) tripped(b remedy.Breaker, now clock.Stamp) remedy.Breaker {
	b.Failures++
	if b.Failures >= c.Break.Failures {
		b.Opened++
		b.Until = now.Add(c.opening(b.Opened))
	}
	return b
}
