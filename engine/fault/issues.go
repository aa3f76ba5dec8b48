package fault

import (
	"fmt"
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
