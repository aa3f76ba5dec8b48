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
	"vigil/engine/policy"
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

// TestClockSetBackBeforeTheStart: what is replayed, or refilled, may lie in a future
// that did not come, when the clock was set back before the start. What comes then is
// taken in all the same.
func TestClockSetBackBeforeTheStart(t *testing.T) {
	for name, back := range map[string]time.Duration{"days": 5 * 24 * time.Hour, "minutes": 5 * time.Minute} {
		for what, replayed := range map[string]bool{"replayed": true, "refilled": false} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				setBack(t, back, replayed)
			})
		}
	}
}

func setBack(t *testing.T, back time.Duration, replayed bool) {
	var mu sync.Mutex
	at := clock.Stamp{Wall: time.Now().UnixMicro(), Boot: int64(5 * time.Hour), BootID: "one"}
	now := func() clock.Stamp {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
	later := func(wall time.Duration, boot string) {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Minute)
		at.Wall, at.BootID = at.Wall+wall.Microseconds(), boot
	}
	dir, j := t.TempDir(), &deaf{}
	r := startDeps(t, dir, now, func(_ *engine.Config, d *engine.Deps) { j.Journal, d.Journal = d.Journal, j })
	r.put(t, breach)
	j.on.Store(replayed)
	r.push(t, 5, now().Millis(), "breach_value", "service", "web")
	if !replayed {
		until(t, "it fires", func() bool { return len(r.Firings()) == 1 })
	}
	r.stop()

	later(-back, "two")
	r = startAt(t, dir, now)
	if b := r.push(t, 5, now().Millis(), "breach_value", "service", "web"); b.Items[0].Refused > 0 {
		t.Fatalf("the sample is refused: %s", b.Items[0].Reason)
	}
	until(t, "it fires", func() bool { return len(r.Firings()) == 1 && r.Firings()[0].State == policy.StateFiring })
	later(0, "two")
	r.push(t, 0, now().Millis(), "breach_value", "service", "web")
	until(t, "it clears", func() bool { return len(r.Firings()) == 0 })
}
