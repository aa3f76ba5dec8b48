package session

import (
	"encoding/json"
	"fmt"

	"vigil/api/contract"
)

// Story prints a story, line by line, with its evidence if asked.
func (s *Session) Story(st contract.Story, evidence bool) error {
	return s.Print(st, func() error {
		fmt.Fprintln(s.Out, s.Paint(Bold, Plain(st.Headline)))
		for _, l := range st.Lines {
			if l.Text == st.Headline && !evidence {
				continue // the headline has said it
			}
			when := ""
			if len(l.Time) > 19 {
				when = clockOf(l.Time) + "  "
			}
			fmt.Fprintf(s.Out, "  %s%s\n", when, Plain(l.Text))
			if evidence && len(l.Evidence) > 0 {
				text, err := json.MarshalIndent(l.Evidence, "      ", "  ")
				if err == nil {
					fmt.Fprintf(s.Out, "      %s\n", text)
				}
			}
		}
		return nil
	})
}

// clockOf is the time of day of an RFC 3339 time, to the millisecond.
func clockOf(t string) string {
	end := len(t) - 1
	if end > 23 {
		end = 23
	}
	return t[11:end]
}

// HoldTable prints holds.
func (s *Session) HoldTable(hs []contract.Hold) error {
	rows := make([][]string, 0, len(hs))
	for _, h := range hs {
		about := h.Matchers + h.Subject
		if about == "" {
			about = "everything"
		}
		if h.Schedule != "" {
			about += " at " + h.Schedule + " " + h.Zone + " for " + h.Length
		}
		rows = append(rows, []string{h.ID, h.Kind, about, Moment(h.Until), h.Actor, h.Reason})
	}
	return s.Table([]string{"ID", "KIND", "ABOUT", "UNTIL", "BY", "REASON"}, rows)
}
