package engine

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// Engine is the hall. See the package comment.
type Engine struct {
	cfg     Config
	samples Samples
	journal Journal
	reader  Reader
	actions remedy.Actions
	work    chan<- struct{}
	clock   Clock
	log     *slog.Logger

	local map[string]bool // names that only vigild's own checks may write

	reg    registry
	shards []*shard
	track  tracker
	holds  holdBook

	editing sync.Mutex // one change of policies at a time, over its commit

	// Only while loading: rows the ledger kept, which of them have a remediation
	// under way, and where the replay of each series begins.
	rows       map[rowKey]FiringRow
	active     map[rowKey]bool
	replayFrom map[series.Ref]int64

	storedPos atomic.Uint64

	started clock.Stamp
	ready   chan struct{}
	opened  atomic.Bool
	count   counters
}

// New makes an engine; nothing runs until Run. Errors are of kind Unprocessable.
func New(cfg Config, d Deps) (*Engine, error) {
	if d.Samples == nil || d.Journal == nil || d.Clock == nil {
		return nil, fault.New(fault.Internal, "engine: samples, journal and clock are required")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Shards == 0 {
		cfg.Shards = min(4, runtime.GOMAXPROCS(0))
	}
	if cfg.Queue <= 0 {
		return nil, fault.New(fault.Unprocessable, "the evaluator's queue must hold at least one sample").At("engine.queue")
	}
	e := &Engine{
		cfg: cfg, samples: d.Samples, journal: d.Journal, reader: d.Reader, actions: d.Actions,
		work: d.Notices.Work, clock: d.Clock, log: d.Log,
		local: make(map[string]bool, len(cfg.LocalNames)),
		ready: make(chan struct{}), replayFrom: map[series.Ref]int64{},
	}
	for _, n := range cfg.LocalNames {
		e.local[n] = true
	}
	e.reg.init()
	for i := range cfg.Shards {
		e.shards = append(e.shards, newShard(e, i))
	}
	return e, nil
}

// Ready is closed once the engine has loaded, replayed and begun to evaluate.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run loads what the ledger holds, starts the store (which replays the log),
// and evaluates until ctx ends. It returns when every shard has stopped and the
// evaluated position has been stored.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.load(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, s := range e.shards {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Go(func() { e.keepPosition(ctx) })
	e.replayFrom, e.active = nil, nil
	e.opened.Store(true)
	close(e.ready)
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	e.storePosition(last, e.storedPos.Load())
	return nil
}

// stored is the evaluated position that the ledger has.
func (e *Engine) stored() uint64 { return e.storedPos.Load() }

// shardOf is where a policy is evaluated: always the same shard for a name.
func (e *Engine) shardOf(name string) *shard {
	return e.shards[series.FromMap(name, nil).Fingerprint()%uint64(len(e.shards))]
}

// Ingest takes one batch in. It returns when the accepted points are durable;
// items carry their verdicts. Unavailable before the engine is ready.
func (e *Engine) Ingest(ctx context.Context, b *series.Batch) error {
	if !e.opened.Load() {
		return fault.New(fault.Unavailable, "vigild is starting: the log is being replayed").After(secondsOne)
	}
	if b.Received == 0 {
		b.Received = e.clock().Millis()
	}
	return e.samples.Append(ctx, b)
}

// nudge tells the worker to look; it never blocks.
func (e *Engine) nudge() {
	select {
	case e.work <- struct{}{}:
	default:
	}
}
