package catalogue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vigil/actions/param"
	"vigil/engine/remedy"
)

// entry is what every kind of the catalogue shares: checked parameters.
type entry struct {
	name     string
	e        Entry
	patterns map[string]param.Pattern
}

func newEntry(name string, e Entry) (entry, error) {
	x := entry{name, e, map[string]param.Pattern{}}
	for n, text := range e.Params {
		p, err := param.NewPattern(text)
		if err != nil {
			return entry{}, err
		}
		x.patterns[n] = p
	}
	return x, nil
}

// values reads and checks every parameter; each one is required.
func (x entry) values(r remedy.Request) (map[string]string, error) {
	p := param.Read(r.With)
	vs := map[string]string{}
	for _, n := range slices.Sorted(maps.Keys(x.patterns)) {
		v, ok := p.Take(n)
		if !ok {
			p.Bad(n, "%s is missing; it has to match %s", n, x.patterns[n])
			continue
		}
		s, ok := param.Scalar(v)
		if !ok {
			p.Bad(n, "expected text, found %s", param.TypeOf(v))
			continue
		}
		if err := x.patterns[n].Check(s); err != nil {
			p.Bad(n, "%v", err)
			continue
		}
		vs[n] = s
	}
	return vs, p.Err()
}

// fill replaces elements that are a placeholder, whole. Nothing is ever pasted
// into other text.
func fill(list []string, vs map[string]string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fillOne(s, vs)
	}
	return out
}

func fillOne(s string, vs map[string]string) string {
	if m := placeholder.FindStringSubmatch(s); m != nil && m[0] == s {
		if v, ok := vs[m[1]]; ok {
			return v
		}
	}
	return s
}

func (x entry) spec(vs map[string]string) remedy.Spec {
	s := remedy.Spec{Kind: x.e.Kind, Class: x.e.Class, Cost: 1, Capture: x.e.Capture, Waits: x.e.Kind == "http", Timeout: x.e.Timeout, Summary: x.name}
	if s.Class == "" {
		s.Class = remedy.Unsafe
		if x.e.Idempotent {
			s.Class = remedy.Probed
		}
	}
	if x.e.Cost != nil {
		s.Cost = *x.e.Cost
	}
	if s.Timeout == 0 {
		s.Timeout = 30 * time.Second
	}
	var told []string
	for _, n := range slices.Sorted(maps.Keys(vs)) {
		told = append(told, fmt.Sprintf("%s=%s", n, vs[n]))
	}
	s.Subject = x.e.Kind + ":" + x.name
	if len(told) > 0 {
		s.Summary += " " + strings.Join(told, " ")
		s.Subject += "{" + strings.Join(told, ",") + "}"
	}
	if x.e.Subject != "" { // a key, never a command: here text may be joined
		s.Subject = placeholder.ReplaceAllStringFunc(x.e.Subject, func(m string) string { return vs[m[1:len(m)-1]] })
	}
	return s
}
