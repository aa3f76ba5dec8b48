package decide

import (
	"math"
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// terms are what holds for one remediation: its plan, and the configuration
// where the plan says nothing.
type terms struct {
	*Rules
	p *remedy.Plan
}

func (c *Rules) terms(r *remedy.Remediation) terms { return terms{c, &r.Plan} }

func (t terms) cooldown() time.Duration {
	if t.p.Cooldown != nil {
		return t.p.Cooldown.Std()
	}
	return t.Cooldown.Std()
}

func (t terms) limit() remedy.Limit {
	if t.p.Limit != nil {
		return *t.p.Limit
	}
	return t.Limit
}

func (t terms) kindLimit(kind string) remedy.Limit {
	if l, ok := t.KindLimits[kind]; ok {
		return l
	}
	return t.KindLimit
}

func (t terms) cost(s remedy.Spec) float64 {
	if t.p.Cost != nil {
		return *t.p.Cost
	}
	return s.Cost
}

func (t terms) approvalTTL() time.Duration {
	if t.p.Approval != nil && t.p.Approval.TTL != nil {
		return t.p.Approval.TTL.Std()
	}
	return t.ApprovalTTL.Std()
}

// untaken is how long what others do waits for one of them: as long as its act may
// take where the plan says that.
func (t terms) untaken(r *remedy.Remediation) time.Duration {
	if d := rung(r).Timeout; d != nil && *d > 0 {
		return d.Std()
	}
	return t.External.Std()
}

// backoff fills what the plan's backoff leaves out.
func (t terms) backoff() remedy.Backoff {
	b := t.Backoff
	if p := t.p.Backoff; p != nil {
		if p.Base != 0 {
			b.Base = p.Base
		}
		if p.Factor != 0 {
			b.Factor = p.Factor
		}
		if p.Cap != 0 {
			b.Cap = p.Cap
		}
		if p.Quiet != 0 {
			b.Quiet = p.Quiet
		}
	}
	b.Cap = max(b.Cap, b.Base)
	return b
}

// delay is Base x Factor^n, at most Cap.
func delay(b remedy.Backoff, n int) time.Duration {
	w := float64(b.Base) * math.Pow(max(1, b.Factor), float64(max(0, n)))
	if w >= float64(b.Cap) { // also when it overflowed to infinity
		return b.Cap.Std()
	}
	return time.Duration(w)
}

// doubled is base x 2^n, at most limit.
func doubled(base time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}

// rung is the one whose turn it is; the zero Rung when there is none.
func rung(r *remedy.Remediation) remedy.Rung {
	if r.Rung < 0 || r.Rung >= len(r.Plan.Ladder) {
		return remedy.Rung{}
	}
	return r.Plan.Ladder[r.Rung]
}

func (t terms) tries(r *remedy.Remediation) int {
	if n := rung(r).Tries; n > 0 {
		return n
	}
	return t.Tries
}

// SettleAndWithin is how long after the end of r's newest attempt samples are
// not looked at, and how long the verification may take after that.
func (c *Rules) SettleAndWithin(r *remedy.Remediation) (settle, within time.Duration) {
	settle, within = c.Settle.Std(), c.Within.Std()
	if s := rung(r).Settle; s != nil {
		settle = s.Std()
	}
	if v := r.Plan.Verify; v != nil && v.Within != nil {
		within = v.Within.Std()
	}
	return settle, within
}

// Times are from when samples count for the verification of r and until when they
// are waited for. What was interrupted by a stop is given its whole time again: what
// was seen before it is not counted any more.
func (c *Rules) Times(r *remedy.Remediation, now clock.Stamp) (after, deadline clock.Stamp) {
	settle, within := c.SettleAndWithin(r)
	after = r.AttemptEnd.Add(settle)
	switch left, same := after.Sub(now); {
	case !same:
		return after, now.Add(settle + within)
	case left > 0:
		return after, after.Add(within)
	}
	return after, now.Add(within)
}

// Captures says whether evidence is taken before an act of r.
func (c *Rules) Captures(r *remedy.Remediation, s remedy.Spec) bool {
	if r.Plan.Capture != nil {
		return *r.Plan.Capture && s.Capture
	}
	return c.Capture && s.Capture
}

// since is the time that has certainly passed from old to now. Within a boot it
// is exact. Across boots the wall clock may have been set in between, in either
// direction and by years, so only the time since this boot counts: whatever
// waits may then wait longer, but a clock that jumps never lets it go early.
func since(now, old clock.Stamp) time.Duration {
	if d, same := now.Sub(old); same {
		return max(0, d)
	}
	return max(0, time.Duration(now.Boot))
}

// remaining is how long until still lies ahead, where until was set length
// before it; zero when it has passed. Across boots see since.
func remaining(now, until clock.Stamp, length time.Duration) time.Duration {
	if until.IsZero() {
		return 0
	}
	if d, same := until.Sub(now); same {
		return max(0, d)
	}
	return max(0, length-time.Duration(now.Boot))
}
