package evaluate

import (
	"context"
	"time"

	"vigil/engine"
)

// keepPosition stores the evaluated position, and state that no decision
// carried, every now and then; Run does it once more at the end.
func (e *Evaluator) keepPosition(ctx context.Context) {
	t := time.NewTicker(e.cfg.PositionEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.storePosition(ctx)
		}
	}
}

// storePosition leaves what could not be written for the next time.
func (e *Evaluator) storePosition(ctx context.Context) {
	now := e.clock()
	// The position is taken before the states: a state may be newer than the
	// position says (its instance skips what it has seen), never older.
	pos := e.track.Position()
	for _, s := range e.shards {
		d := s.Dirty(now)
		if len(d.Firings) == 0 {
			continue
		}
		if _, err := e.journal.Commit(ctx, d); err != nil {
			return
		}
		s.Committed(d.Firings)
	}
	if pos <= e.storedPos.Load() {
		return
	}
	if _, err := e.journal.Commit(ctx, &engine.Decision{At: now, Position: pos}); err == nil {
		e.stored(pos)
	}
}

// stored notes the evaluated position that the ledger has, which never goes
// back, and tells the store that older log segments may go.
func (e *Evaluator) stored(pos uint64) {
	for {
		old := e.storedPos.Load()
		if pos <= old {
			return
		}
		if e.storedPos.CompareAndSwap(old, pos) {
			e.samples.Evaluated(pos)
			return
		}
	}
}
