package revision_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"vigil/engine/reconcile"
	"vigil/engine/revision/ground"
)

// TestDrift_AHugeValueDoesNotStopTheKeeper: what somebody writes under a managed
// key, however large, is on record by its beginning. A record that no ledger takes
// would be tried again for ever, and nothing else would be kept meanwhile.
func TestDrift_AHugeValueDoesNotStopTheKeeper(t *testing.T) {
	r := newRig(t).start()
	doc := "apiVersion: vigil/v1\nkind: File\nmetadata: {name: big}\nspec: {path: " + r.path("big") + ", match: json, values: {a: x}}\n---\n"
	r.good("a1", doc, r.file("b", "one\n"))
	huge := strings.Repeat("\u2028", reconcile.MaxContent/3-10) // as JSON it has twice the bytes
	r.touch("big", `{"a": "`+huge+`"}`)
	r.until("the huge value is healed", func() bool { return len(r.is("big")) < 100 })
	r.touch("b", "by hand\n")
	r.until("and others are", func() bool { return r.is("b") == "one\n" })
}

// TestTold_IsBounded in number and in bytes, and changes nothing of what it tells.
func TestTold_IsBounded(t *testing.T) {
	ds := make([]reconcile.Difference, 100_000)
	for i := range ds {
		ds[i] = reconcile.Difference{Field: strings.Repeat("f", 5000), Wanted: "w", Found: strings.Repeat("ö", 5000)}
	}
	told := reconcile.Told(ds)
	if len(told) != 20 || len(told[0].Field) > 1010 || len(told[0].Found) > 1010 || told[0].Wanted != "w" || len(ds[0].Found) != 10_000 {
		t.Errorf("%d, %d bytes of %d", len(told), len(told[0].Found), len(ds[0].Found))
	}
}

// TestTold_IsCutBetweenLetters: what is kept and shown of a long text stays text.
func TestTold_IsCutBetweenLetters(t *testing.T) {
	long := "a" + strings.Repeat("ö", 3000)
	if s := ground.Clip(long); !utf8.ValidString(s) || len(s) > 2010 {
		t.Errorf("%d bytes, ends in %q", len(s), s[len(s)-8:])
	}
	if s := ground.Shown(long); strings.Contains(s, `\x`) {
		t.Error(s)
	}
}
