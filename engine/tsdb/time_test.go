package tsdb

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

const tenYears = 10 * 365 * 24 * time.Hour

// The wall clock steps ten years, either way, while running and while stopped:
// new samples are taken, old ones stay, and a step alone deletes nothing.
func TestClockJumps(t *testing.T) {
	for _, tc := range []struct {
		what    string
		steps   []time.Duration
		stopped bool
	}{
		{"ahead", []time.Duration{tenYears}, false},
		{"ahead and back", []time.Duration{tenYears, -tenYears}, false},
		{"back", []time.Duration{-tenYears}, false},
		{"back and ahead", []time.Duration{-tenYears, tenYears}, false},
		{"back while stopped", []time.Duration{-tenYears}, true},
		{"back while stopped, then ahead", []time.Duration{-tenYears, tenYears}, true},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.what, " cut ", cut), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				want := map[int64]float64{}
				push := func() {
					for range 200 {
						r.clock.pass(time.Second)
						v := float64(len(want))
						r.mustPush(name("a"), r.clock.ms(), v)
						want[r.clock.ms()] = v
					}
				}
				push()
				for _, step := range tc.steps {
					if cut {
						r.cut()
					}
					if tc.stopped {
						r.die()
					}
					r.clock.step(step)
					if tc.stopped {
						r.start(0)
					}
					push()
					r.clock.pass(2 * time.Minute)
					r.s.tend(context.Background()) // retention may look
				}
				held := r.s.ClockUnconfirmed()
				if !held || !tc.stopped && !r.event("era") {
					t.Errorf("held %v", held)
				}
				for range 2 {
					got := r.all(name("a"))
					if len(got) != len(want) {
						t.Fatalf("%d points, want %d", len(got), len(want))
					}
					for _, p := range got {
						if want[p.T] != p.V {
							t.Fatalf("at %d: %v, want %v", p.T, p.V, want[p.T])
						}
					}
					r.die()
					r.start(0)
				}
				if r.s.ClockUnconfirmed() != held {
					t.Error("a restart forgot that the clock is not confirmed")
				}
				if err := r.s.ConfirmClock(context.Background()); err != nil {
					t.Fatal(err)
				}
				r.die()
				r.start(0)
				if r.s.ClockUnconfirmed() {
					t.Error("a restart forgot that the clock was confirmed")
				}
			})
		}
	}
}

