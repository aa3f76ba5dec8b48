package chunk

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/series"
)

// same compares bit for bit, so that NaN equals NaN and 0 differs from -0.
func same(a, b []series.Point) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].T != b[i].T || bits(a[i].V) != bits(b[i].V) {
			return false
		}
	}
	return true
}

func roundTrip(t interface{ Fatalf(string, ...any) }, pts []series.Point) []byte {
	prefix := []byte("before")
	b := Append(prefix, pts)
	if !bytes.HasPrefix(b, prefix) {
		t.Fatalf("the bytes before the chunk changed")
	}
	h, body, rest, err := Next(append(b[len(prefix):len(b):len(b)], "after"...))
	if err != nil {
		t.Fatalf("Next: %v for %v", err, pts)
	}
	if string(rest) != "after" {
		t.Fatalf("rest is %q", rest)
	}
	want := Head{pts[0].T, pts[len(pts)-1].T, len(pts)}
	if h != want {
		t.Fatalf("head %+v, want %+v", h, want)
	}
	got, err := Decode(nil, body)
	if err != nil {
		t.Fatalf("Decode: %v for %v", err, pts)
	}
	if !same(got, pts) {
		t.Fatalf("came back as %v, was %v", got, pts)
	}
	return b[len(prefix):]
}

func points(step int64, vs ...float64) []series.Point {
	var out []series.Point
	for i, v := range vs {
		out = append(out, series.Point{T: 1_700_000_000_000 + int64(i)*step, V: v})
	}
	return out
}

func TestChunksComeBackBitForBit(t *testing.T) {
	nan := math.Float64frombits(0x7ff8dead00000001)
	for name, pts := range map[string][]series.Point{
		"one":            points(1, 3.25),
		"stale":          points(1000, 1, 2, series.Stale()),
		"minus zero":     points(1000, 0, math.Copysign(0, -1), 0),
		"infinities":     points(1000, 1, math.Inf(1), math.Inf(-1)),
		"nan payloads":   points(1000, nan, math.NaN(), nan),
		"one third":      points(1000, 1.0/3, 2.0/3, 4.0/3),
		"scale rises":    points(1000, 1, 1.5, 1.25, 1.125, 0.000001),
		"no room":        points(1000, 9007199254740991, 0.5),
		"denormals":      points(1000, 5e-324, 1e-310),
		"largest":        points(1000, math.MaxFloat64, -math.MaxFloat64),
		"long ago":       {{T: math.MinInt64 + 1, V: 1}, {T: 0, V: 2}, {T: math.MaxInt64, V: 3}},
		"two, far apart": {{T: math.MinInt64, V: 1}, {T: math.MaxInt64, V: 1}},
	} {
		t.Run(name, func(t *testing.T) { roundTrip(t, pts) })
	}
}

// drawPoints makes lists that look like what hosts send and lists that nobody
// would.
func drawPoints(t *rapid.T) []series.Point {
	n := rapid.IntRange(1, MaxCount).Draw(t, "n")
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	steps := rapid.SampledFrom([]string{"regular", "jitter", "gaps", "wild"}).Draw(t, "steps")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
	at, v := rapid.Int64Range(-1<<40, 1<<42).Draw(t, "from"), float64(rng.IntN(1000))
	places := pow10[rapid.IntRange(0, 9).Draw(t, "places")]
	out := make([]series.Point, 0, n)
	for range n {
		switch steps {
		case "regular":
			at += 15000
		case "jitter":
			at += 15000 + int64(rng.IntN(41)) - 20
		case "gaps":
			at += 10000 * int64(1+rng.IntN(20)/19*rng.IntN(5000))
		case "wild":
			at += 1 + int64(rng.Uint64()>>20)
		}
		switch kind {
		case 0:
			v = math.Round(v*places+float64(rng.IntN(101)-50)) / places
		case 1:
			v += float64(rng.IntN(100))
		case 2: // constant
		case 3:
			v = rng.NormFloat64()
		case 4:
			v = math.Float64frombits(rng.Uint64())
		case 5:
			v = []float64{0, math.Copysign(0, -1), math.Inf(1), series.Stale(), 1.5, 1e300}[rng.IntN(6)]
		}
		out = append(out, series.Point{T: at, V: v})
	}
	return out
}

func TestChunksAreLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, drawPoints(t)) })
}

func TestAnyFlippedBitIsNoticedOrHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pts := drawPoints(t)
		b := Append(nil, pts)
		i := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[i/8] ^= 1 << (i % 8)
		got, err := DecodeAll(nil, b, math.MinInt64, math.MaxInt64)
		if err == nil && !same(got, pts) {
			t.Fatalf("bit %d flipped: %d wrong points passed for good", i, len(got))
		}
	})
}

func TestDecodeAllLeavesOutWhatIsNotAsked(t *testing.T) {
	var row []byte
	var all []series.Point
	for c := range 5 {
		var pts []series.Point
		for i := range 120 {
			pts = append(pts, series.Point{T: int64(c*120+i) * 10, V: float64(i)})
		}
		row = Append(row, pts)
		all = append(all, pts...)
	}
	for _, r := range [][2]int64{{-1, 1 << 40}, {0, 10}, {1190, 1200}, {1195, 3333}, {5990, 6000}, {7000, 8000}} {
		var want []series.Point
		for _, p := range all {
			if p.T > r[0] && p.T <= r[1] {
				want = append(want, p)
			}
		}
		got, err := DecodeAll(nil, row, r[0], r[1])
		if err != nil || !same(got, want) {
			t.Errorf("range %v: %d points and %v, want %d", r, len(got), err, len(want))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, points(15000, 1, 2, 3.5)))
	f.Add(Append(nil, points(15000, 1.0/3, 2, math.NaN())))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = DecodeAll(nil, b, math.MinInt64, math.MaxInt64)
		// The same body under a sum that holds gets past the first door.
		_, body, _, err := Next(b)
		if err != nil {
			return
		}
		body = seal(body)
		got, err := Decode(nil, body)
		if err != nil {
			return
		}
		roundTrip(t, got)
	})
}

// walk is the "mixed" data of the design: 60 % gauges with two decimals, 30 %
// counters, 10 % constants.
func walk(i, n int) []series.Point {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	v := int64(rng.IntN(10000)) + 1000
	out := make([]series.Point, n)
	for j := range out {
		switch i % 10 {
		case 0, 1, 2, 3, 4, 5:
			v += int64(rng.IntN(101)) - 50
		case 6, 7, 8:
			v += int64(rng.IntN(100)) * 100
		}
		out[j] = series.Point{T: int64(j) * 15000, V: float64(v) / 100}
	}
	return out
}

func TestMixedDataTakesAboutAByte(t *testing.T) {
	bytes, count := 0, 0
	for i := range 100 {
		pts := walk(i, Target)
		bytes += len(Append(nil, pts))
		count += len(pts)
	}
	if per := float64(bytes) / float64(count); per > 1.05 {
		t.Errorf("%.3f bytes a sample, want at most 1.05", per)
	} else {
		t.Logf("%.3f bytes a sample", per)
	}
}

func BenchmarkAppend(b *testing.B) {
	sets := make([][]series.Point, 10)
	for i := range sets {
		sets[i] = walk(i, Target)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = Append(buf[:0], sets[i%10])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Target, "ns/sample")
}

func BenchmarkDecode(b *testing.B) {
	row := make([][]byte, 10)
	for i := range row {
		row[i] = Append(nil, walk(i, Target))
	}
	buf := make([]series.Point, 0, MaxCount)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var err error
		if buf, err = DecodeAll(buf[:0], row[i%10], math.MinInt64, math.MaxInt64); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Target, "ns/sample")
}
