package policies

import (
	"encoding/json"
	"slices"
	"strings"

	"vigil/engine"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/shard"
)

// mayChange holds the rule that only its owner changes a policy.
func mayChange(old shard.Policy, exists bool, name string, owner document.Owner, place string) error {
	if !exists || old.Owner == owner {
		return nil
	}
	at, was := string(owner), string(old.Owner)
	if place != "" {
		at += " (" + place + ")"
	}
	if old.Place != "" {
		was += " (" + old.Place + ")"
	}
	return fault.New(fault.Conflict, "Policy '%s' belongs to %s and cannot be changed by %s", name, was, at).
		Mend("change it where it is written, or give yours another name")
}

// loop names a policy through which doc would depend on itself, "" if none.
func (k *Keeper) loop(doc engine.PolicyDocument) string {
	seen := map[string]bool{}
	var walk func([]string) string
	walk = func(names []string) string {
		for _, n := range names {
			p, ok := k.states.Lookup(n)
			if !ok || seen[n] {
				continue
			}
			seen[n] = true
			if slices.Contains(p.Doc.DependsOn, doc.Name) {
				return n
			}
			if via := walk(p.Doc.DependsOn); via != "" {
				return via
			}
		}
		return ""
	}
	return walk(doc.DependsOn)
}

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

func sameJSON(a, b any) bool {
	x, errx := json.Marshal(a)
	y, erry := json.Marshal(b)
	return errx == nil && erry == nil && string(x) == string(y)
}
