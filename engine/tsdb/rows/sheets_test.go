package rows

import (
	"math"
	"math/rand/v2"
	"testing"

	"vigil/engine/series"
)

// TestSheets_ManySeriesInAnyOrder: however many rows there are, and though a series
// comes twice in one write, every point is there; a last row that is not there is
// damage.
func TestSheets_ManySeriesInAnyOrder(t *testing.T) {
	d := openDB(t, conf(t.TempDir()))
	const n = 3000 // more than a sheet has rows
	rng := rand.New(rand.NewPCG(1, 2))
	next := map[series.Ref]int64{}
	for range 3 {
		var puts []Put
		for range n + n/10 {
			ref := series.Ref(1 + rng.IntN(n))
			at, long := next[ref], 1+rng.IntN(8)
			next[ref] = at + int64(long)
			puts = append(puts, Put{Ref: ref, Chunks: []Packed{pack(run(at, 1, long, float64(ref)))}, Cut: 1, Newest: at})
		}
		if err := d.Write(t.Context(), nil, puts, nil); err != nil {
			t.Fatal(err)
		}
	}
	// One series with more bytes than a sheet.
	var big []Packed
	at := int64(0)
	for range 900 {
		pts := run(at, 1, 120, 0)
		for i := range pts {
			pts[i].V = math.Float64frombits(rng.Uint64())
		}
		big, at = append(big, pack(pts)), at+120
	}
	if err := d.Write(t.Context(), nil, []Put{{Ref: n + 1, Chunks: big}}, nil); err != nil {
		t.Fatal(err)
	}
	next[n+1] = at
	for ref, want := range next {
		got, err := d.Read(t.Context(), nil, ref, math.MinInt64, math.MaxInt64)
		if err != nil || int64(len(got)) != want || got[0].T != 0 || got[want-1].T != want-1 {
			t.Fatalf("series %d: %d points, want %d (%v)", ref, len(got), want, err)
		}
	}
	if _, err := d.w.ExecContext(t.Context(), "DELETE FROM chunk WHERE series=7"); err != nil {
		t.Fatal(err)
	}
	put := func(ref series.Ref) Put {
		return Put{Ref: ref, Chunks: []Packed{pack(run(next[ref], 1, 1, 0))}}
	}
	if err := d.Write(t.Context(), nil, []Put{put(6), put(7), put(8)}, nil); !Damaged(err) {
		t.Errorf("the last row of a series is gone: %v", err)
	}
	if len(d.touched) > 0 || d.sheets[0].Len()+d.sheets[1].Len() > 0 {
		t.Error("a write that failed leaves something behind")
	}
	if err := d.Write(t.Context(), nil, []Put{put(6), put(8)}, nil); err != nil {
		t.Error(err)
	}
}

// TestRows_AfterTheLastWrittenOneIsGone: a clock that stepped back left the row that
// was written last among the oldest, and retention took it. What is written then
// stands beside no row that it shares a moment with.
func TestRows_AfterTheLastWrittenOneIsGone(t *testing.T) {
	d := openDB(t, conf(t.TempDir()))
	write := func(era uint32, from int64, n int) {
		t.Helper()
		if err := d.Write(t.Context(), nil, []Put{{Ref: 1, Chunks: []Packed{pack(run(from, 1, n, 0))}, Era: era}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 1000, 100)
	write(2, 100, 100)
	if n, _, _, err := d.Delete(t.Context(), 500, 10); n != 1 || err != nil {
		t.Fatalf("%d rows went, %v", n, err)
	}
	write(2, 50, 200)
	write(2, 220, 20)
	write(2, 260, 10)
	got, err := d.Read(t.Context(), nil, 1, math.MinInt64, math.MaxInt64)
	if err != nil || len(got) != 310 {
		t.Errorf("%d points, %v", len(got), err)
	}
	for i := 1; i < len(got); i++ {
		if got[i].T <= got[i-1].T {
			t.Fatalf("time %d after %d", got[i].T, got[i-1].T)
		}
	}
}
