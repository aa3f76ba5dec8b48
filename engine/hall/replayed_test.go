package hall_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// deaf is a journal that takes nothing any more once it was told so, as one whose
// daemon is about to die.
type deaf struct {
	engine.Journal
	on atomic.Bool
}

func (d *deaf) Commit(ctx context.Context, dec *engine.Decision) (engine.Receipt, error) {
	if d.on.Load() {
		return engine.Receipt{}, fault.New(fault.Unavailable, "not now")
	}
	return d.Journal.Commit(ctx, dec)
}

// TestReplayedSamplesAreAsOldAsTheyAre: what was taken in before a crash and is
// evaluated only after it came when it came. A breach of a moment ago is acted on
// without another sample; one of long ago proves nothing, and waits for one.
func TestReplayedSamplesAreAsOldAsTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		wall  time.Duration // that vigild does not run
		boot  string
		holds int8
	}{
		"a moment ago":                {0, "one", 1},
		"an hour ago":                 {time.Hour, "one", 0},
		"an hour ago, before a boot":  {time.Hour, "two", 0},
		"the clock was set back then": {-time.Hour, "one", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			at := clock.Stamp{Wall: time.Now().UnixMicro(), Boot: int64(5 * time.Hour), BootID: "one"}
			now := func() clock.Stamp {
				mu.Lock()
				defer mu.Unlock()
				return at
			}
			dir, j := t.TempDir(), &deaf{}
			r := startDeps(t, dir, now, func(_ *engine.Config, d *engine.Deps) { j.Journal, d.Journal = d.Journal, j })
			r.put(t, breach)
			j.on.Store(true)
			r.push(t, 5, now().Millis(), "breach_value", "service", "web")
			r.stop()

			mu.Lock()
			at = at.Add(time.Second)
			at.Wall, at.BootID = at.Wall+c.wall.Microseconds(), c.boot
			if c.wall > 0 {
				at.Boot += int64(c.wall)
			}
			mu.Unlock()
			r = startAt(t, dir, now)
			if f := r.facts(t); f.Holds != c.holds || !f.Warm {
				t.Errorf("holds %d, warm %v; want %d", f.Holds, f.Warm, c.holds)
			}
		})
	}
}
