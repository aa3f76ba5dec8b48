package engine

import (
	"fmt"
	"strings"
	"unicode"

	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Compile checks a policy document and compiles its condition. Issue places are
// JSON pointers into the document (/condition/fire); who has the text turns them
// into lines. actions may be nil: then their names are not checked. memory caps
// the bytes that the windows of one series may hold.
func Compile(doc PolicyDocument, actions remedy.Actions, memory int) (*policy.Condition, fault.Issues) {
	var is fault.Issues
	checkName(&is, doc.Name)
	OneOf(&is, "/severity", doc.Severity, "info", "warning", "critical")
	OneOf(&is, "/mode", doc.Mode, "off", "shadow", "suggest", "act")
	if doc.Accept != "" && doc.Accept != series.OriginOpen {
		is.Add("/accept", "accept %q: the only choice is open (samples of callers that were not authenticated may act)", doc.Accept)
	}
	for i, d := range doc.DependsOn {
		if d == doc.Name {
			is.Add(fmt.Sprintf("/depends_on/%d", i), "policy %s depends on itself", d)
		}
	}
	cond, ci := policy.Compile(doc.Condition)
	for _, x := range ci {
		x.Place = "/condition/" + x.Place
		is = append(is, x)
	}
	if doc.Remedy != nil {
		for _, x := range doc.Remedy.Check(actions) {
			x.Place = "/remedy" + Pointer(x.Place)
			is = append(is, x)
		}
		if v := doc.Remedy.Verify; v != nil && v.Expr != "" {
			_, vi := policy.Compile(policy.Spec{Match: doc.Condition.Match, Fire: v.Expr, On: doc.Condition.On})
			for _, x := range vi {
				if strings.HasPrefix(x.Place, "fire") {
					x.Place = "/remedy/verify/expr" + strings.TrimPrefix(x.Place, "fire")
					is = append(is, x)
				}
			}
		}
	}
	if len(is) > 0 {
		return nil, is
	}
	if n := cond.Bytes(); memory > 0 && n > memory {
		is.Add("/condition/fire", "one series of this policy would hold %d bytes of windows, the cap is %d", n, memory)
		is[0].Hint = "shorten the windows"
		return nil, is
	}
	return cond, nil
}

// Pointer makes a JSON pointer of a place in a plan.
func Pointer(place string) string {
	if place == "" || strings.HasPrefix(place, "/") {
		return place
	}
	return "/" + strings.ReplaceAll(place, ".", "/")
}

func checkName(is *fault.Issues, name string) {
	switch {
	case strings.TrimSpace(name) == "":
		is.Add("/name", "the policy has no name")
	case len(name) > 255:
		is.Add("/name", "the name has %d bytes, at most 255 are allowed", len(name))
	case strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf) || r == '/' || r == unicode.ReplacementChar
	}):
		is.Add("/name", "the name %q holds a slash or a control character", name)
	}
}

// OneOf adds an issue unless v is one of the choices.
func OneOf(is *fault.Issues, place, v string, choices ...string) {
	for _, c := range choices {
		if v == c {
			return
		}
	}
	is.Add(place, "%q is not one of %s", v, strings.Join(choices, ", "))
}
