package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestUnified_SaysWhatChanged.
func TestUnified_SaysWhatChanged(t *testing.T) {
	many := func(from, to int) (out string) {
		for i := from; i <= to; i++ {
			out += fmt.Sprintf("line %d\n", i)
		}
		return out
	}
	tests := []struct{ name, from, to, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"one line", "a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@| a|-b|+x| c"},
		{"from nothing", "", "a\n", "@@ -1,0 +1,1 @@|+a"},
		{"to nothing", "a\n", "", "@@ -1,1 +1,0 @@|-a"},
		{"only the line end", "a\n", "a", "@@ -1,1 +1,1 @@|-a|+a (no line end)"},
		{"carriage return", "a\n", "a\r\n", "@@ -1,1 +1,1 @@|-a|+a (carriage return)"},
		{"three lines around", many(1, 20), strings.Replace(many(1, 20), "line 10\n", "", 1), "@@ -7,7 +7,6 @@| line 7| line 8| line 9|-line 10| line 11| line 12| line 13"},
		{"two hunks", many(1, 20), strings.Replace(strings.Replace(many(1, 20), "line 2\n", "", 1), "line 18\n", "", 1),
			"@@ -1,5 +1,4 @@| line 1|-line 2| line 3| line 4| line 5|@@ -15,6 +14,5 @@| line 15| line 16| line 17|-line 18| line 19| line 20"},
	}
	for _, tt := range tests {
		if got := strings.Join(unified(tt.from, tt.to), "|"); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestUnified_TurnsOneTextIntoTheOther: whatever the texts, taking the lines with
// - away and the lines with + in makes the second of the first, and no way is
// longer than replacing everything.
func TestUnified_TurnsOneTextIntoTheOther(t *testing.T) {
	line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n"})
	rapid.Check(t, func(t *rapid.T) {
		from := strings.Join(rapid.SliceOfN(line, 0, 30).Draw(t, "from"), "")
		to := strings.Join(rapid.SliceOfN(line, 0, 30).Draw(t, "to"), "")
		var olds, news []string
		edits := 0
		for _, o := range script(textLines(from), textLines(to)) {
			if o.sign != '+' {
				olds = append(olds, o.text)
			}
			if o.sign != '-' {
				news = append(news, o.text)
			}
			if o.sign != ' ' {
				edits++
			}
		}
		if !slices.Equal(olds, textLines(from)) || !slices.Equal(news, textLines(to)) {
			t.Fatalf("%q to %q: %q and %q", from, to, olds, news)
		}
		if most := len(textLines(from)) + len(textLines(to)); edits > most {
			t.Fatalf("%d edits of %d lines", edits, most)
		}
		if (len(unified(from, to)) == 0) != (from == to) {
			t.Fatalf("%q to %q: %q", from, to, unified(from, to))
		}
	})
}

// TestUnified_IsBounded: two texts that have nothing in common are replaced as a
// whole instead of taking the square of their lines.
func TestUnified_IsBounded(t *testing.T) {
	from, to := strings.Repeat("a\n", 5000), strings.Repeat("b\n", 5000)
	if got := unified(from, to); len(got) != 10_001 {
		t.Errorf("%d lines", len(got))
	}
}
