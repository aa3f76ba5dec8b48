// Package original reads the conditions and targets of the system that vigild
// descends from, and says the same in our language.
//
// It refuses what that system accepted and never evaluated. It imports neither
// the compiler nor the engine: whoever asks compiles what it says. Pure; bounded
// by the number and the depth of conditions.
package original

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/document"
	"vigil/engine/fault"
)

// The caps on a condition of the original.
const (
	maxLeaves = 64
	maxNested = 16
	// joinWindow is how old the other metric's newest sample may be. The original
	// looked at the last five minutes.
	joinWindow = "5m"
)

// wish is a condition of the original: metric_exceeds, metric_below, all or any.
type wish struct {
	kind      string
	metric    string
	threshold float64
	of        []*wish
}

// Meaning is a condition in the language: what it matches and when it fires.
type Meaning struct{ Match, Fire string }

// Condition translates a condition (metric_exceeds, metric_below, all, any,
// nested). One over several metrics matches the first of them and reads the
// others by join, so that `all` over two metrics of one host can fire; `any`
// matches each of them. A metric that is missing never fires. What the original
// accepted and never evaluated (an unknown type, a threshold that is no number,
// an empty list) is an issue.
func Condition(n document.Node) (Meaning, fault.Issues) {
	r := reader{}
	w := r.read(n, "condition", 1)
	if len(r.issues) > 0 {
		return Meaning{}, r.issues
	}
	anchors := w.anchors()
	return Meaning{matchAny(anchors), w.expression(anchors)}, nil
}

// MatchMetric translates the fields match_metric and threshold of the other
// dialect: it fires above the threshold.
func MatchMetric(n document.Node) (Meaning, fault.Issues) {
	r := reader{}
	w := &wish{kind: "metric_exceeds", metric: r.metric(n, "match_metric", ""), threshold: r.threshold(n, "")}
	if len(r.issues) > 0 {
		return Meaning{}, r.issues
	}
	return Meaning{matchAny(w.anchors()), w.expression(w.anchors())}, nil
}

type reader struct {
	issues fault.Issues
	leaves int
}

func (r *reader) add(n document.Node, hint, format string, args ...any) {
	r.issues = append(r.issues, fault.Issue{Place: n.Place(), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *reader) read(n document.Node, path string, depth int) *wish {
	const kinds = "metric_exceeds, metric_below, all, any"
	switch {
	case !n.IsMapping():
		r.add(n, "write type, metric and threshold", "%s must be a mapping", path)
		return nil
	case depth > maxNested:
		r.add(n, "", "%s is nested deeper than %d", path, maxNested)
		return nil
	}
	w := &wish{kind: n.Get("type").Text()}
	allowed := []string{"type", "metric", "threshold"}
	switch w.kind {
	case "metric_exceeds", "metric_below":
		if r.leaves++; r.leaves == maxLeaves+1 {
			r.add(n, "", "more than %d conditions", maxLeaves)
		}
		w.metric = r.metric(n, "metric", path)
		w.threshold = r.threshold(n, path)
	case "all", "any":
		allowed = []string{"type", "conditions"}
		list := n.Get("conditions")
		items := list.Items()
		if len(items) == 0 {
			at := list
			if at.Absent() {
				at = n
			}
			r.add(at, "", "%s of type %s needs a list of conditions that is not empty", path, w.kind)
		}
		for i, item := range items {
			if r.leaves > maxLeaves {
				break
			}
			if x := r.read(item, path+".conditions["+strconv.Itoa(i)+"]", depth+1); x != nil {
				w.of = append(w.of, x)
			}
		}
	case "":
		r.add(n, "one of "+kinds, "%s has no type", path)
		return nil
	default:
		hint := "one of " + kinds
		if near := document.Nearest(w.kind, strings.Split(kinds, ", ")); near != "" {
			hint = "did you mean " + near + "?"
		}
		r.add(n.Get("type"), hint, "unknown condition type %q", w.kind)
		return nil
	}
	for _, k := range n.Keys() {
		if !slices.Contains(allowed, k) {
			r.add(n, "", "%s: a condition of type %s has no field %q", path, w.kind, k)
		}
	}
	return w
}

func (r *reader) metric(n document.Node, field, path string) string {
	m := n.Get(field)
	if m.Text() == "" || m.YAML.ShortTag() != "!!str" {
		at := m
		if at.Absent() {
			at = n
		}
		r.add(at, "name the metric", "%s must be the name of a metric", dotted(path, field))
	}
	return m.Text()
}

func (r *reader) threshold(n document.Node, path string) (v float64) {
	t := n.Get("threshold")
	if t.Absent() {
		r.add(n, "", "%s is missing", dotted(path, "threshold"))
		return 0
	}
	if issues := t.Decode(&v); len(issues) > 0 {
		r.add(t, "write a number without quotes", "%s must be a number", dotted(path, "threshold"))
	}
	return v
}

func dotted(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}
