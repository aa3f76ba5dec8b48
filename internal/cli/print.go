package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"vigil/api/contract"
)

// print writes v as JSON when that was asked for, else what table does.
func (s *session) print(v any, table func() error) error {
	if s.Output == "json" {
		e := json.NewEncoder(s.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	return table()
}

// done prints the daemon's plain yes.
func (s *session) done(ok contract.OK) error {
	return s.print(ok, func() error { _, err := fmt.Fprintln(s.Out, plain(ok.Message)); return err })
}

// table writes rows under a heading; cells are made safe for a terminal.
func (s *session) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(s.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = plain(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// plain replaces what could move a cursor: names and reasons come from others.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// paint colors text when the output is a terminal that wants it.
func (s *session) paint(code, text string) string {
	if !s.color() {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

// ago is a short distance in time.
func ago(d time.Duration) string {
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

// abs makes a path absolute against the working directory of the command.
func (s *session) abs(path string) (string, error) {
	if filepath.IsAbs(path) || s.Dir == "" {
		return filepath.Abs(path)
	}
	return filepath.Join(s.Dir, path), nil
}
