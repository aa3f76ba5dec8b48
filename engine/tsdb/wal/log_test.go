package wal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/tsdb/wal"
	"vigil/engine/tsdb/wal/waltest"
)

var small = wal.Config{Dir: "log", Quarantine: "aside", SegmentBytes: 4096, MaxBytes: 64 * 4096, KeepFree: 3}

// entry is what a test writes and looks for again.
type entry struct {
	pos   uint64
	count uint32
	body  string
}

func body(n uint64, size int) string {
	b := make([]byte, 8+size)
	binary.LittleEndian.PutUint64(b, n)
	for i := 8; i < len(b); i++ {
		b[i] = byte(n) + byte(i)
	}
	return string(b)
}

func open(t testing.TB, d wal.FS, floor wal.Floor) (*wal.Log, []entry, []wal.Damage) {
	t.Helper()
	var got []entry
	l, ds, err := wal.Open(d, small, floor, func(r wal.Record) error {
		got = append(got, entry{r.Position, r.Count, string(r.Payload)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, got, ds
}

func write(l *wal.Log, size int, count uint32) (entry, error) {
	b := body(l.Position(), size)
	pos, err := l.Append(wal.Record{Count: count, Era: 1, Wall: 5}, [][]byte{[]byte(b)}, true)
	return entry{pos, count, b}, err
}

func TestLogGivesBackWhatWasWritten(t *testing.T) {
	d := waltest.New()
	l, _, _ := open(t, d, wal.Floor{})
	var want []entry
	for i := range 200 {
		e, err := write(l, i*7%1500, uint32(1+i%5))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, e)
		if i == 100 { // a restart in the middle
			l, _, _ = open(t, d, wal.Floor{})
		}
	}
	_, got, ds := open(t, d, wal.Floor{})
	if fmt.Sprint(got) != fmt.Sprint(want) || len(ds) != 0 {
		t.Errorf("%d records and %v, want %d and no damage", len(got), ds, len(want))
	}
}

// Old records lie behind the end of a recycled segment, with sums that hold.
func TestRecycledTailIsNeverReplayed(t *testing.T) {
	d := waltest.New()
	l, _, _ := open(t, d, wal.Floor{})
	for range 60 {
		if _, err := write(l, 100, 1); err != nil {
			t.Fatal(err)
		}
	}
	pos := l.Position()
	floor := wal.Floor{Generation: l.Keeps(pos, l.Seq()), Position: pos, Seq: l.Seq()}
	if err := l.Release(floor.Generation); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Free == 0 {
		t.Fatal("nothing was recycled: the test shows nothing")
	}
	for range 25 { // fills what was current, then goes into a recycled one
		if _, err := write(l, 100, 1); err != nil {
			t.Fatal(err)
		}
	}
	_, got, ds := open(t, d, floor)
	var last uint64
	fresh := 0
	for _, e := range got {
		if e.pos < last {
			t.Fatalf("position %d after %d", e.pos, last)
		}
		last = e.pos
		if e.pos >= pos {
			fresh++
		}
	}
	if fresh != 25 || len(ds) != 0 {
		t.Errorf("%d new records and %v, want 25 and no damage", fresh, ds)
	}
}

// story drives a log through appends, releases, restarts and spare segments,
// telling the disk what was acknowledged and what was let go.
type told struct {
	acked []entry
	floor wal.Floor
}

func story(t testing.TB, d *waltest.Disk, rng *rand.Rand, steps int) {
	l, _, _ := open(t, d, wal.Floor{})
	var now told
	for range steps {
		switch rng.IntN(12) {
		default:
			e, err := write(l, rng.IntN(900), uint32(1+rng.IntN(9)))
			if err != nil {
				t.Fatal(err)
			}
			now.acked = append(now.acked[:len(now.acked):len(now.acked)], e)
		case 0:
			if n := len(now.acked); n > 0 {
				e := now.acked[rng.IntN(n)]
				pos := max(now.floor.Position, e.pos)
				now.floor = wal.Floor{Generation: l.Keeps(pos, l.Seq()), Position: pos, Seq: l.Seq()}
				d.Mark(now)
				if err := l.Release(now.floor.Generation); err != nil {
					t.Fatal(err)
				}
			}
		case 1:
			if err := l.Prepare(); err != nil {
				t.Fatal(err)
			}
		case 2:
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l, _, _ = open(t, d, now.floor)
		}
		d.Mark(now)
	}
}

func TestLogSurvivesEveryPowerCut(t *testing.T) {
	states := 18000
	if testing.Short() {
		states = 1000
	}
	const stories = 8
	for s := range stories {
		d := waltest.New()
		story(t, d, rand.New(rand.NewPCG(uint64(s), 1)), 120)
		rng := rand.New(rand.NewPCG(uint64(s), 2))
		for i := range states / stories {
			cut := rng.IntN(d.Ops() + 1)
			after, marks := d.Crash(cut, rng)
			var known told
			if len(marks) > 0 {
				known = marks[len(marks)-1].(told)
			}
			l, got, ds := open(t, after, known.floor)
			where := fmt.Sprintf("story %d, state %d, cut after call %d", s, i, cut)
			check(t, where, known, got, ds)
			// Life goes on: a record more, and a second look.
			e, err := write(l, 50, 3)
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			known.acked = append(known.acked[:len(known.acked):len(known.acked)], e)
			_, again, ds := open(t, after, known.floor)
			check(t, where+", second start", known, again, ds)
		}
	}
}

// check holds what came back against what was acknowledged: all of it from the
// floor on, in order, nothing twice; behind it at most one record that was
// being written.
func check(t testing.TB, where string, known told, got []entry, ds []wal.Damage) {
	t.Helper()
	for _, x := range ds {
		if x.Kind != wal.Torn {
			t.Fatalf("%s: damage %v", where, x)
		}
	}
	at := map[uint64]entry{}
	for i, e := range got {
		if i > 0 && e.pos != got[i-1].pos+uint64(got[i-1].count) {
			t.Fatalf("%s: position %d follows %d+%d", where, e.pos, got[i-1].pos, got[i-1].count)
		}
		at[e.pos] = e
	}
	for _, e := range known.acked {
		if e.pos+uint64(e.count) <= known.floor.Position {
			continue
		}
		if g, ok := at[e.pos]; !ok || g.body != e.body {
			t.Fatalf("%s: acknowledged record at %d is not there (floor %+v, %d records)", where, e.pos, known.floor, len(got))
		}
	}
}

var errDisk = errors.New("the disk says no")

// Every call fails once, or from then on for a while: no false word of success,
// and the log works again afterwards.
func TestLogSurvivesEveryFailedCall(t *testing.T) {
	for _, lasting := range []int{1, 5} {
		for n := 1; ; n++ {
			d := waltest.New()
			l, _, _ := open(t, d, wal.Floor{})
			base := d.Calls()
			d.Fail = func(i int, _, _ string) error {
				if i -= base; i >= n && i < n+lasting {
					return errDisk
				}
				return nil
			}
			var known told
			failed := 0
			for range 40 {
				if l.Fault() != nil {
					if _, err := l.Repair(); err != nil {
						failed++
						continue
					}
				}
				e, err := write(l, 500, 2)
				if err != nil {
					failed++
					continue
				}
				known.acked = append(known.acked, e)
				if len(known.acked)%10 == 0 {
					pos := e.pos
					known.floor = wal.Floor{Generation: l.Keeps(pos, l.Seq()), Position: pos, Seq: l.Seq()}
					if l.Release(known.floor.Generation) != nil {
						failed++
					}
				}
			}
			if len(known.acked) < 40-lasting-2 {
				t.Fatalf("call %d: only %d of 40 taken", n, len(known.acked))
			}
			reached := d.Calls()-base >= n
			d.SetFail(nil)
			_, got, ds := open(t, d, known.floor)
			check(t, fmt.Sprintf("call %d", n), known, got, ds)
			if !reached {
				break
			}
			if failed == 0 && lasting > 1 {
				t.Fatalf("call %d failed and nobody noticed", n)
			}
		}
	}
}

func TestLogNamesWhatIsDamaged(t *testing.T) {
	build := func(t *testing.T) *waltest.Disk {
		d := waltest.New()
		l, _, _ := open(t, d, wal.Floor{})
		for range 30 {
			if _, err := write(l, 500, 1); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	for name, tc := range map[string]struct {
		spoil func(d *waltest.Disk)
		want  wal.DamageKind
		lost  int
	}{
		"nothing":               {func(*waltest.Disk) {}, "", 0},
		"a bit in a record":     {func(d *waltest.Disk) { d.Content("log/seg-000002")[700] ^= 4 }, wal.Gap, 1},
		"a header":              {func(d *waltest.Disk) { d.Content("log/seg-000002")[9] ^= 4 }, wal.Header, 0},
		"a segment gone":        {func(d *waltest.Disk) { _ = d.Remove("log/seg-000002") }, wal.Missing, 7},
		"zeros in the middle":   {func(d *waltest.Disk) { clear(d.Content("log/seg-000002")[1000:2048]) }, wal.Gap, 3},
		"zeros to the end":      {func(d *waltest.Disk) { clear(d.Content("log/seg-000002")[1000:]) }, wal.Gap, 6},
		"the last but one":      {func(d *waltest.Disk) { d.Content("log/seg-000005")[200] ^= 4 }, wal.Gap, 1},
		"the last record's end": {func(d *waltest.Disk) { d.Content("log/seg-000005")[64+560+500] ^= 4 }, wal.Torn, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := build(t)
			tc.spoil(d)
			l, got, ds := open(t, d, wal.Floor{})
			if lost := 30 - len(got); lost != tc.lost {
				t.Errorf("%d records lost, want %d (%v)", lost, tc.lost, ds)
			}
			switch {
			case tc.want == "" && len(ds) != 0:
				t.Errorf("damage where there is none: %v", ds)
			case tc.want != "" && (len(ds) == 0 || ds[0].Kind != tc.want):
				t.Errorf("damage %v, want %s", ds, tc.want)
			}
			if _, err := write(l, 10, 1); err != nil {
				t.Fatal(err)
			}
			if err := l.Release(l.Keeps(l.Position(), l.Seq())); err != nil {
				t.Fatal(err)
			}
			aside, _ := d.List("aside")
			if want := tc.want == wal.Gap || tc.want == wal.Header; want != (len(aside) > 0) {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}

func TestLogRefusesWhenFullAndGoesOnWhenReleased(t *testing.T) {
	d := waltest.New()
	l, _, _ := open(t, d, wal.Floor{})
	var err error
	for err == nil {
		_, err = write(l, 3000, 1)
	}
	if !errors.Is(err, wal.ErrFull) {
		t.Fatal(err)
	}
	if err := l.Release(l.Keeps(l.Position(), l.Seq())); err != nil {
		t.Fatal(err)
	}
	if _, err := write(l, 3000, 1); err != nil {
		t.Fatalf("after the release: %v", err)
	}
	if _, err := write(l, 5000, 1); !errors.Is(err, wal.ErrTooLarge) {
		t.Fatalf("a record over a segment: %v", err)
	}
}

// Whatever bytes lie in a segment, opening it neither panics nor fails.
func TestLogOpensOnAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := waltest.New()
		f, _ := d.Open("log/seg-000001", true)
		_, _ = f.WriteAt(rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "bytes"), 0)
		_, _, err := wal.Open(d, small, wal.Floor{}, func(wal.Record) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 11000, 22000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			cfg := wal.Config{Dir: b.TempDir() + "/log", SegmentBytes: 4 << 20, MaxBytes: 64 << 20, KeepFree: 16}
			l, _, err := wal.Open(wal.OS{}, cfg, wal.Floor{}, func(wal.Record) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			p := [][]byte{bytes.Repeat([]byte{1}, size)}
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := l.Append(wal.Record{Count: 1000}, p, true); err != nil {
					b.Fatal(err)
				}
				if l.Stats().Live > 4 {
					if err := l.Release(l.Keeps(l.Position(), l.Seq())); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
