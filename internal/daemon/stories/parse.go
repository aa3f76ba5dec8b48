// Package stories is the small language in which a policy is proved before it
// is trusted: series, a policy, and what must be so at which moments.
//
//	every 10s
//	  cpu{host="web1"}  0.2x3 0.95x12 0.3x6
//	policy hot
//	  match: cpu
//	  fire: avg("1m") > 0.9
//	at 80s   hot{host="web1"} pending
//	at 100s  hot{host="web1"} firing  remedy service web1
//	at 200s  hot{host="web1"} ok
//
// `load FILE` reads policies from a file beside the story; `policy NAME` without
// lines under it takes one that was loaded. Values: 3 times 0.2 is 0.2x3, from 1
// in steps of 2 is 1+2x5, nothing is _x3, the end of a series is `stale`.
//
// Stories run through the engine itself on a virtual clock, stopping before the
// commit. It refuses effects; reading the files it is given is all its I/O.
package stories

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// Bounds of one story.
const (
	maxLines   = 10_000
	maxSamples = 1_000_000
	maxText    = 1 << 20
)

// story is one file, read.
type story struct {
	file     string
	loads    []string
	policies []document.Document // written in the story
	shifts   []int               // lines that each of them stands deeper in the story
	names    []line              // `policy NAME` without lines of its own
	lines    []track
	expects  []expect
}

type line struct {
	no   int
	text string
}

// track is one series with its values.
type track struct {
	labels series.Labels
	points []point
}

type point struct {
	at time.Duration
	v  float64
}

// expect is one `at` line.
type expect struct {
	no       int
	at       time.Duration
	policy   string
	labels   map[string]string
	state    policy.State
	action   string // of `remedy ACTION TARGET`; "" not asked
	target   string
	noRemedy bool
}

// parse reads a story; every mistake has its line.
func parse(file string, text []byte) (*story, fault.Issues) {
	s := &story{file: file}
	var is fault.Issues
	if len(text) > maxText {
		is.Add(file, "over %d bytes", maxText)
		return nil, is
	}
	p := parser{s: s, is: &is}
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, maxText)
	for sc.Scan() {
		if p.no++; p.no > maxLines {
			p.bad("over %d lines", maxLines)
			break
		}
		p.line(sc.Text())
	}
	p.endPolicy()
	return s, is
}

type parser struct {
	s       *story
	is      *fault.Issues
	no      int
	step    time.Duration // of the series that follow
	from    time.Duration
	block   string // "", every, policy
	name    string // of the policy block
	nameNo  int
	body    strings.Builder
	samples int
}

func (p *parser) bad(format string, args ...any) {
	p.is.Add(fmt.Sprintf("%s:%d", p.s.file, p.no), format, args...)
}

func (p *parser) line(raw string) {
	text := strings.TrimSpace(raw)
	indented := raw != "" && (raw[0] == ' ' || raw[0] == '\t')
	if p.block == "policy" && (indented || text == "") {
		p.body.WriteString(raw + "\n")
		return
	}
	if text == "" || text[0] == '#' {
		return
	}
	if indented {
		if p.block != "every" {
			p.bad("an indented line belongs under `every` or `policy`")
			return
		}
		p.series(text)
		return
	}
	p.endPolicy()
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "every":
		p.every(rest)
	case "policy":
		if rest == "" {
			p.bad("a policy needs its name: policy NAME")
			return
		}
		p.block, p.name, p.nameNo = "policy", rest, p.no
	case "load":
		if rest == "" {
			p.bad("expected a file: load FILE")
			return
		}
		p.s.loads = append(p.s.loads, rest)
		p.block = ""
	case "at":
		p.block = ""
		p.at(rest)
	default:
		p.bad("unknown word %q: expected every, policy, load or at", word)
	}
}

// every reads `10s` or `10s from 1m`.
func (p *parser) every(rest string) {
	p.block = "every"
	step, from, has := strings.Cut(rest, " from ")
	d, err := document.ParseDuration(strings.TrimSpace(step))
	if err != nil || d <= 0 {
		p.bad("expected a length of time after every, such as every 10s")
		return
	}
	p.step, p.from = d.Std(), 0
	if has {
		f, err := document.ParseDuration(strings.TrimSpace(from))
		if err != nil {
			p.bad("from: %v", err)
			return
		}
		p.from = f.Std()
	}
}

func (p *parser) endPolicy() {
	if p.block != "policy" {
		return
	}
	p.block = ""
	body := p.body.String()
	p.body.Reset()
	if strings.TrimSpace(body) == "" {
		p.s.names = append(p.s.names, line{p.nameNo, p.name})
		return
	}
	head := fmt.Sprintf("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: %q}\nspec:\n", p.name)
	ds, is := document.Parse(p.s.file, []byte(head+body), document.Folder)
	for _, i := range is {
		i.Place = shift(i.Place, p.nameNo-4)
		*p.is = append(*p.is, i)
	}
	for i := range ds {
		ds[i].Place = fmt.Sprintf("%s:%d", p.s.file, p.nameNo)
		p.s.shifts = append(p.s.shifts, p.nameNo-4)
	}
	p.s.policies = append(p.s.policies, ds...)
}

var placed = regexp.MustCompile(`^(.*?):(\d+)(:\d+)?$`)

