// Package fault is the closed list of what can go wrong.
//
// Every error that reaches a person or a wire carries a [Kind]; one table in
// this room says what a kind means as an HTTP status, as an exit code, whether
// a caller may try again, and whether its text may be shown to a stranger.
//
// It refuses: a second list of kinds, kinds invented by callers, and error
// texts without the thing, the place and the mend. It imports nothing of ours,
// starts nothing and holds no state.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is one failure. Place is `file:line:column`, a JSON pointer, a flag or
// an environment name; Hint says how to mend it. Both may be empty.
type Error struct {
	Kind  Kind
	Msg   string
	Place string
	Hint  string
	Err   error // cause, for errors.Is and the log; not shown unless the kind is public

	// RetryAfter is how long a caller should wait, for kinds that may be retried.
	RetryAfter time.Duration
}

// New makes an error of a kind; format and args as in fmt.Errorf without %w.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// Wrap gives err a kind and says what was being done. A nil err stays nil.
func Wrap(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Err: err}
}

// At returns a copy of e that names the place.
func (e *Error) At(place string) *Error { c := *e; c.Place = place; return &c }

// Mend returns a copy of e with a hint.
func (e *Error) Mend(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// After returns a copy of e that asks the caller to wait d before trying again.
func (e *Error) After(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

func (e *Error) Error() string {
	var b strings.Builder
	if e.Place != "" {
		b.WriteString(e.Place)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in err's chain, else Internal.
// A nil err has kind OK.
func KindOf(err error) Kind {
	if err == nil {
		return OK
	}
	var is Issues
	if errors.As(err, &is) {
		return Unprocessable
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
