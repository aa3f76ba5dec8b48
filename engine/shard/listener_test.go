package shard

import (
	"testing"
	"time"

	"vigil/engine/clock"
)

// TestWhatIsYoungerThanAnActIsSeenOverAStepOfTheClock: samples count from the end of an
// act on, by the boot clock, wherever the wall clock was set meanwhile.
func TestWhatIsYoungerThanAnActIsSeenOverAStepOfTheClock(t *testing.T) {
	end := clock.Stamp{Wall: 1_790_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
	later := func(d, step time.Duration) clock.Stamp {
		s := end.Add(d)
		s.Wall += step.Microseconds()
		return s
	}
	for name, c := range map[string]struct {
		came clock.Stamp
		lag  time.Duration // of the sample behind its coming
		old  bool
	}{
		"before the end":                  {later(2*time.Second, 0), 3 * time.Second, true},
		"at the end":                      {later(2*time.Second, 0), 2 * time.Second, true},
		"after it":                        {later(2*time.Second, 0), time.Second, false},
		"after it, set back":              {later(5*time.Second, -2*time.Minute), time.Second, false},
		"before it, set back":             {later(5*time.Second, -2*time.Minute), 6 * time.Second, true},
		"after it, set ahead":             {later(5*time.Second, time.Hour), time.Second, false},
		"before it, and it was set ahead": {later(5*time.Second, time.Hour), 6 * time.Second, true},
	} {
		l := &Listener{After: end}
		if got := l.old(c.came.Millis()-c.lag.Milliseconds(), c.came); got != c.old {
			t.Errorf("%s: old %v", name, got)
		}
	}
}
