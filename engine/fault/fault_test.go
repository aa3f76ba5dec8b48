package fault_test

import (
	"slices"
	"testing"

	"vigil/engine/fault"
)

// TestIssues_InOrder: whoever mends a text goes through it from its beginning.
func TestIssues_InOrder(t *testing.T) {
	is := fault.Issues{{Msg: "and 3 more"}, {Place: "b.yaml:2:1", Msg: "x"}, {Place: "a.yaml:10:1", Msg: "x"}, {Place: "a.yaml:9:12", Msg: "second"}, {Place: "a.yaml:9:12", Msg: "first"},
		{Place: "a.yaml:9:2", Msg: "x"}, {Place: "/fire", Msg: "x"}, {Place: "k.yaml (File/a of b.yaml:1:1)", Msg: "x"}, {Msg: "all"}}
	var got []string
	for _, i := range is.InOrder() {
		got = append(got, i.Place+" "+i.Msg)
	}
	want := []string{"/fire x", "a.yaml:9:2 x", "a.yaml:9:12 second", "a.yaml:9:12 first", "a.yaml:10:1 x", "b.yaml:2:1 x", "k.yaml (File/a of b.yaml:1:1) x", " and 3 more", " all"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if is[0].Msg != "and 3 more" {
		t.Error("the caller's list was turned around")
	}
}
