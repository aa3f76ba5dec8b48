package payload

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

// bitwise compares values so that NaN equals itself and 0 differs from -0.
var bitwise = cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })

func TestRecordsComeBackWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var defs []rows.Series
		for i := range rapid.IntRange(0, 5).Draw(t, "definitions") {
			defs = append(defs, rows.Series{
				Ref: series.Ref(rapid.Uint64().Draw(t, "ref")), Token: rapid.StringN(0, 5, 20).Draw(t, "token"),
				Key: fmt.Append(nil, "key", i),
			})
		}
		var bs []series.Batch
		for range rapid.IntRange(0, 4).Draw(t, "batches") {
			b := series.Batch{
				Open: rapid.Bool().Draw(t, "open"), Own: rapid.Bool().Draw(t, "own"), Backfill: rapid.Bool().Draw(t, "backfill"),
				Received: rapid.Int64().Draw(t, "received"),
			}
			for range rapid.IntRange(0, 6).Draw(t, "items") {
				it := series.Item{Ref: series.Ref(rapid.Uint64Range(1, 1<<61).Draw(t, "ref")), Lo: uint32(len(b.Points))}
				for range rapid.IntRange(0, 3).Draw(t, "points") {
					v := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
					b.Points = append(b.Points, series.Point{T: rapid.Int64().Draw(t, "t"), V: v})
				}
				it.Hi = uint32(len(b.Points))
				b.Items = append(b.Items, it)
			}
			bs = append(bs, b)
		}
		body := AppendDefinitions([]byte(nil), defs)
		for i := range bs {
			var n int
			if body, n = AppendBatch(body, &bs[i]); n != bs[i].Accepted() {
				t.Fatalf("%d points, want %d", n, bs[i].Accepted())
			}
		}
		r := Read(body)
		var gotDefs []rows.Series
		if err := r.Definitions(func(ref series.Ref, token, key []byte) {
			gotDefs = append(gotDefs, rows.Series{Ref: ref, Token: string(token), Key: key})
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(defs, gotDefs); diff != "" {
			t.Fatal(diff)
		}
		for _, want := range bs {
			// Items without points are not written.
			kept := want.Items[:0:0]
			for _, it := range want.Items {
				if it.Hi > it.Lo {
					kept = append(kept, it)
				}
			}
			want.Items = kept
			var got series.Batch
			if more, err := r.Batch(&got); !more || err != nil {
				t.Fatal(more, err)
			}
			if diff := cmp.Diff(want, got, bitwise, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(series.Batch{})); diff != "" {
				t.Fatal(diff)
			}
		}
		var b series.Batch
		if more, err := r.Batch(&b); more || err != nil {
			t.Fatal("more than was written", err)
		}
	})
}

func FuzzRead(f *testing.F) {
	var b series.Batch
	b.Add(series.FromMap("m", nil), 5, 1)
	b.Items[0].Ref = 7
	body, _ := AppendBatch(AppendDefinitions(nil, []rows.Series{{Ref: 7, Key: []byte("k")}}), &b)
	f.Add(body)
	f.Fuzz(func(t *testing.T, in []byte) {
		r := Read(in)
		if r.Definitions(func(series.Ref, []byte, []byte) {}) != nil {
			return
		}
		var b series.Batch
		for range 100 {
			more, err := r.Batch(&b)
			if !more || err != nil {
				return
			}
			if len(b.Points) > len(in) || len(b.Items) > 2*len(in)+8 {
				t.Fatalf("%d points and %d items from %d bytes", len(b.Points), len(b.Items), len(in))
			}
		}
	})
}
