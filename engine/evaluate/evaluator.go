// Package evaluate takes durable samples to decisions.
//
// Batches come from the store in log order through the hooks; each point goes to
// the shards whose policies watch its series; a shard takes in all points of one
// timestamp, evaluates each touched instance once, and turns what moved into one
// [engine.Decision], committed in one transaction before the worker is nudged.
//
// It refuses effects, and holds no lock over disk. What is not watched costs one
// load a series; nothing scans all policies or all series for a sample. What was
// decided is never dropped: a decision that cannot be written is tried again and
// evaluation waits, which ingest feels as Lagging. The evaluated position goes to
// the ledger, and the store replays from it after a crash.
//
// Lock order: the index, then a shard. A shard never asks the index. Run blocks
// until every shard has stopped and the position is stored.
package evaluate

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/match"
	"vigil/engine/series"
	"vigil/engine/shard"
)

// Evaluator is the engine's inner part. Methods may be called concurrently.
type Evaluator struct {
	cfg     engine.Config
	samples engine.Samples
	journal engine.Journal
	work    chan<- struct{}
	clock   clock.Clock
	log     *slog.Logger

	local map[string]bool // names that only vigild's own checks may write

	index   *match.Index[hook, shard.Tap]
	entries map[string]*shard.Entry // under index.Mu
	all     atomic.Pointer[map[string]*shard.Entry]
	deps    atomic.Pointer[map[string]*shard.Dep]

	shards []*shard.Shard
	track  shard.Tracker

	// Only while loading: rows the ledger kept, and where the replay of each series
	// begins.
	rows       map[rowKey]engine.FiringRow
	replayFrom map[series.Ref]int64

	storedPos atomic.Uint64
	started   clock.Stamp
	ready     chan struct{}
	opened    atomic.Bool
	count     shard.Counters
}

// New makes an evaluator; nothing runs until Run.
func New(cfg engine.Config, d engine.Deps) (*Evaluator, error) {
	if d.Samples == nil || d.Journal == nil || d.Clock == nil {
		return nil, fault.New(fault.Internal, "engine: samples, journal and clock are required")
	}
	if cfg.Queue <= 0 {
		return nil, fault.New(fault.Unprocessable, "the evaluator's queue must hold at least one sample").At("engine.queue")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Shards <= 0 {
		cfg.Shards = min(4, runtime.GOMAXPROCS(0))
	}
	if cfg.PositionEvery <= 0 {
		cfg.PositionEvery = engine.Defaults().PositionEvery
	}
	e := &Evaluator{
		cfg: cfg, samples: d.Samples, journal: d.Journal,
		work: d.Notices.Work, clock: d.Clock, log: d.Log,
		local: make(map[string]bool, len(cfg.LocalNames)),
		index: match.New[hook, shard.Tap](), entries: map[string]*shard.Entry{},
		ready: make(chan struct{}), replayFrom: map[series.Ref]int64{},
	}
	for _, n := range cfg.LocalNames {
		e.local[n] = true
	}
	e.link()
	core := &shard.Core{
		Journal: d.Journal, Reader: d.Reader, Clock: d.Clock, Log: d.Log,
		Track: &e.track, Count: &e.count, Opened: &e.opened, Open: cfg.AuthOpen,
		Find: e.entry, Deps: func() map[string]*shard.Dep { return *e.deps.Load() },
		Nudge: e.Nudge, Stored: e.stored, Cooldown: cfg.Remedy.Cooldown.Std(),
	}
	for range cfg.Shards {
		e.shards = append(e.shards, shard.New(core))
	}
	return e, nil
}

// Ready is closed once everything is loaded, replayed and evaluated onwards.
func (e *Evaluator) Ready() <-chan struct{} { return e.ready }

// Run starts from a snapshot, lets the store replay its log, and evaluates until
// ctx ends. It returns when every shard has stopped and the position is stored.
func (e *Evaluator) Run(ctx context.Context, snap *engine.Snapshot) error {
	if err := e.Load(ctx, snap); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, s := range e.shards {
		wg.Go(func() { s.Run(ctx) })
	}
	wg.Go(func() { e.keepPosition(ctx) })
	close(e.ready)
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	e.storePosition(last)
	return nil
}

// Usable is Unavailable until the evaluator has loaded.
func (e *Evaluator) Usable() error {
	if !e.opened.Load() {
		return fault.New(fault.Unavailable, "vigild is starting: the log is being replayed").After(time.Second)
	}
	return nil
}

// Ingest takes one batch in. It returns when the accepted points are durable;
// items carry their verdicts. Unavailable before the evaluator has loaded.
func (e *Evaluator) Ingest(ctx context.Context, b *series.Batch) error {
	if err := e.Usable(); err != nil {
		return err
	}
	if b.Received == 0 {
		b.Received = e.clock().Millis()
	}
	return e.samples.Append(ctx, b)
}

// Nudge tells the worker to look; it never blocks.
func (e *Evaluator) Nudge() {
	select {
	case e.work <- struct{}{}:
	default:
	}
}

// shardOf is where a policy is evaluated: always the same shard for a name.
func (e *Evaluator) shardOf(name string) *shard.Shard {
	return e.shards[series.FromMap(name, nil).Fingerprint()%uint64(len(e.shards))]
}

// Wake evaluates all that waits and all that is due, in the caller's goroutine:
// for a rehearsal, where nothing runs by itself.
func (e *Evaluator) Wake(ctx context.Context) {
	for _, s := range e.shards {
		s.Pump(ctx)
		s.Expire(ctx)
	}
}

// NextWake is when the next timer falls due, in ns on the boot clock.
func (e *Evaluator) NextWake() (boot int64, ok bool) {
	for _, s := range e.shards {
		if at, is := s.NextWake(); is && (!ok || at < boot) {
			boot, ok = at, true
		}
	}
	return boot, ok
}
