package tsdb

import (
	"time"

	"vigil/engine/series"
)

// Stats is the store seen from outside, for /metrics and vigild's own series.
type Stats struct {
	Series       int
	Appended     uint64            // samples taken since the start, replayed ones included
	Refused      map[string]uint64 // samples by reason
	Duplicates   uint64            // the same sample again
	Overwritten  uint64            // same series and time, other value: the last won
	OutOfOrder   uint64
	Position     uint64 // log position of the next sample
	Horizon      uint64 // samples before it are in rows
	Groups       uint64 // group commits
	Syncs        uint64
	LogBytes     int64 // live segments
	LogFailures  uint64
	DBBytes      int64
	BytesWritten uint64 // to flash: log, zero-filling, samples.db, its log and checkpoints, snapshots
	Cuts         uint64
	CutTook      time.Duration // the last one
	HeadSeries   int           // series with samples that are not in rows yet
	RowsMerged   uint64
	OldestMillis int64 // time of the oldest sample in rows, 0: none
	Era          uint32
	ClockHeld    bool // retention by age waits for ConfirmClock
	AliasBytes   int
}

// Stats may be called at any time, before Start too; it blocks for microseconds.
func (s *Store) Stats() Stats {
	var st Stats
	if s.ready.Load() {
		l := s.log.Stats()
		st.Syncs, st.LogBytes, st.LogFailures, st.BytesWritten = l.Syncs, l.LiveBytes, l.Failures, l.BytesWritten
		st.Position, st.Groups = s.log.Position(), s.committer.Groups()
	}
	h := s.heads.State()
	st.HeadSeries, st.Era = h.Dirty, h.Era
	st.Appended, st.Duplicates, st.Overwritten, st.OutOfOrder = h.Counts.Applied, h.Counts.Same, h.Counts.Overwritten, h.Counts.Late
	st.Series, st.AliasBytes = s.reg.Live()
	st.Refused = map[string]uint64{}
	for i := range s.refused {
		if n := s.refused[i].Load(); n > 0 {
			st.Refused[series.Reason(i).String()] = n
		}
	}
	s.note.Lock()
	st.Cuts, st.CutTook, st.DBBytes, st.OldestMillis = s.note.cuts, s.note.lag, s.note.db.Bytes, s.note.oldest
	st.RowsMerged = s.note.db.RowsMerged
	st.BytesWritten += s.note.db.BytesWritten
	st.Horizon = s.note.horizon
	s.note.Unlock()
	st.ClockHeld = s.ClockUnconfirmed()
	return st
}

// noteStats copies what belongs to the goroutine that writes samples.db.
func (s *Store) noteStats() {
	db := s.db.Stats()
	oldest, _ := s.db.Oldest()
	s.note.Lock()
	defer s.note.Unlock()
	s.note.db, s.note.oldest, s.note.horizon = db, oldest, s.meta.Horizon
}
