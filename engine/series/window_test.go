package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naive answers from all samples, by the definition of each statistic.
func naive(all []Point, w int64, what Stat, arg float64, now int64) float64 {
	var in []Point
	for _, p := range all {
		if p.T > now-w && p.T <= now {
			in = append(in, p)
		}
	}
	n := float64(len(in))
	switch what {
	case StatCount:
		return n
	case StatAbsent:
		return truth(n == 0)
	}
	if n == 0 {
		return math.NaN()
	}
	first, last := in[0], in[len(in)-1]
	sum, changes, resets, fallen := 0.0, 0.0, 0.0, 0.0
	vs := make([]float64, len(in))
	for i, p := range in {
		sum += p.V
		vs[i] = p.V
		if i > 0 && p.V != in[i-1].V {
			changes++
		}
		if i > 0 && p.V < in[i-1].V {
			resets++
			fallen += in[i-1].V
		}
	}
	slices.Sort(vs)
	mean := sum / n
	var dev, mt, ctt, ctv float64
	for _, p := range in {
		dev += (p.V - mean) * (p.V - mean)
		mt += float64(p.T-now) / 1000 / n
	}
	for _, p := range in {
		ctt += (float64(p.T-now)/1000 - mt) * (float64(p.T-now)/1000 - mt)
		ctv += (float64(p.T-now)/1000 - mt) * (p.V - mean)
	}
	seconds := float64(last.T-first.T) / 1000
	switch what {
	case StatSum:
		return sum
	case StatAvg:
		return mean
	case StatMin:
		return vs[0]
	case StatMax:
		return vs[len(vs)-1]
	case StatStdDev:
		return math.Sqrt(dev / n)
	case StatQuantile:
		at := arg * (n - 1)
		lo, hi := vs[int(math.Floor(at))], vs[int(math.Ceil(at))]
		return lo + (at-math.Floor(at))*(hi-lo)
	case StatFirst:
		return first.V
	case StatLast:
		return last.V
	case StatDelta:
		return last.V - first.V
	case StatChanges:
		return changes
	case StatResets:
		return resets
	}
	if n < 2 {
		return math.NaN()
	}
	switch what {
	case StatIncrease:
		return last.V - first.V + fallen
	case StatRate:
		return (last.V - first.V + fallen) / seconds
	case StatDeriv:
		return ctv / ctt
	default:
		return mean + ctv/ctt*(arg-mt)
	}
}

var everyStat = []Stat{StatCount, StatSum, StatAvg, StatMin, StatMax, StatStdDev, StatQuantile, StatFirst, StatLast,
	StatDelta, StatIncrease, StatRate, StatDeriv, StatPredict, StatChanges, StatResets, StatAbsent}

func near(a, b, tolerance float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) == math.IsNaN(b)
	}
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

// Up to 256 samples in a window every statistic is what its definition says,
// whatever the gaps, and also when the time of the look steps back.
func TestWindowsAreExactUpTo256Samples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := []time.Duration{time.Duration(rapid.IntRange(1, 400).Draw(t, "short")) * 100 * time.Millisecond, 25600 * time.Millisecond}
		track := NewTrack([]Span{{Length: lengths[0]}, {Length: lengths[1]}})
		var all []Point
		var sc Scratch
		at := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "start")
		for range rapid.IntRange(1, 600).Draw(t, "samples") {
			at += 100 + rapid.Int64Range(0, 40).Draw(t, "gap")*rapid.Int64Range(0, 40).Draw(t, "times")
			p := Point{at, float64(rapid.IntRange(-1000, 1000).Draw(t, "v")) / 4}
			if !track.Observe(p) {
				t.Fatal("a sample in order was refused")
			}
			all = append(all, p)
			if rapid.IntRange(0, 9).Draw(t, "look") > 1 {
				continue
			}
			now := at + rapid.Int64Range(-2000, 30000).Draw(t, "ahead")
			for i, w := range lengths {
				if now < at && w > 10*time.Second {
					continue // what fell out of the ring cannot come back
				}
				for _, what := range everyStat {
					arg := 0.75
					got := track.Stat(i, what, arg, now, &sc)
					if want := naive(all, w.Milliseconds(), what, arg, now); !near(got, want, 1e-9) && !(now < at && len(all) > 200) {
						t.Fatalf("stat %d over %v at %d: %v, want %v", what, w, now, got, want)
					}
				}
			}
		}
	})
}

