package document

import (
	"fmt"
	"slices"
	"strings"

	"vigil/engine/fault"
)

// UnknownKind says that a document is of none of the kinds that are known where it
// was read.
func UnknownKind(d Document, known ...string) fault.Issue {
	is := fault.Issue{Place: d.Place, Msg: fmt.Sprintf("kind %q is not known here", d.Kind), Hint: "write one of " + strings.Join(known, ", ")}
	if near := Nearest(d.Kind, known); near != "" {
		is.Hint = "did you mean " + near + "?"
	}
	return is
}

// Nearest is the known word that was most likely meant, "" when none is close:
// at most a third of the word's letters changed, added, dropped or swapped with
// their neighbour. Of equals the first known one wins.
func Nearest(word string, known []string) string {
	best, bestAt := "", 1+max(1, min(len(word)/3, 3))
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		if len(k) > 64 {
			continue
		}
		if at := distance(word, k); at < bestAt && at < len(k) {
			best, bestAt = k, at
		}
	}
	return best
}

// distance is the optimal string alignment distance of two short words.
func distance(a, b string) int {
	two := make([]int, len(b)+1) // the row before the last
	one := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}

// suggestion is the hint for an unknown word: the nearest, else all of them.
func suggestion(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	hint := "known here: "
	for i, k := range sorted {
		if i > 0 {
			hint += ", "
		}
		hint += k
	}
	return hint
}
