package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is one weekly window of active times, told by the wall clock of a zone:
// "Mon-Fri 08:00-18:00", "Sat,Sun 22:00-06:00", "09:00-17:00". A span that ends
// at or before its beginning goes over midnight and belongs to the day on which
// it began; 24:00 is the end of the day.
type Span struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes of the day
}

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseSpan reads a window.
func ParseSpan(text string) (s Span, err error) {
	words := strings.Fields(text)
	switch len(words) {
	case 1:
		for i := range s.days {
			s.days[i] = true
		}
	case 2:
		if s.days, err = parseDays(words[0]); err != nil {
			return s, err
		}
	default:
		return s, fmt.Errorf("%q is no window: expected days and times such as Mon-Fri 08:00-18:00", text)
	}
	from, to, ok := strings.Cut(words[len(words)-1], "-")
	if !ok {
		return s, fmt.Errorf("%q is no window: expected times such as 08:00-18:00", text)
	}
	if s.from, err = parseMinute(from); err != nil {
		return s, err
	}
	if s.to, err = parseMinute(to); err != nil {
		return s, err
	}
	if s.from == 24*60 {
		return s, fmt.Errorf("%q: a window cannot begin at 24:00", text)
	}
	return s, nil
}

func parseDays(text string) (days [7]bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from, err := parseDay(first)
		if err != nil {
			return days, err
		}
		to := from
		if ranged {
			if to, err = parseDay(last); err != nil {
				return days, err
			}
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func parseDay(text string) (int, error) {
	for i, n := range dayNames {
		if strings.EqualFold(text, n) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no day: expected Mon Tue Wed Thu Fri Sat Sun", text)
}

func parseMinute(text string) (int, error) {
	h, m, ok := strings.Cut(text, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, fmt.Errorf("%q is no time of day: expected 00:00 to 24:00", text)
	}
	return int(hour*60 + minute), nil
}

// holds says whether the moment, which is in the window's zone, lies within it.
func (s Span) holds(t time.Time) bool {
	minute, day := t.Hour()*60+t.Minute(), int(t.Weekday())
	if s.from < s.to {
		return s.days[day] && minute >= s.from && minute < s.to
	}
	return s.days[day] && minute >= s.from || s.days[(day+6)%7] && minute < s.to
}

// Active says whether a check with these windows runs at the moment; one
// without any always does.
func Active(spans []Span, zone *time.Location, wall time.Time) bool {
	for _, s := range spans {
		if s.holds(wall.In(zone)) {
			return true
		}
	}
	return len(spans) == 0
}
