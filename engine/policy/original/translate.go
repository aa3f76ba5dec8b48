package original

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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