// Beyond 256 samples a window is the panes it touches: exactly the samples of
// the window and of the rest of its oldest pane, and quantiles within 2 % rank.
func TestWindowsInPanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		length := time.Duration(rapid.IntRange(60, 600).Draw(t, "seconds")) * time.Second
		step := max(length.Milliseconds()/int64(rapid.IntRange(300, 3000).Draw(t, "in window")), 1)
		shape := rapid.IntRange(0, 3).Draw(t, "shape")
		track := NewTrack([]Span{{length, true}, {length / 100, true}})
		var all []Point
		var sc Scratch
		at, v := int64(rng.IntN(1_000_000))-500_000, 0.0
		for i := range 2 * length.Milliseconds() / step {
			at += max(1, step/2+rng.Int64N(step))
			switch shape {
			case 0:
				v = rng.Float64()
			case 1:
				v = math.Exp(rng.NormFloat64() * 2)
			case 2:
				if v += float64(rng.IntN(100)); rng.IntN(300) == 0 {
					v = 0
				}
			case 3:
				v = math.Sin(float64(i)/200) + float64(rng.IntN(2))
			}
			all = append(all, Point{at, v})
			track.Observe(all[len(all)-1])
		}
		now := at + rng.Int64N(step)
		w := length.Milliseconds()
		width := (w + 62) / 63
		cell := int64(math.Floor(float64(now-w) / float64(width)))
		// the oldest pane counts from its first sample on, if any is inside
		reach := w
		for _, p := range all {
			if c := int64(math.Floor(float64(p.T) / float64(width))); c == cell && p.T > now-w {
				reach = now - cell*width + 1
			}
		}
		for _, what := range everyStat {
			arg := rng.Float64()
			got := track.Stat(0, what, arg, now, &sc)
			if what == StatQuantile {
				var vs []float64
				for _, p := range all {
					if p.T > now-reach {
						vs = append(vs, p.V)
					}
				}
				slices.Sort(vs)
				n := float64(len(vs))
				lo := float64(len(vs[:must(slices.BinarySearch(vs, got-1e-9))])) / n
				hi := float64(len(vs[:must(slices.BinarySearch(vs, got+1e-9))])) / n
				if arg < lo-0.02 || arg > hi+0.02 {
					t.Fatalf("quantile %v of shape %d has rank %v to %v", arg, shape, lo, hi)
				}
				continue
			}
			if want := naive(all, reach, what, arg, now); !near(got, want, 1e-7) {
				t.Fatalf("stat %d over %v: %v, want %v (seed %d)", what, length, got, want, seed)
			}
			if got, want := track.Stat(1, what, arg, now, &sc), naive(all, w/100, what, arg, now); !near(got, want, 1e-7) {
				t.Fatalf("the short window in the same track: stat %d: %v, want %v", what, got, want)
			}
		}
	})
}

func must(i int, _ bool) int { return i }

// A track that is refilled from the last Reach answers as one that lived on, to
// the last bit.
func TestRefilledTrackAnswersAlike(t *testing.T) {
	alike(t, 0xdf02d2b1c) // a full ring that has just let go of what lies in the oldest pane
	rapid.Check(t, func(t *rapid.T) { alike(t, rapid.Uint64().Draw(t, "seed")) })
}

