// Package param reads the parameters of a request: strictly, by name and type,
// and values of the catalogue against the pattern that their whole must match.
//
// It refuses unknown names, values that could be taken for an option, control
// characters, and anything that is not one scalar. Pure; starts nothing.
package param

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Reader reads a request's parameters strictly: every one by its name and type,
// and at the end everything that was wrong, the unknown ones included.
type Reader struct {
	with  map[string]any
	known []string
	is    fault.Issues
}

// Read begins to read a request's parameters.
func Read(with map[string]any) *Reader { return &Reader{with: with} }

// Bad adds what is wrong with a parameter.
func (p *Reader) Bad(name, format string, args ...any) {
	p.is.Add("with."+name, format, args...)
}

// Take marks a parameter as known and returns its raw value.
func (p *Reader) Take(name string) (any, bool) {
	p.known = append(p.known, name)
	v, ok := p.with[name]
	return v, ok && v != nil
}

// Add adds an issue with a hint.
func (p *Reader) Add(i fault.Issue) { p.is = append(p.is, i) }

// OK reports whether nothing was wrong so far.
func (p *Reader) OK() bool { return len(p.is) == 0 }

// Text reads a string, or a number or truth value as people write it.
func (p *Reader) Text(name string, need bool) string {
	p.known = append(p.known, name)
	v, ok := p.with[name]
	if !ok || v == nil || v == "" {
		if need {
			p.Bad(name, "%s is missing", name)
		}
		return ""
	}
	s, ok := Scalar(v)
	if !ok {
		p.Bad(name, "expected text, found %s", TypeOf(v))
		return ""
	}
	if len(s) > MaxValue {
		p.Bad(name, "the value has %d bytes, at most %d are taken", len(s), MaxValue)
		return ""
	}
	return s
}

// Choice reads one of a list; absent is def, and no def makes it required.
func (p *Reader) Choice(name, def string, of ...string) string {
	s := p.Text(name, def == "")
	if s == "" {
		return def
	}
	if !slices.Contains(of, s) {
		p.is = append(p.is, fault.Issue{Place: "with." + name, Msg: fmt.Sprintf("%q is none of %s", s, strings.Join(of, ", ")), Hint: Suggest(s, of)})
		return def
	}
	return s
}

// Span reads a duration such as 30s.
func (p *Reader) Span(name string, def, most time.Duration) time.Duration {
	s := p.Text(name, false)
	if s == "" {
		return def
	}
	d, err := document.ParseDuration(s)
	if err != nil {
		p.Bad(name, "%v", err)
		return def
	}
	if d.Std() > most {
		p.Bad(name, "%s is longer than %s", s, most)
		return def
	}
	return d.Std()
}

// Whole reads a whole number of at least zero; absent is -1.
func (p *Reader) Whole(name string) int64 {
	s := p.Text(name, false)
	if s == "" {
		return -1
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		p.Bad(name, "%q is not a whole number of at least 0", s)
		return -1
	}
	return n
}

// Err is everything that was wrong, of kind Unprocessable; nil nothing.
func (p *Reader) Err() error {
	for _, n := range slices.Sorted(maps.Keys(p.with)) {
		if !slices.Contains(p.known, n) {
			p.is = append(p.is, fault.Issue{Place: "with." + n, Msg: fmt.Sprintf("there is no parameter %q; there is %s", n, List(p.known)), Hint: Suggest(n, p.known)})
		}
	}
	return p.is.Err()
}

// List names them for people, sorted.
func List(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// Scalar is a string, number or truth value as people write it.
func Scalar(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case uint64:
		return strconv.FormatUint(x, 10), true
	}
	return "", false
}

// TypeOf says for people what was found instead.
func TypeOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("%T", v)
}

// Suggest names the nearest of the known words, "" if none is near.
func Suggest(word string, known []string) string {
	best, near := "", 3
	for _, k := range known {
		if d := distance(word, k, near); d < near {
			best, near = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// distance is how many letters differ (Levenshtein), at most limit.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			up := row[j+1]
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, up, row[j])
			}
			row[j+1], diagonal = d, up
		}
	}
	return min(row[len(b)], limit)
}
