package policy

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy/lang"
	"vigil/engine/policy/original"
	"vigil/engine/series"
)

// The bounds of what a spec may ask for.
const (
	maxFor       = 366 * 24 * time.Hour
	maxTimes     = 64
	maxFlaps     = 100
	maxSources   = 16
	restartReach = 15 * time.Minute // enough to learn a series' interval again
)

// Compile checks and compiles a spec. Issue places are the field name and the
// column in it, as `fire:7` (`fire:2:7` where the text has several lines); the
// caller turns them into file positions.
func Compile(s Spec) (*Condition, fault.Issues) {
	c := &Condition{Spec: s}
	var issues fault.Issues
	c.Match = selector("match", 1, s.Match, &issues)
	c.Sources = []Source{{Selector: c.Match}}

	var b lang.Builder
	var is fault.Issues
	if strings.TrimSpace(s.Fire) == "" {
		issues = append(issues, fault.Issue{Place: "fire:1", Msg: "fire is missing", Hint: `write a condition such as avg("5m") > 0.9`})
	} else {
		c.fire, is = b.Condition("fire", s.Fire)
		issues = append(issues, is...)
	}
	if strings.TrimSpace(s.Clear) != "" {
		c.clear, is = b.Condition("clear", s.Clear)
		issues = append(issues, is...)
	}
	c.code = b.Code()
	c.windows(&issues)
	c.bounds(&issues)
	var ok bool
	if c.target, c.exact, ok = original.Glob(s.Target); !ok {
		issues.Add("target", "the target %.80q is no name and no glob", s.Target)
	}
	if len(issues) > 0 {
		return nil, issues
	}
	u := c.code.Uses
	c.TimeDriven = u.Silence || u.Absent || u.Hour || u.FiringFor.Used
	return c, nil
}

func selector(field string, column int, text string, issues *fault.Issues) series.Selector {
	if strings.TrimSpace(text) == "" {
		*issues = append(*issues, fault.Issue{Place: field + ":1", Msg: field + " is missing", Hint: `name the series, as in http_latency_seconds{service="web"}`})
		return nil
	}
	sel, err := ParseSelector(text)
	var fe *fault.Error
	if errors.As(err, &fe) {
		if at, err := strconv.Atoi(fe.Place); err == nil {
			column += at - 1
		}
		*issues = append(*issues, fault.Issue{Place: field + ":" + strconv.Itoa(column), Msg: fe.Msg, Hint: fe.Hint})
	}
	return sel
}

// windows gives every window call its source and its span.
func (c *Condition) windows(issues *fault.Issues) {
	c.spans = [][]series.Span{nil}
	sources := map[string]int{"": 0}
	for _, call := range c.code.Calls {
		source, ok := sources[call.Selector]
		if !ok {
			sel, err := ParseSelector(call.Selector)
			var fe *fault.Error
			if errors.As(err, &fe) {
				*issues = append(*issues, fault.Issue{Place: call.Place, Msg: fe.Msg, Hint: fe.Hint})
				continue
			}
			if source = len(c.Sources); source > maxSources {
				*issues = append(*issues, fault.Issue{Place: call.Place, Msg: "more than 16 other series are read"})
				return
			}
			sources[call.Selector] = source
			c.Sources = append(c.Sources, Source{Selector: sel, On: c.Spec.On})
			c.spans = append(c.spans, nil)
		}
		c.calls = append(c.calls, place{source, c.span(source, call)})
	}
	for _, spans := range c.spans {
		for _, s := range spans {
			c.Widest = max(c.Widest, s.Reach())
		}
	}
	if c.Spec.StaleAfter == nil {
		c.Widest = max(c.Widest, restartReach)
	}
}

func (c *Condition) span(source int, call lang.Call) int {
	quantiles := call.Stat == series.StatQuantile
	for i := range c.spans[source] {
		if s := &c.spans[source][i]; s.Length == call.Window {
			s.Quantiles = s.Quantiles || quantiles
			return i
		}
	}
	c.spans[source] = append(c.spans[source], series.Span{Length: call.Window, Quantiles: quantiles})
	return len(c.spans[source]) - 1
}

// bounds checks everything that is a number or a word.
func (c *Condition) bounds(issues *fault.Issues) {
	s := &c.Spec
	length := func(field string, d document.Duration, least time.Duration) {
		switch {
		case d.Std() < least && least == 0:
			issues.Add(field, "%s must not be negative", field)
		case d.Std() < least:
			issues.Add(field, "%s must be at least %s", field, document.Duration(least))
		case d.Std() > maxFor:
			issues.Add(field, "%s must be at most 366 days", field)
		}
	}
	length("for", s.For, 0)
	length("clear_for", s.ClearFor, 0)
	if s.StaleAfter != nil {
		length("stale_after", *s.StaleAfter, time.Second)
	}
	if t := s.Times; t != nil && (t.X < 1 || t.Of < t.X || t.Of > maxTimes) {
		issues.Add("times", "times needs 1 <= x <= of <= %d, found x: %d, of: %d", maxTimes, t.X, t.Of)
	}
	switch s.NoData {
	case "", NoDataKeep, NoDataOK, NoDataFire, NoDataUnknown:
	default:
		*issues = append(*issues, fault.Issue{Place: "no_data", Msg: "no_data cannot be " + strconv.Quote(string(s.NoData)), Hint: "keep, ok, fire or unknown"})
	}
	for _, name := range s.On {
		if name == "" || name == series.NameLabel {
			issues.Add("on", "on names labels that joined series share; %q is none", name)
		}
	}
	c.flap = Flapping{Changes: 6, Within: document.Duration(10 * time.Minute), Calm: document.Duration(10 * time.Minute)}
	if f := s.Flapping; f != nil {
		if f.Changes != 0 {
			c.flap.Changes = f.Changes
		}
		if f.Within != 0 {
			c.flap.Within = f.Within
		}
		if f.Calm != 0 {
			c.flap.Calm = f.Calm
		}
		if c.flap.Changes < 2 || c.flap.Changes > maxFlaps {
			issues.Add("flapping.changes", "flapping.changes must lie between 2 and %d, found %d", maxFlaps, f.Changes)
		}
		length("flapping.within", c.flap.Within, time.Second)
		length("flapping.calm", c.flap.Calm, time.Second)
	}
}
