// Package window says whether a recurring window is open at a moment.
//
// A window has a cron schedule in a time zone and a length: it opens when the
// zone's wall clock shows a minute that the schedule names, and stays open for
// the length in real time. So a window over midnight is one window, one that
// opens at 23:30 local time follows the zone through its changes, and an hour
// of maintenance lasts an hour on the two odd nights of the year too.
//
// A local time that a change of the clock skips opens at the first moment after
// the gap; one that occurs twice opens the first time only, unless the schedule
// names every hour, when both are minutes of their own.
//
// It refuses state, clocks and I/O but for the zone database, which is linked in. Pure, concurrent.
package window

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on what a small host has installed: a window that cannot be read would be ignored

	"github.com/adhocore/gronx"

	"vigil/engine/fault"
)

// Bounds.
const (
	maxSchedule = 256
	// MaxLength is the longest window; what is longer is not a window.
	MaxLength = 31 * 24 * time.Hour
)

// Schedule is a checked schedule.
type Schedule struct {
	expr   string
	hours  string // the hour field
	zone   *time.Location
	length time.Duration
}

// Parse checks a cron expression of five fields (minute, hour, day, month,
// weekday) or one of the names @hourly, @daily, @weekly, @monthly, @yearly, an
// IANA zone ("" is UTC) and a length. Errors are of kind Unprocessable; a
// schedule that never comes, such as the 31st of February, is one.
func Parse(schedule, zone string, length time.Duration) (*Schedule, error) {
	s, err := parse(schedule, zone, length)
	if err != nil {
		return nil, err
	}
	if !s.comes() {
		return nil, fault.New(fault.Unprocessable, "%.80q never comes: no month that it names has such a day", schedule)
	}
	return s, nil
}

// comes says whether there is a day that the schedule names. The calendar repeats
// after 28 years, but for a century that is no leap year.
func (s *Schedule) comes() bool {
	fields := strings.Fields(s.expr)
	days := "0 0 0 " + strings.Join(fields[3:], " ")
	cron := gronx.New()
	for day, last := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2052, 1, 1, 0, 0, 0, 0, time.UTC); day.Before(last); day = day.AddDate(0, 0, 1) {
		if due, err := cron.IsDue(days, day); err == nil && due {
			return true
		}
	}
	return false
}

func parse(schedule, zone string, length time.Duration) (*Schedule, error) {
	expr := strings.Join(strings.Fields(schedule), " ")
	if named, ok := byName[expr]; ok {
		expr = named
	}
	fields := strings.Fields(expr)
	if len(schedule) > maxSchedule || len(fields) != 5 || strings.Contains(expr, "@") || !gronx.IsValid(expr) {
		return nil, fault.New(fault.Unprocessable, "%.80q is not a schedule", schedule).
			Mend("write minute hour day month weekday, such as `30 23 * * 1-5`, or @daily")
	}
	if zone == "Local" { // would be the machine's, which nobody said
		return nil, fault.New(fault.Unprocessable, "the zone must be named").Mend("an IANA name such as Europe/Vienna, or UTC")
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "%.80q is not a time zone known here", zone).Mend("an IANA name such as Europe/Vienna, or UTC")
	}
	if length < time.Minute || length > MaxLength {
		return nil, fault.New(fault.Unprocessable, "a window of %s is not between 1m and 31d long", length)
	}
	return &Schedule{expr: "0 " + expr, hours: fields[1], zone: loc, length: length}, nil
}

var byName = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// In reports whether a window is open at now, and until when.
func (s *Schedule) In(now time.Time) (open bool, until time.Time) {
	at, ok := s.opening(now)
	if !ok || !now.Before(at.Add(s.length)) {
		return false, time.Time{}
	}
	return true, at.Add(s.length).UTC()
}

// In is Schedule.In for a schedule that Parse took when it was written; one that
// never comes is never open.
func In(schedule, zone string, length time.Duration, now time.Time) (open bool, until time.Time, err error) {
	s, err := parse(schedule, zone, length)
	if err != nil {
		return false, time.Time{}, err
	}
	open, until = s.In(now)
	return open, until, nil
}

// opening is the newest opening at or before now, looked for no further back
// than one length. The schedule is asked about clock readings without a zone,
// so that changes of the clock are ours to interpret.
func (s *Schedule) opening(now time.Time) (time.Time, bool) {
	local := now.In(s.zone)
	reading := naive(local)
	if len(s.offsets(reading)) > 1 {
		// Near a change, a reading skipped or repeated can lie ahead of the clock.
		reading = reading.Add(maxShift)
	}
	earliest := naive(local).Add(-s.length - maxShift)
	best, found := time.Time{}, false
	for range maxSteps {
		at, err := gronx.PrevTickBefore(s.expr, reading, true)
		if err != nil || at.Before(earliest) {
			return best, found
		}
		at = at.Truncate(time.Minute)
		for _, moment := range s.moments(at) {
			if !moment.After(now) && (!found || moment.After(best)) {
				best, found = moment, true
			}
		}
		// Away from changes moments fall as readings do, so the first is the newest.
		if found && (len(s.offsets(at)) == 1 || at.Add(2*maxShift).Before(naive(local))) {
			return best, found
		}
		reading = at.Add(-time.Second)
	}
	return best, found
}

// No zone moves its clock by more than this at once, but for changes of the
// date line; a minute schedule has this many openings in four such shifts.
const (
	maxShift = 3 * time.Hour
	maxSteps = 4 * 3 * 60 * 2
)

// naive is what the clock on the wall shows, as if it were UTC.
func naive(local time.Time) time.Time {
	y, m, d := local.Date()
	return time.Date(y, m, d, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), time.UTC)
}

// moments are the moments at which the wall clock shows a reading: one, two, or
// none, for which the end of the gap stands in.
func (s *Schedule) moments(reading time.Time) []time.Time {
	var out []time.Time
	for _, off := range s.offsets(reading) {
		if at := reading.Add(-off); naive(at.In(s.zone)).Equal(reading) {
			out = append(out, at)
		}
	}
	switch {
	case len(out) == 0:
		return []time.Time{s.gapEnd(reading)}
	case len(out) == 2 && !strings.HasPrefix(s.hours, "*"):
		if out[1].Before(out[0]) {
			out[0] = out[1]
		}
		return out[:1]
	}
	return out
}

// offsets are the zone's offsets around a reading, each once.
func (s *Schedule) offsets(reading time.Time) []time.Duration {
	var out []time.Duration
	for _, d := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		_, sec := reading.Add(d).In(s.zone).Zone()
		off := time.Duration(sec) * time.Second
		if len(out) == 0 || out[0] != off {
			out = append(out, off)
		}
	}
	return out
}

// gapEnd is the first moment after the change that skips a reading.
func (s *Schedule) gapEnd(reading time.Time) time.Time {
	lo, hi := reading.Add(-26*time.Hour), reading.Add(26*time.Hour)
	_, before := lo.In(s.zone).Zone()
	for hi.Sub(lo) > time.Second {
		mid := lo.Add(hi.Sub(lo) / 2)
		if _, off := mid.In(s.zone).Zone(); off == before {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi.Truncate(time.Second)
}
