package tsdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/series"
)

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchStore(b *testing.B, dir string) *Store {
	cfg := Defaults()
	cfg.Dir = dir
	cfg.SnapshotEvery = 0
	s, err := Open(cfg, Deps{Clock: clock.System()})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(context.Background(), 0, &follower{s: s}); err != nil {
		b.Fatal(err)
	}
	return s
}

// follower evaluates nothing and says so at once, as an idle engine would.
type follower struct {
	quiet
	s *Store
}

func (f *follower) Committed(bs []*series.Batch) {
	b := bs[len(bs)-1]
	f.s.Evaluated(b.Seq + uint64(b.Accepted()))
}

// Two callers, batches of 1000, every acknowledgement after its sync, cuts
// included.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b, b.TempDir())
			defer func() {
				if err := s.Close(); err != nil {
					b.Error(err)
				}
			}()
			loads := [2]*load{newLoad(n, 1000), newLoad(n, 1000)}
			half := n / 2
			loads[0].keys, loads[0].vals = loads[0].keys[:half], loads[0].vals[:half]
			loads[1].keys, loads[1].vals = loads[1].keys[half:], loads[1].vals[half:]
			for range 2 { // series are known, and what few of them need has grown
				for _, l := range loads {
					for range max(200, half/1000) {
						if err := l.send(s); err != nil {
							b.Fatal(err)
						}
					}
				}
				if err := s.Cut(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu(b)
			var wg sync.WaitGroup
			var took [2][]time.Duration
			for i, l := range loads {
				took[i] = make([]time.Duration, 0, b.N)
				wg.Go(func() {
					for range (b.N + 1) / 2 {
						began := time.Now()
						if err := l.send(s); err != nil {
							b.Error(err)
							return
						}
						took[i] = append(took[i], time.Since(began))
					}
				})
			}
			wg.Wait()
			b.StopTimer() // closing cuts what is left
			all := slices.Sorted(slices.Values(append(took[0], took[1]...)))
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds()/1e6, "Msamples/s")
			b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N)*1000, "cpu-s/M")
			st := s.Stats()
			b.ReportMetric(float64(st.BytesWritten)/float64(st.Appended), "written-B/sample")
		})
	}
}

// 1000 series, 12 h at 15 s, cut every 2 h, everything in the directory but the
// log counted.
func BenchmarkBytesPerSample(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		s := benchStore(b, dir)
		l := newLoad(1000, 1000)
		for i := range 2880 {
			if err := l.send(s); err != nil {
				b.Fatal(err)
			}
			if i%480 == 479 {
				if err := s.Cut(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		st, err := os.Stat(filepath.Join(dir, "samples.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/2880/1000, "B/sample")
	}
}

// From a kill with the log full of 100,000 series to ready.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			if n > 0 {
				s := benchStore(b, dir)
				l := newLoad(n, 1000)
				for range 20 * n / 1000 {
					if err := l.send(s); err != nil {
						b.Fatal(err)
					}
				}
				s.stop()
				s.wg.Wait()
				_ = s.log.Close()
				_ = s.db.Close()
				_ = s.lock.Close()
			}
			for b.Loop() {
				if n == 0 {
					dir = b.TempDir()
				}
				s := benchStore(b, dir)
				b.StopTimer()
				s.stop()
				s.wg.Wait()
				_ = s.log.Close()
				_ = s.db.Close()
				_ = s.lock.Close()
				b.StartTimer()
			}
		})
	}
}

func BenchmarkSelect(b *testing.B) {
	s := benchStore(b, b.TempDir())
	defer s.Close()
	l := newLoad(1000, 1000)
	for i := range 2880 {
		if err := l.send(s); err != nil {
			b.Fatal(err)
		}
		if i == 2700 {
			if err := s.Cut(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	one, _ := series.NewMatcher(series.MatchEqual, "__name__", "metric_7")
	host, _ := series.NewMatcher(series.MatchEqual, "host", "host-00003")
	anyName, _ := series.NewMatcher(series.MatchRegexp, "__name__", "metric_.*")
	for name, q := range map[string]struct {
		sel series.Selector
		ago time.Duration
	}{
		"1series-1h":     {series.Selector{one, host}, time.Hour},
		"1series-12h":    {series.Selector{one, host}, 12 * time.Hour},
		"1000series-5m":  {series.Selector{anyName}, 5 * time.Minute},
		"1000series-1h":  {series.Selector{anyName}, time.Hour},
		"1000series-12h": {series.Selector{anyName}, 12 * time.Hour},
	} {
		b.Run(name, func(b *testing.B) {
			var buf []series.Point
			for b.Loop() {
				c, err := s.Select(context.Background(), q.sel, l.t-q.ago.Milliseconds(), l.t)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for c.Next() {
					if buf, err = c.Points(buf[:0]); err != nil {
						b.Fatal(err)
					}
					n += len(buf)
				}
				if n == 0 {
					b.Fatal("nothing found")
				}
				_ = c.Close()
			}
		})
	}
}
