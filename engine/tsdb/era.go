package tsdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine/clock"
)

// eras notices when the wall clock steps. Within a boot the boot clock tells: the
// difference of the two clocks stays. Across boots only the wall clock is left,
// and it may not be before what was written last.
//
// An era begins with a step. The out-of-order window of every series starts
// again, and retention by age waits until somebody vouches for the clock.
type eras struct {
	drift     atomic.Int64 // wall minus boot, ns
	mu        sync.Mutex
	confirmed uint32 // the last era vouched for
}

func bootTime(s clock.Stamp) time.Duration { return time.Duration(s.Boot) }

func driftOf(s clock.Stamp) int64 { return s.Wall*1000 - s.Boot }

// observe looks at the clock, beginning an era when it has stepped. Cheap when it
// has not; concurrent.
func (s *Store) observe(now clock.Stamp) {
	d, old := driftOf(now), s.era.drift.Load()
	step := s.cfg.EraStep.Nanoseconds()
	if d-old < step && old-d < step {
		if d-old > step/60 || old-d > step/60 {
			s.era.drift.CompareAndSwap(old, d) // slewed, not stepped
		}
		return
	}
	s.era.mu.Lock()
	defer s.era.mu.Unlock()
	if s.era.drift.Load() != old {
		return // somebody was quicker
	}
	s.beginEra(fmt.Sprintf("the wall clock stepped by %s", time.Duration(d-old).Round(time.Millisecond)))
	s.era.drift.Store(d)
}

// beginEra begins an era. The lock of eras is held.
func (s *Store) beginEra(why string) {
	era := s.heads.State().Era + 1
	s.heads.NewEra(era, s.reg.All())
	s.tell(Event{Kind: "era", Place: s.cfg.Dir, Detail: fmt.Sprintf("era %d: %s; nothing is deleted by age until the clock is confirmed", era, why)})
	s.wakeCut()
}

// startEra begins an era at start when the clock is behind what was written.
func (s *Store) startEra(lastWall int64) {
	now := s.clock()
	s.era.drift.Store(driftOf(now))
	if lastWall-now.Millis() > s.cfg.EraStep.Milliseconds() {
		s.era.mu.Lock()
		defer s.era.mu.Unlock()
		s.beginEra(fmt.Sprintf("the clock is %s behind the last sample written", time.Duration(lastWall-now.Millis())*time.Millisecond))
	}
}

// ClockUnconfirmed says whether the wall clock has stepped and nobody has
// vouched for it since.
func (s *Store) ClockUnconfirmed() bool {
	era := s.heads.State().Era
	s.era.mu.Lock()
	defer s.era.mu.Unlock()
	return era > s.era.confirmed
}

// ConfirmClock vouches for the wall clock: retention by age goes on. It blocks
// until that is on disk.
func (s *Store) ConfirmClock(ctx context.Context) error {
	era := s.heads.State().Era
	s.era.mu.Lock()
	known := s.era.confirmed == era
	s.era.confirmed = era
	s.era.mu.Unlock()
	if known {
		return nil
	}
	s.tell(Event{Kind: "clock_confirmed", Place: s.cfg.Dir, Detail: fmt.Sprintf("era %d", era)})
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	return s.saveMeta(ctx)
}
