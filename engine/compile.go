package engine

import (
	"fmt"
	"strings"
	"unicode"

	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/series"
)

// compile checks a policy document and makes the entry it would be evaluated
// as. Issue places are JSON pointers into the document (/condition/fire); who
// has the text turns them into lines.
func (e *Engine) compile(doc PolicyDocument) (*entry, fault.Issues) {
	var is fault.Issues
	checkName(&is, doc.Name)
	oneOf(&is, "/severity", doc.Severity, "info", "warning", "critical")
	oneOf(&is, "/mode", doc.Mode, "off", "shadow", "suggest", "act")
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
		for _, x := range doc.Remedy.Check(e.actions) {
			x.Place = "/remedy" + pointer(x.Place)
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
	if n := cond.Bytes(); n > e.cfg.WindowMemory {
		is.Add("/condition/fire", "one series of this policy would hold %d bytes of windows, the cap is %d", n, e.cfg.WindowMemory)
		is[0].Hint = "shorten the windows"
		return nil, is
	}
	return &entry{doc: doc, cond: cond, shard: e.shardOf(doc.Name), insts: map[uint64]*instance{}}, nil
}

func pointer(place string) string {
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
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '/' || r == unicode.ReplacementChar }):
		is.Add("/name", "the name %q holds a slash or a control character", name)
	}
}

func oneOf(is *fault.Issues, place, v string, choices ...string) {
	for _, c := range choices {
		if v == c {
			return
		}
	}
	is.Add(place, "%q is not one of %s", v, strings.Join(choices, ", "))
}
