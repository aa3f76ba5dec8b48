package index

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"vigil/engine/series"
)

func TestTableKeepsClassesAndKeysApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := NewTable[int](1 << 20)
		model := map[string]*int{}
		for i := range rapid.IntRange(1, 300).Draw(t, "n") {
			key, c := rapid.SliceOfN(rapid.ByteRange(0, 3), 0, 3).Draw(t, "key"), Class(rapid.IntRange(0, 2).Draw(t, "class"))
			tab.Put(key, c, &i)
			model[fmt.Sprint(key, c)] = &i
			probe, pc := rapid.SliceOfN(rapid.ByteRange(0, 3), 0, 3).Draw(t, "probe"), Class(rapid.IntRange(0, 2).Draw(t, "class"))
			if got := tab.Get(probe, pc); got != model[fmt.Sprint(probe, pc)] {
				t.Fatalf("%v %d: %v", probe, pc, got)
			}
		}
		tab.Purge(func(v *int) bool { return *v%2 == 0 })
		for i := range 4 {
			key := []byte{byte(i)}
			want := model[fmt.Sprint(key, 1)]
			if want != nil && *want%2 == 0 {
				want = nil
			}
			if got := tab.Get(key, 1); got != want {
				t.Fatalf("after purge %v: %v, want %v", key, got, want)
			}
		}
	})
}

// An entry that lies in its value is found like any other, stands for one spelling
// only, and comes back into a table that was emptied meanwhile.
func TestTableHoldsEntriesThatLieInTheirValue(t *testing.T) {
	type head struct {
		own Alias[head]
	}
	tab := NewTable[head](1 << 20)
	var h head
	if !tab.PutOwn(&h.own, "a", 1, &h) || !tab.PutOwn(&h.own, "a", 1, &h) {
		t.Fatal("an entry that is empty, or says the same, can be put")
	}
	if tab.PutOwn(&h.own, "b", 1, &h) || tab.PutOwn(&h.own, "a", 2, &h) {
		t.Fatal("an entry that is in use stands for another spelling")
	}
	tab.Put([]byte("b"), 1, &h)
	if tab.Get([]byte("a"), 1) != &h || tab.Get([]byte("b"), 1) != &h || tab.Get([]byte("a"), 2) != nil {
		t.Fatal("not found by its two spellings, or by another")
	}
	before := tab.Bytes()
	tab.Purge(func(*head) bool { return false })
	if tab.Bytes() != before {
		t.Errorf("purging nothing changes the count from %d to %d", before, tab.Bytes())
	}
	tab.Purge(func(*head) bool { return true })
	if !tab.PutOwn(&h.own, "a", 1, &h) || tab.Get([]byte("a"), 1) != &h {
		t.Fatal("not found after it was put again")
	}
}

func TestTableIsBounded(t *testing.T) {
	tab := NewTable[int](1 << 20)
	v := 1
	for i := range 100_000 {
		tab.Put(fmt.Append(nil, "a key of some length ", i), 0, &v)
	}
	if n := tab.Bytes(); n > 1<<20 {
		t.Errorf("%d bytes, cap is %d", n, 1<<20)
	}
	if tab.Get([]byte("a key of some length 99999"), 0) == nil {
		t.Error("the newest key is not there")
	}
}

func TestTableIsReadWhileItGrows(t *testing.T) {
	tab := NewTable[int](1 << 24)
	v := 1
	tab.Put([]byte("first"), 0, &v)
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 5000 {
				tab.Put(fmt.Append(nil, w, "/", i), 0, &v)
			}
		})
		wg.Go(func() {
			for range 20_000 {
				if tab.Get([]byte("first"), 0) == nil {
					t.Error("a known key was not found")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPostingsSelectWhatMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[series.Local]series.Labels{}
		p := NewPostings(func(l series.Local) series.Key { return model[l].Key() })
		word := rapid.SampledFrom([]string{"", "a", "b", "ab"})
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			l := series.Local(rapid.IntRange(0, 30).Draw(t, "local"))
			if _, ok := model[l]; ok {
				gone := map[series.Local]series.Labels{l: model[l]}
				for _, more := range rapid.SliceOfN(rapid.IntRange(0, 30), 0, 5).Draw(t, "go with it") {
					if ls, ok := model[series.Local(more)]; ok {
						gone[series.Local(more)] = ls
					}
				}
				p.Remove(gone)
				for l := range gone {
					delete(model, l)
				}
				continue
			}
			ls := series.New(series.Label{Name: "x", Value: word.Draw(t, "x")}, series.Label{Name: "y", Value: word.Draw(t, "y")})
			p.Add(l, ls)
			model[l] = ls
		}
		var sel series.Selector
		for range rapid.IntRange(0, 3).Draw(t, "matchers") {
			m, err := series.NewMatcher(series.MatchType(rapid.IntRange(0, 3).Draw(t, "type")),
				rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "name"), rapid.SampledFrom([]string{"", "a", "b", "a.*", "a|b", ".*", ".+"}).Draw(t, "value"))
			if err != nil {
				t.Fatal(err)
			}
			sel = append(sel, m)
		}
		var want []series.Local
		for l, ls := range model {
			if sel.Matches(ls) {
				want = append(want, l)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, p.Select(sel), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(sel, diff)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		tab := NewTable[int](1 << 28)
		keys := make([][]byte, n)
		for i := range keys {
			k := series.AppendLabel(nil, "__name__", fmt.Sprint("metric_", i%100))
			k = series.AppendLabel(k, "host", fmt.Sprintf("host-%05d", i/100))
			k = series.AppendLabel(k, "region", "eu-1")
			keys[i] = series.AppendLabel(k, "service", "api")
			tab.Put(keys[i], 0, &n)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if tab.Get(keys[i%n], 0) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
