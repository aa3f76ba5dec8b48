package live

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/series"
	"vigil/engine/tsdb/chunk"
	"vigil/engine/tsdb/rows"
)

func aHead(ref series.Ref) *Head {
	ls := series.FromMap("m", map[string]string{"n": fmt.Sprint(ref)})
	return newHead(ref, ls.Key(), ls.Fingerprint(), &share{})
}

// Whatever comes in, in whatever order, and however often it is cut meanwhile: a
// head shows the newest value of every time that is not in rows, and the cut is
// handed exactly that.
func TestAHeadHoldsWhatCameIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hs Heads
		h := aHead(1)
		model := map[int64]float64{}
		now, position := int64(1000), uint64(0)
		step := rapid.Int64Range(1, 20)
		value := rapid.OneOf(rapid.Map(rapid.IntRange(-999, 999), func(n int) float64 { return float64(n) / 100 }), rapid.Float64())
		check := func(mint, maxt int64) {
			got, more, err := hs.Read(nil, h, mint, maxt)
			if err != nil || more {
				t.Fatalf("read: %v, and more in rows: %v", err, more)
			}
			got = rows.LastWins(got)
			var want []series.Point
			for at, v := range model {
				if at > mint && at <= maxt {
					want = append(want, series.Point{T: at, V: v})
				}
			}
			if !samePoints(got, want) {
				t.Fatalf("in (%d, %d] it shows %v, want %v", mint, maxt, got, want)
			}
		}
		for range rapid.IntRange(1, 400).Draw(t, "samples") {
			at := now
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0: // out of order, near or far
				at = max(1, now-rapid.Int64Range(0, 3000).Draw(t, "back"))
			case 1:
				at = now // again
			case 2:
				check(rapid.Int64Range(0, now).Draw(t, "mint"), rapid.Int64Range(0, now+10).Draw(t, "maxt"))
			default:
				now += step.Draw(t, "step")
				at = now
			}
			v := value.Draw(t, "value")
			hs.Add(h, series.Point{T: at, V: v}, position)
			position++
			model[at] = v
			if rapid.IntRange(0, 150).Draw(t, "cut") > 0 {
				continue
			}
			list, _ := hs.Take()
			puts := hs.Seal(nil, list)
			var cut []series.Point
			for _, p := range puts {
				for _, c := range p.Chunks {
					if c.Count > chunk.Target+1 {
						t.Fatalf("a chunk of %d", c.Count)
					}
					var err error
					if cut, err = chunk.DecodeAll(cut, c.Bytes, math.MinInt64, math.MaxInt64); err != nil {
						t.Fatal(err)
					}
				}
			}
			var want []series.Point
			for at, v := range model {
				want = append(want, series.Point{T: at, V: v})
			}
			if cut = rows.LastWins(cut); !samePoints(cut, want) {
				t.Fatalf("the cut was handed %v, want %v", cut, want)
			}
			check(0, math.MaxInt64) // still to be seen
			for i := range puts {
				puts[i].Tail = rows.None()
			}
			hs.Settle(list, puts)
			clear(model)
			if check(0, math.MaxInt64); !h.empty() {
				t.Fatal("a head that was cut is not empty")
			}
		}
		check(0, math.MaxInt64)
		if c := hs.State().Counts; c.Applied != position {
			t.Fatalf("%d samples counted, %d came in", c.Applied, position)
		}
	})
}

func samePoints(got, want []series.Point) bool {
	slices.SortFunc(want, func(a, b series.Point) int { return int(a.T - b.T) })
	return slices.EqualFunc(got, want, func(a, b series.Point) bool {
		return a.T == b.T && math.Float64bits(a.V) == math.Float64bits(b.V)
	})
}

