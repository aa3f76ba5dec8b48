package tsdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vigil/engine/fault"
	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal/waltest"
)

// truth is what was acknowledged: the last value of each series and time.
type truth map[string]map[int64]float64

func (m truth) clone() truth {
	out := truth{}
	for k, v := range m {
		out[k] = maps.Clone(v)
	}
	return out
}

// known is what a mark on the disk remembers.
type known struct {
	acked     truth
	inFlight  []truth // not acknowledged: any one of them may be there
	evaluated uint64
	position  uint64
	copy      string // of samples.db, as committed
}

func (k known) maybe(name string, at int64, v float64) bool {
	for _, m := range k.inFlight {
		if f, ok := m[name][at]; ok && f == v {
			return true
		}
	}
	return false
}

// holds says what is wrong with a store that was started after a crash.
func (k known) holds(r *rig) error {
	for name0, want := range k.acked {
		got := map[int64]float64{}
		for _, p := range r.all(name(name0)) {
			got[p.T] = p.V
		}
		for at, v := range want {
			g, ok := got[at]
			if !ok {
				return fmt.Errorf("%s at %d: acknowledged and gone", name0, at)
			}
			if g != v && !k.maybe(name0, at, g) {
				return fmt.Errorf("%s at %d: %v, want %v", name0, at, g, v)
			}
		}
		for at, g := range got {
			if _, ok := want[at]; !ok {
				if !k.maybe(name0, at, g) {
					return fmt.Errorf("%s at %d: %v was never sent", name0, at, g)
				}
			}
		}
	}
	// Everything acknowledged from the evaluated position on is handed over again.
	if k.position > k.evaluated {
		seqs := map[uint64]bool{}
		for _, c := range r.rec.committed {
			seqs[c.seq] = true
		}
		for p := k.evaluated; p < k.position; p++ {
			if !seqs[p] {
				return fmt.Errorf("position %d was acknowledged, not evaluated, and not replayed", p)
			}
		}
	}
	return nil
}

// randomBatch makes one, and what it would make true.
func randomBatch(r *rig, rng *rand.Rand) (*series.Batch, truth) {
	b := &series.Batch{Received: r.clock.ms()}
	makes := truth{}
	for range 1 + rng.IntN(80) {
		k := fmt.Sprint("s", rng.IntN(12))
		at, v := r.clock.ms()-int64(rng.IntN(300))*1000, float64(rng.IntN(1000))/10
		b.Add(name(k), at, v)
		if makes[k] == nil {
			makes[k] = map[int64]float64{}
		}
		makes[k][at] = v
	}
	return b, makes
}

func (m truth) take(o truth) {
	for k, v := range o {
		if m[k] == nil {
			m[k] = map[int64]float64{}
		}
		maps.Copy(m[k], v)
	}
}

// The power goes at any call to the disk of the log, with samples.db as it was
// last committed: everything acknowledged is there, nothing else is, and what was
// not evaluated comes again. Under the race detector there are fewer states: beside all
// other packages they took a good part of the ten minutes that a package has.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	states := 480
	if testing.Short() || racing {
		states = 60
	}
	const stories = 3
	for story := range stories {
		rng := rand.New(rand.NewPCG(uint64(story), 3))
		disk := waltest.New()
		copies := t.TempDir()
		r := &rig{t: t, cfg: Defaults(), clock: newClock(), fs: disk}
		r.cfg.Dir = t.TempDir()
		r.cfg.SegmentBytes, r.cfg.LogBytes, r.cfg.LogMaxBytes, r.cfg.SnapshotEvery = 64<<10, 1<<20, 8<<20, 0
		r.cfg.CheckBudget = time.Minute
		r.start(0)
		now := known{acked: truth{}}
		commit := func() {
			now.copy = filepath.Join(copies, fmt.Sprint(disk.Ops(), ".db"))
			r.s.cutMu.Lock()
			defer r.s.cutMu.Unlock()
			if _, err := os.Stat(now.copy); err == nil {
				return
			}
			if err := r.s.db.Snapshot(context.Background(), now.copy); err != nil {
				t.Fatal(err)
			}
		}
		commit()
		disk.Mark(now)
		for range 120 {
			switch rng.IntN(14) {
			default:
				b, makes := randomBatch(r, rng)
				now.inFlight = []truth{makes}
				disk.Mark(now)
				if err := r.s.Append(context.Background(), b); err != nil {
					t.Fatal(err)
				}
				now.acked = now.acked.clone()
				now.acked.take(makes)
				now.position = b.Seq + uint64(b.Accepted())
			case 0:
				r.cut()
				commit()
			case 1:
				now.evaluated = max(now.evaluated, now.position-min(now.position, uint64(rng.IntN(100))))
				disk.Mark(now) // the ledger has it before the log hears of it
				r.s.Evaluated(now.evaluated)
				if err := r.s.release(); err != nil {
					t.Fatal(err)
				}
				commit()
			case 2:
				r.die()
				r.start(now.evaluated)
				commit()
			}
			now.inFlight = nil
			disk.Mark(now)
		}
		r.die()
		for i := range states / stories {
			cut := rng.IntN(disk.Ops() + 1)
			after, marks := disk.Crash(cut, rng)
			if len(marks) == 0 {
				continue
			}
			k := marks[len(marks)-1].(known)
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(r.cfg.rows().Path + suffix)
			}
			if err := rows.Restore(context.Background(), r.cfg.rows(), k.copy); err != nil {
				t.Fatal(err)
			}
			r.fs = after
			r.start(k.evaluated)
			if err := k.holds(r); err != nil {
				t.Fatalf("story %d, state %d, cut after call %d: %v; %v", story, i, cut, err, r.s.Events())
			}
			for _, e := range r.s.Events() {
				if e.Kind != "torn" {
					t.Fatalf("story %d, state %d: %v", story, i, e)
				}
			}
			// And life goes on.
			r.mustPush(name("later"), r.clock.ms(), 1)
			r.die()
		}
	}
}

