package kernel

import "regexp"

// Filter remembers for each name whether an expression excludes it: devices
// hardly ever change, so the expression is run once a name.
type Filter struct {
	re   *regexp.Regexp
	seen map[string]bool
}

// NewFilter compiles an expression, which must be one; empty excludes nothing.
func NewFilter(expr string) *Filter {
	f := &Filter{seen: map[string]bool{}}
	if expr != "" {
		f.re = regexp.MustCompile(expr) // the settings were validated
	}
	return f
}

// Excludes says whether the name matches.
func (f *Filter) Excludes(name []byte) bool {
	if f.re == nil {
		return false
	}
	if out, ok := f.seen[string(name)]; ok {
		return out
	}
	if len(f.seen) >= MaxCached {
		clear(f.seen)
	}
	out := f.re.Match(name)
	f.seen[string(name)] = out
	return out
}
