package tsdb

import (
	"context"
	"runtime"
	"testing"
)

// TestSteadyIngestAllocatesNothing: between two cuts a batch of a thousand samples
// allocates nothing, and a cut takes a fixed number of allocations that does not
// grow with the series: at the default size of the log it comes once in thousands
// of batches.
func TestSteadyIngestAllocatesNothing(t *testing.T) {
	const batches = 240
	for _, n := range []int{500, 2000} {
		r := newRig(t, func(c *Config) {
			c.SegmentBytes, c.LogBytes, c.LogMaxBytes = 16<<20, 64<<20, 256<<20
			c.Durability = Interval
		})
		r.die()
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		r.rec = newRecorder()
		f := &follower{s: r.s}
		if err := r.s.Start(context.Background(), 0, f); err != nil {
			t.Fatal(err)
		}
		l := newLoad(n, 1000)
		send := func() {
			if err := l.send(r.s); err != nil {
				t.Error(err)
			}
		}
		period := func() {
			for range batches {
				send()
			}
		}
		for range 3 {
			period()
			r.cut()
		}
		if got := testing.AllocsPerRun(batches-1, send); got > 0 {
			t.Errorf("%d series: %v allocations for a batch of 1000", n, got)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r.cut()
		runtime.ReadMemStats(&after)
		if got := after.Mallocs - before.Mallocs; got > 400 {
			t.Errorf("%d series: a cut makes %d allocations", n, got)
		} else {
			t.Logf("%d series: a cut makes %d allocations", n, got)
		}
		r.stop()
	}
}
