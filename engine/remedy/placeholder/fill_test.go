package placeholder_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/remedy/placeholder"
)

func TestFill(t *testing.T) {
	v := placeholder.Values{Labels: map[string]string{"service": "web", "odd": "{{ labels.service }}", "bad": "a\nb", "none": "", "utf": "\xff", "*": "star"}, Target: "t1", Policy: "p1"}
	for _, tc := range []struct{ in, want, err string }{
		{"plain", "plain", ""},
		{"{{ labels.service }}.service", "web.service", ""},
		{"{{labels.service}}", "web", ""},
		{"{{ target }}/{{ policy }}", "t1/p1", ""},
		{"{{ labels.odd }}", "{{ labels.service }}", ""}, // filled in once, never read again
		{"{{ labels.missing }}", "", "no label \"missing\""},
		{"{{ labels.bad }}", "", "control bytes"},
		{"{{ labels.utf }}", "", "control bytes"},
		{"{{ labels.none }}", "", "empty"},
		{"{{ value }}", "", "not a placeholder"},
		{"{{ env.HOME }}", "", "not a placeholder"},
		{"{{ labels.service", "", "does not close"},
		{"}} {", "}} {", ""},
	} {
		got, err := placeholder.Fill(tc.in, v)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: %q, %v; want %q %q", tc.in, got, err, tc.want, tc.err)
		}
	}
}

// TestFillAddsOnlyTheValue: whatever a label holds, only that place of the
// text changes, and no control byte comes in.
func TestFillAddsOnlyTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[a-z/. -]{0,10}`).Draw(t, "before")
		after := rapid.StringMatching(`[a-z/. -]{0,10}`).Draw(t, "after")
		value := rapid.String().Draw(t, "value")
		got, err := placeholder.Fill(before+"{{ labels.x }}"+after, placeholder.Values{Labels: map[string]string{"x": value}})
		if err == nil && got != before+value+after {
			t.Fatalf("%q", got)
		}
		if err == nil && strings.ContainsAny(got, "\x00\n\r\x1b\x7f") {
			t.Fatalf("a control byte came in: %q", got)
		}
	})
}
