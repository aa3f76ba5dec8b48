package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Issue is one thing wrong in something a person wrote.
type Issue struct {
	Place string `json:"place"`          // file:line:column, JSON pointer, flag
	Msg   string `json:"message"`        // what is wrong and what was expected
	Hint  string `json:"hint,omitempty"` // how to mend it
}

func (i Issue) String() string {
	s := i.Msg
	if i.Place != "" {
		s = i.Place + ": " + s
	}
	if i.Hint != "" {
		s += " (" + i.Hint + ")"
	}
	return s
}

// Issues is every thing wrong, in the order of the text. It is an error of kind
// Unprocessable when it is not empty; use Err to turn an empty list into nil.
type Issues []Issue

// Add appends an issue.
func (is *Issues) Add(place, format string, args ...any) {
	*is = append(*is, Issue{Place: place, Msg: fmt.Sprintf(format, args...)})
}

// Err is nil for an empty list.
func (is Issues) Err() error {
	if len(is) == 0 {
		return nil
	}
	return is
}

func (is Issues) Error() string {
	lines := make([]string, len(is))
	for i, x := range is {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// InOrder returns the issues in the order of the text: by file, line and column.
// Those of one place stay as they came; those without a place come last.
func (is Issues) InOrder() Issues {
	type spot struct {
		file      string
		line, col int
	}
	read := func(place string) (s spot) {
		var rest, col string
		s.file = place
		if i := strings.LastIndexByte(place, ':'); i > 0 {
			rest, col = place[:i], place[i+1:]
		}
		i := strings.LastIndexByte(rest, ':')
		if i <= 0 {
			return s
		}
		line, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			return s
		}
		if n, err := strconv.Atoi(col); err == nil {
			s = spot{rest[:i], line, n}
		}
		return s
	}
	out := slices.Clone(is)
	slices.SortStableFunc(out, func(a, b Issue) int {
		if (a.Place == "") != (b.Place == "") {
			return cmp.Compare(len(b.Place), len(a.Place))
		}
		x, y := read(a.Place), read(b.Place)
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.line, y.line), cmp.Compare(x.col, y.col))
	})
	return out
}
