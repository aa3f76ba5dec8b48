package placeholder_test

import (
	"fmt"
	"slices"
	"testing"

	"vigil/engine/remedy/placeholder"
)

// TestMisread: one pair of braces around a name of ours is a mistake; two are the
// placeholder, and other braces are the text's own.
func TestMisread(t *testing.T) {
	for text, want := range map[string][2]string{
		"{labels.service}":              {"{labels.service}", "{{ labels.service }}"},
		"{labels.service}.service":      {"{labels.service}", "{{ labels.service }}"},
		"a-{ labels.x }-b":              {"{ labels.x }", "{{ labels.x }}"},
		"${labels.x}":                   {"${labels.x}", "{{ labels.x }}"},
		"{target}":                      {"{target}", "{{ target }}"},
		"of {policy}":                   {"{policy}", "{{ policy }}"},
		"{{ labels.a }} and {labels.b}": {"{labels.b}", "{{ labels.b }}"},
		"{{ labels.service }}":          {},
		"{{labels.service}}.service":    {},
		"{site}":                        {},
		"{}":                            {},
		`{"target": 1}`:                 {},
		"labels.x":                      {},
		"":                              {},
	} {
		if wrote, means := placeholder.Misread(text); wrote != want[0] || means != want[1] {
			t.Errorf("%q: %q means %q; want %q", text, wrote, means, want)
		}
	}
}

func TestEachMisread(t *testing.T) {
	var got []string
	placeholder.EachMisread("/with", map[string]any{"unit": "{labels.a}", "n": 1.0, "list": []any{"x", map[string]any{"y": "{target}"}}},
		func(place, wrote, _ string) { got = append(got, place+" "+wrote) })
	if want := []string{"/with/list/1/y {target}", "/with/unit {labels.a}"}; !slices.Equal(got, want) {
		t.Error(fmt.Sprint(got))
	}
}

func TestPlaced(t *testing.T) {
	for _, in := range []any{"a {{ target }}", []any{1.0, "{{ policy }}"}, map[string]any{"x": []any{map[string]any{"y": "{{ labels.a }}"}}}} {
		if !placeholder.Placed(in) {
			t.Errorf("%v has a placeholder", in)
		}
	}
	for _, in := range []any{nil, 1.0, "{target}", []any{"a"}, map[string]any{"{{": "a"}} {
		if placeholder.Placed(in) {
			t.Errorf("%v has none", in)
		}
	}
}
