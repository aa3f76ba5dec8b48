package policy

import (
	"fmt"
	"regexp"
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

// FromOriginal turns a condition of the original (metric_exceeds, metric_below,
// all, any, nested) into a Spec. A condition over several metrics matches the
// first of them and reads the others by join, so that `all` over two metrics of
// one host can fire; `any` matches each of them. A metric that is missing never
// fires. What the original accepted and never evaluated (an unknown type, a
// threshold that is no number, an empty list) is an issue.
func FromOriginal(n document.Node) (Spec, fault.Issues) {
	r := wishReader{}
	w := r.read(n, "condition", 1)
	if len(r.issues) > 0 {
		return Spec{}, r.issues
	}
	anchors := w.anchors()
	spec := Spec{Match: matchAny(anchors), Fire: w.expression(anchors)}
	if c, issues := Compile(spec); c == nil {
		for _, i := range issues {
			r.issues = append(r.issues, fault.Issue{Place: n.Place(), Msg: "the condition is too large or names no metric: " + i.Msg})
		}
		return Spec{}, r.issues
	}
	return spec, nil
}

// FromMatchMetric turns the fields match_metric and threshold of the original's
// other dialect into a Spec: it fires above the threshold.
func FromMatchMetric(n document.Node) (Spec, fault.Issues) {
	r := wishReader{}
	w := &wish{kind: "metric_exceeds", metric: r.metric(n, "match_metric", ""), threshold: r.threshold(n, "")}
	if len(r.issues) > 0 {
		return Spec{}, r.issues
	}
	return Spec{Match: matchAny(w.anchors()), Fire: w.expression(w.anchors())}, nil
}

type wishReader struct {
	issues fault.Issues
	leaves int
}

func (r *wishReader) add(n document.Node, hint, format string, args ...any) {
	r.issues = append(r.issues, fault.Issue{Place: n.Place(), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *wishReader) read(n document.Node, path string, depth int) *wish {
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

func (r *wishReader) metric(n document.Node, field, path string) string {
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

func (r *wishReader) threshold(n document.Node, path string) (v float64) {
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

// anchors are the metrics whose series get instances: those that must be there
// for the condition to hold.
func (w *wish) anchors() []string {
	switch w.kind {
	case "all":
		return w.of[0].anchors()
	case "any":
		var all []string
		for _, x := range w.of {
			for _, m := range x.anchors() {
				if !slices.Contains(all, m) {
					all = append(all, m)
				}
			}
		}
		return all
	}
	return []string{w.metric}
}

// expression is the condition in the language, for an instance of one of the
// anchors.
func (w *wish) expression(anchors []string) string {
	switch w.kind {
	case "all", "any":
		joint := " and "
		if w.kind == "any" {
			joint = " or "
		}
		parts := make([]string, len(w.of))
		for i, x := range w.of {
			parts[i] = x.expression(anchors)
			if own := x.anchors(); w.kind == "any" && len(anchors) > 1 && len(own) < len(anchors) {
				parts[i] = guard(own) + " and " + parts[i]
			}
			if len(w.of) > 1 {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, joint)
	}
	op := " > "
	if w.kind == "metric_below" {
		op = " < "
	}
	return w.operand(anchors) + op + strconv.FormatFloat(w.threshold, 'f', -1, 64)
}

// operand is the metric's newest value, seen from an instance of the anchors.
func (w *wish) operand(anchors []string) string {
	last := `last("` + joinWindow + `", ` + strconv.Quote(matchAny([]string{w.metric})) + `)`
	switch {
	case !slices.Contains(anchors, w.metric):
		return last
	case len(anchors) == 1:
		return "value"
	}
	return "(name == " + strconv.Quote(w.metric) + " ? value : " + last + ")"
}

// guard keeps a branch of any to the instances it speaks of.
func guard(metrics []string) string {
	quoted := make([]string, len(metrics))
	for i, m := range metrics {
		quoted[i] = strconv.Quote(m)
	}
	if len(quoted) == 1 {
		return "name == " + quoted[0]
	}
	return "name in [" + strings.Join(quoted, ", ") + "]"
}

var plainName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// matchAny is a selector for series of any of the metrics.
func matchAny(metrics []string) string {
	if len(metrics) == 1 {
		if plainName.MatchString(metrics[0]) {
			return metrics[0]
		}
		return "{__name__=" + strconv.Quote(metrics[0]) + "}"
	}
	patterns := make([]string, len(metrics))
	for i, m := range metrics {
		patterns[i] = regexp.QuoteMeta(m)
	}
	return "{__name__=~" + strconv.Quote(strings.Join(patterns, "|")) + "}"
}
