// Package pulse turns the life of supervised processes into samples: a death at
// the moment it is heard of, everything again at each beat, so that what got lost
// is made good.
//
// A process that was stopped because somebody asked for it has no `up` at all:
// its series ends, so that no policy undoes what a person did. It refuses to
// judge and to act; it starts nothing, and Run ends with its context.
package pulse

import (
	"context"
	"log/slog"
	"time"

	"vigil/actions/supervise"
	"vigil/engine/clock"
	"vigil/engine/series"
)

// Names of what is told of supervised processes.
const (
	nameUp     = "vigil_process_up"
	nameStarts = "vigil_process_starts_total"
	nameStop   = "vigil_process_stopped"
	nameStands = "vigil_process_standing" // -1 down, 0 up for less than its hold, 1 up for that long
)

// Config is how often everything is told again.
type Config struct {
	Every time.Duration
}

// Deps is what it needs. Processes are made before they can be listed, so who
// lists them is said by Introduce.
type Deps struct {
	Clock clock.Clock
	Log   *slog.Logger
}

// Pulse tells. See the package comment.
type Pulse struct {
	clock  clock.Clock
	log    *slog.Logger
	ingest func(context.Context, *series.Batch) error
	list   func() []supervise.Info
	every  time.Duration
	events chan supervise.Event
}

// echo is when everything is told again after an event: a verification looks
// for samples younger than the end of the act that brought the process up.
const echo = 250 * time.Millisecond

// New makes one that takes events already.
func New(cfg Config, d Deps) *Pulse {
	return &Pulse{clock: d.Clock, log: d.Log, every: cfg.Every, events: make(chan supervise.Event, 1024)}
}

// Introduce says where samples go and what lists the processes; once, before Run.
func (p *Pulse) Introduce(ingest func(context.Context, *series.Batch) error, list func() []supervise.Info) {
	p.ingest, p.list = ingest, list
}

// Names are the metrics that are told, which nobody else may write.
func Names() []string { return []string{nameUp, nameStands, nameStop, nameStarts} }

// Event takes one event in. It never blocks; what does not fit is made good by
// the next beat.
func (p *Pulse) Event(e supervise.Event) {
	select {
	case p.events <- e:
	default:
	}
}

// Run tells until ctx ends.
func (p *Pulse) Run(ctx context.Context) error {
	beat := time.NewTicker(p.every)
	defer beat.Stop()
	soon := time.NewTimer(time.Hour)
	defer soon.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-p.events:
			p.tell(ctx, e)
			soon.Reset(echo)
		case <-soon.C:
			again(soon, p.all(ctx))
		case <-beat.C:
			again(soon, p.all(ctx))
		}
	}
}

// again has everything told once more when the next process has stood for its hold.
func again(soon *time.Timer, left time.Duration) {
	if left > 0 {
		soon.Reset(left)
	}
}

func (p *Pulse) tell(ctx context.Context, e supervise.Event) {
	switch {
	case e.Gone:
		p.log.Info("process is kept no more", "process", e.Name)
		p.end(ctx, e.Name)
		return
	case e.Up:
		p.log.Info("process is up", "process", e.Name, "pid", e.Pid, "starts", e.Starts)
	case e.Pid == 0:
		return // found not running at the start and being started: the next beat says what became of it
	default:
		p.log.Info("process is down", "process", e.Name, "pid", e.Pid, "exit", e.Exit, "signal", e.Signal, "asked", e.Asked, "reason", e.Reason)
		if e.Asked {
			return // the next beat says whether it stays stopped
		}
	}
	now := p.clock()
	b := &series.Batch{Received: now.Millis(), Own: true}
	up, stands := 0.0, -1.0
	if e.Up {
		up, stands = 1, 0
	}
	b.Add(about(nameUp, e.Name), now.Millis(), up)
	b.Add(about(nameStands, e.Name), now.Millis(), stands)
	p.send(ctx, b)
}

// end tells that nothing is told of a process any more: its series end, and do not
// stand at what was told last.
func (p *Pulse) end(ctx context.Context, process string) {
	now := p.clock()
	b := &series.Batch{Received: now.Millis(), Own: true}
	for _, name := range Names() {
		b.Add(about(name, process), now.Millis(), series.Stale())
	}
	p.send(ctx, b)
}

// all tells everything. It answers how long until the first of those that are up
// for less than their hold has stood for it; 0: none is.
func (p *Pulse) all(ctx context.Context) (next time.Duration) {
	now := p.clock()
	b := &series.Batch{Received: now.Millis(), Own: true}
	for _, i := range p.list() {
		up, stands, stopped := 0.0, -1.0, 0.0
		switch {
		case i.Up:
			up, stands = 1, 1
			if left := standing(i, now); left > 0 {
				stands = 0
				if next == 0 || left < next {
					next = left
				}
			}
		case i.Stopped:
			up, stands, stopped = series.Stale(), series.Stale(), 1
		case i.Running:
			continue // starting: neither up nor down yet
		}
		b.Add(about(nameUp, i.Name), now.Millis(), up)
		b.Add(about(nameStands, i.Name), now.Millis(), stands)
		b.Add(about(nameStop, i.Name), now.Millis(), stopped)
		b.Add(about(nameStarts, i.Name), now.Millis(), float64(i.Starts))
	}
	if len(b.Items) > 0 {
		p.send(ctx, b)
	}
	return next
}

// standing is how long a process that is up has yet to stand.
func standing(i supervise.Info, now clock.Stamp) time.Duration {
	stood, same := now.Sub(i.Since)
	if !same {
		stood = 0
	}
	return i.Hold - stood
}

func (p *Pulse) send(ctx context.Context, b *series.Batch) {
	if err := p.ingest(ctx, b); err != nil && ctx.Err() == nil {
		p.log.Warn("the state of processes was not stored", "err", err)
	}
}

func about(name, process string) series.Labels {
	return series.FromMap(name, map[string]string{"process": process})
}
