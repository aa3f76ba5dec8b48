package live

import (
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/series"
)

// Heads are found by their fingerprints after any adding and removing, several
// under one fingerprint too.
func TestPrintsFindWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p prints
		there := map[series.Ref]*Head{}
		for ref := range series.Ref(rapid.IntRange(1, 300).Draw(t, "steps")) {
			if old := there[series.Ref(rapid.IntRange(0, int(ref)).Draw(t, "old"))]; old != nil && rapid.Bool().Draw(t, "remove") {
				p.remove(old)
				delete(there, old.Ref)
			} else {
				h := &Head{Ref: ref, print: rapid.Uint64Range(0, 90).Draw(t, "print")}
				p.add(h)
				there[ref] = h
			}
			if p.used != len(there) {
				t.Fatalf("%d counted, %d there", p.used, len(there))
			}
		}
		for _, h := range there {
			if p.find(h.print, func(o *Head) bool { return o == h }) != h {
				t.Fatalf("series %d is not found by %d", h.Ref, h.print)
			}
		}
		if p.find(91, func(*Head) bool { return true }) != nil {
			t.Fatal("found what is not there")
		}
	})
}
