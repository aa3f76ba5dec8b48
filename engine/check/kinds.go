package check

import (
	"vigil/engine/check/probe"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// DocumentKind is the kind of document that declares a check.
const DocumentKind = "Check"

// kind is one kind of check: its name in documents and how its spec is read.
type kind struct {
	name   string
	decode func(document.Node) (Common, probe.Params, fault.Issues)
	output int // default of max_output
}

// kinds is all of them: a new one is a file in probe and a line here.
var kinds = [...]kind{
	{"process", decode[probe.Process], 64 << 10},
	{"unit", decode[probe.Unit], 64 << 10},
	{"http", decode[probe.HTTP], 1 << 20},
	{"tcp", decode[probe.TCP], 64 << 10},
	{"program", decode[probe.Program], 64 << 10},
	{"scrape", decode[probe.Scrape], 8 << 20},
}

// Kinds is the names of all kinds.
func Kinds() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// spec is a check as it is written: the common fields and those of its kind in
// one mapping.
type spec[P any] struct {
	Common `yaml:",inline"`
	Params P `yaml:",inline"`
}

func decode[P any](n document.Node) (Common, probe.Params, fault.Issues) {
	s := spec[P]{Common: Common{Every: defaultEvery}}
	is := n.Decode(&s)
	return s.Common, any(&s.Params).(probe.Params), is
}
