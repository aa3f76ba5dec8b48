package tsdb

import (
	"context"
	"math"
	"testing"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/wal/waltest"
)

// "interval" answers before the sync, says so, and syncs within its interval.
func TestIntervalDurabilityIsBounded(t *testing.T) {
	disk := waltest.New()
	r := newRig(t, func(c *Config) { c.Durability, c.Interval = Interval, 50*time.Millisecond })
	r.stop()
	r.fs = disk
	r.start(0)
	if r.s.Durability() != Interval {
		t.Error(r.s.Durability())
	}
	before := r.s.Stats().Syncs
	for i := range 20 {
		r.mustPush(name("a"), r.clock.ms()+int64(i), 1)
	}
	if n := r.s.Stats().Syncs - before; n > 10 {
		t.Errorf("%d syncs for 20 answers", n)
	}
	eventually(t, "a sync", func() bool { return r.s.Stats().Syncs > before })
}

// What one day of an edge host writes to its flash.
func BenchmarkFlashPerDay(b *testing.B) {
	for _, tc := range []struct {
		name  string
		every time.Duration
		batch int
		goal  float64 // MB
	}{{"10s-batches", 10 * time.Second, 1000, 300}, {"1s-commits", time.Second, 100, 1500}} {
		b.Run(tc.name, func(b *testing.B) {
			for b.Loop() {
				clock := newClock()
				cfg := Defaults()
				cfg.Dir = b.TempDir()
				cfg.SnapshotEvery = 0
				s, err := Open(cfg, Deps{Clock: clock.now})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Start(context.Background(), 0, &follower{s: s}); err != nil {
					b.Fatal(err)
				}
				l := newLoad(1000, tc.batch)
				const part = 6 * time.Hour
				for at := time.Duration(0); at < part; at += tc.every {
					clock.pass(tc.every)
					l.t = clock.ms()
					if err := l.send(s); err != nil {
						b.Fatal(err)
					}
					if at%time.Minute == 0 {
						s.tend(context.Background())
					}
				}
				if err := s.Cut(context.Background()); err != nil {
					b.Fatal(err)
				}
				mb := float64(s.Stats().BytesWritten) / 1e6 * float64(24*time.Hour/part)
				b.ReportMetric(mb, "MB/day")
				if mb > tc.goal {
					b.Errorf("%.0f MB a day, goal %.0f", mb, tc.goal)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A broken item does not touch its neighbours, and no shape of batch panics.
func TestOddBatches(t *testing.T) {
	r := newRig(t)
	good := series.AppendLabel(nil, series.NameLabel, "a")
	for i, items := range [][]series.Item{
		nil,
		{{Key: good, Lo: 0, Hi: 9}},
		{{Key: good, Lo: 2, Hi: 1}},
		{{Key: nil, Lo: 0, Hi: 1}},
		{{Key: []byte{0x0a, 0xff}, Lo: 0, Hi: 1}},
		{{Key: good, Lo: 1, Hi: 1}},
	} {
		b := series.Batch{Points: []series.Point{{T: r.clock.ms() + int64(i), V: 1}}, Items: items}
		b.Items = append(b.Items, series.Item{Key: good, Lo: 0, Hi: 1})
		if err := r.s.Append(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if b.Accepted() != 1 {
			t.Errorf("case %d: %d accepted", i, b.Accepted())
		}
	}
	if n := len(r.all(name("a"))); n != 6 {
		t.Errorf("%d points", n)
	}
}

func TestConfigNamesWhatCannotBe(t *testing.T) {
	cfg := Defaults()
	cfg.Dir = "x"
	if err := cfg.Validate(); err != nil {
		t.Fatal("the defaults: ", err)
	}
	for i, change := range []func(*Config){
		func(c *Config) { c.Dir = "" },
		func(c *Config) { c.Durability = "perhaps" },
		func(c *Config) { c.RetentionAge = 0 },
		func(c *Config) { c.MaxSeries = 0 },
		func(c *Config) { c.SegmentBytes = 1 },
		func(c *Config) { c.LogMaxBytes = c.LogBytes },
		func(c *Config) { c.RetentionBytes = 1 },
		func(c *Config) { c.RowBytes = 5000 },
	} {
		c := cfg
		change(&c)
		if c.Validate() == nil {
			t.Error("change ", i, " passed")
		}
	}
}

// Samples from before 1970, however they come, are refused: they would stretch
// what retention measures by.
func TestNothingIsOlderThan1970(t *testing.T) {
	r := newRig(t)
	for _, at := range []int64{-1, math.MinInt64 + 1} {
		it, err := r.push(name("a"), at, 1, func(b *series.Batch) { b.Backfill = true })
		if err != nil || it.Reason != series.TooOld {
			t.Errorf("%d: %v, %v", at, it.Reason, err)
		}
	}
	r.mustPush(name("a"), 0, 1, func(b *series.Batch) { b.Backfill = true })
}
