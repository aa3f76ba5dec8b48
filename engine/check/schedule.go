package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/adhocore/gronx"
	"github.com/cespare/xxhash/v2"

	"vigil/engine/document"
)

// cronLook is how long a check on a cron expression goes without looking at the
// wall clock again, which may have been stepped since.
const cronLook = 30 * time.Second

// schedule says when a check is due: every so often on the monotonic clock,
// which no step of the wall clock moves, or by a cron expression on the wall
// clock. Immutable.
type schedule struct {
	every  time.Duration // 0: cron
	cron   string
	zone   *time.Location
	jitter time.Duration
}

// parseSchedule reads `every`: a duration, or a cron expression of five fields
// or one of its names (@hourly, @daily, ...).
func parseSchedule(every string, jitter *document.Duration, zone *time.Location) (s schedule, err error) {
	s.zone = zone
	if strings.ContainsAny(every, " @") {
		if n := len(strings.Fields(every)); n != 1 && n != 5 || !gronx.IsValid(every) {
			return s, fmt.Errorf("%q is no cron expression of five fields", every)
		}
		if _, err := gronx.NextTickAfter(every, time.Unix(0, 0).UTC(), false); err != nil {
			return s, fmt.Errorf("%q is never due", every)
		}
		s.cron = every
	} else {
		d, err := document.ParseDuration(every)
		if err != nil {
			return s, err
		}
		if d.Std() < time.Second || d.Std() > 366*24*time.Hour {
			return s, fmt.Errorf("%s is out of range: 1s to 366d", every)
		}
		s.every = d.Std()
		s.jitter = min(s.every/10, 30*time.Second)
	}
	if jitter != nil {
		s.jitter = jitter.Std()
		if s.jitter < 0 || s.every > 0 && s.jitter > s.every || s.jitter > time.Hour {
			return s, fmt.Errorf("a jitter of %v is out of range: 0 to `every`, at most 1h", s.jitter)
		}
	}
	return s, nil
}

// offset is the check's own share of the jitter. It follows from the name, so
// that a check keeps its distance from the others and its interval is exact.
func (s schedule) offset(name string) time.Duration {
	if s.jitter <= 0 {
		return 0
	}
	return time.Duration(xxhash.Sum64String(name) % uint64(s.jitter))
}

// plan is where one check stands in its schedule. One goroutine.
type plan struct {
	schedule
	shift time.Duration
	base  time.Time // every: ticks are base + n*every
	wall  time.Time // cron: the wall time up to which ticks were seen
}

func newPlan(s schedule, name string, now, wall time.Time) plan {
	p := plan{schedule: s, shift: s.offset(name)}
	p.base, p.wall = now.Add(p.shift), wall.Add(-p.shift)
	return p
}

// first is when a new check is due for the first time.
func (p *plan) first(now, wall time.Time) time.Time {
	if p.every > 0 {
		return p.base
	}
	at, _ := p.look(now, wall)
	return at
}

// after is the next tick that lies in the future, and how many were missed: they
// are counted, never made up for.
func (p *plan) after(due, now, wall time.Time) (next time.Time, missed int) {
	if p.every == 0 {
		next, _ = p.look(now, wall)
		return next, 0
	}
	n := now.Sub(p.base)/p.every + 1
	if now.Before(p.base) {
		n = 0
	}
	next = p.base.Add(n * p.every)
	return next, max(0, int(next.Sub(due)/p.every)-1)
}

// look says when to look again at a cron schedule, and whether it is due now. A
// wall clock that went back starts from where it is; one that leapt forward
// makes the check due once.
func (p *plan) look(now, wall time.Time) (again time.Time, due bool) {
	wall = wall.Add(-p.shift)
	if wall.Before(p.wall) {
		p.wall = wall
	}
	next, err := gronx.NextTickAfter(p.cron, p.wall.In(p.zone), false)
	if err == nil && !next.After(wall) {
		p.wall, due = wall, true
		next, err = gronx.NextTickAfter(p.cron, wall.In(p.zone), false)
	}
	if err != nil {
		return now.Add(cronLook), due
	}
	return now.Add(min(cronLook, max(next.Sub(wall), time.Second))), due
}
