package match

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vigil/engine/series"
)

// alike is what a join asks, without any index.
func alike(thing, ls series.Labels, on []string) bool {
	for _, n := range on {
		if thing.Get(n) != ls.Get(n) {
			return false
		}
	}
	for _, l := range thing {
		if v := ls.Get(l.Name); len(on) == 0 && l.Name != series.NameLabel && v != "" && v != l.Value {
			return false
		}
	}
	return true
}

// Whatever was put in and taken out, all that join are found, and nothing else while
// few sets of names are compared.
func TestSideFindsWhatComparingAllFinds(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f"}
	draw := func(rnd *rand.Rand, names []string, share float64) series.Labels {
		m := map[string]string{}
		for _, n := range names {
			if rnd.Float64() < share {
				m[n] = fmt.Sprint(rnd.IntN(3))
			}
		}
		return series.FromMap("m", m)
	}
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		few := seed%2 == 0 // sets of names are compared, of two labels
		names := names[:2+4*int(seed%2)]
		var of []series.Labels
		s := NewSide(func(i int) series.Labels { return of[i] })
		in := map[int]bool{}
		for range 300 {
			switch rnd.IntN(3) {
			case 0:
				of = append(of, draw(rnd, names, 0.7))
				s.Add(len(of) - 1)
				in[len(of)-1] = true
			case 1:
				for i := range in {
					s.Remove(i)
					delete(in, i)
					break
				}
			}
			ls := draw(rnd, names, 0.6)
			var on []string
			if rnd.IntN(2) == 0 {
				on = names[:1+rnd.IntN(2)]
			}
			got := s.Find(ls, on)
			slices.Sort(got)
			var want []int
			for i := range in {
				if alike(of[i], ls, on) {
					want = append(want, i)
				}
			}
			slices.Sort(want)
			missing := slices.ContainsFunc(want, func(i int) bool { return !slices.Contains(got, i) })
			if missing || len(slices.Compact(got)) != len(got) {
				t.Fatalf("seed %d: %s on %v finds %v, want %v", seed, ls, on, got, want)
			}
			for _, i := range got {
				if !in[i] {
					t.Fatalf("seed %d: %d was taken out", seed, i)
				}
				if few && !slices.Contains(want, i) {
					t.Fatalf("seed %d: %s on %v finds %s", seed, ls, on, of[i])
				}
			}
		}
		for i := range in {
			s.Remove(i)
		}
		if len(s.shapes) > 0 {
			t.Fatalf("seed %d: %d shapes are left of nothing", seed, len(s.shapes))
		}
	}
}

// A thing is taken out of a large bunch without looking for it.
func TestLargeBunch(t *testing.T) {
	ls := series.FromMap("m", map[string]string{"job": "web"})
	s := NewSide(func(int) series.Labels { return ls })
	const n = 100_000
	for i := range n {
		s.Add(i)
	}
	if got := s.Find(series.FromMap("other", map[string]string{"job": "web"}), nil); len(got) != n {
		t.Fatalf("%d of %d are found", len(got), n)
	}
	for i := range n - 1 {
		s.Remove(i)
	}
	if got := s.Find(ls, []string{"job"}); !slices.Equal(got, []int{n - 1}) {
		t.Fatalf("left are %v", got)
	}
}

// The index says of a joined selector what comparing all its candidates says, for
// series that came before it was first asked and after, and for such as have gone.
func TestIndexJoins(t *testing.T) {
	sel := selector(t, "__name__", "=", "a", "x", "!=", "0")
	loose := selector(t, "x", "=", "1")
	rnd := rand.New(rand.NewPCG(3, 4))
	x := New[int, int]()
	alive := map[series.Local]series.Labels{}
	for step := range 2000 {
		l := series.Local(rnd.IntN(60))
		if ls := alive[l]; ls != nil {
			x.Drop(series.Ref(l+1), l)
			delete(alive, l)
		} else {
			alive[l] = series.FromMap([]string{"a", "b"}[rnd.IntN(2)], map[string]string{
				"x": fmt.Sprint(rnd.IntN(3)), "host": fmt.Sprint(rnd.IntN(4)), "y": []string{"", "1"}[rnd.IntN(2)]})
			x.Register(series.Ref(l+1), l, alive[l].Key())
		}
		if step < 100 {
			continue
		}
		ls := series.FromMap("i", map[string]string{"host": fmt.Sprint(rnd.IntN(4)), "z": "1"})
		on := [][]string{nil, {"host"}, {"host", "y"}, {"z"}}[rnd.IntN(4)]
		for _, sel := range []series.Selector{sel, loose} {
			want := 0
			for _, o := range alive {
				if sel.Matches(o) && alike(ls, o, on) {
					want++
				}
			}
			got := 0
			for _, lv := range x.Joined(sel, ls, on) {
				if !sel.Matches(lv.Labels) || !lv.Labels.Equal(alive[lv.Local]) {
					t.Fatalf("step %d: %s is no candidate", step, lv.Labels)
				}
				if alike(ls, lv.Labels, on) {
					got++
				}
			}
			if got != want {
				t.Fatalf("step %d: %s joins %d of %s on %v, want %d", step, ls, got, sel, on, want)
			}
		}
	}
}

// However many sets of names labels have, few of them are kept apart, and all that join
// are found.
func TestSideOfManyShapes(t *testing.T) {
	const n = 4 * maxShapes
	of := make([]series.Labels, n)
	s := NewSide(func(i int) series.Labels { return of[i] })
	for i := range n {
		of[i] = series.FromMap("m", map[string]string{"host": fmt.Sprint(i % 5), fmt.Sprint("made_up_", i): "x"})
		s.Add(i)
	}
	if len(s.shapes) > maxShapes {
		t.Errorf("%d sets of names are kept apart", len(s.shapes))
	}
	for left := n; left >= 0; left-- {
		if left%100 == 0 {
			for _, on := range [][]string{nil, {"host"}} {
				ls, found := series.FromMap("o", map[string]string{"host": "3"}), map[int]bool{}
				for _, i := range s.Find(ls, on) {
					if i >= left || found[i] {
						t.Fatalf("%d of %d is found, or found twice", i, left)
					}
					found[i] = true
				}
				for i := range left {
					if alike(of[i], ls, on) && !found[i] {
						t.Fatalf("%d of %d is not found on %v", i, left, on)
					}
				}
			}
		}
		if left > 0 {
			s.Remove(left - 1)
		}
	}
	if len(s.shapes)+len(s.rest.list) > 0 {
		t.Errorf("%d and %d are left of none", len(s.shapes), len(s.rest.list))
	}
}
