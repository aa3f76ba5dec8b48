package tsdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/tsdb/commit"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/place"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// Store is the time-series store; it satisfies [engine.Samples].
type Store struct {
	cfg   Config
	fs    wal.FS
	clock clock.Clock
	slog  *slog.Logger
	lock  *os.File
	hooks engine.Hooks

	reg   *live.Registry
	heads live.Heads
	log   *wal.Log

	dbMu sync.RWMutex // for the pointer: a damaged database is exchanged
	db   *rows.DB

	suspect atomic.Pointer[error] // what a reader found wrong with db
	removed atomic.Uint64         // times that a part of the log was found gone: heads have to be cut
	rescued atomic.Uint64         // removed, as of the last cut

	ready   atomic.Bool  // Start is through: log and committer are there
	gate    sync.RWMutex // appends hold it for reading
	running bool
	calls   commit.Calls

	evaluated atomic.Uint64
	horizon   atomic.Uint64    // meta.Horizon, for those who do not hold cutMu
	refused   [8]atomic.Uint64 // by series.Reason

	committer *commit.Committer
	era       eras
	retention retention

	cutMu               sync.Mutex // one cut, retention step or snapshot at a time
	wake                chan struct{}
	tending             sync.Mutex    // one tend at a time
	tryAfter, lookAfter time.Duration // boot times before which tend neither tries again nor looks where the log lies; tending
	lastCut             time.Duration // boot clock, at the last cut; cutMu
	meta                rows.Meta     // as last written; cutMu
	lost                uint64        // live.Counts.Lost, as last told; cutMu
	puts                []rows.Put    // of one transaction, empty; cutMu
	cutSeq              uint64        // log records before it are in rows, definitions too; cutMu

	note struct {
		sync.Mutex
		events  []Event
		illness error
		cuts    uint64
		lag     time.Duration
		db      rows.Stats
		oldest  int64
		horizon uint64
	}

	stop context.CancelFunc
	wg   sync.WaitGroup
}

var _ engine.Samples = (*Store)(nil)

// Event is something that a person and the audit trail should know of. Kinds: those
// of rows, those of damage to the log, and lost, undefined, era, clock_confirmed.
type Event = rows.Event

// Open locks the directory and opens samples.db, replacing it where it is
// damaged. Nothing runs yet and the log is not read: see Start. Conflict when
// another process has the directory, Unavailable on a network file system or a
// newer schema.
func Open(cfg Config, deps Deps) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fault.Wrap(fault.Unprocessable, err, "[store]")
	}
	s := &Store{
		cfg: cfg, fs: deps.FS, clock: deps.Clock, slog: deps.Log,
		reg: live.NewRegistry(cfg.AliasBytes), wake: make(chan struct{}, 1), calls: commit.NewCalls(),
	}
	if s.fs == nil {
		s.fs = wal.OS{}
	}
	if s.slog == nil {
		s.slog = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.lock, err = place.Occupy(cfg.Dir); err != nil {
		return nil, err
	}
	if s.db, err = rows.Open(context.Background(), cfg.rows()); err != nil {
		return nil, errors.Join(s.opened(err), s.lock.Close())
	}
	s.tell(s.db.Events()...)
	return s, nil
}

// opened gives an error of opening its kind.
func (s *Store) opened(err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	if rows.Full(err) {
		return fault.Wrap(fault.Exhausted, err, "%s: no room on the disk", s.cfg.Dir)
	}
	return fault.Wrap(fault.Unavailable, err, "%s: the sample store cannot be opened", s.cfg.Dir)
}

// Start implements [engine.Samples].
func (s *Store) Start(ctx context.Context, from uint64, h engine.Hooks) error {
	s.hooks = h
	if err := s.load(ctx, from); err != nil {
		return s.opened(err)
	}
	s.committer = s.newCommitter()
	ctx, s.stop = context.WithCancel(ctx)
	s.gate.Lock()
	s.running = true
	s.gate.Unlock()
	s.ready.Store(true)
	s.wg.Go(func() { s.committer.Run(ctx) })
	s.wg.Go(func() { s.cutter(ctx) })
	return nil
}

