package tsdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"vigil/engine/clock"
	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

// retention is what is remembered between its steps; cutMu.
type retention struct {
	looked   time.Duration // boot clock, at the last step
	filled   time.Duration // boot clock, when tokens were last added
	tokens   int64         // bytes that age may still delete; overdrawn by a row at most
	snapshot time.Duration // boot clock, at the last snapshot
	begun    bool
}

const (
	retainEvery = time.Minute
	retainRows  = 2000      // in one transaction
	retainSteps = 20        // transactions in one go
	retainSpare = 256 << 10 // bytes that age may always delete in an hour
	idleBefore  = time.Hour // an empty series lives at least so long
)

// retain lets go of what is too old or too much, oldest first, in small steps.
func (s *Store) retain(ctx context.Context, now clock.Stamp) error {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	r, boot := &s.retention, bootTime(now)
	if r.begun && boot-r.looked < retainEvery {
		return nil
	}
	r.looked = boot
	if err := s.byAge(ctx, now); err != nil {
		return err
	}
	if err := s.byBytes(ctx); err != nil {
		return err
	}
	return s.dropIdle(ctx, now)
}

// byAge deletes rows that are older than the retention age: nothing while the
// clock has stepped and nobody has vouched for it, and never more than a share
// of the database in an hour, whatever the clock says.
func (s *Store) byAge(ctx context.Context, now clock.Stamp) error {
	r, boot := &s.retention, bootTime(now)
	share := max(int64(float64(s.db.Stats().Bytes)*s.cfg.RetentionShare), retainSpare)
	if !r.begun {
		r.begun, r.tokens = true, share
	} else {
		r.tokens = min(share, r.tokens+int64(float64(share)*(boot-r.filled).Hours()))
	}
	r.filled = boot
	if s.ClockUnconfirmed() {
		return nil
	}
	before := now.Millis() - s.cfg.RetentionAge.Milliseconds()
	for step := 0; step < retainSteps && r.tokens > 0; step++ {
		// About as many rows as the share has room for.
		limit := int(min(retainRows, r.tokens/int64(s.cfg.RowBytes)+1))
		n, size, err := s.delete(ctx, before, limit)
		if err != nil {
			return err
		}
		r.tokens -= size
		if n < limit {
			break
		}
	}
	return nil
}

// byBytes deletes the oldest rows while the store is over its bytes.
func (s *Store) byBytes(ctx context.Context) error {
	most := s.cfg.RetentionBytes - s.cfg.LogMaxBytes
	for step := 0; step < retainSteps && s.db.Stats().Bytes > most; step++ {
		oldest, ok := s.db.Oldest()
		if !ok {
			return nil
		}
		span := max(s.db.Newest()-oldest, 1)
		// A little more each time: a row may reach far.
		before := oldest + 1 + span*int64(step+1)/retainSteps
		if _, _, err := s.delete(ctx, before, retainRows); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) delete(ctx context.Context, before int64, limit int) (n int, size int64, err error) {
	n, size, changed, err := s.db.Delete(ctx, before, limit)
	if len(changed) > 0 {
		s.heads.Retail(s.reg.All(), changed, false)
	}
	s.noteStats()
	return n, size, err
}

// dropIdle ends series that hold nothing any more.
func (s *Store) dropIdle(ctx context.Context, now clock.Stamp) error {
	found := s.heads.Idle(s.reg.All(), bootTime(now), idleBefore)
	if len(found) == 0 {
		return nil
	}
	// No append is under way while series end: none holds on to one of them.
	s.gate.Lock()
	defer s.gate.Unlock()
	gone := s.heads.Idle(found, bootTime(now), idleBefore)
	refs := make([]series.Ref, 0, len(gone))
	for _, h := range gone {
		refs = append(refs, h.Ref)
	}
	if err := s.db.Forget(ctx, refs); err != nil {
		return err
	}
	s.reg.End(gone, s.hooks)
	return nil
}

// snapshotIfDue keeps copies for the day on which samples.db is damaged.
func (s *Store) snapshotIfDue(ctx context.Context, now clock.Stamp) error {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	r, boot := &s.retention, bootTime(now)
	if s.cfg.SnapshotEvery == 0 || s.db.Stats().Bytes > s.cfg.SnapshotMaxBytes {
		return nil
	}
	if r.snapshot == 0 {
		r.snapshot = boot // the first one comes a whole period after the start
	}
	if boot-r.snapshot < s.cfg.SnapshotEvery {
		return nil
	}
	r.snapshot = boot
	if err := s.cutLocked(ctx); err != nil {
		return err
	}
	dir := s.cfg.rows().Snapshots
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Named by the log position, so that a clock that steps does not change which
	// one is newest.
	if err := s.db.Snapshot(ctx, filepath.Join(dir, fmt.Sprintf("%s%020d.db", rows.SnapshotPrefix, s.meta.Horizon))); err != nil {
		return err
	}
	s.noteStats()
	return s.db.Prune(s.cfg.SnapshotKeep)
}
