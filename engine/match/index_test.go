package match

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vigil/engine/series"
)

func selector(t testing.TB, ms ...string) series.Selector {
	t.Helper()
	var out series.Selector
	for i := 0; i < len(ms); i += 3 {
		typ := map[string]series.MatchType{"=": series.MatchEqual, "!=": series.MatchNotEqual, "=~": series.MatchRegexp}[ms[i+1]]
		m, err := series.NewMatcher(typ, ms[i], ms[i+2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// Whatever is added, removed, registered and dropped in any order, the index
// says what comparing everything with everything says.
func TestIndexAgreesWithComparingAll(t *testing.T) {
	sels := []series.Selector{
		selector(t, "__name__", "=", "a"),
		selector(t, "__name__", "=", "a", "x", "=", "1"),
		selector(t, "__name__", "=", "a", "x", "=", "1", "y", "!=", ""),
		selector(t, "__name__", "=", "b", "x", "=~", "1|2"),
		selector(t, "x", "=", "2"),
		selector(t, "__name__", "=~", "a|b", "y", "=", "3"),
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	x := New[int, int]()
	on := map[int]bool{}
	alive := map[series.Local]*Live{}
	for step := range 3000 {
		switch rnd.IntN(4) {
		case 0:
			if k := rnd.IntN(len(sels)); !on[k] {
				x.Add(k, sels[k])
				on[k] = true
			}
		case 1:
			if k := rnd.IntN(len(sels)); on[k] {
				x.Remove(k, sels[k])
				delete(on, k)
			}
		case 2:
			l := series.Local(rnd.IntN(20))
			if alive[l] != nil {
				break
			}
			lv := &Live{Ref: series.Ref(step + 1), Local: l, Labels: series.FromMap([]string{"a", "b"}[rnd.IntN(2)], map[string]string{
				"x": fmt.Sprint(rnd.IntN(3)), "y": []string{"", "3"}[rnd.IntN(2)]})}
			alive[l] = lv
			got, _ := x.Register(lv.Ref, l, lv.Labels.Key())
			slices.Sort(got)
			var want []int
			for k := range sels {
				if on[k] && sels[k].Matches(lv.Labels) {
					want = append(want, k)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: %s is for %v, want %v", step, lv.Labels, got, want)
			}
		case 3:
			l := series.Local(rnd.IntN(20))
			if lv := alive[l]; lv != nil {
				x.Drop(lv.Ref, l)
				delete(alive, l)
			}
		}
		k := rnd.IntN(len(sels))
		want := 0
		for _, lv := range alive {
			if sels[k].Matches(lv.Labels) {
				want++
			}
		}
		if got := x.Candidates(sels[k]); len(got) != want {
			t.Fatalf("step %d: %d candidates for %s, want %d", step, len(got), sels[k], want)
		}
	}
}

func TestTapsAreReadWithoutALock(t *testing.T) {
	x := New[int, string]()
	lv := &Live{Ref: 7, Local: 9000, Labels: series.FromMap("a", nil)}
	if x.Watch(9000) != nil {
		t.Fatal("a watch before there is a series")
	}
	x.Register(lv.Ref, lv.Local, lv.Labels.Key())
	x.Tap(lv, "one")
	before := x.Watch(9000)
	x.Tap(lv, "two")
	if w := x.Watch(9000); w == nil || !slices.Equal(w.Taps, []string{"one", "two"}) || w.Ref != 7 {
		t.Fatalf("watch is %+v", w)
	}
	if !slices.Equal(before.Taps, []string{"one"}) {
		t.Fatalf("what was read before is %+v now", before)
	}
	x.Untap(lv, func(s string) bool { return s == "one" })
	if w := x.Watch(9000); !slices.Equal(w.Taps, []string{"two"}) {
		t.Fatalf("watch is %+v", w)
	}
	if w := x.Drop(8, 9000); w != nil {
		t.Fatal("dropped by a ref that is not its own")
	}
	if w := x.Drop(7, 9000); w == nil || x.Watch(9000) != nil {
		t.Fatal("drop must give the watch back and end it")
	}
}

// What a sample costs that nobody watches, with many subscriptions around.
func BenchmarkWatchNothing(b *testing.B) {
	x := New[int, int]()
	for i := range 10_000 {
		x.Add(i, selector(b, "__name__", "=", fmt.Sprintf("other_%d", i)))
	}
	for i := range 10_000 {
		x.Register(series.Ref(i+1), series.Local(i), series.FromMap(fmt.Sprintf("m_%d", i), nil).Key())
	}
	b.ReportAllocs()
	for i := range b.N {
		if x.Watch(series.Local(i%10_000)) != nil {
			b.Fatal("watched")
		}
	}
}