func alike(t rapid.TB, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	spans := []Span{{time.Minute, true}, {10 * time.Minute, true}}
	lived := NewTrack(spans)
	var all []Point
	at := int64(1_700_000_000_000)
	steps := []int64{100, 1000, 5000, 60_000}
	step := steps[rng.IntN(4)]
	for range 3000 {
		if rng.IntN(500) == 0 {
			step = steps[rng.IntN(4)]
		}
		at += step
		all = append(all, Point{at, float64(rng.IntN(100000)) / 1000})
		lived.Observe(all[len(all)-1])
		if rng.IntN(5) == 0 {
			lived.Stat(rng.IntN(2), StatAvg, 0, at, &Scratch{})
		}
	}
	again := NewTrack(spans)
	for _, p := range all {
		if p.T > at-spans[1].Reach().Milliseconds() {
			again.Observe(p)
		}
	}
	var a, b Scratch
	for i := range spans {
		for _, what := range everyStat {
			x, y := lived.Stat(i, what, 0.9, at, &a), again.Stat(i, what, 0.9, at, &b)
			if math.Float64bits(x) != math.Float64bits(y) && !(math.IsNaN(x) && math.IsNaN(y)) && !near(x, y, 1e-12) {
				t.Fatalf("stat %d of span %d: lived %v, refilled %v", what, i, x, y)
			}
		}
	}
	for _, what := range []Stat{StatSum, StatAvg, StatMin, StatMax, StatCount, StatLast} {
		if x, y := lived.Stat(0, what, 0.9, at, &a), again.Stat(0, what, 0.9, at, &b); x != y {
			t.Fatalf("stat %d differs in its last bits: %v and %v", what, x, y)
		}
	}
}

func TestWindowEdges(t *testing.T) {
	var sc Scratch
	track := NewTrack([]Span{{Length: 10 * time.Second}})
	if _, ok := track.Newest(); ok || track.Interval() != 0 || !math.IsNaN(track.Stat(0, StatAvg, 0, 0, &sc)) || track.Stat(0, StatAbsent, 0, 0, &sc) != 1 {
		t.Error("an empty track knows something")
	}
	track.Observe(Point{1000, 1})
	track.Observe(Point{5000, 2})
	if track.Observe(Point{5000, 9}) || track.Observe(Point{4999, 9}) {
		t.Error("a late sample was taken")
	}
	// (t-w, t]: a sample exactly w old is out, one at t is in.
	if n := track.Stat(0, StatCount, 0, 11_000, &sc); n != 1 {
		t.Errorf("%v samples in (1s, 11s]", n)
	}
	if n := track.Stat(0, StatCount, 0, 10_999, &sc); n != 2 {
		t.Errorf("%v samples in (0.999s, 10.999s]", n)
	}
	if n := track.Stat(0, StatCount, 0, 4999, &sc); n != 1 {
		t.Errorf("%v samples up to 4.999s", n)
	}
	track.Observe(Point{6000, math.Inf(1)})
	if v := track.Stat(0, StatMax, 0, 6000, &sc); !math.IsNaN(v) {
		t.Errorf("a window with an infinite sample answers %v", v)
	}
	if n := track.Stat(0, StatCount, 0, 6000, &sc); n != 3 {
		t.Errorf("%v samples counted", n)
	}
	if v := track.Stat(0, StatAvg, 0, 17_000, &sc); !math.IsNaN(v) {
		t.Errorf("an empty window answers %v", v)
	}
	track.Observe(Point{20_000, 5})
	if v := track.Stat(0, StatAvg, 0, 20_000, &sc); v != 5 {
		t.Errorf("the infinite sample left and the average is %v", v)
	}
	track.Observe(Point{21_000, Stale()})
	if _, ok := track.Newest(); ok || !track.Ended() || track.Stat(0, StatCount, 0, 21_000, &sc) != 0 {
		t.Error("a stale marker did not end the series")
	}
	if track.Observe(Point{21_000, 1}) || !track.Observe(Point{22_000, 1}) || track.Ended() {
		t.Error("after its end a series begins with the next sample")
	}
	track.Reset()
	if !track.Observe(Point{-5, 1}) {
		t.Error("after a reset any time is welcome")
	}
}

func TestHugeValuesLeaveNoTrace(t *testing.T) {
	var sc Scratch
	track := NewTrack([]Span{{Length: 3 * time.Second}})
	for i, v := range []float64{1e300, -1e300, math.MaxFloat64, math.NaN(), 1e18, 0.25, 0.5, 0.125} {
		track.Observe(Point{int64(i) * 1000, v})
		track.Stat(0, StatSum, 0, int64(i)*1000, &sc)
	}
	if v := track.Stat(0, StatSum, 0, 7000, &sc); v != 0.875 {
		t.Errorf("the sum is %v", v)
	}
}