var errDisk = errors.New("the disk says no")

// Every call to the log's disk fails, once or five times in a row, with each of
// three errors: no false acknowledgement, errors that say what to do, and samples
// are taken again without a restart.
func TestNoFalseAcknowledgementWhenTheNthCallFails(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 5
	}
	for e, cause := range []error{errDisk, syscall.ENOSPC, syscall.EROFS} {
		for n := 1 + e; ; n += stride * 3 {
			disk := waltest.New()
			r := &rig{t: t, cfg: Defaults(), clock: newClock(), fs: disk}
			r.cfg.Dir = t.TempDir()
			r.cfg.SegmentBytes, r.cfg.LogBytes, r.cfg.LogMaxBytes, r.cfg.SnapshotEvery = 64<<10, 128<<10, 8<<20, 0
			r.start(0)
			base := disk.Calls()
			lasting := 1 + n%2*4
			disk.SetFail(func(i int, _, _ string) error {
				if i -= base; i >= n && i < n+lasting {
					return cause
				}
				return nil
			})
			rng := rand.New(rand.NewPCG(uint64(n), 4))
			k := known{acked: truth{}}
			failed := 0
			for i := range 30 {
				b, makes := randomBatch(r, rng)
				err := r.s.Append(context.Background(), b)
				switch kind := fault.KindOf(err); {
				case err == nil:
					k.acked.take(makes)
					k.inFlight = nil // what failed before is left behind for good
				case kind == fault.Unavailable, kind == fault.Exhausted:
					failed++
					k.inFlight = append(k.inFlight, makes) // it may be on disk, if nothing follows it
					if errors.Is(cause, syscall.ENOSPC) != (kind == fault.Exhausted) {
						t.Fatalf("call %d, %v: said %v", n, cause, err)
					}
				default:
					t.Fatalf("call %d: %v", n, err)
				}
				if i%10 == 9 && n%2 == 0 { // without a cut the log has to define the series
					_ = r.s.Cut(context.Background()) // it may fail, the log keeps what it has
				}
			}
			if failed > lasting+1 {
				t.Fatalf("call %d: %d of 30 failed", n, failed)
			}
			if err := r.s.Health(); err != nil && disk.Calls()-base >= n+lasting {
				t.Fatalf("call %d: still ill: %v", n, err)
			}
			done := disk.Calls()-base < n
			disk.SetFail(nil)
			if err := k.holds(r); err != nil {
				t.Fatalf("call %d, before the restart: %v", n, err)
			}
			r.die()
			r.start(0)
			if err := k.holds(r); err != nil {
				t.Fatalf("call %d, after the restart: %v; %v", n, err, r.s.Events())
			}
			r.stop()
			if done {
				break
			}
		}
	}
}

// A full disk under samples.db: the log takes what it can hold, then says no, and
// goes on when there is room.
func TestFullDiskUnderTheDatabase(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.SegmentBytes, c.LogBytes, c.LogMaxBytes = 64<<10, 128<<10, 512<<10
	})
	limit := func(pages int) {
		r.s.cutMu.Lock()
		defer r.s.cutMu.Unlock()
		if err := r.s.db.Limit(context.Background(), pages); err != nil {
			t.Fatal(err)
		}
	}
	limit(8)
	model := truth{}
	rng := rand.New(rand.NewPCG(5, 5))
	var err error
	for i := 0; err == nil; i++ {
		if i > 20000 {
			t.Fatal("the log never filled")
		}
		var b series.Batch
		makes := truth{}
		for j := range 50 {
			k, at := fmt.Sprint("s", j), r.clock.ms()+int64(i)
			v := rng.Float64()
			b.Add(name(k), at, v)
			makes[k] = map[int64]float64{at: v}
		}
		if err = r.s.Append(context.Background(), &b); err == nil {
			model.take(makes)
			r.s.Evaluated(b.Seq + 50)
		}
		if i%50 == 49 {
			if cerr := r.s.Cut(context.Background()); cerr != nil && !rows.Full(cerr) {
				t.Fatal(cerr)
			}
		}
	}
	if fault.KindOf(err) != fault.Exhausted {
		t.Fatal(err)
	}
	k := known{acked: model}
	if err := k.holds(r); err != nil {
		t.Error(err)
	}
	limit(1 << 20)
	r.cut()
	r.s.tend(context.Background())
	r.mustPush(name("later"), r.clock.ms(), 1)
	r.die()
	r.start(0)
	if err := k.holds(r); err != nil {
		t.Error("after a restart: ", err)
	}
}
