package chunk

import (
	"bytes"
	"testing"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"pgregory.net/rapid"

	"vigil/engine/series"
)

// TestXORIsTheFormatOfChunkenc: what is written here is byte for byte what chunkenc
// writes, so that its reader, and whoever has such files, reads it.
func TestXORIsTheFormatOfChunkenc(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pts := drawPoints(t)
		c := chunkenc.NewXORChunk()
		a, err := c.Appender()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pts {
			a.Append(0, p.T, p.V)
		}
		prefix := []byte("before")
		got, ok := bytes.CutPrefix(appendXOR(prefix, pts), prefix)
		if !ok || !bytes.Equal(got, c.Bytes()) {
			t.Fatalf("%x, want %x for %v", got, c.Bytes(), pts)
		}
	})
}

// TestXORAtTheEdges: steps that change by just what a width of bits holds, and by one
// more, and values that take all bits or none.
func TestXORAtTheEdges(t *testing.T) {
	for _, width := range []int{14, 17, 20, 62} {
		half := int64(1) << (width - 1)
		for _, change := range []int64{-half - 1, -half, -half + 1, half - 1, half, half + 1} {
			at, step := int64(-5), half+2
			pts := []series.Point{{T: at, V: 1}}
			for _, v := range []uint64{bits(1), ^bits(1), bits(1), 1, 1 << 63} {
				at += step
				pts = append(pts, series.Point{T: at, V: unbits(v)})
				step += change
				change = -change
			}
			c := chunkenc.NewXORChunk()
			a, err := c.Appender()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pts {
				a.Append(0, p.T, p.V)
			}
			if got := appendXOR(nil, pts); !bytes.Equal(got, c.Bytes()) {
				t.Errorf("change %d: %x, want %x", change, got, c.Bytes())
			}
		}
	}
}

// TestAppendAllocatesNothing, whatever the values are like.
func TestAppendAllocatesNothing(t *testing.T) {
	decimal, third, raw := make([]series.Point, Target), make([]series.Point, Target), make([]series.Point, Target)
	for i := range decimal {
		at := int64(i)*15_000 + int64(i%7)
		decimal[i] = series.Point{T: at, V: float64(i%17) / 4}
		third[i] = series.Point{T: at, V: float64(i) / 3}
		raw[i] = series.Point{T: at, V: unbits(uint64(i+1) * 0x9e3779b97f4a7c15)}
	}
	buf := make([]byte, 0, Room(Target))
	for name, pts := range map[string][]series.Point{"decimal": decimal, "third": third, "raw": raw} {
		if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], pts) }); n > 0 {
			t.Errorf("%s: %v allocations a chunk", name, n)
		}
	}
}
