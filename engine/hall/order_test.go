package hall_test

import (
	"context"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// One batch that holds a breach and its end is judged timestamp by timestamp: the
// breach is not merged away by what came after it, whatever the order it came in.
func TestEachTimestampOfABatchIsJudged(t *testing.T) {
	for name, order := range map[string][]int{"in order": {0, 1, 2}, "backwards": {2, 1, 0}, "mixed": {1, 2, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, breach)
			at := time.Now().UnixMilli() - 3000
			var b series.Batch
			for _, i := range order {
				b.Add(series.FromMap("breach_value", map[string]string{"service": "web"}), at+int64(i)*1000, []float64{0, 5, 0}[i])
			}
			if err := r.Ingest(context.Background(), &b); err != nil {
				t.Fatal(err)
			}
			until(t, "the end is on record", func() bool { return len(r.told(t, "firing.clear")) == 1 })
			if fired := r.told(t, "firing.fire"); len(fired) != 1 {
				t.Errorf("fired: %v", fired)
			}
		})
	}
}

// The sequence that a batch is given is its place in the log: the next one stands
// behind it by as many samples as were taken, and a refused one takes no place.
func TestSequenceIsThePlaceInTheLog(t *testing.T) {
	r := start(t, t.TempDir())
	add := func(n int, at int64) uint64 {
		var b series.Batch
		for range n {
			b.Add(series.FromMap("x", nil), at, 1)
			at++
		}
		if err := r.Ingest(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		return b.Seq
	}
	now := time.Now().UnixMilli() - 1000
	first := add(3, now)
	if second := add(2, now+10); second != first+3 {
		t.Errorf("behind three samples at %d the next is %d", first, second)
	}
	add(1, now+24*3_600_000) // ahead of time: refused
	if third := add(1, now+20); third != first+5 {
		t.Errorf("the sixth sample is %d, the first was %d", third, first)
	}
}

// While as many watched samples wait as may, the next are refused as lagging and
// are not stored; series that no policy watches go on, and so do all when there is
// room again.
func TestWatchedSamplesAreRefusedWhileEvaluationLags(t *testing.T) {
	r := startWith(t, t.TempDir(), clock.System(), func(c *engine.Config) { c.Queue = 5 })
	r.put(t, breach)
	at := time.Now().UnixMilli() - 1000
	push := func(name string, n int) *series.Batch {
		t.Helper()
		b := &series.Batch{}
		for range n {
			b.Add(series.FromMap(name, nil), at, 0)
			at++
		}
		if err := r.Ingest(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	waiting := push("breach_value", 5)
	until(t, "all of it is judged", func() bool { return r.Stats().Queue == 0 })
	r.Reserve(waiting) // as if it had just been taken and were not judged yet
	if q := r.Stats().Queue; q != 5 {
		t.Fatalf("%d wait", q)
	}
	before := waiting.Seq + 5
	if b := push("breach_value", 1); b.Items[0].Reason != series.Lagging || b.Items[0].Refused != 1 {
		t.Errorf("a sixth: %+v", b.Items[0])
	}
	if b := push("unwatched", 1); b.Items[0].Reason != series.Accepted || b.Seq != before {
		t.Errorf("one that nobody watches: %+v at %d, want %d: what was refused takes no place", b.Items[0], b.Seq, before)
	}
	r.Abandoned(waiting)
	if b := push("breach_value", 1); b.Items[0].Reason != series.Accepted {
		t.Errorf("when there is room again: %+v", b.Items[0])
	}
}

// Fires, clears and fires again within one batch: one remediation, of the firing
// that stands. Fires and clears: nothing is left to put right.
func TestOneBatchIsAtMostOneRemediation(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   int
	}{"it fires again": {[]float64{5, 0, 5}, 1}, "it is over": {[]float64{0, 5, 0}, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, t.TempDir())
			r.put(t, breach)
			at := time.Now().UnixMilli() - 3000
			var b series.Batch
			for i, v := range c.values {
				b.Add(series.FromMap("breach_value", map[string]string{"service": "web"}), at+int64(i)*1000, v)
			}
			if err := r.Ingest(context.Background(), &b); err != nil {
				t.Fatal(err)
			}
			until(t, "the end of the batch is on record", func() bool {
				return len(r.told(t, "firing.clear")) == 1 && len(r.told(t, "firing.fire")) == max(1, 2*c.want)
			})
			if rs := r.remediations(t); len(rs) != c.want {
				t.Errorf("%d remediations, want %d", len(rs), c.want)
			}
		})
	}
}
