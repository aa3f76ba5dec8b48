package vigilsim

import (
	"time"

	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// rules are what holds, told anew: the watcher counts by them and asks no gate.
type rules struct {
	conf  remedy.Config
	terms map[string]terms // by policy
	grace time.Duration    // after the host's boot
}

// terms are a policy's own.
type terms struct {
	cooldown  time.Duration
	limit     remedy.Limit
	tries     []int // of each rung
	settle    time.Duration
	successes int // of a verification
	mode      string
	plain     bool // it fires while the newest sample is down, and on nothing else
	deeper    string
}

func (r *rules) of(policy string) terms {
	t, ok := r.terms[policy]
	if !ok {
		t = terms{cooldown: r.conf.Cooldown.Std(), limit: r.conf.Limit, tries: []int{1}, mode: "person"}
	}
	return t
}

// held is a hold as a person was told that it stands.
type held struct {
	id, kind string
	about    string // "" everything; else a service
	boot     string
	from     time.Time
	until    time.Time
	released time.Time
}

// when is the true time of a stamp of this simulation.
func (c *clocks) when(s clock.Stamp) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boots[s.BootID].Add(time.Duration(s.Boot))
}

// touches says whether an act changes something.
func (a *act) touches() bool { return a.verb != "notify" }

// watch holds a beginning act against everything that may forbid it. w.mu is held.
func (w *world) watch(a *act) {
	t, at := w.rules.of(a.policy), a.claimed
	if w.life != a.life || !at.Before(a.began.Add(time.Second)) {
		w.say("%s was claimed at %s and begins only now", a.attempt, at.Format(time.TimeOnly))
	}
	for _, o := range w.acts {
		switch {
		case o.attempt == a.attempt:
			w.say("attempt %s begins a second time", a.attempt)
		case o.subject == a.subject && o.ended.IsZero():
			w.say("%s and %s act on %s at one time", o.attempt, a.attempt, a.subject)
		}
	}
	w.forbidden(a)
	w.counted(a, t)
	if said, is := w.word[a.id]; is && !said {
		w.say("%s acts though nobody has said what became of an unsafe act of remediation %d", a.attempt, a.id)
	}
	if a.policy == "" {
		return
	}
	switch t.mode {
	case "shadow":
		w.say("%s acts, and policy %s is in shadow", a.attempt, a.policy)
	case "suggest":
		if !w.yes[a.id] {
			w.say("%s acts, policy %s only suggests, and nobody approved", a.attempt, a.policy)
		}
	}
	w.condition(a, t)
}

// forbidden is what people and safe mode forbid.
func (w *world) forbidden(a *act) {
	for _, h := range w.holds {
		if !h.from.Before(a.claimed) || !h.until.After(a.claimed) || !h.released.IsZero() && !h.released.After(a.claimed) {
			continue
		}
		if h.boot != w.clocks.bootID() && w.jumpedSince(h.from) {
			continue // across boots only the wall clock is left, and it was set
		}
		switch h.kind {
		case "pause":
			w.say("%s acts during a pause", a.attempt)
		case "silence":
			if h.about == a.target && a.policy != "" {
				w.say("%s acts on %s, which is silenced", a.attempt, a.target)
			}
		case "hands_off":
			if "svc:"+h.about == a.subject {
				w.say("%s acts on %s: hands off", a.attempt, a.subject)
			}
		}
	}
	if a.claimed.Before(w.safe) {
		w.say("%s acts in safe mode", a.attempt)
	}
}

func (w *world) jumpedSince(t time.Time) bool {
	return len(w.jumps) > 0 && w.jumps[len(w.jumps)-1].After(t)
}

// counted is what is counted: cool-down, limits, budget, storm.
func (w *world) counted(a *act, t terms) {
	c := &w.rules.conf
	kind := c.KindLimit
	subject, policy, kinds := 0, 0, 0
	others := map[string]bool{}
	for _, o := range w.acts {
		ago := a.claimed.Sub(o.claimed)
		if o.subject == a.subject {
			if ago < t.limit.Per.Std() {
				subject++
			}
			if gap := a.claimed.Sub(o.ended); o.id != a.id && !o.ended.IsZero() && gap < t.cooldown {
				w.say("%s acts on %s %s after %s: cool-down is %s", a.attempt, a.subject, gap, o.attempt, t.cooldown)
			}
		} else if o.touches() && ago < c.Storm.Within.Std() {
			others[o.subject] = true
		}
		if o.policy == a.policy && ago < c.PolicyLimit.Per.Std() {
			policy++
		}
		if o.verb == a.verb && ago < kind.Per.Std() {
			kinds++
		}
	}
	if subject >= t.limit.Max {
		w.say("%s is act %d on %s within %s, at most %d", a.attempt, subject+1, a.subject, t.limit.Per, t.limit.Max)
	}
	if a.policy != "" && policy >= c.PolicyLimit.Max {
		w.say("%s is act %d of policy %s within %s", a.attempt, policy+1, a.policy, c.PolicyLimit.Per)
	}
	if kinds >= kind.Max {
		w.say("%s is act %d of kind %s within %s", a.attempt, kinds+1, a.verb, kind.Per)
	}
	if a.touches() && len(others) >= c.Storm.Subjects {
		w.say("%s acts on subject %d within %s: storm brake", a.attempt, len(others)+1, c.Storm.Within)
	}
	if a.cost > 0 {
		w.bucket = min(c.Budget.Points, w.bucket+a.claimed.Sub(w.filled).Hours()*c.Budget.Refill)
		w.filled = a.claimed
		if w.bucket -= a.cost; w.bucket < -1e-6 {
			w.say("%s overspends the budget by %.3f points", a.attempt, -w.bucket)
		}
	}
}

// condition is whether there was a reason to act at that very moment.
func (w *world) condition(a *act, t terms) {
	s := w.service(a.target)
	if s == nil {
		return
	}
	if up := time.Duration(w.clocks.now().Boot); up < w.rules.grace {
		w.say("%s acts %s after the host's boot", a.attempt, up)
	}
	if w.off[a.policy] {
		w.say("%s acts, and policy %s is off", a.attempt, a.policy)
	}
	if len(s.log) == 0 {
		w.say("%s acts on %s, of which nothing was ever said", a.attempt, a.target)
		return
	}
	last := s.log[len(s.log)-1]
	if !last.at.Before(a.claimed) {
		return // at this very moment: either may have been first
	}
	switch age := a.claimed.Sub(last.at); {
	case last.life != a.life && age > 6*every:
		w.say("%s acts on %s, of which this life heard nothing and the one before %s ago", a.attempt, a.target, age)
	case age > 5*time.Minute:
		w.say("%s acts on %s, of which nothing was said for %s", a.attempt, a.target, age)
	case t.plain && last.up:
		w.say("%s acts on %s, which was up %s ago", a.attempt, a.target, age)
	}
	if t.deeper != "" && !w.off["db-down"] && w.downFor("db", a.claimed) > 2*time.Minute {
		w.say("%s acts on %s though %s is down, which it depends on", a.attempt, a.target, t.deeper)
	}
}

// downFor is for how long this life was told, without a break, that a service is down.
func (w *world) downFor(name string, at time.Time) time.Duration {
	s, d := w.service(name), time.Duration(0)
	for i := len(s.log) - 1; i >= 0; i-- {
		x := s.log[i]
		if x.up || x.life != w.life || at.Sub(x.at) > d+2*every {
			break
		}
		d = at.Sub(x.at)
	}
	return d
}
