package match

import (
	"testing"

	"vigil/engine/series"
)

// TestReleaseTakesOutWhatIsGone: the taps that are left are those that were not
// released, and those that are gone are never more than the others.
func TestReleaseTakesOutWhatIsGone(t *testing.T) {
	x := New[int, int]()
	x.Register(1, 0, series.FromMap("a", nil).Key())
	lv := &Live{Ref: 1}
	const n = 1000
	for i := range n {
		x.Tap(lv, i)
	}
	x.Release(lv, n) // one that was never there
	for i := range n - 1 {
		if x.Release(lv, i); len(x.Watch(0).Taps) > 2*(n-1-i)+2 {
			t.Fatalf("%d taps after %d of %d were released", len(x.Watch(0).Taps), i+1, n)
		}
	}
	last := false
	for _, tap := range x.Watch(0).Taps {
		last = last || tap == n-1
	}
	if !last {
		t.Error("what was not released is gone")
	}
	if x.Release(lv, n-1); x.Watch(0) != nil {
		t.Errorf("%d taps are left of none", len(x.Watch(0).Taps))
	}
	x.Release(lv, 0) // of a series that nobody reads
	for i := range 3 {
		x.Tap(lv, i)
	}
	x.Release(lv, 0)
	if x.Drop(1, 0); len(x.gone) > 0 {
		t.Errorf("of a series that went %d taps are still to be taken out", len(x.gone[0]))
	}
}
