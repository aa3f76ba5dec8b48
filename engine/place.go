package engine

import (
	"slices"
	"strconv"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// Placed turns the JSON pointers in the issues of a policy document into the places
// where they stand in the text. Pure.
func Placed(err error, d document.Document) fault.Issues {
	is, ok := err.(fault.Issues)
	if !ok {
		return fault.Issues{{Place: d.Place, Msg: err.Error()}}
	}
	out := slices.Clone(is)
	for i := range out {
		out[i].Place = placeOf(d, out[i].Place)
	}
	return out
}

// placeOf is where a pointer of the policy document points in the text: the
// condition's fields stand in the spec itself there.
func placeOf(d document.Document, ptr string) string {
	ptr = strings.TrimPrefix(strings.TrimPrefix(ptr, "/condition"), "/")
	path, col, _ := strings.Cut(ptr, ":")
	if path == "" {
		return d.Place
	}
	at := d.Spec.Place(strings.Split(path, "/")...)
	if col != "" {
		at += " (column " + col + " of the expression)"
	}
	return at
}

// standing are those issues of a compilation that speak of what can be read in the
// text, told being what could not: a part that is missing may be a name misspelt, and
// what could not be read was never compiled.
func standing(is, told fault.Issues, d document.Document) (out fault.Issues) {
	for _, x := range is {
		path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(x.Place, "/condition"), "/"), ":")
		n := d.Spec
		for _, key := range strings.Split(path, "/") {
			if i, err := strconv.Atoi(key); err == nil && n.IsSequence() && i >= 0 && i < len(n.Items()) {
				n = n.Items()[i]
			} else {
				n = n.Get(key)
			}
		}
		x.Place = placeOf(d, x.Place)
		if !n.Absent() && !slices.ContainsFunc(told, func(t fault.Issue) bool { return t.Place == x.Place }) {
			out = append(out, x)
		}
	}
	return out
}
