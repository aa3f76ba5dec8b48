package daemon

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"
)

// A flood makes garbage faster than a collector that waits for the heap to
// double takes it away: four bombs at once cost 170 MiB, of which 50 were in use
// at any time. So the runtime is given a soft limit. What the daemon keeps (the
// index of its series, above all) may be more than that on a big host; then the
// limit follows it, some seconds behind, so that a burst does not move it: a
// limit below what is kept would spend half of the processor on collecting
// nothing. What is there at the first looks was loaded, and counts at once.
//
// While little is kept and little garbage made, the collector comes sooner: it
// has nearly nothing to do then, and an idle vigild is 2 MiB smaller for it.
const (
	gcIdle, gcBusy = 50, 100 // percent of garbage beside what is kept
	gcOften        = 4       // collections between two looks that mean busy
	gcLittle       = 16 << 20
	gcRest         = 10 // looks without a collection, after which what is free is given back
	memoryLeast    = 64 << 20
	memoryFlood    = 84 << 20 // beside 35 MiB of the program itself, a flood stays under 128 MiB
	memoryEvery    = time.Second
	memoryLooks    = 3 // the least of so many looks is what is kept
)

// memory keeps the runtime's soft limit and the collector's pace until ctx ends,
// unless GOMEMLIMIT or GOGC say what a person wants.
func memory(ctx context.Context) error {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return nil
	}
	before := debug.SetMemoryLimit(memoryLeast)
	defer debug.SetMemoryLimit(before)
	pace := gcBusy
	beforePace := debug.SetGCPercent(pace)
	defer debug.SetGCPercent(beforePace)
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var looks []uint64
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	var cycles uint64
	var r rest
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(live)
		if live[0].Value.Kind() == metrics.KindUint64 {
			looks = append(looks[max(0, len(looks)+1-memoryLooks):], live[0].Value.Uint64())
		}
		debug.SetMemoryLimit(memoryLimit(looks))
		if live[0].Value.Kind() == metrics.KindUint64 && live[1].Value.Kind() == metrics.KindUint64 {
			now := live[1].Value.Uint64()
			if want := gcPace(now-cycles, live[0].Value.Uint64()); want != pace {
				pace = want
				debug.SetGCPercent(pace)
			}
			if r.due(now-cycles, live[0].Value.Uint64()) {
				debug.FreeOSMemory()
				now++ // its own collection
			}
			cycles = now
		}
	}
}

// rest tells when an idle daemon should give back what a start or a burst has used:
// once, some looks after the last collection. Until the next one nobody else would.
type rest struct {
	quiet int  // looks in a row without a collection
	used  bool // there was one since it was last given back
}

func (r *rest) due(collections, kept uint64) bool {
	if collections > 0 {
		r.quiet, r.used = 0, true
		return false
	}
	r.quiet++
	if r.quiet < gcRest || !r.used || kept > gcLittle {
		return false
	}
	r.used = false
	return true
}

// gcPace is the collector's percentage after so many collections since the last
// look, with a live heap of so many bytes.
func gcPace(collections, kept uint64) int {
	if collections >= gcOften || kept > gcLittle {
		return gcBusy
	}
	return gcIdle
}

// memoryLimit is the soft limit after these looks at the live heap, the newest
// last, never under the least: room for garbage of 24 MiB and half of what is kept,
// while that fits what a flood may cost; of 20 MiB and a quarter beyond.
func memoryLimit(looks []uint64) int64 {
	if len(looks) == 0 {
		return memoryLeast
	}
	kept := slices.Min(looks)
	generous := min(kept+kept/2+24<<20, memoryFlood)
	return int64(min(max(memoryLeast, generous, kept+kept/4+20<<20), math.MaxInt64))
}
