package tsdb

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"vigil/engine/clock"
	"vigil/engine/series"
)

// heapPerSeries is what n series take of the heap, each with so many samples at 15 s.
func heapPerSeries(t testing.TB, n, samples int, open bool) float64 {
	cfg := Defaults()
	cfg.Dir, cfg.MaxSeriesPerToken = t.TempDir(), n
	s, err := Open(cfg, Deps{Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(context.Background(), 0, &follower{s: s}); err != nil {
		t.Fatal(err)
	}
	var b series.Batch
	send := func(from, to, round int) {
		b.Reset()
		b.Open = open
		for i := from; i < to; i++ {
			b.Add(series.FromMap(fmt.Sprintf("load_metric_%d", i%50), map[string]string{
				"host": fmt.Sprintf("host-%d", i/50), "job": "load", "instance": fmt.Sprintf("10.0.0.%d:9100", i/50%250),
			}), 1_700_000_000_000+int64(round)*15_000, float64(i*round%700)/100)
		}
		if err := s.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if b.Accepted() != to-from {
			t.Fatalf("%d of %d samples were taken: %s", b.Accepted(), to-from, b.Items[0].Reason)
		}
	}
	send(0, 1, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for round := range samples {
		for from := 1; from < n; from += 1000 {
			send(from, min(n, from+1000), round)
		}
	}
	b = series.Batch{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(s)
	return float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / float64(n-1)
}

// A series is small: labels in one piece that its spelling in requests shares,
// a dozen raw points, the rest packed.
func TestASeriesTakesFewBytes(t *testing.T) {
	for _, c := range []struct {
		samples int
		open    bool
		most    float64
	}{{1, true, 530}, {10, true, 660}, {10, false, 640}, {110, true, 1050}} {
		if got := heapPerSeries(t, 10_000, c.samples, c.open); got > c.most {
			t.Errorf("%d samples, open %v: %.0f bytes a series, want at most %.0f", c.samples, c.open, got, c.most)
		} else {
			t.Logf("%d samples, open %v: %.0f bytes a series", c.samples, c.open, got)
		}
	}
}

// A start allocates little beside what stays: the log and the rows are read
// through, not into memory.
func TestStartAllocatesLittleBesideWhatStays(t *testing.T) {
	const n = 5000
	for _, killed := range []bool{true, false} {
		cfg := Defaults()
		cfg.Dir, cfg.SnapshotEvery = t.TempDir(), 0
		start := func() *Store {
			s, err := Open(cfg, Deps{Clock: clock.System()})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(context.Background(), 0, &follower{s: s}); err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := start()
		for l, sent := newLoad(n, 1000), 0; sent < 10*n; sent += 1000 {
			if err := l.send(s); err != nil {
				t.Fatal(err)
			}
		}
		if killed {
			halt(t, s)
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s = start()
		runtime.ReadMemStats(&after)
		if st := s.Stats(); st.Series != n {
			t.Fatalf("%d series after the start", st.Series)
		}
		halt(t, s)
		each := float64(int64(after.TotalAlloc-before.TotalAlloc)-startFixed) / n
		t.Logf("killed %v: %.0f bytes a series", killed, each)
		if each > 800 {
			t.Errorf("killed %v: a start allocates %.0f bytes a series, want at most 800", killed, each)
		}
	}
}

// startFixed is what a start allocates whatever the number of series: above all a
// segment of the log for each of its two passes.
const startFixed = 9 << 20

// halt ends a store as a kill would: nothing is cut.
func halt(t testing.TB, s *Store) {
	s.stop()
	s.wg.Wait()
	for _, err := range []error{s.log.Close(), s.db.Close(), s.lock.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
