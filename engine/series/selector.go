package series

import (
	"fmt"
	"regexp"
	"strings"
)

// MatchType says how a matcher compares.
type MatchType uint8

// The four comparisons of Prometheus selectors.
const (
	MatchEqual MatchType = iota
	MatchNotEqual
	MatchRegexp
	MatchNotRegexp
)

func (t MatchType) String() string { return [...]string{"=", "!=", "=~", "!~"}[t] }

// Matcher compares one label; an absent label has the value "".
type Matcher struct {
	Type  MatchType
	Name  string
	Value string
	re    *regexp.Regexp
}

// NewMatcher compiles a matcher; a regular expression is anchored at both ends.
func NewMatcher(t MatchType, name, value string) (Matcher, error) {
	m := Matcher{Type: t, Name: name, Value: value}
	if t == MatchRegexp || t == MatchNotRegexp {
		re, err := regexp.Compile("^(?s:" + value + ")$")
		if err != nil {
			return m, fmt.Errorf("label %s: %w", name, err)
		}
		m.re = re
	}
	return m, nil
}

// Matches reports whether the value passes.
func (m Matcher) Matches(v string) bool {
	switch m.Type {
	case MatchEqual:
		return v == m.Value
	case MatchNotEqual:
		return v != m.Value
	case MatchRegexp:
		return m.re.MatchString(v)
	default:
		return !m.re.MatchString(v)
	}
}

func (m Matcher) String() string { return fmt.Sprintf("%s%s%q", m.Name, m.Type, m.Value) }

// Selector is a conjunction of matchers. The metric name is the matcher on
// `__name__`. Immutable, safe to share.
type Selector []Matcher

// Matches reports whether all matchers pass.
func (s Selector) Matches(ls Labels) bool {
	for _, m := range s {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// MatchesKey is Matches for labels in one piece; it allocates nothing.
func (s Selector) MatchesKey(k Key) bool {
	for _, m := range s {
		if !m.Matches(k.Get(m.Name)) {
			return false
		}
	}
	return true
}

// Name is the metric name when the selector fixes it by equality, else "".
func (s Selector) Name() string { return s.Equal(NameLabel) }

// Equal is the value that an equality matcher fixes for a label, "" if none.
func (s Selector) Equal(name string) string {
	for _, m := range s {
		if m.Name == name && m.Type == MatchEqual {
			return m.Value
		}
	}
	return ""
}

// Anchor is the label set of the selector when every matcher is an equality;
// ok is false otherwise. It is what `absent` speaks about when nothing matches.
func (s Selector) Anchor() (ls Labels, ok bool) {
	for _, m := range s {
		if m.Type != MatchEqual {
			return nil, false
		}
		ls = append(ls, Label{m.Name, m.Value})
	}
	return New(ls...), len(s) > 0
}

func (s Selector) String() string {
	var rest []string
	name := ""
	for _, m := range s {
		if m.Name == NameLabel && m.Type == MatchEqual && name == "" {
			name = m.Value
			continue
		}
		rest = append(rest, m.String())
	}
	if len(rest) == 0 {
		return name
	}
	return name + "{" + strings.Join(rest, ",") + "}"
}
