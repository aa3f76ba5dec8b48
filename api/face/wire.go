package face

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vigil/api/problem"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
)

// As is err with another status than its kind's, where the original answered so.
func As(status int, err error) error {
	p, hidden := problem.From(err)
	if hidden {
		return err
	}
	c := *p
	c.Status, c.Title = status, http.StatusText(status)
	return &c
}

// BadRequest is the original's 400 with its own words.
func BadRequest(text string) error { return problem.New(fault.Invalid, text) }

// Unfit is a 422 of one field.
func Unfit(msg string, input any, loc ...any) error {
	return problem.Invalid{problem.Value(msg, input, loc...)}
}

// FieldIssues puts the engine's issues (places are JSON pointers) into the body.
func FieldIssues(err error) error {
	is, ok := err.(fault.Issues)
	if !ok {
		return err
	}
	var inv problem.Invalid
	for _, i := range is {
		loc := []any{"body"}
		for _, part := range strings.FieldsFunc(i.Place, func(r rune) bool { return r == '/' }) {
			loc = append(loc, part)
		}
		msg := i.Msg
		if i.Hint != "" {
			msg += " (" + i.Hint + ")"
		}
		inv = append(inv, problem.Value(msg, nil, loc...))
	}
	return inv
}

// Duration reads a length of time of a field, 0 for none.
func Duration(text *string, loc ...any) (time.Duration, error) {
	if text == nil || *text == "" {
		return 0, nil
	}
	d, err := document.ParseDuration(*text)
	if err != nil {
		return 0, Unfit(err.Error(), *text, loc...)
	}
	if d <= 0 {
		return 0, Unfit("the length must be above zero", *text, loc...)
	}
	return d.Std(), nil
}

// Moment reads a time of a query: RFC 3339, without a zone UTC, or Unix seconds.
func Moment(text, field string) (clock.Stamp, error) {
	if text == "" {
		return clock.Stamp{}, nil
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return clock.Stamp{Wall: t.UnixMicro()}, nil
		}
	}
	if sec, ok := Seconds(text); ok {
		return clock.Stamp{Wall: int64(sec * 1e6)}, nil
	}
	return clock.Stamp{}, problem.Invalid{{Type: "datetime_parsing", Loc: []any{"query", field},
		Msg: "Input should be a time in RFC 3339 or in Unix seconds", Input: text}}
}

// At is a wall time as a stamp on the clock of now, so that its length is kept
// when the wall clock is set.
func At(t time.Time, now clock.Stamp) clock.Stamp {
	return now.Add(t.Sub(now.Time()))
}

func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Seconds reads a plain decimal number.
func Seconds(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 || strings.ContainsAny(s, "xXpP_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && math.Abs(f) < 1e15
}

// Cursor reads the number that a page ended with, from a field of the query; 0 is
// the first page.
func Cursor(s, field string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, Unfit("this is not a cursor", s, "query", field)
	}
	return n, nil
}

// List is a list that is never null.
func List[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
