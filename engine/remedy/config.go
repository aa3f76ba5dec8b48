package remedy

import (
	"fmt"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Config is the [remedy] section: what holds where a policy says nothing, and
// what no policy can lift (limits per policy and kind, budget, storm, breaker).
type Config struct {
	Workers int `toml:"workers"` // acts at one time; what writes back a commit goes eight at a time

	Cooldown    document.Duration `toml:"cooldown"` // per subject
	Limit       Limit             `toml:"limit"`    // per subject
	PolicyLimit Limit             `toml:"policy_limit"`
	KindLimit   Limit             `toml:"kind_limit"`
	KindLimits  map[string]Limit  `toml:"kind_limits"` // kinds with a limit of their own

	Budget BudgetConfig  `toml:"budget"`
	Storm  StormConfig   `toml:"storm"`
	Break  BreakerConfig `toml:"breaker"`

	Tries       int               `toml:"tries"` // per rung
	Backoff     Backoff           `toml:"backoff"`
	Settle      document.Duration `toml:"settle"`
	Within      document.Duration `toml:"within"`       // of a verification
	Successes   int               `toml:"successes"`    // in a row, of a verification
	ApprovalTTL document.Duration `toml:"approval_ttl"` // then refused
	GaveUpRetry document.Duration `toml:"gave_up_retry"`
	GaveUpCap   document.Duration `toml:"gave_up_cap"`
	Unseen      document.Duration `toml:"indeterminate"` // then gave_up
	External    document.Duration `toml:"external"`      // what waits for an outside remediator and that none took has failed then
	Capture     bool              `toml:"capture"`       // evidence before destructive acts

	LookAgain document.Duration `toml:"look_again"` // at what a person or another condition holds
	Unknown   document.Duration `toml:"unknown"`    // how long a condition may stay unknown before its remediation is refused
	StopGrace document.Duration `toml:"stop_grace"` // running acts may end by themselves when vigild stops
}

// BudgetConfig is the host's token bucket.
type BudgetConfig struct {
	Points float64 `toml:"points"`
	Refill float64 `toml:"refill"` // points an hour
}

// StormConfig is the brake: more than Subjects different ones Within hold all for Hold.
type StormConfig struct {
	Subjects int               `toml:"subjects"`
	Within   document.Duration `toml:"within"`
	Hold     document.Duration `toml:"hold"`
}

// BreakerConfig opens after Failures failed verifications in a row on a subject.
type BreakerConfig struct {
	Failures int               `toml:"failures"`
	Open     document.Duration `toml:"open"` // doubled each time in a row
	Cap      document.Duration `toml:"cap"`
}

func dur(d time.Duration) document.Duration { return document.Duration(d) }

// Defaults is the table of values that docs and vigil.example.toml show.
func Defaults() Config {
	return Config{
		Workers:     4,
		Cooldown:    dur(time.Minute),
		Limit:       Limit{4, dur(time.Hour)},
		PolicyLimit: Limit{20, dur(time.Hour)},
		KindLimit:   Limit{60, dur(time.Hour)},
		KindLimits:  map[string]Limit{"reboot": {2, dur(24 * time.Hour)}},
		Budget:      BudgetConfig{Points: 100, Refill: 10},
		Storm:       StormConfig{Subjects: 5, Within: dur(2 * time.Minute), Hold: dur(5 * time.Minute)},
		Break:       BreakerConfig{Failures: 3, Open: dur(15 * time.Minute), Cap: dur(6 * time.Hour)},
		Tries:       1,
		Backoff:     Backoff{Base: dur(2 * time.Second), Factor: 2, Cap: dur(5 * time.Minute), Quiet: dur(10 * time.Minute)},
		Settle:      dur(5 * time.Second),
		Within:      dur(time.Minute),
		Successes:   1,
		ApprovalTTL: dur(time.Hour),
		GaveUpRetry: dur(time.Hour),
		GaveUpCap:   dur(24 * time.Hour),
		Unseen:      dur(24 * time.Hour),
		External:    dur(24 * time.Hour),
		Capture:     true,
		LookAgain:   dur(time.Minute),
		Unknown:     dur(10 * time.Minute),
		StopGrace:   dur(10 * time.Second),
	}
}

// Validate names every value that makes no sense, by its key.
func (c Config) Validate() error {
	var is fault.Issues
	whole := func(key string, n, lo, hi int) {
		if n < lo || n > hi {
			is.Add("remedy."+key, "%d is not between %d and %d", n, lo, hi)
		}
	}
	length := func(key string, d document.Duration, lo, hi time.Duration) {
		if d.Std() < lo || d.Std() > hi {
			is.Add("remedy."+key, "%s is not between %s and %s", d.Std(), lo, hi)
		}
	}
	const day = 24 * time.Hour
	whole("workers", c.Workers, 1, 64)
	whole("tries", c.Tries, 1, maxTries)
	whole("successes", c.Successes, 1, 100)
	length("cooldown", c.Cooldown, 0, 7*day)
	c.Limit.issues(&is, "remedy.limit")
	c.PolicyLimit.issues(&is, "remedy.policy_limit")
	c.KindLimit.issues(&is, "remedy.kind_limit")
	for kind, l := range c.KindLimits {
		l.issues(&is, "remedy.kind_limits."+kind)
	}
	if !(c.Budget.Points > 0 && c.Budget.Points <= 1e6) {
		is.Add("remedy.budget.points", "%v is not more than 0 and at most a million", c.Budget.Points)
	}
	if !(c.Budget.Refill > 0 && c.Budget.Refill <= 1e6) {
		is.Add("remedy.budget.refill", "%v points an hour is not more than 0 and at most a million", c.Budget.Refill)
	}
	whole("storm.subjects", c.Storm.Subjects, 1, 10_000)
	length("storm.within", c.Storm.Within, time.Second, day)
	length("storm.hold", c.Storm.Hold, time.Second, day)
	whole("breaker.failures", c.Break.Failures, 1, 1000)
	length("breaker.open", c.Break.Open, time.Second, 7*day)
	length("breaker.cap", c.Break.Cap, c.Break.Open.Std(), 30*day)
	c.Backoff.issues(&is, "remedy.backoff")
	length("settle", c.Settle, 0, time.Hour)
	length("within", c.Within, time.Second, day)
	length("approval_ttl", c.ApprovalTTL, time.Second, 30*day)
	length("gave_up_retry", c.GaveUpRetry, time.Second, 7*day)
	length("gave_up_cap", c.GaveUpCap, c.GaveUpRetry.Std(), 30*day)
	length("indeterminate", c.Unseen, time.Second, 30*day)
	length("external", c.External, time.Second, 366*day)
	length("look_again", c.LookAgain, time.Second, time.Hour)
	length("unknown", c.Unknown, time.Second, day)
	length("stop_grace", c.StopGrace, 0, 10*time.Minute)
	return is.Err()
}

// What a policy or the configuration may ask for at most.
const (
	maxTries = 100
	maxLimit = 10_000
)

func (l Limit) issues(is *fault.Issues, place string) {
	if l.Max < 1 || l.Max > maxLimit {
		is.Add(place, "max is %d, expected 1 to %d", l.Max, maxLimit)
	}
	if l.Per.Std() < time.Second || l.Per.Std() > 30*24*time.Hour {
		is.Add(place, "per is %s, expected 1s to 30d", l.Per.Std())
	}
}

func (b Backoff) issues(is *fault.Issues, place string) {
	switch {
	case b.Base < 0 || b.Cap < 0 || b.Quiet < 0 || max(b.Base, b.Cap, b.Quiet) > dur(30*24*time.Hour):
		is.Add(place, "base, cap and quiet must lie between 0 and 30d")
	case b.Factor != 0 && !(b.Factor >= 1 && b.Factor <= 100):
		is.Add(place, "factor is %v, expected 1 to 100", b.Factor)
	case b.Cap != 0 && b.Cap < b.Base:
		is.Add(place, "cap %s is less than base %s", b.Cap.Std(), b.Base.Std())
	}
}

// String says a limit as people do: 4 in 1h.
func (l Limit) String() string { return fmt.Sprintf("%d in %s", l.Max, l.Per) }
