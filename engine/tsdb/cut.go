package tsdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/place"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// cutSeries is how many series go into one transaction: neither it nor the
// write-ahead log may grow with the number of series.
const cutSeries = 2048

// cutDefinitions is the same for definitions, which are smaller.
const cutDefinitions = 4 * cutSeries

func (s *Store) wakeCut() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// cutter cuts, keeps a spare segment, and lets go of what is too old, until ctx
// ends.
func (s *Store) cutter(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.tend(ctx)
	}
}

// retryEvery is how soon what failed is tried again, and how often files are looked for.
const retryEvery = time.Second

// tend does what is due.
func (s *Store) tend(ctx context.Context) {
	s.tending.Lock()
	defer s.tending.Unlock()
	now := s.clock()
	s.observe(now)
	boot := bootTime(now)
	// What failed is tried again after a while, not at every nudge: a full disk is
	// asked for a whole segment each time.
	again := boot >= s.tryAfter || boot < s.tryAfter-retryEvery
	if boot >= s.lookAfter || boot < s.lookAfter-retryEvery { // a nudge comes with each group while the log is long
		s.lookAfter = boot + retryEvery
		if err := s.log.Check(); err != nil {
			s.slog.Warn("the log's files could not be looked at", "err", err)
		}
		if err := s.db.Lost(); err != nil {
			s.lookAfter = boot + time.Minute // to write it anew costs much, and may fail
			s.doctor(ctx, err)
		}
	}
	if again {
		if err := s.log.Prepare(); err != nil {
			s.tryAfter = boot + retryEvery
			s.slog.Warn("no spare log segment could be made", "err", err)
		}
	}
	if found := s.suspect.Swap(nil); found != nil {
		s.doctor(ctx, *found)
	}
	if again && s.due(boot) {
		if err := s.Cut(ctx); err != nil && ctx.Err() == nil {
			s.tryAfter = boot + retryEvery
			s.slog.Error("the cut failed; the log keeps what it would have written", "err", err)
			s.doctor(ctx, err)
		}
	}
	if err := s.release(); err != nil {
		s.slog.Warn("log segments could not be released", "err", err)
	}
	if err := s.retain(ctx, now); err != nil && ctx.Err() == nil {
		s.slog.Error("retention failed", "err", err)
		s.doctor(ctx, err)
	}
	if err := s.snapshotIfDue(ctx, now); err != nil && ctx.Err() == nil {
		s.slog.Error("the snapshot failed", "err", err)
	}
}

// due says whether a cut should be made: the log is long, something in heads is
// old, or an era has begun that is not on disk.
func (s *Store) due(boot time.Duration) bool {
	h := s.heads.State()
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	switch {
	case h.Era != max(s.meta.Era, 1), s.removed.Load() != s.rescued.Load():
		return true
	case h.Dirty == 0:
		return false
	case boot-s.lastCut >= s.cfg.CutEvery:
		return true
	}
	return h.Applied > s.meta.Horizon && s.log.Behind(s.meta.Horizon) >= s.cfg.LogBytes
}

// Cut packs everything that is in heads into rows. It blocks on disk; concurrent.
func (s *Store) Cut(ctx context.Context) error {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	return s.cutLocked(ctx)
}

// cutLocked is Cut for callers that hold cutMu.
func (s *Store) cutLocked(ctx context.Context) error {
	began := time.Now()
	removed := s.removed.Load()
	list, horizon := s.heads.Take()
	defer s.heads.Give(list)
	// Every definition logged until now is saved by this cut.
	seq := s.log.Seq()
	defs, nextRef := s.reg.TakeUnsaved()
	for len(defs) > 0 {
		n := min(len(defs), cutDefinitions)
		if err := s.db.Write(ctx, live.Definitions(defs[:n]), nil, nil); err != nil {
			s.reg.GiveBack(nil, defs)
			s.heads.Soil(list, nil)
			return err
		}
		defs = defs[n:]
	}
	slices.SortFunc(list, func(a, b *live.Head) int { return cmp.Compare(a.Ref, b.Ref) })
	for len(list) > 0 {
		n := min(len(list), cutSeries)
		if err := s.cutSome(ctx, list[:n]); err != nil {
			s.heads.Soil(list[n:], nil)
			return err
		}
		list = list[n:]
	}
	s.meta.Horizon, s.meta.NextRef, s.cutSeq = horizon, nextRef, seq
	if err := s.saveMeta(ctx); err != nil {
		return err
	}
	s.rescued.Store(removed)
	s.lastCut = bootTime(s.clock())
	s.note.Lock()
	s.note.cuts++
	s.note.lag = time.Since(began)
	s.note.Unlock()
	return s.log.Release(s.meta.Generation)
}

