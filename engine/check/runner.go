package check

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine/check/bus"
	"vigil/engine/check/host"
	"vigil/engine/check/probe"
	"vigil/engine/check/schedule"
	"vigil/engine/check/secret"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// Deps is what the runner needs from others.
type Deps struct {
	Sink  func(ctx context.Context, b *series.Batch) error // takes what was measured; blocks; concurrent
	Clock clock.Clock
	Log   *slog.Logger

	// Launch starts programs, Secret resolves references (nil: as the
	// config allows). Both reach the checks through Probe.
	Launch Launch
	Secret func(ref string) (string, error)

	// Past is asked once, when Run begins; nil: there is none.
	Past func() Past
}

// nudgeGap is the least time between two rounds of one check that signals ask for.
const nudgeGap = 250 * time.Millisecond

// Runner runs checks on their schedules and sinks what they measure. New starts
// nothing; Run blocks. Other methods may be called at any time from anywhere.
type Runner struct {
	cfg   Config
	deps  Deps
	probe probe.Deps
	bus   *bus.Systemd
	host  *host.Collector
	wake  chan struct{} // the scheduler should look at its queue again

	mu       sync.Mutex
	jobs     map[string]*job
	queue    queue
	ended    []*job // removed ones whose series are still to be ended
	past     Past
	unasked  map[string]bool // checks of before this start whose series nobody has asked for yet
	complete bool            // see Complete
	flying   int
	running  bool
	sinkDown bool // the sink failed last time: said once

	runs, failures, overruns, samples, refused, sinkErrors atomic.Uint64

	batches sync.Pool
}

// New makes a runner with the host collector, if it is enabled, and no checks.
func New(cfg Config, deps Deps) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = clock.System()
	}
	if deps.Secret == nil {
		deps.Secret = secret.Resolver(cfg.Checks.SecretDirs, cfg.Checks.SecretEnv)
	}
	r := &Runner{
		cfg: cfg, deps: deps,
		bus:     bus.New(cfg.Checks.Bus, deps.Log),
		wake:    make(chan struct{}, 1),
		jobs:    map[string]*job{},
		batches: sync.Pool{New: func() any { return new(series.Batch) }},
	}
	r.probe = probe.Deps{Launch: deps.Launch, Secret: deps.Secret, Units: r.bus, Proc: cfg.Host.Proc, Log: deps.Log}
	if cfg.Host.Enabled {
		var err error
		if r.host, err = host.New(cfg.Host, host.Deps{Units: r.bus, Clock: deps.Clock}); err != nil {
			return nil, err
		}
	}
	return r, r.SetChecks(nil)
}

// Probe is what FromDocument needs to make definitions for this runner.
func (r *Runner) Probe() probe.Deps { return r.probe }

// Run measures until ctx ends, and has ended every round when it returns. It
// may be called once.
func (r *Runner) Run(ctx context.Context) error {
	var rounds sync.WaitGroup
	defer r.bus.Close()
	defer rounds.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	r.mu.Lock()
	r.running = true
	r.remember()
	now, wall := time.Now(), r.wall()
	for _, j := range r.jobs { // the schedules begin now, not when they were read
		j.Plan = schedule.Start(j.def.schedule, j.def.Name, now, wall)
		j.due = j.First(now, wall)
	}
	r.queue.rebuild(r.jobs)
	r.mu.Unlock()

	rounds.Add(1)
	go func() { defer rounds.Done(); r.watchUnits(ctx) }()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-r.wake:
		}
		timer.Reset(r.start(ctx, &rounds))
	}
}

// start begins every round that is due and returns how long nothing will be.
func (r *Runner) start(ctx context.Context, rounds *sync.WaitGroup) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, wall := time.Now(), r.wall()
	for _, j := range r.ended {
		rounds.Add(1)
		go func() { defer rounds.Done(); r.finish(ctx, j) }()
	}
	r.ended = nil
	for len(r.queue) > 0 {
		j := r.queue[0]
		if wait := j.due.Sub(now); wait > 0 {
			return wait
		}
		fly, crowded := r.decide(j, now, wall)
		if crowded {
			return time.Minute // the round that ends first wakes us
		}
		r.queue.fix(j)
		if fly {
			j.flying = true
			r.flying++
			rounds.Add(1)
			go func() { defer rounds.Done(); r.round(ctx, j) }()
		}
	}
	return time.Minute
}

// decide says whether a job that came due begins a round, and when it is due
// again. A job that still runs is counted as an overrun and never stacked; one
// that finds too many others running keeps its place.
func (r *Runner) decide(j *job, now, wall time.Time) (fly, crowded bool) {
	due := true
	switch {
	case j.nudged && !j.flying:
	case j.Every == 0:
		var again time.Time
		if again, due = j.Look(now, wall); !due {
			j.due = again
			return false, false
		}
	}
	if !j.flying && r.flying >= r.cfg.Checks.MaxInFlight {
		if j.Every == 0 {
			j.nudged = true // the cron tick was taken: it must not be lost
		}
		return false, true
	}
	wasNudged := j.nudged && !j.flying
	next, missed := j.After(j.due, now, wall)
	if j.flying {
		missed++
	}
	if missed > 0 && !wasNudged {
		j.overruns += uint64(missed)
		r.overruns.Add(uint64(missed))
	}
	j.due = next
	if j.flying {
		return false, false
	}
	j.nudged = false
	if j.def.warm > 0 && j.runs == 0 {
		j.due = now.Add(min(j.def.warm, next.Sub(now)))
	}
	if !schedule.Active(j.def.spans, j.Zone, wall) {
		j.state, j.reason = StateInactive, ""
		return len(j.kept)+len(j.inherited) > 0 || r.unasked[j.def.Name], false // a round that only ends what was measured before
	}
	j.state = j.last
	j.started = now
	return true, false
}

// landed notes that a round has ended.
func (r *Runner) landed(j *job) {
	r.mu.Lock()
	j.flying = false
	r.flying--
	switch {
	case j.removed && j.heir != nil:
		heir := j.heir
		heir.inherit(j)
		heir.pred, heir.due = nil, time.Now()
		r.queue.fix(heir)
	case j.removed:
		r.ended = append(r.ended, j)
	case j.again:
		j.again = false
		r.nudge(j, time.Now())
	}
	r.mu.Unlock()
	r.look()
}

// look makes the scheduler look at its queue; it never blocks.
func (r *Runner) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Runner) wall() time.Time { return r.deps.Clock().Time() }
