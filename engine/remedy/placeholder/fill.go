// Package placeholder fills the placeholders of a remedy's texts, {{ labels.NAME }},
// {{ target }} and {{ policy }}, and finds what a person took for one and is none: vigild
// would act on a thing of that very name.
//
// It refuses code, defaults, nesting, and control bytes. It holds no state, does no I/O
// and starts nothing.
package placeholder

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vigil/engine/fault"
)

// Bounds of what is substituted.
const (
	maxValue = 4 << 10
	maxDepth = 8 // a parameter may nest, and is looked into
	maxItems = 256
)

// Values are what a placeholder can name.
type Values struct {
	Labels map[string]string
	Target string
	Policy string
	Sample string // stands for every label while a plan is checked
}

// Fill fills the placeholders of one text: {{ labels.NAME }}, {{ target }}
// and {{ policy }}. That is all there is: no code, no defaults, no nesting, and
// what was filled in is never read again. A label that does not exist, and a
// value with control bytes, are errors of kind Unprocessable.
func Fill(text string, v Values) (string, error) {
	var b strings.Builder
	rest := text
	for {
		open := strings.Index(rest, "{{")
		if open < 0 {
			b.WriteString(rest)
			break
		}
		end := strings.Index(rest[open:], "}}")
		if end < 0 {
			return "", fault.New(fault.Unprocessable, "%q opens a placeholder that it does not close", text).Mend("write {{ labels.NAME }}")
		}
		b.WriteString(rest[:open])
		value, err := v.lookup(strings.TrimSpace(rest[open+2 : open+end]))
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		rest = rest[open+end+2:]
	}
	if b.Len() > maxValue {
		return "", fault.New(fault.Unprocessable, "%.40q becomes longer than %d bytes", text, maxValue)
	}
	return b.String(), nil
}

func (v Values) lookup(name string) (string, error) {
	value := ""
	switch label, isLabel := strings.CutPrefix(name, "labels."); {
	case isLabel && strings.ContainsFunc(label, notInName):
		return "", fault.New(fault.Unprocessable, "{{ %.60s }} is not a placeholder", name).Mend("a label is named bare, as in {{ labels.service }}; nothing is called or piped")
	case isLabel:
		var ok bool
		if value, ok = v.Labels[label]; !ok {
			value, ok = v.Sample, v.Sample != ""
		}
		if !ok {
			return "", fault.New(fault.Unprocessable, "there is no label %q", label).Mend("labels here: %s", names(v.Labels))
		}
	case name == "target":
		value = v.Target
	case name == "policy":
		value = v.Policy
	default:
		return "", fault.New(fault.Unprocessable, "{{ %.60s }} is not a placeholder", name).Mend("use labels.NAME, target or policy")
	}
	if value == "" {
		return "", fault.New(fault.Unprocessable, "{{ %s }} is empty", name)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", fault.New(fault.Unprocessable, "{{ %s }} is %q: control bytes are not allowed", name, value)
	}
	return value, nil
}

// notInName says that a rune makes an attempt at code of what should be the bare
// name of a label.
func notInName(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("|(){}\"'`", r) }

func names(m map[string]string) string {
	if len(m) == 0 {
		return "none"
	}
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	if len(ks) > 20 {
		ks = append(ks[:20], "...")
	}
	return strings.Join(ks, ", ")
}

func fill(in any, v Values, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.New(fault.Unprocessable, "nested deeper than %d", maxDepth)
	}
	switch in := in.(type) {
	case string:
		return Fill(in, v)
	case []any:
		if len(in) > maxItems {
			return nil, fault.New(fault.Unprocessable, "%d items, at most %d are allowed", len(in), maxItems)
		}
		out := make([]any, len(in))
		for i, x := range in {
			y, err := fill(x, v, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = y
		}
		return out, nil
	case map[string]any:
		return fillMap(in, v, depth)
	}
	return in, nil
}

// FillAll fills the texts inside parameters, whose shape stays as it is. Errors are those
// of Fill, and Unprocessable for what is too many or too deep.
func FillAll(in map[string]any, v Values) (map[string]any, error) { return fillMap(in, v, 0) }

func fillMap(in map[string]any, v Values, depth int) (map[string]any, error) {
	if len(in) > maxItems {
		return nil, fault.New(fault.Unprocessable, "%d parameters, at most %d are allowed", len(in), maxItems)
	}
	out := make(map[string]any, len(in))
	for k, x := range in {
		y, err := fill(x, v, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = y
	}
	return out, nil
}
