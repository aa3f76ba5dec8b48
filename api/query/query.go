// Package query is which parameters a route takes in its URL, each once: one that
// it does not know is refused by name, since `?limt=5` that is answered as if
// nothing had been said is an answer to another question; so is one of two that
// contradict each other.
//
// It refuses nothing of what a known parameter holds: that is the route's own to
// judge. It holds no state and does no I/O; concurrent.
package query

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"vigil/api/problem"
	"vigil/engine/document"
)

// maxTold is how many unknown parameters one answer names.
const maxTold = 8

// Known is the parameters that a route takes, sorted.
type Known []string

// Of are the parameters of those names.
func Of(names ...string) Known { return slices.Sorted(slices.Values(names)) }

// Check refuses what raw, the part of a URL behind the question mark, holds
// beside the known parameters, one that is given twice, and what cannot be read of it: problem.Invalid,
// with the nearest known name and all of them. A value is never repeated, since
// what stands under a wrong name may be a secret.
func (k Known) Check(raw string) error {
	if raw == "" {
		return nil
	}
	given, err := url.ParseQuery(raw)
	var wrong problem.Invalid
	if err != nil { // net/http would leave out what it could not read, and say nothing
		wrong = append(wrong, problem.Detail{Type: "query_invalid", Loc: []any{"query"},
			Msg: "the query cannot be read: " + err.Error() + "; parameters are joined by &, and other characters written as %XX"})
	}
	var unknown, twice []string
	for name, values := range given {
		if _, ok := slices.BinarySearch(k, name); !ok {
			unknown = append(unknown, name)
		} else if len(values) > 1 {
			twice = append(twice, name)
		}
	}
	slices.Sort(unknown)
	slices.Sort(twice)
	for _, name := range twice { // at most as many as there are known ones
		wrong = append(wrong, problem.Detail{Type: "query_invalid", Loc: []any{"query", name}, Msg: "it is given more than once; which is meant?"})
	}
	for i, name := range unknown {
		if i == maxTold {
			wrong = append(wrong, problem.Detail{Type: "extra_forbidden", Loc: []any{"query"}, Msg: fmt.Sprintf("and %d more", len(unknown)-i)})
			break
		}
		wrong = append(wrong, k.refuse(name))
	}
	if wrong == nil {
		return nil
	}
	return wrong
}

func (k Known) refuse(name string) problem.Detail {
	msg := "there is no such parameter; this route takes none"
	if len(k) > 0 {
		msg = "there is no such parameter"
		if near := document.Nearest(strings.ToLower(name), k); near != "" {
			msg += "; did you mean " + near + "?"
		}
		msg += " (this route takes " + strings.Join(k, ", ") + ")"
	}
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "..."
	}
	return problem.Detail{Type: "extra_forbidden", Loc: []any{"query", name}, Msg: msg}
}
