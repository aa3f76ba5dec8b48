package daemon

import (
	"testing"
	"time"

	"vigil/engine/clock"
)

// TestClockIsVouchedForOnlyWhenSteady: ten minutes of good looks in one era, on
// the boot clock; a bad look, another era or another boot begin them again.
func TestClockIsVouchedForOnlyWhenSteady(t *testing.T) {
	type look struct {
		minute int
		era    uint32
		good   bool
		boot   string
		want   bool
	}
	for name, looks := range map[string][]look{
		"steady":        {{0, 1, true, "a", false}, {5, 1, true, "a", false}, {9, 1, true, "a", false}, {10, 1, true, "a", true}},
		"never good":    {{0, 1, false, "a", false}, {20, 1, false, "a", false}},
		"a bad look":    {{0, 1, true, "a", false}, {9, 1, false, "a", false}, {10, 1, true, "a", false}, {19, 1, true, "a", false}, {20, 1, true, "a", true}},
		"another step":  {{0, 1, true, "a", false}, {9, 2, true, "a", false}, {10, 2, true, "a", false}, {19, 2, true, "a", true}},
		"first look":    {{100, 1, true, "a", false}},
		"another boot":  {{0, 1, true, "a", false}, {11, 1, true, "b", false}},
		"failed before": {{0, 1, true, "a", false}, {10, 1, true, "a", true}, {11, 1, true, "a", true}},
	} {
		t.Run(name, func(t *testing.T) {
			var v vouch
			for _, l := range looks {
				// The wall clock runs wild: only the boot clock may count.
				now := clock.Stamp{Wall: int64(l.minute%3) * 1e15, Boot: int64(time.Duration(l.minute) * time.Minute), BootID: l.boot}
				if got := v.look(now, l.era, l.good); got != l.want {
					t.Errorf("minute %d: %v, want %v", l.minute, got, l.want)
				}
			}
		})
	}
}
