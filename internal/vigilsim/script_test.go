package vigilsim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/remedy"
)

// event is one thing that happens to the world or to the daemon.
type event struct {
	at   time.Duration
	what string
	do   func(s *sim)
}

// configured draws a configuration: the limits matter where they are met.
func configured(r *rand.Rand) remedy.Config {
	c := remedy.Defaults()
	d := func(lo, hi time.Duration) document.Duration {
		return document.Duration(lo + time.Duration(r.Int64N(int64(hi-lo)+1)).Truncate(time.Second))
	}
	c.Workers = 1 + r.IntN(5)
	c.Cooldown = d(10*time.Second, 5*time.Minute)
	c.Limit = remedy.Limit{Max: 2 + r.IntN(5), Per: d(20*time.Minute, 2*time.Hour)}
	c.PolicyLimit.Max = 6 + r.IntN(20)
	c.KindLimit.Max = 10 + r.IntN(50)
	c.Budget = remedy.BudgetConfig{Points: float64(10 + r.IntN(90)), Refill: float64(5 + r.IntN(40))}
	c.Storm = remedy.StormConfig{Subjects: 2 + r.IntN(4), Within: d(time.Minute, 5*time.Minute), Hold: d(2*time.Minute, 10*time.Minute)}
	c.Break = remedy.BreakerConfig{Failures: 2 + r.IntN(3), Open: d(5*time.Minute, 20*time.Minute), Cap: document.Duration(2 * time.Hour)}
	c.GaveUpRetry, c.GaveUpCap = d(10*time.Minute, time.Hour), document.Duration(4*time.Hour)
	c.Unseen = document.Duration(2 * time.Hour)
	return c
}

// policies are what is in force, and the terms the watcher holds them to.
func policies(r *rand.Rand, c *remedy.Config) (texts []string, ts map[string]terms) {
	ts = map[string]terms{}
	own := terms{
		cooldown: time.Duration(30+r.IntN(300)) * time.Second, limit: remedy.Limit{Max: 2 + r.IntN(4), Per: document.Duration(time.Hour)},
		tries: []int{1 + r.IntN(3), 1, 1}, settle: 5 * time.Second, successes: 1, mode: "act", plain: true,
	}
	add := func(name, text string, t terms) { texts, ts[name] = append(texts, text), t }
	down := func(name, match, more string) string {
		return fmt.Sprintf(`
apiVersion: vigil/v1
kind: Policy
metadata: {name: %s}
spec:
  match: %s
  fire: value < 1
  for: %ds
%s
`, name, match, r.IntN(4)*15, more)
	}
	add("db-down", down("db-down", `svc_up{service="db"}`, fmt.Sprintf(`  severity: critical
  remedy:
    target: "{{ labels.service }}"
    ladder:
      - {action: restart, tries: %d}
      - {action: reset}
      - {action: notify}
    cooldown: %s
    limit: {max: %d, per: 1h}`, own.tries[0], own.cooldown, own.limit.Max)), own)
	others := terms{cooldown: c.Cooldown.Std(), limit: c.Limit, tries: []int{2, 1, 1, 1}, settle: 15 * time.Second, successes: 2, mode: "act", plain: true, deeper: "db"}
	add("down", down("down", `svc_up{service!="db",service!="log",service!="pay"}`, `  depends_on: [db-down]
  remedy:
    target: "{{ labels.service }}"
    ladder:
      - {action: reload, settle: 15s, tries: 2}
      - {action: restart, settle: 15s, timeout: 20s}
      - {action: reset, settle: 15s}
      - {action: notify, settle: 15s}
    verify: {within: 90s, successes: 2}`), others)
	slow := terms{cooldown: c.Cooldown.Std(), limit: c.Limit, tries: []int{1, 2}, settle: 5 * time.Second, successes: 1, mode: "act"}
	add("slow", `
apiVersion: vigil/v1
kind: Policy
metadata: {name: slow}
spec:
  match: svc_latency
  fire: avg("2m") > 1 and value > 1
  clear: value < 0.5
  times: {x: 2, of: 3}
  remedy:
    target: "{{ labels.service }}"
    ladder:
      - {action: reload}
      - {action: restart, tries: 2}
    backoff: {base: 30s, cap: 10m}
`, slow)
	shadow := terms{cooldown: c.Cooldown.Std(), limit: c.Limit, tries: []int{1}, settle: 5 * time.Second, successes: 1, mode: "shadow", plain: true}
	add("watch", down("watch", `svc_up{service="log"}`, `  mode: shadow
  remedy: {target: "{{ labels.service }}", ladder: [{action: restart}]}`), shadow)
	ask := shadow
	ask.mode = "suggest"
	add("ask", down("ask", `svc_up{service="pay"}`, `  mode: suggest
  remedy: {target: "{{ labels.service }}", ladder: [{action: restart}], approval: {ttl: 30m}}`), ask)
	return texts, ts
}

