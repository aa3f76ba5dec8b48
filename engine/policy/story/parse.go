package story

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// Parse reads a story. Issues name file:line:column, all at once.
func Parse(file string, data []byte) (*Story, fault.Issues) {
	p := parser{file: file, story: &Story{}, seen: map[string]string{}, named: map[string]bool{}}
	switch {
	case len(data) > MaxBytes:
		p.issues.Add(file, "the story has %d bytes, at most %d are read", len(data), MaxBytes)
		return nil, p.issues
	case !utf8.Valid(data):
		p.issues.Add(file, "the story is not UTF-8")
		return nil, p.issues
	}
	for text := range strings.Lines(string(data)) {
		p.line++
		if p.at(text); len(p.issues) > maxIssues {
			break
		}
	}
	for _, e := range p.story.Expect {
		if !p.named[e.Policy] {
			p.issues = append(p.issues, fault.Issue{Place: e.Place, Msg: fmt.Sprintf("the policy %q takes no part", e.Policy), Hint: "write policy " + e.Policy + " above"})
		}
	}
	if len(p.story.Expect) == 0 && len(p.issues) == 0 {
		p.issues = append(p.issues, fault.Issue{Place: file, Msg: "the story expects nothing", Hint: "write a line such as: at 80s hot{host=\"web1\"} firing"})
	}
	if len(p.issues) > 0 {
		return nil, p.issues
	}
	slices.SortStableFunc(p.story.Expect, func(a, b Expectation) int { return int(max(-1, min(1, a.At-b.At))) })
	return p.story, nil
}

type parser struct {
	file   string
	line   int
	story  *Story
	issues fault.Issues
	seen   map[string]string // series to place
	named  map[string]bool

	every, from time.Duration
	values      int
}

// word is a piece of a line and the column it stands at.
type word struct {
	text   string
	column int
}

func (p *parser) place(column int) string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, column) }

