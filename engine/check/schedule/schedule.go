// Package schedule says when a check is due: every so often on the monotonic
// clock, or by a cron expression on the wall clock, and within its active times.
//
// Ticks that were missed are counted and never made up for. A step of the wall
// clock moves no interval; it makes a cron schedule due once at most.
//
// Pure: the moments are arguments. A [Schedule] and a [Span] are immutable; a
// [Plan] belongs to one goroutine at a time.
package schedule

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"vigil/engine/document"
)

// cronLook is how long a check on a cron expression goes without looking at the
// wall clock again, which may have been stepped since.
const cronLook = 30 * time.Second

// Schedule says when a check is due: every so often on the monotonic clock,
// which no step of the wall clock moves, or by a cron expression on the wall
// clock. Immutable.
type Schedule struct {
	Every  time.Duration // 0: cron
	Cron   string
	Zone   *time.Location // of the cron expression
	Jitter time.Duration
}

// Parse reads `every`: a duration, or a cron expression of five fields
// or one of its names (@hourly, @daily, ...).
func Parse(every string, jitter *document.Duration, zone *time.Location) (s Schedule, err error) {
	s.Zone = zone
	if strings.ContainsAny(every, " @") {
		if n := len(strings.Fields(every)); n != 1 && n != 5 || !gronx.IsValid(every) {
			return s, fmt.Errorf("%q is no cron expression of five fields", every)
		}
		if _, err := gronx.NextTickAfter(every, time.Unix(0, 0).UTC(), false); err != nil {
			return s, fmt.Errorf("%q is never due", every)
		}
		s.Cron = every
	} else {
		d, err := document.ParseDuration(every)
		if err != nil {
			return s, err
		}
		if d.Std() < time.Second || d.Std() > 366*24*time.Hour {
			return s, fmt.Errorf("%s is out of range: 1s to 366d", every)
		}
		s.Every = d.Std()
		s.Jitter = min(s.Every/10, 30*time.Second)
	}
	if jitter != nil {
		s.Jitter = jitter.Std()
		if s.Jitter < 0 || s.Every > 0 && s.Jitter > s.Every || s.Jitter > time.Hour {
			return s, fmt.Errorf("a jitter of %v is out of range: 0 to `every`, at most 1h", s.Jitter)
		}
	}
	return s, nil
}

// offset is the check's own share of the jitter. It follows from the name, so
// that a check keeps its distance from the others and its interval is exact.
func (s Schedule) offset(name string) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return time.Duration(h.Sum64() % uint64(s.Jitter))
}

// Plan is where one check stands in its schedule. One goroutine.
type Plan struct {
	Schedule
	shift time.Duration
	base  time.Time // every: ticks are base + n*every
	wall  time.Time // cron: the wall time up to which ticks were seen
}

// Start begins a schedule now; the name decides its share of the jitter.
func Start(s Schedule, name string, now, wall time.Time) Plan {
	p := Plan{Schedule: s, shift: s.offset(name)}
	p.base, p.wall = now.Add(p.shift), wall.Add(-p.shift)
	return p
}

// First is when a new check is due for the first time.
func (p *Plan) First(now, wall time.Time) time.Time {
	if p.Every > 0 {
		return p.base
	}
	at, _ := p.Look(now, wall)
	return at
}

// After is the next tick that lies in the future, and how many were missed: they
// are counted, never made up for.
func (p *Plan) After(due, now, wall time.Time) (next time.Time, missed int) {
	if p.Every == 0 {
		next, _ = p.Look(now, wall)
		return next, 0
	}
	n := now.Sub(p.base)/p.Every + 1
	if now.Before(p.base) {
		n = 0
	}
	next = p.base.Add(n * p.Every)
	return next, max(0, int(next.Sub(due)/p.Every)-1)
}

// Look says when to look again at a cron schedule, and whether it is due now. A
// wall clock that went back starts from where it is; one that leapt forward
// makes the check due once.
func (p *Plan) Look(now, wall time.Time) (again time.Time, due bool) {
	wall = wall.Add(-p.shift)
	if wall.Before(p.wall) {
		p.wall = wall
	}
	next, err := gronx.NextTickAfter(p.Cron, p.wall.In(p.Zone), false)
	if err == nil && !next.After(wall) {
		p.wall, due = wall, true
		next, err = gronx.NextTickAfter(p.Cron, wall.In(p.Zone), false)
	}
	if err != nil {
		return now.Add(cronLook), due
	}
	return now.Add(min(cronLook, max(next.Sub(wall), time.Second))), due
}
