package tsdb

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/engine/clock"
	"vigil/engine/series"
	"vigil/engine/tsdb/wal"
)

func TestMain(m *testing.M) {
	child() // does not return in a child process
	flag.Parse()
	if testing.Short() {
		_ = flag.Set("rapid.checks", "30")
	}
	goleak.VerifyTestMain(m)
}

// fakeClock is a wall and a boot clock that only tests move.
type fakeClock struct {
	mu sync.Mutex
	at clock.Stamp
}

func newClock() *fakeClock {
	return &fakeClock{at: clock.Stamp{Wall: 1_800_000_000_000_000, Boot: int64(time.Hour), BootID: "boot-1"}}
}

func (c *fakeClock) now() clock.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) ms() int64 { return c.now().Millis() }

// pass lets time go by on both clocks; step moves the wall clock alone.
func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *fakeClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Wall += d.Microseconds()
}

// recorder is the engine's side of the hooks.
type recorder struct {
	mu         sync.Mutex
	admit      func(series.Labels, *series.Batch) series.Reason
	reserve    func(*series.Batch)
	registered map[series.Ref]series.Labels
	dropped    []series.Ref
	committed  []seen
	reserved   int
	abandoned  int
	bad        []string
}

// seen is one committed sample.
type seen struct {
	seq uint64
	ref series.Ref
	p   series.Point
	own bool
}

func newRecorder() *recorder { return &recorder{registered: map[series.Ref]series.Labels{}} }

func (r *recorder) Admit(ls series.Labels, b *series.Batch) series.Reason {
	if r.admit != nil {
		return r.admit(ls, b)
	}
	return series.Accepted
}

func (r *recorder) Registered(ref series.Ref, _ series.Local, key series.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.registered[ref]; ok {
		r.bad = append(r.bad, fmt.Sprint("registered twice: ", ref))
	}
	r.registered[ref] = key.Labels()
}

func (r *recorder) Dropped(ref series.Ref, _ series.Local) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, ref)
}

func (r *recorder) Reserve(b *series.Batch) {
	if r.reserve != nil {
		r.reserve(b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved++
}

func (r *recorder) Committed(bs []*series.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range bs {
		seq := b.Seq
		for i := range b.Items {
			it := &b.Items[i]
			for _, p := range b.Points[it.Lo:it.Hi] {
				if _, ok := r.registered[it.Ref]; !ok {
					r.bad = append(r.bad, fmt.Sprint("committed before it was registered: ", it.Ref))
				}
				if n := len(r.committed); n > 0 && r.committed[n-1].seq >= seq {
					r.bad = append(r.bad, fmt.Sprint("position ", seq, " after ", r.committed[n-1].seq))
				}
				r.committed = append(r.committed, seen{seq, it.Ref, p, b.Own})
				seq++
			}
		}
	}
}

func (r *recorder) Abandoned(*series.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.abandoned++
}

// quiet hooks cost nothing, for benchmarks and kill runs.
type quiet struct{}

func (quiet) Admit(series.Labels, *series.Batch) series.Reason { return series.Accepted }
func (quiet) Registered(series.Ref, series.Local, series.Key)  {}
func (quiet) Dropped(series.Ref, series.Local)                 {}
func (quiet) Reserve(*series.Batch)                            {}
func (quiet) Committed([]*series.Batch)                        {}
func (quiet) Abandoned(*series.Batch)                          {}

// rig is a store with its clock and its engine.
type rig struct {
	t     testing.TB
	cfg   Config
	clock *fakeClock
	fs    wal.FS
	rec   *recorder
	s     *Store
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	cfg := Defaults()
	cfg.Dir = t.TempDir()
	cfg.SegmentBytes, cfg.LogBytes, cfg.LogMaxBytes = 64<<10, 1<<20, 4<<20
	cfg.SnapshotEvery = 0
	cfg.CheckBudget = time.Minute
	for _, c := range change {
		c(&cfg)
	}
	r := &rig{t: t, cfg: cfg, clock: newClock()}
	r.start(0)
	t.Cleanup(func() {
		if r.s != nil {
			r.stop()
		}
	})
	return r
}

func (r *rig) open() error {
	var err error
	r.s, err = Open(r.cfg, Deps{Clock: r.clock.now, FS: r.fs})
	return err
}

func (r *rig) start(from uint64) {
	r.t.Helper()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
	r.rec = newRecorder()
	if err := r.s.Start(context.Background(), from, r.rec); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if err := r.s.Close(); err != nil {
		r.t.Error(err)
	}
	for _, b := range r.rec.bad {
		r.t.Error(b)
	}
	r.s = nil
}

// die ends the store as a kill would: nothing is cut, nothing is closed in
// order.
func (r *rig) die() {
	r.t.Helper()
	r.s.stop()
	r.s.wg.Wait()
	if err := r.s.log.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.s.db.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.s.lock.Close(); err != nil {
		r.t.Error(err)
	}
	for _, b := range r.rec.bad {
		r.t.Error(b)
	}
	r.s = nil
}

func name(n string, more ...string) series.Labels {
	ls := series.New(series.Label{Name: series.NameLabel, Value: n})
	for i := 0; i+1 < len(more); i += 2 {
		ls = ls.With(more[i], more[i+1])
	}
	return ls
}

// push appends one sample and returns its item.
func (r *rig) push(ls series.Labels, t int64, v float64, change ...func(*series.Batch)) (series.Item, error) {
	var b series.Batch
	b.Received = r.clock.ms()
	b.Add(ls, t, v)
	for _, c := range change {
		c(&b)
	}
	err := r.s.Append(context.Background(), &b)
	return b.Items[0], err
}

func (r *rig) mustPush(ls series.Labels, t int64, v float64, change ...func(*series.Batch)) {
	r.t.Helper()
	it, err := r.push(ls, t, v, change...)
	if err != nil || it.Reason != series.Accepted {
		r.t.Fatalf("%s at %d: %v, %v", ls, t, it.Reason, err)
	}
}

func (r *rig) read(ls series.Labels, mint, maxt int64) []series.Point {
	r.t.Helper()
	var sel series.Selector
	for _, l := range ls {
		m, err := series.NewMatcher(series.MatchEqual, l.Name, l.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		sel = append(sel, m)
	}
	c, err := r.s.Select(context.Background(), sel, mint, maxt)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	var out []series.Point
	for c.Next() {
		if !c.Labels().Equal(ls) {
			continue
		}
		if out, err = c.Points(out); err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

func (r *rig) all(ls series.Labels) []series.Point {
	r.t.Helper()
	return r.read(ls, math.MinInt64, math.MaxInt64)
}

func (r *rig) cut() {
	r.t.Helper()
	if err := r.s.Cut(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) event(kind string) bool {
	return slices.ContainsFunc(r.s.Events(), func(e Event) bool { return e.Kind == kind })
}

// eventually polls until ok, for at most a few seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never happened: ", what)
		}
		tick := time.NewTimer(5 * time.Millisecond)
		<-tick.C
	}
}