// shift moves the line of a place, since a policy's lines stand deeper in the
// story than in the document made of them.
func shift(place string, by int) string {
	m := placed.FindStringSubmatch(place)
	if m == nil {
		return place
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return place
	}
	return fmt.Sprintf("%s:%d%s", m[1], max(1, n+by), m[3])
}

func (p *parser) series(text string) {
	if p.step == 0 {
		return // its own mistake was told
	}
	sel, rest, err := selector(text)
	if err != nil {
		p.bad("%v", err)
		return
	}
	t := track{labels: sel}
	at := p.from
	for _, w := range strings.Fields(rest) {
		vs, err := values(w)
		if err != nil {
			p.bad("%v", err)
			return
		}
		if p.samples += len(vs); p.samples > maxSamples {
			p.bad("over %d samples", maxSamples)
			return
		}
		for _, v := range vs {
			if v != nil {
				t.points = append(t.points, point{at, *v})
			}
			at += p.step
		}
	}
	p.s.lines = append(p.s.lines, t)
}

// selector reads name{a="b"} off the front of a text.
func selector(text string) (series.Labels, string, error) {
	name, rest := text, ""
	if i := strings.IndexAny(text, "{ \t"); i >= 0 {
		name, rest = text[:i], text[i:]
	}
	labels := map[string]string{}
	if strings.HasPrefix(rest, "{") {
		rest = rest[1:]
		for {
			rest = strings.TrimLeft(rest, " ,\t")
			if strings.HasPrefix(rest, "}") {
				rest = rest[1:]
				break
			}
			key, after, ok := strings.Cut(rest, "=")
			after = strings.TrimLeft(after, " ")
			q, err := strconv.QuotedPrefix(after)
			if !ok || err != nil {
				return nil, "", fmt.Errorf(`expected labels as {name="value"}`)
			}
			v, err := strconv.Unquote(q)
			if err != nil {
				return nil, "", fmt.Errorf("label %s: %v", key, err)
			}
			labels[strings.TrimSpace(key)] = v
			rest = after[len(q):]
		}
	}
	if name == "" {
		return nil, "", fmt.Errorf("a series needs a name")
	}
	return series.FromMap(name, labels), rest, nil
}

var repeated = regexp.MustCompile(`^(_|stale|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:([-+](?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))?(?:x(\d{1,7}))?$`)

// values expands one word: 0.2x3, 1+2x5, _x3, stale, 7. nil is no sample.
func values(w string) ([]*float64, error) {
	m := repeated.FindStringSubmatch(w)
	if m == nil {
		return nil, fmt.Errorf("%q is no value: expected 0.2, 0.2x3, 1+2x5, _x3 or stale", w)
	}
	n := 1
	if m[3] != "" {
		n, _ = strconv.Atoi(m[3])
	}
	if n > maxSamples {
		return nil, fmt.Errorf("%q is more than %d samples", w, maxSamples)
	}
	out := make([]*float64, n)
	if m[1] == "_" {
		return out, nil
	}
	v, step := series.Stale(), 0.0
	if m[1] != "stale" {
		v, _ = strconv.ParseFloat(m[1], 64)
		if m[2] != "" {
			step, _ = strconv.ParseFloat(m[2], 64)
		}
	}
	for i := range out {
		x := v
		if step != 0 {
			x = v + float64(i)*step
		}
		out[i] = &x
	}
	return out, nil
}

var states = []policy.State{policy.StateOK, policy.StatePending, policy.StateFiring, policy.StateRecovering,
	policy.StateUnknown, policy.StateFlapping, policy.StateSuppressed}

// at reads `100s hot{host="web1"} firing remedy service web1`.
func (p *parser) at(rest string) {
	when, rest, _ := strings.Cut(rest, " ")
	d, err := document.ParseDuration(when)
	if err != nil {
		p.bad("at: %v", err)
		return
	}
	sel, rest, err := selector(strings.TrimSpace(rest))
	if err != nil {
		p.bad("expected POLICY{label=\"value\"} STATE: %v", err)
		return
	}
	e := expect{no: p.no, at: d.Std(), policy: sel.Name(), labels: sel.Drop(series.NameLabel).Map()}
	w := strings.Fields(rest)
	if len(w) == 0 {
		p.bad("expected a state after the policy: ok, pending, firing, ...")
		return
	}
	for _, st := range states {
		if string(st) == w[0] {
			e.state = st
		}
	}
	if e.state == "" {
		p.bad("%q is no state: expected one of %v", w[0], states)
		return
	}
	switch w = w[1:]; {
	case len(w) == 0:
	case len(w) == 2 && w[0] == "no" && w[1] == "remedy":
		e.noRemedy = true
	case len(w) >= 2 && len(w) <= 3 && w[0] == "remedy":
		e.action = w[1]
		if len(w) == 3 {
			e.target = w[2]
		}
	default:
		p.bad("expected `remedy ACTION TARGET` or `no remedy` after the state")
		return
	}
	if n := len(p.s.expects); n > 0 && p.s.expects[n-1].at > e.at {
		p.bad("moments come in order: %s is before %s", d, document.Duration(p.s.expects[n-1].at))
		return
	}
	p.s.expects = append(p.s.expects, e)
}
