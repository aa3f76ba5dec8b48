package policy

import (
	"regexp"
	"time"

	"vigil/engine/policy/lang"
	"vigil/engine/series"
)

// Truth has three values. The zero Truth is Unknown: it neither fires nor clears.
type Truth int8

// The three truths.
const (
	Unknown Truth = 0
	True    Truth = 1
	False   Truth = -1
)

func (t Truth) String() string {
	switch t {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "unknown"
}

// Condition is a compiled Spec. Immutable; safe for concurrent use.
type Condition struct {
	Spec    Spec
	Match   series.Selector
	Sources []Source // Sources[0] is Match; then one per distinct joined selector
	// TimeDriven says that the truth can change without a sample (age, absent,
	// count, firing_for, now_hour, weekday): such instances are woken by the timer.
	TimeDriven bool
	// Widest is the longest window of any source: how far back to refill. Where
	// stale_after follows the series' interval it is at least 15 min.
	Widest time.Duration

	code   *lang.Code
	fire   *lang.Tree
	clear  *lang.Tree // nil: not fire
	calls  []place    // where each window call is answered
	spans  [][]series.Span
	target *regexp.Regexp // nil: every target
	exact  string         // the one target the spec names, "" for a glob or none
	flap   Flapping
}

// place is the source and the span of a window call.
type place struct{ source, span int }

// Source is one selector a condition reads. On is the labels whose values must
// equal the instance's (nil for Sources[0]); joined sources read, they do not wake.
type Source struct {
	Selector series.Selector
	On       []string
}

// ParseSelector reads a PromQL series selector: name{label="value",other=~"re"}.
// One that every series would pass is refused. The error is a *fault.Error whose
// Place is the column. Safe for concurrent use.
func ParseSelector(text string) (series.Selector, error) { return lang.ParseSelector(text) }

// maxParts is how many series of one joined source an instance keeps apart.
// Two are enough to make the join unknown; more let it become known again when
// they leave.
const maxParts = 4

// Bytes is the most memory one instance of the condition can hold: all windows
// in panes, all joins with four series. See Instance.Bytes for what it does hold.
func (c *Condition) Bytes() int {
	n := 512 + c.code.Bytes()
	for i, spans := range c.spans {
		parts := 1
		if i > 0 {
			parts = maxParts
		}
		n += parts * series.TrackBytes(spans)
	}
	return n
}

// StaleAfter is how long a series may be silent, given its usual interval (0:
// not known yet, 5 min is taken).
func (c *Condition) StaleAfter(interval time.Duration) time.Duration {
	if c.Spec.StaleAfter != nil {
		return c.Spec.StaleAfter.Std()
	}
	if interval <= 0 {
		return 5 * time.Minute
	}
	return max(time.Minute, 5*min(interval, 365*24*time.Hour))
}

// Selects reports whether a series gets an instance: it matches, and its target
// passes the spec's. A series without a target label belongs to a spec that
// names one target, and to none of a glob.
func (c *Condition) Selects(labels series.Labels) bool {
	if !c.Match.Matches(labels) {
		return false
	}
	if c.target == nil {
		return true
	}
	t := TargetOf(labels)
	return t == "" && c.exact != "" || c.target.MatchString(t)
}

// targetLabels are the labels that name a target for people, best first.
var targetLabels = [...]string{"target", "service", "unit", "instance", "host"}

// TargetOf is the first of the labels target, service, unit, instance, host.
func TargetOf(labels series.Labels) string {
	for _, name := range targetLabels {
		if v := labels.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// Joins reports whether a series of Sources[source] belongs to the instance
// with these labels: every label in On (default: all labels of the instance but
// `__name__` that the other has too) has the same value on both.
func (c *Condition) Joins(source int, instance, other series.Labels) bool {
	if source <= 0 || source >= len(c.Sources) {
		return source == 0 && instance.Equal(other)
	}
	if on := c.Sources[source].On; len(on) > 0 {
		for _, name := range on {
			if instance.Get(name) != other.Get(name) {
				return false
			}
		}
		return true
	}
	for _, l := range instance {
		if l.Name == series.NameLabel {
			continue
		}
		if v := other.Get(l.Name); v != "" && v != l.Value {
			return false
		}
	}
	return true
}
