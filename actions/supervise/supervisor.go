// Package supervise keeps the processes of `[[process]]` and those that documents
// declare: vigild is their parent and hears of a death at once, from the kernel
// and not by a tick.
//
// It reports and obeys; it never decides to restart. A death is an [Event], the
// daemon turns it into a sample, a policy judges, and the act comes back as
// Start, Stop or Restart. Only what the config says to start with vigild is
// started without being asked, once.
//
// The children outlive vigild, by a stop and by a crash: each leads its own
// session and writes to a file. The next vigild adopts them by pid and start
// time from a record that was on disk before the start was reported, or, if the
// crash came between, by the mark in their environment. A pid that came to
// belong to something else is never touched. What is declared is on disk before
// its first start, and the local config's names stay its own. New starts nothing;
// Run blocks until ctx ends and has then let go of every child without touching it.
package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"vigil/actions/launch"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Event is a change in the life of one process.
type Event struct {
	Name   string
	Up     bool // it runs and is ready
	Pid    int
	Exit   int    // of a death that we saw; -1 by a signal
	Signal string // "" none
	Asked  bool   // the death was asked for by Stop or Restart
	Reason string // for people
	Starts int    // how often this vigild started it
	Gone   bool   // it is kept no more
	At     clock.Stamp
}

// Deps is what the supervisor needs. Event is called at the very moment, in order
// for one process; it must neither block nor call the supervisor.
type Deps struct {
	Launcher *launch.Launcher
	Clock    clock.Clock
	Log      *slog.Logger
	Event    func(Event)
	Names    func() // which processes are kept, or what they are, has changed; as Event
}

// Supervisor keeps processes. Its methods may be called concurrently.
type Supervisor struct {
	dir      string
	deps     Deps
	declared bool            // what documents declare is kept too
	local    map[string]bool // the names of the local config

	begun chan struct{} // closed when Run has adopted what still runs

	mu    sync.Mutex
	procs map[string]*keeper
	open  bool           // Run is in progress
	own   sync.WaitGroup // every goroutine that Run has to see ended
}

// New makes a supervisor that has started nothing.
func New(c Config, d Deps) (*Supervisor, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = clock.System()
	}
	if d.Event == nil {
		d.Event = func(Event) {}
	}
	if d.Names == nil {
		d.Names = func() {}
	}
	s := &Supervisor{dir: c.Dir, deps: d, declared: c.Declared, local: map[string]bool{}, procs: map[string]*keeper{}, begun: make(chan struct{})}
	for _, p := range c.Processes {
		s.local[p.Name] = true
		s.procs[p.Name] = s.keeps(p.Name, &definition{Process: p})
	}
	s.recallDefinitions()
	return s, nil
}

func (s *Supervisor) keeps(name string, d *definition) *keeper {
	k := &keeper{s: s, name: name, turn: make(chan struct{}, 1)}
	k.def.Store(d)
	return k
}

// Run adopts what still runs, starts what is to be started with vigild, and
// blocks until ctx ends; the processes go on running then.
func (s *Supervisor) Run(ctx context.Context) error {
	if len(s.local) == 0 && !s.declared {
		close(s.begun)
		<-ctx.Done()
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of supervised processes")
	}
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	for _, k := range s.all() {
		adopted, stopped := k.adopt(ctx)
		verb := s.Start
		if s.local[k.name] {
			if _, err := s.folder().Remove(k.name); err != nil {
				s.deps.Log.Error("what a document declared before stays", "process", k.name, "err", err)
			}
		}
		switch {
		case adopted && s.local[k.name] && !k.info().Current:
			// The name is the local config's now: what a document declared under it ends.
			verb = s.Restart
		case adopted, stopped, !k.def.Load().auto():
			continue
		}
		s.spawn(func() {
			if _, err := verb(ctx, k.name); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("a process was not started", "process", k.name, "err", err)
			}
		})
	}
	close(s.begun) // not before all were adopted: what is adopted must not be started
	s.tend(ctx)

	s.mu.Lock()
	s.open = false
	s.mu.Unlock()
	for _, k := range s.all() {
		k.letGo()
	}
	s.own.Wait()
	return nil
}

// Adopted is closed once Run has found what still runs of an earlier vigild: before
// that, nothing seems to run.
func (s *Supervisor) Adopted() <-chan struct{} { return s.begun }

// all is every process that is kept, by name.
func (s *Supervisor) all() (out []*keeper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.procs)) {
		if k := s.procs[name]; k.def.Load() != nil {
			out = append(out, k)
		}
	}
	return out
}