// In steady state neither a sample nor a look allocates, and memory stays under
// what TrackBytes says.
func TestWindowsDoNotAllocate(t *testing.T) {
	for _, step := range []int64{10_000, 100} {
		spans := []Span{{5 * time.Minute, true}, {time.Hour, false}}
		track := NewTrack(spans)
		var sc Scratch
		at := int64(0)
		for range 80_000 {
			at += step
			track.Observe(Point{at, float64(at % 977)})
		}
		look := func() {
			at += step
			track.Observe(Point{at, float64(at % 977)})
			for i := range spans {
				for _, what := range everyStat {
					if what != StatQuantile || spans[i].Quantiles {
						track.Stat(i, what, 0.5, at, &sc)
					}
				}
			}
		}
		if n := testing.AllocsPerRun(50, look); n > 0 {
			t.Errorf("%v allocations a look at %d ms", n, step)
		}
	}
	if n := TrackBytes([]Span{{time.Hour, false}}); n > 24<<10 {
		t.Errorf("a window may hold %d bytes", n)
	}
}

func BenchmarkWindow(b *testing.B) {
	for _, samples := range []int{30, 256, 3600} {
		length := time.Hour
		step := length.Milliseconds() / int64(samples)
		track := NewTrack([]Span{{length, true}})
		var sc Scratch
		at := int64(0)
		for range 2 * samples {
			at += step
			track.Observe(Point{at, float64(at % 977)})
		}
		for name, what := range map[string]Stat{"avg": StatAvg, "max": StatMax, "quantile": StatQuantile, "predict": StatPredict} {
			b.Run(fmt.Sprintf("%s/%d", name, samples), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					at += step
					track.Observe(Point{at, float64(at % 977)})
					track.Stat(0, what, 0.5, at, &sc)
				}
			})
		}
	}
}

// The interval is the lower median of the last eight gaps, whenever it is asked
// for, and one long silence does not change it.
func TestIntervalIsTheUsualGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		track := NewTrack(nil)
		at := int64(0)
		track.Observe(Point{at, 1})
		var all []int64
		for range rapid.IntRange(1, 40).Draw(t, "gaps") {
			gap := rapid.SampledFrom([]int64{10_000, 10_000, 10_000, 9999, 10_001, 700_000}).Draw(t, "gap")
			at += gap
			track.Observe(Point{at, 1})
			all = append(all, gap)
			if rapid.Bool().Draw(t, "ask") {
				last := slices.Sorted(slices.Values(all[max(0, len(all)-gaps):]))
				if got, want := track.Interval(), last[(len(last)-1)/2]; got != want {
					t.Fatalf("after %v it is %d, want %d", all, got, want)
				}
			}
		}
	})
}

// Whatever the times and values, a track ends its work and keeps its bounds.
func FuzzTrack(f *testing.F) {
	f.Add(int64(0), int64(1000), uint16(300), 0.5, uint8(3))
	f.Add(int64(math.MinInt64), int64(1), uint16(9), math.Inf(1), uint8(200))
	f.Add(int64(math.MaxInt64-5), int64(1), uint16(9), math.NaN(), uint8(7))
	f.Fuzz(func(t *testing.T, start, step int64, n uint16, v float64, back uint8) {
		spans := []Span{{time.Second, true}, {time.Hour, false}}
		track := NewTrack(spans)
		var sc Scratch
		at := start
		for i := range int(n % 2000) {
			track.Observe(Point{at, v * float64(i%7)})
			at += step
			if i%50 == 0 {
				for s := range spans {
					for _, what := range everyStat {
						if what != StatQuantile || spans[s].Quantiles {
							track.Stat(s, what, 0.5, at-int64(back), &sc)
						}
					}
				}
			}
		}
		if track.Bytes() > TrackBytes(spans) {
			t.Fatalf("%d bytes", track.Bytes())
		}
	})
}