func (s *Store) newCommitter() *commit.Committer {
	c := &commit.Committer{
		Log: s.log, Heads: &s.heads, Reg: s.reg, Hooks: s.hooks, Clock: s.clock,
		Dir: s.cfg.Dir, SegmentBytes: s.cfg.SegmentBytes, LogMaxBytes: s.cfg.LogMaxBytes,
		Ill:     s.ill,
		Damages: s.damaged,
		Done: func() {
			if s.log.Spares() == 0 || s.log.Behind(s.horizon.Load()) >= s.cfg.LogBytes {
				s.wakeCut()
			}
		},
	}
	if s.cfg.Durability == Interval {
		c.Deferred = s.cfg.Interval
	}
	return c.Init()
}

// Close ends what Start started, packs what is in heads and closes the files.
// After it the directory is free. Once.
func (s *Store) Close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		s.wg.Wait()
		s.gate.Lock()
		s.running = false
		s.gate.Unlock()
		// A cut that fails here costs a replay at the next start, nothing else.
		if err := s.Cut(context.Background()); err != nil {
			s.slog.Warn("the last cut failed; the log keeps what it would have written", "err", err)
		}
		errs = append(errs, s.log.Close())
	}
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	return errors.Join(append(errs, s.db.Close(), s.lock.Close())...)
}

// Evaluated implements [engine.Samples].
func (s *Store) Evaluated(position uint64) {
	for {
		old := s.evaluated.Load()
		if position <= old || s.evaluated.CompareAndSwap(old, position) {
			return
		}
	}
}

// Durability says what an acknowledgement means.
func (s *Store) Durability() Durability { return s.cfg.Durability }

// Names lists the label names in use, sorted. Concurrent.
func (s *Store) Names() []string { return s.reg.Postings().Names() }

// Values lists the values in use of one label, sorted. Concurrent.
func (s *Store) Values(name string) []string { return s.reg.Postings().Values(name) }

// Events hands over what happened since it was last asked: the daemon audits it.
func (s *Store) Events() []Event {
	s.note.Lock()
	defer s.note.Unlock()
	es := s.note.events
	s.note.events = nil
	return es
}

// maxEvents bounds what waits for somebody to ask.
const maxEvents = 1000

func (s *Store) tell(es ...Event) {
	if len(es) == 0 {
		return
	}
	for _, e := range es {
		s.slog.Warn("samples: "+e.Kind, "place", e.Place, "detail", e.Detail)
	}
	s.note.Lock()
	defer s.note.Unlock()
	s.note.events = append(s.note.events, es...)
	if n := len(s.note.events) - maxEvents; n > 0 {
		s.note.events = s.note.events[n:]
	}
}

// ill notes why samples are not taken, nil that they are.
func (s *Store) ill(err error) {
	s.note.Lock()
	defer s.note.Unlock()
	s.note.illness = err
}

// damaged tells what mending the log found. What was taken away while in use is in
// memory alone, until the next cut, which is therefore due.
func (s *Store) damaged(ds []wal.Damage) {
	s.tell(logEvents(ds)...)
	if slices.ContainsFunc(ds, func(d wal.Damage) bool { return d.Kind == wal.Removed }) {
		s.removed.Add(1)
		s.wakeCut()
	}
}

// Health is nil while samples are taken and cut, else why not.
func (s *Store) Health() error {
	s.note.Lock()
	defer s.note.Unlock()
	return s.note.illness
}

// Trouble says what a person should look at: files that were taken away under us.
// It looks at the directory; concurrent.
func (s *Store) Trouble() (out []string) {
	if s.removed.Load() != s.rescued.Load() {
		out = append(out, "a part of "+s.cfg.wal().Dir+" was removed or replaced while vigild uses it: what it held is not in samples.db yet")
	}
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	if s.db.Lost() != nil {
		out = append(out, s.cfg.rows().Path+" was removed or replaced while vigild uses it: what is packed now is lost when vigild stops")
	}
	return out
}

func logEvents(in []wal.Damage) (out []Event) {
	for _, d := range in {
		out = append(out, Event{Kind: string(d.Kind), Place: d.File, Detail: fmt.Sprintf("offset %d, log positions %d to %d", d.Offset, d.From, d.To)})
	}
	return out
}
