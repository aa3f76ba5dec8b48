package placeholder

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// single is a name of ours in one pair of braces; a second brace on either side
// makes it a placeholder, or a thing that is read as one.
var single = regexp.MustCompile(`(?:^|[^{])([$%]?\{\s*(labels\.[^{}\s]+|target|policy)\s*\})(?:[^}]|$)`)

// Misread finds the first in a text: wrote is what stands there, means what it should
// be; "" when there is none.
func Misread(text string) (wrote, means string) {
	m := single.FindStringSubmatch(text)
	if m == nil {
		return "", ""
	}
	return m[1], "{{ " + m[2] + " }}"
}

// EachMisread calls found for every text within a parameter that holds one, with the path
// to it below place, in the order of keys.
func EachMisread(place string, in any, found func(place, wrote, means string)) {
	each(place, in, found, 0)
}

func each(place string, in any, found func(place, wrote, means string), depth int) {
	if depth > maxDepth {
		return
	}
	switch in := in.(type) {
	case string:
		if wrote, means := Misread(in); wrote != "" {
			found(place, wrote, means)
		}
	case []any:
		for i, x := range in {
			each(fmt.Sprintf("%s/%d", place, i), x, found, depth+1)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(in)) {
			each(place+"/"+k, in[k], found, depth+1)
		}
	}
}

// Placed says whether any text within a parameter has a placeholder.
func Placed(in any) bool {
	switch in := in.(type) {
	case string:
		return strings.Contains(in, "{{")
	case []any:
		return slices.ContainsFunc(in, Placed)
	case map[string]any:
		for _, x := range in {
			if Placed(x) {
				return true
			}
		}
	}
	return false
}
