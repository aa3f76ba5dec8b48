package session

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"vigil/api/contract"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/internal/daemon/settings"
)

// Print writes v as JSON when that was asked for, else what table does.
func (s *Session) Print(v any, table func() error) error {
	if s.Output == "json" {
		e := json.NewEncoder(&Escaped{To: s.Out})
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	return table()
}

// Done prints the daemon's plain yes.
func (s *Session) Done(ok contract.OK) error {
	return s.Print(ok, func() error { _, err := fmt.Fprintln(s.Out, Plain(ok.Message)); return err })
}

// Table writes rows under a heading; cells are made safe for a terminal.
func (s *Session) Table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(s.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = Plain(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// Plain replaces what could move a cursor, turn the direction of a line around
// or hide in it: names and reasons come from others.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return ' '
		}
		return r
	}, s)
}

// Count is a number with its noun.
func Count[N int | int64](n N, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Paint colors text when the output is a terminal that wants it.
func (s *Session) Paint(code, text string) string {
	if !s.Color() {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Bold   = "1"
)

// Span is a length of time on a command line, written as everywhere else: 90s,
// 1h30m, 7d.
type Span time.Duration

// UnmarshalText reads it.
func (d *Span) UnmarshalText(text []byte) error {
	v, err := document.ParseDuration(string(text))
	if err == nil && v <= 0 {
		err = fault.New(fault.Usage, "%q is no length of time above zero", text)
	}
	*d = Span(v)
	return err
}

// Size is a number of bytes on a command line, written as in the config file:
// 64MiB, 10kB, 4096.
type Size int64

// UnmarshalText reads it.
func (n *Size) UnmarshalText(text []byte) error {
	v, err := settings.ParseSize(string(text))
	if err == nil && v <= 0 {
		err = fault.New(fault.Usage, "%q is no number of bytes above zero", text)
	}
	*n = Size(v)
	return err
}

// Ago is a short distance in time.
func Ago(d time.Duration) string {
	switch {
	case d < 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Abs makes a path absolute against the working directory of the command.
func (s *Session) Abs(path string) (string, error) {
	if filepath.IsAbs(path) || s.Dir == "" {
		return filepath.Abs(path)
	}
	return filepath.Join(s.Dir, path), nil
}

func Since(t time.Time) string { return Ago(time.Since(t)) }

func Moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