func (p *parser) refuse(w word, hint, format string, args ...any) {
	p.issues = append(p.issues, fault.Issue{Place: p.place(w.column), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// split cuts a line into words at spaces outside of quotes and braces; # begins
// a comment.
func split(line string) (words []word) {
	start, column, from := -1, 0, 0
	var quote rune
	escaped, braces := false, 0
	for i, r := range line {
		column++
		space := r == ' ' || r == '\t' || r == '\n' || r == '\r'
		switch {
		case quote != 0:
			if escaped {
				escaped = false
			} else if r == '\\' {
				escaped = true
			} else if r == quote {
				quote = 0
			}
			continue
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '{':
			braces++
		case r == '}':
			braces--
		case r == '#' && braces <= 0:
			if start >= 0 {
				words = append(words, word{line[start:i], from})
			}
			return words
		}
		if space && braces <= 0 {
			if start >= 0 {
				words = append(words, word{line[start:i], from})
			}
			start = -1
		} else if start < 0 {
			start, from = i, column
		}
	}
	if start >= 0 {
		words = append(words, word{strings.TrimRight(line[start:], "\r\n"), from})
	}
	return words
}

func (p *parser) at(line string) {
	words := split(line)
	if len(words) == 0 {
		return
	}
	indented := line[0] == ' ' || line[0] == '\t'
	switch first := words[0]; {
	case indented:
		p.series(words)
	case first.text == "every":
		p.block(words)
	case first.text == "policy":
		p.policy(words)
	case first.text == "at":
		p.expect(words)
	default:
		hint := "a line begins with every, policy or at; the series of every are indented"
		if near := document.Nearest(first.text, []string{"every", "policy", "at"}); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.refuse(first, hint, "a line cannot begin with %q", first.text)
	}
}

func (p *parser) duration(w word) (time.Duration, bool) {
	d, err := document.ParseDuration(w.text)
	if err != nil {
		p.refuse(w, "", "%v", err)
		return 0, false
	}
	if d.Std() > maxLength || d.Std()%time.Millisecond != 0 {
		p.refuse(w, "", "%s is longer than a year or finer than 1ms", w.text)
		return 0, false
	}
	return d.Std(), true
}

// block reads `every D [from D]`.
func (p *parser) block(words []word) {
	if len(words) != 2 && (len(words) != 4 || words[2].text != "from") {
		p.refuse(words[0], "write every 10s, or every 10s from 1m", "every needs one length of time")
		return
	}
	every, ok := p.duration(words[1])
	p.from = 0
	if ok && len(words) == 4 {
		p.from, ok = p.duration(words[3])
	}
	if ok && every == 0 {
		p.refuse(words[1], "", "every must be longer than nothing")
		return
	}
	p.every = every
}

func (p *parser) policy(words []word) {
	if len(words) < 2 || len(words) > 3 {
		p.refuse(words[0], "write policy NAME, or policy NAME FILE", "policy needs a name")
		return
	}
	q := Policy{Name: words[1].text, Place: p.place(words[1].column)}
	if len(words) == 3 {
		q.File = words[2].text
	}
	if p.named[q.Name] {
		p.refuse(words[1], "", "the policy %q takes part already", q.Name)
		return
	}
	p.named[q.Name] = true
	p.story.Policies = append(p.story.Policies, q)
}

// expect reads `at T NAME{labels} STATE [remedy ACTION TARGET | no remedy]`.
func (p *parser) expect(words []word) {
	const shape = `write at 80s NAME{label="value"} STATE, then remedy ACTION TARGET or no remedy`
	if len(words) < 4 {
		p.refuse(words[0], shape, "an expectation has a time, a policy and a state")
		return
	}
	e := Expectation{State: policy.State(words[3].text), Place: p.place(words[2].column)}
	var ok bool
	if e.At, ok = p.duration(words[1]); !ok {
		return
	}
	name, braces, found := strings.Cut(words[2].text, "{")
	e.Policy = name
	if found {
		sel, err := policy.ParseSelector("x{" + braces)
		anchor, equal := sel.Anchor()
		if err != nil || !equal {
			p.refuse(words[2], shape, "the labels of %s must be label=\"value\"", name)
			return
		}
		e.Labels = anchor.Drop(series.NameLabel)
	}
	switch e.State {
	case policy.StateOK, policy.StatePending, policy.StateFiring, policy.StateRecovering, policy.StateUnknown, policy.StateFlapping, policy.StateSuppressed:
	default:
		p.refuse(words[3], "ok, pending, firing, recovering, unknown, flapping or suppressed", "%q is no state", words[3].text)
		return
	}
	switch rest := words[4:]; {
	case len(rest) == 0:
	case len(rest) == 3 && rest[0].text == "remedy":
		e.Remedy = &Remedy{rest[1].text, rest[2].text}
	case len(rest) == 2 && rest[0].text == "no" && rest[1].text == "remedy":
		e.None = true
	default:
		p.refuse(rest[0], shape, "%q was not understood", rest[0].text)
		return
	}
	p.story.End = max(p.story.End, e.At)
	p.story.Expect = append(p.story.Expect, e)
}

// series reads `name{labels} values`.
func (p *parser) series(words []word) {
	if p.every == 0 {
		p.refuse(words[0], "write every 10s above", "a series needs to know its interval")
		return
	}
	sel, err := policy.ParseSelector(words[0].text)
	labels, equal := sel.Anchor()
	if err != nil || !equal || labels.Name() == "" {
		p.refuse(words[0], `write cpu{host="web1"}`, "%s is no series", words[0].text)
		return
	}
	if before, twice := p.seen[labels.String()]; twice {
		p.refuse(words[0], "put its values in one line", "the series stands at %s already", before)
		return
	}
	s := Series{Labels: labels, Place: p.place(words[0].column)}
	p.seen[labels.String()] = s.Place
	step := 0
	for _, w := range words[1:] {
		v, err := expand(w.text)
		if err != "" {
			p.refuse(w, "write 0.2, 0.2x3, 0+0.1x5, _, _x3 or stale", "%s", err)
			return
		}
		if p.values += v.count; p.values > MaxValues {
			p.refuse(w, "", "more than %d values", MaxValues)
			return
		}
		for i := range v.count {
			at := p.from + time.Duration(step)*p.every
			step++
			if at > maxLength {
				p.refuse(w, "", "the story is longer than a year")
				return
			}
			if !v.gap {
				s.Points = append(s.Points, series.Point{T: at.Milliseconds(), V: v.at(i)})
				p.story.End = max(p.story.End, at)
			}
		}
	}
	if step == 0 {
		p.refuse(words[0], "", "the series has no values")
		return
	}
	p.story.Series = append(p.story.Series, s)
}

// run is one word of values.
type run struct {
	first, grow float64
	count       int
	gap         bool
	stale       bool
}

// at is the i-th value. It is computed from the first, so that nothing adds up.
func (r run) at(i int) float64 {
	if r.stale {
		return series.Stale()
	}
	if r.grow == 0 {
		return r.first
	}
	return r.first + float64(i)*r.grow
}

// expand reads V, VxN, V+GxN, V-GxN, _, _xN, stale; the text says what is wrong.
func expand(text string) (r run, wrong string) {
	r.count = 1
	body := text
	if head, n, ok := cutLast(text, 'x'); ok {
		count, err := strconv.Atoi(n)
		if err != nil || count < 1 || count > MaxValues {
			return r, fmt.Sprintf("%s cannot be repeated %q times", head, n)
		}
		body, r.count = head, count
	}
	switch body {
	case "_":
		r.gap = true
		return r, ""
	case "stale":
		r.stale = true
		if r.count > 1 {
			return r, "a series ends once"
		}
		return r, ""
	}
	var err error
	if r.first, err = strconv.ParseFloat(body, 64); err == nil {
		return r, ""
	}
	for i := len(body) - 1; i > 0; i-- {
		if body[i] != '+' && body[i] != '-' || body[i-1] == 'e' || body[i-1] == 'E' {
			continue
		}
		first, err1 := strconv.ParseFloat(body[:i], 64)
		grow, err2 := strconv.ParseFloat(body[i:], 64)
		if err1 == nil && err2 == nil {
			r.first, r.grow = first, grow
			return r, ""
		}
	}
	return r, fmt.Sprintf("%q is no value", text)
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 || strings.HasPrefix(s, "0x") && i == 1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