// script draws what happens in so much time; more is what there is five times as much of.
func script(r *rand.Rand, span time.Duration, names []string, more string) (es []event) {
	busy := max(span.Hours()/24, 0.2) // a short one is a dense one
	many := func(what string, perDay float64) int {
		n := perDay * busy
		if slices.Contains(strings.Fields(more), what) {
			n *= 5
		}
		whole := int(n)
		if r.Float64() < n-float64(whole) {
			whole++
		}
		return whole
	}
	moment := func() time.Duration { return time.Duration(r.Int64N(int64(span))).Truncate(time.Millisecond) }
	length := func(lo, hi time.Duration) time.Duration { return lo + time.Duration(r.Int64N(int64(hi-lo)+1)) }
	add := func(at time.Duration, what string, do func(s *sim)) { es = append(es, event{at, what, do}) }
	name := func() string { return names[r.IntN(len(names))] }

	for range many("failure", 30) {
		n, f := name(), failed(r, length)
		add(moment(), n+" fails: "+f.kind, func(s *sim) { s.fail(n, f) })
	}
	for range many("flood", 2) { // a flood
		at := moment()
		for _, n := range names {
			f := failed(r, length)
			add(at+time.Duration(r.IntN(3))*time.Second, "flood: "+n+" fails: "+f.kind, func(s *sim) { s.fail(n, f) })
		}
	}
	for range many("cascade", 2) { // a cascade
		at, lasts := moment(), length(5*time.Minute, 30*time.Minute)
		for i, n := range names {
			f := failure{kind: "cascade", heals: map[string]int{}, firm: time.Time{}}
			if n == "db" {
				f.heals["restart"] = 1
			}
			add(at+time.Duration(i)*time.Second, "cascade: "+n+" fails", func(s *sim) {
				f := f
				f.itself = time.Now().Add(lasts)
				s.fail(n, f)
			})
		}
	}
	for range many("silence", 3) {
		n, d := name(), length(30*time.Second, 15*time.Minute)
		add(moment(), n+" is silent", func(s *sim) { s.mute(n, d) })
	}
	for range many("hold", 6) {
		kind, n, d, early := []string{"pause", "silence", "hands_off"}[r.IntN(3)], name(), length(5*time.Minute, 90*time.Minute), r.IntN(2) == 0
		at := moment()
		add(at, kind+" "+n, func(s *sim) { s.hold(kind, n, d) })
		if early {
			add(at+d/3, "release "+kind, func(s *sim) { s.release(kind, n) })
		}
	}
	for range many("jump", 2) {
		d := []time.Duration{2 * time.Minute, -2 * time.Minute, time.Hour, -time.Hour, 30 * time.Hour, -30 * time.Hour, 400 * 24 * time.Hour, -5 * 24 * time.Hour}[r.IntN(8)]
		add(moment(), fmt.Sprintf("the wall clock is set by %s", d), func(s *sim) { s.jump(d) })
	}
	kinds := []string{"claim.before", "claim.after", "apply.before", "apply.after", "commit.before", "commit.after", "decision.before", "decision.after"}
	for range many("arm", 8) {
		k, n, gap := kinds[r.IntN(len(kinds))], 1+r.IntN(3), length(0, 4*time.Minute)
		add(moment(), fmt.Sprintf("to be killed at %s %d", k, n), func(s *sim) { s.arm(k, n, gap) })
	}
	for range many("kill", 3) {
		gap, boot := length(0, 3*time.Minute), r.IntN(3) == 0
		add(moment(), fmt.Sprintf("kill, reboot %v", boot), func(s *sim) { s.kill(gap, boot) })
	}
	for range many("again", 0.4) { // a daemon that dies again and again
		at := moment()
		for i := range 4 {
			add(at+time.Duration(i)*time.Minute, "kill again", func(s *sim) { s.kill(time.Second, false) })
		}
	}
	for range many("stop", 3) {
		gap := length(0, 5*time.Minute)
		add(moment(), "stop and start", func(s *sim) { s.restart(gap) })
	}
	for range many("ask", 10) {
		n, v := name(), []string{"restart", "reload", "reset", "notify"}[r.IntN(4)]
		add(moment(), "a person asks to "+v+" "+n, func(s *sim) { s.ask(v, n) })
	}
	for range many("word", 20) {
		word, odd := []string{"cancel", "retry", "approve"}[r.IntN(3)], r.IntN(100)
		add(moment(), "a person says "+word, func(s *sim) { s.person(word, odd) })
	}
	for at := 30 * time.Minute; at < span; at += 45 * time.Minute {
		done := r.IntN(3) > 0
		add(at, "a person judges", func(s *sim) { s.judge(done) })
	}
	for range many("policy", 2) {
		p, d := []string{"slow", "down", "ask", "db-down"}[r.IntN(4)], length(5*time.Minute, 40*time.Minute)
		at := moment()
		add(at, p+" is turned off", func(s *sim) { s.enable(p, false) })
		add(at+d, p+" is turned on", func(s *sim) { s.enable(p, true) })
	}
	for range many("policy", 1.5) {
		at := moment()
		add(at, "slow is deleted", func(s *sim) { s.drop("slow") })
		add(at+length(time.Second, 10*time.Minute), "slow is put", func(s *sim) { s.putAll() })
	}
	slices.SortStableFunc(es, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return es
}

// failed draws a failure.
func failed(r *rand.Rand, length func(lo, hi time.Duration) time.Duration) failure {
	switch r.IntN(10) {
	case 0, 1, 2:
		return failure{kind: "crash", heals: map[string]int{"restart": 1, "reset": 1}}
	case 3:
		return failure{kind: "hang", slow: true, heals: map[string]int{"reload": 1, "restart": 1}}
	case 4:
		return failure{kind: "slow to heal", heals: map[string]int{"restart": 1, "reset": 1}, delay: length(20*time.Second, 6*time.Minute)}
	case 5:
		return failure{kind: "deep", heals: map[string]int{"reset": 1}}
	case 6:
		return failure{kind: "takes several", heals: map[string]int{"restart": 2 + r.IntN(3), "reset": 3}}
	case 7:
		return failure{kind: "flap", period: length(20*time.Second, 90*time.Second), heals: map[string]int{}, delay: length(10*time.Minute, 40*time.Minute)}
	case 8:
		return failure{kind: "stubborn", heals: map[string]int{"restart": 1, "reset": 1}, delay: length(0, 10*time.Second), firm: time.Time{}.Add(length(10*time.Minute, 3*time.Hour))}
	}
	return failure{kind: "passing", heals: map[string]int{}, delay: length(30*time.Second, 20*time.Minute)}
}
