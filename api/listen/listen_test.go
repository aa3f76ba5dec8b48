package listen

import (
	"math"
	"testing"
)

// TestConnectionsLeaveDescriptors: under no limit may connections take what the
// rest of vigild lives on.
func TestConnectionsLeaveDescriptors(t *testing.T) {
	for descriptors, want := range map[uint64]int{0: 8, 64: 16, 1024: 496, 1 << 20: 1<<19 - spared, math.MaxUint64: 1<<29 - spared} {
		if got := affordable(descriptors); got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
}
