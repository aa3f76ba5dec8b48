package acts

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/clock"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// dueIsInOrderAndOnTime: what may be claimed by now, high priority first,
// then oldest; what waits is due on its own clock.
func dueIsInOrderAndOnTime(r *stand.Rig) {
	now := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: int64(time.Hour), BootID: "boot-a"}
	add := func(state remedy.State, priority string, until clock.Stamp, source remedy.Source) int64 {
		m := stand.Order("web1", "s")
		m.State, m.Priority, m.Until, m.Source = state, priority, until, source
		return r.Queue(m).ID
	}
	year := 365 * 24 * time.Hour
	low := add(remedy.Queued, "low", clock.Stamp{}, remedy.FromPolicy)
	medium := add(remedy.Queued, "", clock.Stamp{}, remedy.FromAPI)
	high := add(remedy.Queued, "high", clock.Stamp{}, remedy.FromPolicy)
	medium2 := add(remedy.Queued, "medium", now.Add(-time.Second), remedy.FromPolicy)
	held := add(remedy.Held, "medium", now, remedy.FromPolicy)
	gaveUp := add(remedy.GaveUp, "medium", clock.Stamp{Wall: now.Wall - 1, Boot: 99 * int64(time.Hour), BootID: "boot-0"}, remedy.FromPolicy)
	unclear := add(remedy.Indeterminate, "medium", now.Add(-time.Hour), remedy.FromPolicy)
	jumped := add(remedy.Held, "medium", clock.Stamp{Wall: now.Add(10 * year).Wall, Boot: 1, BootID: "boot-a"}, remedy.FromPolicy)
	for _, never := range []remedy.State{remedy.Held, remedy.GaveUp, remedy.Indeterminate} {
		add(never, "high", clock.Stamp{}, remedy.FromPolicy)
	}
	theirs := add(remedy.Queued, "high", clock.Stamp{}, remedy.FromExternal)
	for _, final := range []remedy.State{remedy.Succeeded, remedy.Refused, remedy.Cancelled, remedy.Failed} {
		add(final, "high", now.Add(-time.Hour), remedy.FromPolicy)
	}
	soon := now.Add(90 * time.Second)
	add(remedy.Queued, "high", soon, remedy.FromPolicy)
	earlier := add(remedy.Held, "high", clock.Stamp{Wall: now.Add(10 * year).Wall, Boot: 1, BootID: "boot-0"}, remedy.FromPolicy)

	due := func(at clock.Stamp, n int) (ids []int64, next clock.Stamp) {
		rs, next, err := r.Due(context.Background(), at, n)
		if err != nil {
			r.Fatal(err)
		}
		for _, m := range rs {
			ids = append(ids, m.ID)
		}
		return ids, next
	}
	ids, next := due(now, 100)
	if d := cmp.Diff([]int64{high, earlier, medium, medium2, held, gaveUp, unclear, jumped, low, theirs}, ids); d != "" {
		r.Fatal(d)
	}
	if next != soon {
		r.Fatalf("next is %v, want %v", next, soon)
	}
	if ids, next = due(now, 2); len(ids) != 2 || ids[0] != high || next != now {
		r.Fatalf("%v, next %v", ids, next)
	}
	if _, next = due(now.Add(time.Hour), 100); !next.IsZero() {
		r.Fatalf("nothing waits any more, but next is %v", next)
	}
	// In the next boot no time of before says anything, whatever the wall clock shows:
	// all are looked at, and who looks says how long is left.
	if ids, next = due(clock.Stamp{Wall: now.Wall - 10*year.Microseconds(), Boot: 1, BootID: "boot-b"}, 100); len(ids) != 11 || !next.IsZero() {
		r.Fatalf("%v, next %v", ids, next)
	}
}
