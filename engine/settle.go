package engine

import (
	"context"
	"time"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// raiseEvery is how often a firing is asked whether anything is still under way
// for it: acting once and never again is the bug this guards against.
const raiseEvery = 15 * time.Second

// settle decides on what a round found, commits it and only then nudges the
// worker. It returns false when ctx ended before the decision was on disk; then
// nothing counts as evaluated and the log brings it back.
func (s *shard) settle(ctx context.Context, now clock.Stamp) bool {
	s.mu.Lock()
	o := outcome{changes: s.changes, closing: s.closing}
	raises := s.raises
	s.changes, s.closing, s.raises = nil, nil, nil
	s.mu.Unlock()
	for _, x := range raises {
		if s.e.idle(ctx, x, now) {
			o.raises = append(o.raises, x)
		}
	}
	for i := range o.changes {
		c := &o.changes[i]
		if c.tr.To == policy.StateOK && told(c.tr) && c.inst.en.doc.Remedy != nil {
			o.moves = append(o.moves, s.e.withdraw(ctx, c.inst, now)...)
		}
	}
	if o.empty() {
		return true
	}
	s.mu.Lock()
	d := decide(o, s.e.track.position(), now)
	rows := d.Firings
	s.mu.Unlock()
	if !s.e.commit(ctx, d) {
		return false
	}
	s.committed(rows)
	if len(d.Remediations) > 0 {
		s.e.nudge()
	}
	return true
}

// committed notes what the ledger now has.
func (s *shard) committed(rows []FiringRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		en := s.e.reg.entry(rows[i].Policy)
		if en == nil || rows[i].Closed != "" {
			continue
		}
		if x := en.insts[rows[i].Fingerprint]; x != nil {
			x.row.Version = rows[i].Version + 1
			x.stored = rows[i].State
			if sameState(x.row.State, x.stored) {
				delete(s.dirty, x)
			}
		}
	}
}

// commit writes a decision, again and again while the ledger cannot be written:
// what was decided is never dropped, and evaluation waits, which ingest feels as
// Lagging. It returns false only when ctx ended.
func (e *Engine) commit(ctx context.Context, d *Decision) bool {
	wait := 50 * time.Millisecond
	for {
		_, err := e.journal.Commit(ctx, d)
		if err == nil {
			e.count.decisions.Add(1)
			e.keep(d.Position)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		e.count.commitErrors.Add(1)
		if fault.KindOf(err) == fault.Conflict {
			if len(d.Moves) > 0 {
				// Somebody moved a remediation that was to be withdrawn: gate 4 will
				// see that its condition has gone.
				d.Moves = nil
				continue
			}
			e.log.Error("decision conflicts with the ledger", "error", err, "firings", len(d.Firings))
			return true
		}
		e.log.Warn("decision not written, will retry", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// idle reports whether a firing has no remediation alive and the last one ended
// in a way after which another is due: it succeeded, or was withdrawn because
// the condition had gone, and the cool-down is over.
func (e *Engine) idle(ctx context.Context, x *instance, now clock.Stamp) bool {
	if e.reader == nil {
		return false
	}
	fp := x.fp
	rs, _, err := e.reader.Remediations(ctx, RemediationFilter{Policy: x.en.name(), Firing: &fp, Limit: 1})
	if err != nil {
		return false
	}
	if len(rs) == 0 {
		return true
	}
	r := rs[0]
	cooldown := time.Minute
	if c := x.en.doc.Remedy.Cooldown; c != nil {
		cooldown = max(c.Std(), time.Second)
	}
	since, _ := now.Sub(r.Finished)
	switch r.State {
	case remedy.Succeeded:
		return since >= cooldown
	case remedy.Cancelled:
		return r.Gate == "recheck" && since >= cooldown
	case remedy.Refused:
		if r.Gate == "mode" && r.Plan.Mode != x.en.doc.Mode {
			return true
		}
	}
	// Held, running, gave_up (which retries by itself), refused and what a person
	// cancelled stay as they are for this episode.
	started, _ := now.Sub(x.row.State.Fired)
	made, _ := now.Sub(r.Created)
	return r.State.Final() && r.State != remedy.GaveUp && made > started
}

// withdraw cancels what still waits for a firing that cleared.
func (e *Engine) withdraw(ctx context.Context, x *instance, now clock.Stamp) []RemediationMove {
	if e.reader == nil {
		return nil
	}
	fp := x.fp
	rs, _, err := e.reader.Remediations(ctx, RemediationFilter{
		Policy: x.en.name(), Firing: &fp, Limit: 8,
		States: []remedy.State{remedy.Queued, remedy.Held, remedy.GaveUp},
	})
	if err != nil {
		return nil
	}
	var out []RemediationMove
	for _, r := range rs {
		if m, err := remedy.Withdraw(r, "the condition cleared before the act", now); err == nil {
			out = append(out, RemediationMove{Version: r.Version, Move: m})
		}
	}
	return out
}

// keepPosition stores the evaluated position, and state that no decision
// carried, every now and then and once more at the end.
func (e *Engine) keepPosition(ctx context.Context) {
	t := time.NewTicker(e.cfg.PositionEvery)
	defer t.Stop()
	var last uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			last = e.storePosition(ctx, last)
		}
	}
}

func (e *Engine) storePosition(ctx context.Context, last uint64) uint64 {
	now := e.clock()
	// The position is taken before the states: a state may be newer than the
	// position says (its instance skips what it has seen), never older.
	pos := e.track.position()
	for _, s := range e.shards {
		s.mu.Lock()
		var o outcome
		for x := range s.dirty {
			o.dirty = append(o.dirty, x)
		}
		d := decide(o, 0, now)
		s.mu.Unlock()
		if len(d.Firings) == 0 {
			continue
		}
		if _, err := e.journal.Commit(ctx, d); err != nil {
			return last
		}
		s.committed(d.Firings)
	}
	if pos <= last {
		return last
	}
	if _, err := e.journal.Commit(ctx, &Decision{At: now, Position: pos}); err != nil {
		return last
	}
	e.keep(pos)
	e.samples.Evaluated(pos)
	return pos
}

// keep notes the evaluated position that the ledger has; it never goes back.
func (e *Engine) keep(pos uint64) {
	for {
		old := e.storedPos.Load()
		if pos <= old || e.storedPos.CompareAndSwap(old, pos) {
			return
		}
	}
}