// cutSome writes the heads of one transaction.
func (s *Store) cutSome(ctx context.Context, list []*live.Head) error {
	puts := s.heads.Seal(s.puts[:0], list)
	s.puts = puts
	defer clear(puts)
	if err := s.db.Write(ctx, nil, puts, nil); err != nil {
		s.heads.Soil(nil, list)
		return err
	}
	s.heads.Settle(list, puts)
	if lost := s.heads.State().Counts.Lost; lost > s.lost {
		s.tell(Event{Kind: "lost", Place: s.cfg.Dir, Detail: fmt.Sprintf("%d samples did not read back from memory: is it sound?", lost-s.lost)})
		s.lost = lost
	}
	s.noteStats()
	s.tell(s.db.Events()...)
	return nil
}

// saveMeta writes the state. The horizon is what s.meta says; cutMu is held.
func (s *Store) saveMeta(ctx context.Context) error {
	m := s.meta
	m.Era = s.heads.State().Era
	s.era.mu.Lock()
	m.Confirmed = s.era.confirmed
	s.era.mu.Unlock()
	m.Generation = s.log.Keeps(min(m.Horizon, s.evaluated.Load()), s.cutSeq)
	m.Seq, m.Newest = s.log.Seq(), s.log.Newest()
	m.Wall = s.clock().Millis()
	if err := s.db.SaveMeta(ctx, m); err != nil {
		return err
	}
	s.meta = m
	s.horizon.Store(m.Horizon)
	s.noteStats()
	return nil
}

// release gives log segments back that have been cut and evaluated.
func (s *Store) release() error {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	if s.log.Keeps(min(s.meta.Horizon, s.evaluated.Load()), s.cutSeq) <= s.meta.Generation {
		return nil
	}
	if err := s.saveMeta(context.Background()); err != nil {
		return err
	}
	return s.log.Release(s.meta.Generation)
}

// doctor looks at an error of samples.db: a damaged file, or one that was taken away,
// is exchanged while the store runs, so that the log does not fill up behind it.
func (s *Store) doctor(ctx context.Context, cause error) {
	if !rows.Damaged(cause) {
		return
	}
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	old := s.db.Stats()
	left, err := s.db.Abandon(ctx, cause.Error())
	if err != nil {
		s.slog.Error("samples.db could not be exchanged", "err", err)
	}
	if !left {
		return
	}
	s.tell(s.db.Events()...)
	db, err := rows.Open(ctx, s.cfg.rows())
	if err != nil {
		s.slog.Error("samples.db could not be opened again", "err", err)
		return
	}
	s.db = db
	db.Carry(old)
	s.tell(db.Events()...)
	tails := map[series.Ref]rows.Tail{}
	db.Tails(func(ref series.Ref, t rows.Tail) { tails[ref] = t })
	s.heads.Retail(s.reg.All(), tails, true)
	s.reg.UnsaveAll()
	// What the snapshot lacks and the log no longer holds is gone; the horizon
	// says what the log need not be asked for.
	if err := s.saveMeta(ctx); err != nil {
		s.slog.Error("the state could not be written to the new samples.db", "err", err)
	}
}

// Snapshot writes a complete, checked copy of the store to path, which must not
// exist: everything acknowledged before the call is in it. It blocks for as long
// as copying takes, cuts wait meanwhile, appends do not.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	if err := s.cutLocked(ctx); err != nil {
		return fmt.Errorf("cut before the snapshot: %w", err)
	}
	err := s.db.Snapshot(ctx, path)
	s.noteStats()
	return err
}

// Verify says whether a file is a sound snapshot of a store that this version can
// read. It blocks for as long as reading all of it takes, and changes nothing.
func Verify(ctx context.Context, snapshot string) error { return rows.Verify(ctx, snapshot) }

// Restore puts a snapshot into a directory that no store has open. What is there
// is moved into its quarantine, the log included, and the next start begins from
// the snapshot alone.
func Restore(ctx context.Context, cfg Config, fs wal.FS, snapshot string) error {
	lock, err := place.Occupy(cfg.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := rows.Restore(ctx, cfg.rows(), snapshot); err != nil {
		return err
	}
	if fs == nil {
		fs = wal.OS{}
	}
	return wal.SetAside(fs, cfg.wal())
}
