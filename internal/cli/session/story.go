package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"vigil/api/contract"
	"vigil/engine/fault"
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

// HoldTable prints holds, each with as much of its id as tells it apart from all that
// there are, of whatever kind.
func (s *Session) HoldTable(hs, all []contract.Hold) error {
	rows := make([][]string, 0, len(hs))
	for _, h := range hs {
		about := h.Matchers + h.Subject
		if about == "" {
			about = "everything"
		}
		if h.Schedule != "" {
			about += " at " + h.Schedule + " " + h.Zone + " for " + h.Length
		}
		rows = append(rows, []string{apart(h.ID, all), h.Kind, about, Moment(h.Until), h.Actor, h.Reason})
	}
	return s.Table([]string{"ID", "KIND", "ABOUT", "UNTIL", "BY", "REASON"}, rows)
}

// shortest is what is shown of an id at the least; made within seconds they begin alike.
const shortest = 8

// apart is as much of the id of a hold as no other of them begins with. What a person
// named stays whole.
func apart(id string, hs []contract.Hold) string {
	if strings.Trim(id, "0123456789abcdef") != "" {
		return id
	}
	n := min(shortest, len(id))
	for n < len(id) && slices.ContainsFunc(hs, func(h contract.Hold) bool { return h.ID != id && strings.HasPrefix(h.ID, id[:n]) }) {
		n++
	}
	return id[:n]
}

// WholeHold is the id of the one hold that begins so. NotFound; Conflict: several do.
func WholeHold(id string, hs []contract.Hold) (string, error) {
	found := ""
	for _, h := range hs {
		switch {
		case h.ID == id:
			return id, nil
		case len(id) < 4 || !strings.HasPrefix(h.ID, id):
		case found != "":
			return "", fault.New(fault.Conflict, "several holds begin with %s, %s and %s among them", id, found, h.ID).Mend("write more of it")
		default:
			found = h.ID
		}
	}
	if found == "" {
		return "", fault.New(fault.NotFound, "no hold %q stands", id).Mend("the lists of vigild silence, vigild maintenance and vigild hands-off show what does")
	}
	return found, nil
}