// A host without a clock starts in 1970 and learns the time later.
func TestStartIn1970(t *testing.T) {
	r := newRig(t)
	r.stop()
	if err := os.RemoveAll(r.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	r.clock.step(-time.Duration(r.clock.ms()) * time.Millisecond)
	r.start(0)
	r.mustPush(name("a"), series.NoTime, 1)
	if it, _ := r.push(name("a"), 1_800_000_000_000, 2); it.Reason != series.Future {
		t.Errorf("a sample of 2027 in 1970: %v", it.Reason)
	}
	r.clock.pass(time.Minute)
	r.clock.step(1_800_000_000 * time.Second)
	r.mustPush(name("a"), series.NoTime, 3)
	if n := len(r.all(name("a"))); n != 2 {
		t.Errorf("%d points", n)
	}
}

// A slow slew is not a step.
func TestSlewIsNotAStep(t *testing.T) {
	r := newRig(t)
	for range 600 {
		r.clock.pass(time.Minute)
		r.clock.step(30 * time.Millisecond)
		r.s.observe(r.clock.now())
	}
	if r.s.Stats().Era != 1 {
		t.Error("a slew of 18 s in ten hours opened an era")
	}
}

// history fills a rig with days of samples, a row for every few hours.
func history(r *rig, n int, span time.Duration) {
	r.t.Helper()
	end := r.clock.ms()
	const parts = 40
	for part := range parts {
		for from := 0; from < n; from += 100 {
			var b series.Batch
			b.Received, b.Backfill = end, true
			for s := from; s < min(n, from+100); s++ {
				for i := range 20 {
					at := end - span.Milliseconds() + span.Milliseconds()*int64(part*20+i)/(parts*20)
					b.Add(name("h", "s", fmt.Sprint(s)), at, math.Sqrt(float64(part*20+i+s+2)))
				}
			}
			if err := r.s.Append(context.Background(), &b); err != nil {
				r.t.Fatal(err)
			}
			r.s.Evaluated(b.Seq + uint64(b.Accepted()))
		}
		r.cut()
	}
}

func retentionRig(t *testing.T, change func(*Config)) *rig {
	return newRig(t, func(c *Config) {
		c.RowBytes = 400
		c.RetentionAge = 24 * time.Hour
		change(c)
	})
}

func TestRetentionByAge(t *testing.T) {
	r := retentionRig(t, func(c *Config) { c.RetentionShare = 1 })
	history(r, 20, 4*24*time.Hour)
	r.clock.pass(2 * time.Minute)
	r.s.tend(context.Background())
	oldest := r.all(name("h", "s", "3"))[0].T
	line := r.clock.ms() - r.cfg.RetentionAge.Milliseconds()
	// Rows go whole: what is left may begin a row before the line.
	if oldest < line-(4*time.Hour).Milliseconds() || oldest > line {
		t.Errorf("oldest is %s from the line", time.Duration(oldest-line)*time.Millisecond)
	}
}

// Whatever the clock says, age deletes at most a share of the database an hour.
func TestRetentionDeletesABoundedShareAnHour(t *testing.T) {
	r := retentionRig(t, func(c *Config) { c.RetentionShare = 0.05 })
	history(r, 300, 4*24*time.Hour)
	start := r.s.Stats().DBBytes
	share := max(start/20, retainSpare)
	if start < 3*share {
		t.Fatal("too small to show anything: ", start)
	}
	// The host was off, and comes back ten years later by its own account: nothing
	// tells this from the truth.
	r.stop()
	r.clock.pass(tenYears)
	r.start(0)
	for range 10 {
		r.clock.pass(2 * time.Minute)
		r.s.tend(context.Background())
	}
	gone := start - r.s.Stats().DBBytes
	if gone == 0 || gone > share+share/2+1<<18 {
		t.Errorf("%d of %d bytes went in 20 minutes, the share of an hour is %d", gone, start, share)
	}
	for range 60 * 6 {
		r.clock.pass(10 * time.Minute)
		r.s.tend(context.Background())
	}
	if n := len(r.all(name("h", "s", "3"))); n != 0 {
		t.Errorf("%d points after two and a half days", n)
	}
}

func TestRetentionByBytes(t *testing.T) {
	r := retentionRig(t, func(c *Config) {
		c.RetentionAge = 100 * 24 * time.Hour
		c.LogMaxBytes = 2 << 20
		c.RetentionBytes = c.LogMaxBytes + 2<<20
	})
	history(r, 500, 4*24*time.Hour)
	before := r.s.Stats().DBBytes
	if before < 3<<20 {
		t.Fatal("too small to show anything: ", before)
	}
	r.clock.pass(2 * time.Minute)
	r.s.tend(context.Background())
	if got := r.s.Stats().DBBytes; got > 2<<20 {
		t.Errorf("%d bytes, was %d, want at most %d", got, before, 2<<20)
	}
	pts := r.all(name("h", "s", "3"))
	if len(pts) == 0 || pts[len(pts)-1].T < r.clock.ms()-(3*time.Hour).Milliseconds() {
		t.Error("the newest went instead of the oldest")
	}
	if st, err := os.Stat(r.cfg.rows().Path); err != nil || st.Size() > 3<<20 {
		t.Errorf("the file did not shrink: %d bytes, %v", st.Size(), err)
	}
}

// A series whose last sample has gone ends: it is announced, its cap is free, its
// ref never comes again.
func TestSeriesEndsWithItsLastSample(t *testing.T) {
	r := retentionRig(t, func(c *Config) { c.RetentionShare, c.MaxSeries = 1, 2 })
	now := r.clock.ms()
	r.mustPush(name("old"), now, 1)
	ref := func(n string) series.Ref {
		for ref, ls := range r.rec.registered {
			if ls.Name() == n {
				return ref
			}
		}
		return 0
	}
	old := ref("old")
	r.clock.pass(30 * time.Hour)
	r.mustPush(name("young"), r.clock.ms(), 1)
	r.s.Evaluated(2)
	r.cut()
	r.s.tend(context.Background())
	if len(r.rec.dropped) != 1 || r.rec.dropped[0] != old {
		t.Fatalf("dropped %v, want %d", r.rec.dropped, old)
	}
	r.mustPush(name("new"), r.clock.ms(), 1) // there is room again
	if got := ref("new"); got <= ref("young") {
		t.Errorf("ref %d comes again", got)
	}
	r.mustPush(name("young"), r.clock.ms()+1, 1)
	r.die()
	r.start(2)
	if len(r.rec.registered) != 2 || ref("old") != 0 {
		t.Errorf("after a restart: %v", r.rec.registered)
	}
	if _, err := r.push(name("old"), r.clock.ms(), 5); err != nil {
		t.Error(err)
	}
}

// TestRefNeverComesAgain: the highest ref ended with its series, and the store was
// stopped or killed since: the next series has a higher one.
func TestRefNeverComesAgain(t *testing.T) {
	for what, end := range map[string]func(*rig){"stopped": (*rig).stop, "killed": (*rig).die} {
		t.Run(what, func(t *testing.T) {
			r := retentionRig(t, func(c *Config) { c.RetentionShare = 1 })
			r.mustPush(name("young"), r.clock.ms(), 1)
			r.mustPush(name("old"), r.clock.ms(), 1)
			r.clock.pass(30 * time.Hour)
			const more = 1500 // into segments of the log that know nothing of the old one
			for range more {
				r.clock.pass(time.Second)
				r.mustPush(name("young"), r.clock.ms(), 1)
			}
			r.s.Evaluated(2 + more)
			r.cut()
			r.s.tend(context.Background())
			if len(r.rec.dropped) != 1 {
				t.Fatalf("dropped %v", r.rec.dropped)
			}
			gone := r.rec.dropped[0]
			end(r)
			r.start(2 + more)
			r.mustPush(name("new"), r.clock.ms(), 1)
			for ref, ls := range r.rec.registered {
				if ls.Name() == "new" && ref <= gone {
					t.Errorf("ref %d was given out before %d ended, and comes again", ref, gone)
				}
			}
		})
	}
}

func TestSnapshotIsCompleteAndRestores(t *testing.T) {
	r := newRig(t)
	for i := range 300 {
		r.mustPush(name("a"), r.clock.ms()+int64(i), float64(i))
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := r.s.Snapshot(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	r.mustPush(name("a"), r.clock.ms()+1000, 5)
	if err := Restore(context.Background(), r.cfg, nil, path); fault.KindOf(err) != fault.Conflict {
		t.Errorf("restore under a running store: %v", err)
	}
	r.stop()
	if err := Restore(context.Background(), r.cfg, nil, path); err != nil {
		t.Fatal(err)
	}
	r.start(0)
	if n := len(r.all(name("a"))); n != 300 {
		t.Errorf("%d points, want the 300 of the snapshot", n)
	}
	r.mustPush(name("a"), r.clock.ms()+2000, 6)
	// And on another machine.
	other := newRig(t)
	other.stop()
	if err := Restore(context.Background(), other.cfg, nil, path); err != nil {
		t.Fatal(err)
	}
	other.start(0)
	if n := len(other.all(name("a"))); n != 300 {
		t.Errorf("elsewhere: %d points", n)
	}
}

func TestSnapshotsAreMadeAndPruned(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SnapshotEvery = time.Hour })
	for i := range 5 {
		r.mustPush(name("a"), r.clock.ms(), float64(i))
		r.s.tend(context.Background())
		r.clock.pass(61 * time.Minute)
	}
	r.s.tend(context.Background())
	names, err := filepath.Glob(filepath.Join(r.cfg.rows().Snapshots, "*"))
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, n := range names {
		if err := rows.Verify(context.Background(), n); err != nil {
			t.Error(n, err)
		}
	}
}

// The same file, in every way that a disk may spoil it: the store starts, says
// what is wrong, and shows nothing that was never written.
func TestDamagedFiles(t *testing.T) {
	flip := func(b []byte) []byte { b[len(b)/3] ^= 0x10; return b }
	zero := func(b []byte) []byte { clear(b[len(b)/4 : len(b)/2]); return b }
	all := func(b []byte) []byte { clear(b); return b }
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	none := func([]byte) []byte { return nil }
	noise := func(b []byte) []byte {
		for i := range b {
			b[i] = byte(i * 7)
		}
		return b
	}
	for what, change := range map[string]func([]byte) []byte{"flip": flip, "zero": zero, "clear": all, "truncate": cut, "empty": none, "noise": noise} {
		for _, file := range []string{"samples.db", "samples.db-wal", "samples.log/seg-000001", "samples.log/seg-000002", "samples.log/*"} {
			t.Run(what+" "+file, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				want := map[int64]float64{}
				push := func(n int) {
					for range n {
						var b series.Batch
						for range 40 {
							r.clock.pass(time.Second)
							want[r.clock.ms()] = math.Sqrt(float64(len(want)))
							b.Add(name("a"), r.clock.ms(), want[r.clock.ms()])
						}
						if err := r.s.Append(context.Background(), &b); err != nil {
							t.Fatal(err)
						}
					}
				}
				push(150)
				r.cut()
				push(150)
				r.die()
				paths, err := filepath.Glob(filepath.Join(r.cfg.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if file == "samples.db-wal" { // as a crash might leave it: full of what is no log
					paths = []string{filepath.Join(r.cfg.Dir, file)}
					if err := os.WriteFile(paths[0], make([]byte, 5000), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				for _, p := range paths {
					b, err := os.ReadFile(p)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(p, change(b), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				r.start(0)
				events := r.s.Events()
				got := r.all(name("a"))
				for _, p := range got {
					if v, ok := want[p.T]; !ok || v != p.V {
						t.Fatalf("at %d: %v was never written", p.T, p.V)
					}
				}
				if len(got) < len(want) && len(events) == 0 {
					t.Errorf("%d of %d points gone and nobody says so", len(want)-len(got), len(want))
				}
				r.mustPush(name("a"), r.clock.ms()+1000, 1)
				r.cut()
				r.stop()
				r.start(0)
				if n := len(r.all(name("a"))); n < len(got) {
					t.Errorf("the second start shows %d points, the first %d", n, len(got))
				}
			})
		}
	}
}

// samples.db is spoilt under a running store: readers hear of it, the file is
// exchanged for the snapshot, what is in the log and in heads stays, and samples
// go on being taken and cut.
func TestDatabaseDamagedInUse(t *testing.T) {
	for _, snapshot := range []bool{true, false} {
		t.Run(fmt.Sprint("snapshot ", snapshot), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.SnapshotEvery = time.Hour })
			for s := range 300 {
				for part := range 3 {
					var b series.Batch
					for i := range 100 {
						b.Add(name("a", "s", fmt.Sprint(s)), r.clock.ms()+int64(part*100+i), math.Sqrt(float64(i+s)))
					}
					if err := r.s.Append(context.Background(), &b); err != nil {
						t.Fatal(err)
					}
				}
			}
			r.cut()
			if snapshot {
				r.s.tend(context.Background())
				r.clock.pass(61 * time.Minute)
				r.s.tend(context.Background())
			}
			r.mustPush(name("late"), r.clock.ms(), 1)
			f, err := os.OpenFile(r.cfg.rows().Path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			st, _ := f.Stat()
			noise := make([]byte, st.Size()-16384)
			for i := range noise {
				noise[i] = byte(i * 31)
			}
			if _, err := f.WriteAt(noise, 16384); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the exchange", func() bool {
				for s := range 300 { // pages may still be cached
					m, _ := series.NewMatcher(series.MatchEqual, "s", fmt.Sprint(s))
					c, err := r.s.Select(context.Background(), series.Selector{m}, math.MinInt64, math.MaxInt64)
					if err != nil {
						t.Fatal(err)
					}
					for c.Next() {
						if _, err := c.Points(nil); err != nil && fault.KindOf(err) != fault.Corrupt {
							t.Fatal(err)
						}
					}
					_ = c.Close()
				}
				r.s.tend(context.Background())
				return r.event("quarantined")
			})
			want := 0
			if snapshot {
				want = 300
			}
			if n := len(r.all(name("a", "s", "7"))); n != want {
				t.Errorf("%d points, want %d", n, want)
			}
			if n := len(r.all(name("late"))); n != 1 {
				t.Errorf("%d points of what was in the heads", n)
			}
			r.mustPush(name("a", "s", "7"), r.clock.ms()+5000, 1)
			r.cut()
			r.die()
			r.start(0)
			if n := len(r.all(name("late"))); n != 1 {
				t.Errorf("after a restart: %d points", n)
			}
			if n := len(r.all(name("a", "s", "7"))); n != want+1 {
				t.Errorf("after a restart: %d points, want %d", n, want+1)
			}
		})
	}
}
