package reconcile

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestReach_IsWhatDependsOnSays: in any graph, circles and words of what is not there
// among them, and however often it is asked.
func TestReach_IsWhatDependsOnSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(rt, "items")
		at, items := map[string]*Item{}, make([]*Item, n)
		for i := range items {
			items[i] = &Item{}
			at[fmt.Sprint(i)] = items[i]
		}
		for _, it := range items {
			for range rapid.IntRange(0, 3).Draw(rt, "words") {
				it.DependsOn = append(it.DependsOn, fmt.Sprint(rapid.IntRange(0, n).Draw(rt, "on")))
			}
		}
		var naive func(from, to *Item, seen map[*Item]bool) bool
		naive = func(from, to *Item, seen map[*Item]bool) bool {
			for _, ref := range from.DependsOn {
				if on := at[ref]; on == to && on != nil || on != nil && !seen[on] && func() bool { seen[on] = true; return naive(on, to, seen) }() {
					return true
				}
			}
			return false
		}
		by := reach{at: at, known: map[*Item]map[*Item]bool{}, size: rapid.SampledFrom([]int{0, mostKnown}).Draw(rt, "known before")}
		for range 2 {
			for _, from := range items {
				for _, to := range items {
					if got, want := by.leads(from, to), naive(from, to, map[*Item]bool{}); got != want {
						rt.Fatalf("from %v: %v, want %v", from.DependsOn, got, want)
					}
				}
			}
		}
	})
}
