package shard

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/policy"
)

// Pieces hold together all that was found, each about as much as one decision may
// carry, and what moved one instance stays in one piece and in its order.
func TestPiecesHoldAllAndKeepAnInstanceTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := make([]*Instance, rapid.IntRange(1, 40).Draw(t, "instances"))
		for i := range xs {
			xs[i] = &Instance{FP: uint64(i)}
		}
		var o Outcome
		for n := range rapid.IntRange(0, 120).Draw(t, "changes") {
			x := xs[rapid.IntRange(0, len(xs)-1).Draw(t, "of")]
			o.changes = append(o.changes, change{inst: x, tr: policy.Transition{Reason: string(rune(n))}})
		}
		o.raises = xs[:rapid.IntRange(0, len(xs)).Draw(t, "raises")]
		o.Closing = make([]engine.FiringRow, rapid.IntRange(0, 30).Draw(t, "closings"))
		want := map[*Instance][]string{}
		for _, c := range o.changes {
			want[c.inst] = append(want[c.inst], c.tr.Reason)
		}
		longest := 0
		for _, w := range want {
			longest = max(longest, len(w))
		}
		changes, closings, most := len(o.changes), len(o.Closing), rapid.IntRange(1, 50).Draw(t, "most")
		var raised []*Instance
		got := map[*Instance][]string{}
		for _, p := range o.pieces(most) {
			if p.empty() || len(p.changes) >= most+longest || len(p.raises) > most || len(p.Closing) > most {
				t.Fatalf("a piece of %d changes, %d raises, %d closings, at most %d", len(p.changes), len(p.raises), len(p.Closing), most)
			}
			for _, c := range p.changes {
				if w := got[c.inst]; len(w) > 0 && !slices.ContainsFunc(p.changes, func(o change) bool { return o.inst == c.inst && o.tr.Reason == w[0] }) {
					t.Fatalf("the changes of instance %d lie in two pieces", c.inst.FP)
				}
				got[c.inst] = append(got[c.inst], c.tr.Reason)
			}
			changes -= len(p.changes)
			closings -= len(p.Closing)
			raised = append(raised, p.raises...)
		}
		if changes != 0 || closings != 0 || !slices.Equal(raised, o.raises) {
			t.Fatalf("%d changes, %d closings were lost; raised %d of %d", changes, closings, len(raised), len(o.raises))
		}
		for x, w := range want {
			if !slices.Equal(got[x], w) {
				t.Fatalf("instance %d: %q, want %q", x.FP, got[x], w)
			}
		}
	})
}
