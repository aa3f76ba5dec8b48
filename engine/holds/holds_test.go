package holds_test

import (
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/holds"
)

// TestPaused_UntilTheLastEnds: of several pauses the one that ends last is told,
// whichever was asked for first.
func TestPaused_UntilTheLastEnds(t *testing.T) {
	now := clock.Stamp{Wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro(), Boot: 1, BootID: "b"}
	for _, lengths := range [][]time.Duration{{time.Minute, time.Hour}, {time.Hour, time.Minute}, {time.Minute, time.Hour, time.Second}} {
		b := holds.New(&journal{}, func() clock.Stamp { return now }, func() {})
		for _, l := range lengths {
			if _, err := b.PutHold(t.Context(), "ada", engine.Hold{Kind: engine.HoldPause, Reason: l.String(), Until: now.Add(l)}); err != nil {
				t.Fatal(err)
			}
		}
		if why, until := b.Paused(now); why != "1h0m0s (ada)" || until != now.Add(time.Hour) {
			t.Errorf("%v: %q until %v", lengths, why, until.Time())
		}
	}
}
