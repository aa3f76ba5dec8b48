package series

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A key says what the labels say, in whatever order it holds them.
func TestKeySaysWhatTheLabelsSay(t *testing.T) {
	word := rapid.StringN(1, 200, -1)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(word, rapid.StringN(0, 300, -1), 0, 8).Draw(t, "labels")
		ls := FromMap("", m)
		k := ls.Key()
		if again, err := ParseKey([]byte(k)); err != nil || !again.Equal(ls) {
			t.Fatalf("%s parses to %s (%v)", ls, again, err)
		}
		order := rapid.Permutation(slices.Clone(ls)).Draw(t, "order")
		var b []byte
		for _, l := range order {
			b = AppendLabel(b, l.Name, l.Value)
		}
		if in, ok := k.Sorted(nil); !ok || !in.Equal(ls) {
			t.Fatalf("%s is in order: %v, %s", ls, ok, in)
		}
		if _, ok := Key(b).Sorted(nil); ok != slices.Equal(order, []Label(ls)) {
			t.Fatalf("%v in order: %v", order, ok)
		}
		if mixed := Key(b); !mixed.Equal(ls) || !mixed.Labels().Equal(ls) {
			t.Fatalf("in the order %v: %s", order, mixed.Labels())
		}
		if diff := cmp.Diff(ls, k.Labels(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		for _, l := range ls {
			if k.Get(l.Name) != l.Value {
				t.Fatalf("%s: %q is %q", ls, l.Name, k.Get(l.Name))
			}
			if k.Equal(ls.Drop(l.Name)) || k.Equal(ls.With(l.Name, l.Value+"x")) || k.Equal(ls.With("\x00more", "x")) {
				t.Fatalf("%s equals what it is not", ls)
			}
		}
		// What came with an empty label is not the labels in one piece.
		if Key(AppendLabel([]byte(k), "\x00none", "")).Equal(ls.With("\x00more", "x")) {
			t.Fatal("an empty label stands for another")
		}
		sel := Selector{{Type: MatchEqual, Name: word.Draw(t, "name"), Value: ""}}
		if sel.MatchesKey(k) != sel.Matches(ls) {
			t.Fatalf("%s: %s matches otherwise", ls, sel)
		}
	})
}

// Bytes that are no labels are read without a panic, and a key that ParseKey
// takes means the same to both.
func FuzzKey(f *testing.F) {
	f.Add([]byte(FromMap("up", map[string]string{"job": "x"}).Key()))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		read := Key(b).Labels()
		if in, ok := Key(b).Sorted(nil); ok && !in.Equal(read) {
			t.Fatalf("%q is %s and %s", b, read, in)
		}
		ls, err := ParseKey(b)
		if err != nil {
			return
		}
		if len(ls.Key()) == len(b) && Key(b).Equal(ls) && !read.Equal(ls) {
			t.Fatalf("%q reads as %s and parses to %s", b, read, ls)
		}
		if got := ls.Key().Labels(); !got.Equal(ls) {
			t.Fatalf("%s comes back as %s", ls, got)
		}
	})
}

func TestKeyIsAskedWithoutAllocation(t *testing.T) {
	ls := FromMap("up", map[string]string{"job": "x", "instance": "10.0.0.1:9100"})
	k := ls.Key()
	if n := testing.AllocsPerRun(100, func() {
		if k.Get("job") != "x" || !k.Equal(ls) || k.Name() != "up" {
			t.Fatal("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
