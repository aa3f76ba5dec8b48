package vigilsim

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seeds = flag.Int("seeds", 0, "seeds of TestSimulation; without it 20, and 5 under the race detector")
	days  = flag.Float64("days", 0, "simulated days of each seed; without it 1, and half an hour under the race detector")
	seed  = flag.Uint64("seed", 0, "first seed of TestSimulation; without it 1")
	lines = flag.Int("lines", 100, "last lines of the story of a seed to print")
	more  = flag.String("more", "", "what there is five times as much of, such as silence or \"kill jump\"; see script")
	tale  = flag.Bool("tale", false, "print what happened, also of a seed with which all is well")
)

// TestSimulation lives through days with the real engine and looks at everything that
// it does. A seed says what happens and when; what runs at one moment may still go in
// either order.
//
//	go test ./internal/vigilsim -run 'TestSimulation$' -seeds 1000 -timeout 0
func TestSimulation(t *testing.T) {
	n, span, first := lived, time.Duration(day*float64(24*time.Hour)), uint64(1)
	if *seeds > 0 {
		n = *seeds
	}
	if *days > 0 {
		span = time.Duration(*days * float64(24*time.Hour))
	}
	if *seed > 0 {
		first = *seed
	}
	began := time.Now()
	var mu sync.Mutex
	var all tally
	t.Run("seeds", func(t *testing.T) {
		for i := range uint64(n) {
			t.Run(fmt.Sprint(first+i), func(t *testing.T) {
				t.Parallel()
				bad, story, n := simulate(t, first+i, span, plant{more: *more})
				mu.Lock()
				all.add(n)
				mu.Unlock()
				if *tale || len(bad) > 0 {
					t.Log("\n" + strings.Join(story[max(0, len(story)-*lines):], "\n"))
				}
				if len(bad) > 0 {
					t.Errorf("seed %d: %d violations\n%s\nalone: go test ./internal/vigilsim -run TestSimulation -seed %d -seeds 1 -days %v -tale", first+i, len(bad), strings.Join(bad, "\n"), first+i, span.Hours()/24)
				}
			})
		}
	})
	t.Logf("%d seeds from %d, in %s: %+v", n, first, time.Since(began).Round(time.Millisecond), all)
}