// In order, all that a series has of a chunk that is being filled is a dozen raw
// points and a packed few hundred bytes; buffers are used again.
func TestAFullChunkIsHeldPacked(t *testing.T) {
	var hs Heads
	h := aHead(1)
	for i := range 10 * chunk.Target {
		hs.Add(h, series.Point{T: int64(i) * 15_000, V: float64(i%700) / 100}, uint64(i))
		if n := 16*cap(h.open) + cap(h.part); n > 600 {
			t.Fatalf("after %d samples: %d raw points and %d packed bytes have room", i+1, cap(h.open), cap(h.part))
		}
	}
	if got := len(h.beside.sealed); got != 9 {
		t.Fatalf("%d chunks are full, want 9", got)
	}
	at := int64(10*chunk.Target) * 15_000
	if n := testing.AllocsPerRun(1000, func() {
		hs.Add(h, series.Point{T: at, V: 1}, 0)
		at += 15_000
	}); n > 0 {
		t.Errorf("%v allocations a sample", n)
	}
}

// From the second cut on a busy series needs nothing new but the bytes of its
// chunks, which come from blocks that many share.
func TestABusySeriesAllocatesNothingAfterItsFirstCut(t *testing.T) {
	var hs Heads
	h := aHead(1)
	at := int64(0)
	fill := func() {
		for range 4 * chunk.Target {
			at += 15_000
			hs.Add(h, series.Point{T: at, V: float64(at%700) / 100}, 0)
		}
	}
	cut := func() {
		list, _ := hs.Take()
		puts := hs.Seal(nil, list)
		for i := range puts {
			puts[i].Tail = rows.None()
		}
		hs.Settle(list, puts)
	}
	fill()
	cut()
	hs.dirty = make([]*Head, 0, 1) // the list of those that hold anything is every cut's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fill()
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 1 { // at most a block
		t.Errorf("%d allocations for %d samples", n, 4*chunk.Target)
	}
}

// What no longer reads back is counted, and what is raw is kept.
func TestADraftThatDoesNotReadBackIsCounted(t *testing.T) {
	var hs Heads
	h := aHead(1)
	for i := range 30 {
		hs.Add(h, series.Point{T: int64(i) * 1000}, 0)
	}
	packed, left := int(h.parts), len(h.open)
	clear(h.part)
	if _, _, err := hs.Read(nil, h, 0, math.MaxInt64); err == nil {
		t.Fatal("what does not read back is read as nothing")
	}
	hs.seal(h)
	if got := h.beside.sealed[0].Count; got != left || hs.State().Counts.Lost != uint64(packed) {
		t.Fatalf("%d points of %d raw ones go on, %d of %d packed ones are counted", got, left, hs.State().Counts.Lost, packed)
	}
}

// Samples that keep coming in the wrong order are unpacked once for a chunk, not
// each time.
func TestDisorderIsUnpackedOnce(t *testing.T) {
	var hs Heads
	h := aHead(1)
	for i := range 60 {
		hs.Add(h, series.Point{T: int64(i) * 1000}, 0)
	}
	packed := h.parts
	hs.Add(h, series.Point{T: 5500}, 0)
	if packed == 0 || h.parts != 0 {
		t.Fatalf("%d points were packed, %d still are", packed, h.parts)
	}
	for i := 60; i < 100; i++ {
		hs.Add(h, series.Point{T: int64(i) * 1000}, 0)
		if h.parts != 0 {
			t.Fatalf("packed again after %d points", len(h.open))
		}
	}
	for i := 100; i < 300; i++ {
		hs.Add(h, series.Point{T: int64(i) * 1000}, 0)
	}
	if h.parts == 0 || cap(h.open) > raw {
		t.Fatal("a head stays raw after its disorder")
	}
}

// What a sample costs in the head: 10,000 series in turn, in order.
func BenchmarkFill(b *testing.B) {
	var hs Heads
	heads := make([]*Head, 10_000)
	for i := range heads {
		heads[i] = aHead(series.Ref(i + 1))
	}
	vals := make([]float64, 4096)
	for i := range vals {
		vals[i] = math.Round(1e4*math.Sin(float64(i))) / 100
	}
	b.ReportAllocs()
	t, n := int64(0), 0
	for b.Loop() {
		if n%len(heads) == 0 {
			t += 15_000
		}
		hs.Add(heads[n%len(heads)], series.Point{T: t, V: vals[(n/7)%len(vals)]}, uint64(n))
		if n++; n%(700*len(heads)) == 0 {
			list, _ := hs.Take()
			puts := hs.Seal(nil, list)
			hs.Settle(list, puts)
		}
	}
}
