package kustomize

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"vigil/engine/document"
)

// target looks at what a patch is aimed with, before any of it is compiled: an
// expression of ten bytes can say a thousand things, and is held against every
// document.
func (p *planner) target(place string, t *target) bool {
	before := len(p.issues)
	if *t == (target{}) {
		p.add(place, "write kind: or name:", "the target is empty")
	}
	if group, _, _ := strings.Cut(document.Version, "/"); t.Group != "" && t.Group != group {
		p.add(place, "leave group out", "no document is of the group %s", cut(t.Group))
	}
	if _, v, _ := strings.Cut(document.Version, "/"); t.Version != "" && t.Version != v {
		p.add(place, "leave version out", "no document is of the version %s", cut(t.Version))
	}
	for _, e := range []string{t.Kind, t.Name} {
		n, err := weight(e)
		if err != nil || len(e) > 1000 || n > maxWeight {
			p.add(place, "", "%q is no regular expression that can be used here", cut(e))
		}
		p.weight += n
	}
	if p.weight > maxWeights && !p.over {
		p.over = true
		p.add(place, "fewer patches, plainer expressions, or patches that name their document", "the expressions of the targets are too much together")
	}
	if len(t.LabelSelector) > 1000 {
		p.add(place, "", "the labelSelector is longer than 1000 bytes")
	}
	return len(p.issues) == before
}

// whole is an expression that has to match all of a text; nil matches everything.
func whole(expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil
	}
	return regexp.Compile("^(?:" + expr + ")$")
}

// weight is about how many steps a machine for the expression has, counted without
// building it; beyond the cap it counts no further.
func weight(expr string) (int, error) {
	re, err := syntax.Parse(expr, syntax.Perl) // as regexp.Compile does
	if err != nil || expr == "" {
		return 0, err
	}
	return weigh(re), nil
}

func weigh(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n += len(re.Rune) / 16 // its ranges are searched
	}
	for _, sub := range re.Sub {
		n = min(n+weigh(sub), maxWeight+1)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Min, re.Max, 1), maxWeight+1)
	}
	return n
}

// steps is what it takes at most to hold documents against a target.
func (t *target) steps(list []*instance) (all int64) {
	kind, _ := weight(t.Kind)
	name, _ := weight(t.Name)
	for _, i := range list {
		all += int64(kind) * int64(len(i.kind()))
		for _, n := range i.names {
			all += int64(name) * int64(len(n))
		}
	}
	return all
}
