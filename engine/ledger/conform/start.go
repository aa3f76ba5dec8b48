package conform

import (
	"vigil/engine/clock"
	"vigil/engine/ledger/conform/stand"
)

// uncleanStartsAreCounted: only a start without a clean stop before it counts.
func uncleanStartsAreCounted(r *stand.Rig) {
	r.Reopen()
	if n := len(r.Snap().UncleanStarts); n != 0 {
		r.Fatalf("%d unclean starts after clean ones", n)
	}
	var want []clock.Stamp
	for range 12 {
		r.Crash()
		r.Start()
		want = append(want, clock.Stamp{Wall: r.Wall.Load() - 1000})
	}
	r.Reopen()
	got := r.Snap().UncleanStarts
	if len(got) != 10 || got[9].Wall > r.Wall.Load() || got[0].Wall < want[2].Wall-1000_000 {
		r.Fatalf("%d unclean starts: %v", len(got), got)
	}
	r.Verified()
}
