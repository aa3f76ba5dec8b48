package reconcile

import "strings"

// Ignore is the properties that a document leaves to others: names as the
// differences show them (a line by its text, also where that is not shown), where a
// * stands for any run of characters. It is asked
// by diff, heal, rollback and prune alike, through Item and Written.
type Ignore []string

// Covers reports whether a property is left to others. Exists never is: who
// leaves that to others has no document. Pure.
func (ig Ignore) Covers(field string) bool {
	if field == Exists {
		return false
	}
	for _, p := range ig {
		if Glob(p, field) {
			return true
		}
	}
	return false
}

// Without is the differences that ignore does not cover.
func (ig Ignore) Without(ds []Difference) []Difference {
	if len(ig) == 0 {
		return ds
	}
	var out []Difference
	for _, d := range ds {
		if !ig.Covers(d.Property()) {
			out = append(out, d)
		}
	}
	return out
}

// Glob matches s against a pattern in which * is any run of characters. Linear
// in both for one star, bounded by their product for more.
func Glob(pattern, s string) bool {
	head, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, more, ok := strings.Cut(rest, "*")
		if !ok {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