// keeper is the one of a name, nil none.
func (s *Supervisor) keeper(name string) *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.procs[name]; k != nil && k.def.Load() != nil {
		return k
	}
	return nil
}

// tend keeps the log files bounded until ctx ends. It looks every second: a
// process that only writes fills hundreds of MiB in one.
func (s *Supervisor) tend(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	said := map[string]string{} // the same trouble is told once
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			for _, k := range s.all() {
				err := k.trim()
				if text := fmt.Sprint(err); text != said[k.name] && err != nil {
					said[k.name] = text
					s.deps.Log.Warn("a process log was not shortened", "process", k.name, "err", err)
				}
			}
		}
	}
}

// spawn runs f in a goroutine that Run waits for; false when Run has ended.
func (s *Supervisor) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return false
	}
	s.own.Go(f)
	return true
}

// Info is one process as the supervisor knows it.
type Info struct {
	Name    string      `json:"name"`
	Running bool        `json:"running"`
	Up      bool        `json:"up"`      // running and ready
	Stopped bool        `json:"stopped"` // by a person or a policy, stays so over restarts of vigild; or never started (autostart)
	Pid     int         `json:"pid,omitempty"`
	Start   uint64      `json:"start,omitempty"` // ticks since boot: with Pid the process's name
	Starts  int         `json:"starts"`
	Since   clock.Stamp `json:"since"`   // of the last change
	Changed bool        `json:"changed"` // the call did something

	Declared bool          `json:"declared"` // by a document
	Current  bool          `json:"current"`  // what runs was started as it is defined now
	Rising   bool          `json:"-"`        // it is not ready yet, or has not stood for its hold
	Hold     time.Duration `json:"-"`        // how long it has to stand, see Process
}

// List is every process, by name.
func (s *Supervisor) List() []Info {
	ks := s.all()
	out := make([]Info, len(ks))
	for i, k := range ks {
		out[i] = k.info()
	}
	return out
}

// Look is one process; false: none of that name is kept.
func (s *Supervisor) Look(name string) (Info, bool) {
	k := s.keeper(name)
	if k == nil {
		return Info{}, false
	}
	return k.info(), true
}

// Has reports whether a process of that name is kept, or may come to be.
func (s *Supervisor) Has(name string) bool {
	return s.keeper(name) != nil || s.declared && nameShape.MatchString(name)
}

// Start starts a process unless it runs, and blocks until it is ready. NotFound:
// no such process. Timeout or Conflict: it was started but did not become ready,
// or ended before; other errors: it was not started.
func (s *Supervisor) Start(ctx context.Context, name string) (Info, error) {
	return s.act(ctx, name, (*keeper).start)
}

// Stop ends a process and what it left in its group, and blocks until it has
// gone. It stays stopped, over restarts of vigild too, until Start or Restart.
func (s *Supervisor) Stop(ctx context.Context, name string) (Info, error) {
	return s.act(ctx, name, (*keeper).stopForGood)
}

// Restart is Stop, if it runs, and Start.
func (s *Supervisor) Restart(ctx context.Context, name string) (Info, error) {
	return s.act(ctx, name, (*keeper).restart)
}

// act does one thing to a process that is kept.
func (s *Supervisor) act(ctx context.Context, name string, verb func(*keeper, context.Context) (bool, error)) (Info, error) {
	k := s.keeper(name)
	if k == nil {
		return Info{}, noSuch(name)
	}
	over, err := s.turn(ctx, k)
	if err != nil {
		return Info{}, err
	}
	defer over()
	if s.keeper(name) != k {
		return Info{}, fault.New(fault.NotFound, "process %s is kept no more", name)
	}
	changed, err := verb(k, ctx)
	i := k.info()
	i.Changed = changed
	return i, err
}

func noSuch(name string) error {
	return fault.New(fault.NotFound, "there is no process %q", name).Mend("a [[process]] of the local config, or a Process document with an argv, makes one")
}

// turn gives one caller at a time its turn at a process, until it calls over.
func (s *Supervisor) turn(ctx context.Context, k *keeper) (over func(), err error) {
	// What is asked for as vigild starts waits for that: else the first act after a
	// crash, which may be what matters most, would fail for being early.
	select {
	case <-s.begun:
	case <-ctx.Done():
	}
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if !open {
		return nil, fault.New(fault.Unavailable, "process %s: the supervisor is not running", k.name)
	}
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Cancelled, ctx.Err(), "process %s: another act on it is in progress", k.name)
	}
}

func (s *Supervisor) path(file string) string { return filepath.Join(s.dir, file) }
