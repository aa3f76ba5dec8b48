package chunk

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/series"
)

// Every point comes back from a draft bit for bit, and drafts lie end to end.
func TestDraftsComeBackBitForBit(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.IntRange(-99999, 99999), func(n int) float64 { return float64(n) / 100 }),
		rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.Inf(1), math.NaN(), series.Stale(), 1 << 53, -(1 << 52), 1e300}),
	)
	rapid.Check(t, func(t *rapid.T) {
		var want []series.Point
		var b []byte
		at := rapid.Int64Range(0, 1<<50).Draw(t, "from")
		for range rapid.IntRange(1, 4).Draw(t, "drafts") {
			var pts []series.Point
			for range rapid.IntRange(1, MaxDraft).Draw(t, "points") {
				at += rapid.OneOf(rapid.Just(int64(15_000)), rapid.Int64Range(1, 1<<40)).Draw(t, "step")
				pts = append(pts, series.Point{T: at, V: value.Draw(t, "value")})
			}
			from := len(b)
			b = AppendDraft(b, pts)
			if got := DraftStart(b[from:]); got != pts[0].T {
				t.Fatalf("begins at %d, want %d", got, pts[0].T)
			}
			want = append(want, pts...)
		}
		got, err := DecodeDrafts(nil, b)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d points of %d, %v", len(got), len(want), err)
		}
		for i := range got {
			if got[i].T != want[i].T || bits(got[i].V) != bits(want[i].V) {
				t.Fatalf("point %d: %v, want %v", i, got[i], want[i])
			}
		}
		if got, err := DecodeDrafts(nil, b[:len(b)-1]); err == nil || len(got) > 0 {
			t.Fatalf("cut short it gives %d points, %v", len(got), err)
		}
	})
}

// A dozen readings of a gauge take about three bytes each.
func TestADraftIsSmall(t *testing.T) {
	var pts []series.Point
	for i := range 12 {
		pts = append(pts, series.Point{T: 1_700_000_000_000 + int64(i)*15_000, V: 55 + float64(i*i%70)/100})
	}
	if n := len(AppendDraft(nil, pts)); n > 40 {
		t.Errorf("%d bytes for 12 points", n)
	}
}

func FuzzDrafts(f *testing.F) {
	f.Add(AppendDraft(nil, []series.Point{{T: 1, V: 2}, {T: 3, V: 4.5}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pts, err := DecodeDrafts(nil, b); err == nil && len(pts) > MaxDraft*len(b) {
			t.Fatalf("%d points from %d bytes", len(pts), len(b))
		}
	})
}
