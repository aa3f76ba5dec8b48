package shard

import (
	"context"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

// raiseEvery is how often a firing is asked whether anything is still under way
// for it: acting once and never again is the bug this guards against.
const raiseEvery = 15 * time.Second

// settle decides on what a round found, commits it and only then nudges the
// worker: piece by piece, so that ten thousand firings at once are neither one
// transaction nor in memory as one. It returns false when ctx ended before all of
// it was on disk; then nothing counts as evaluated, and the log brings back what
// the ledger does not know.
func (s *Shard) settle(ctx context.Context, now clock.Stamp) bool {
	s.Mu.Lock()
	o := Outcome{changes: s.changes, Closing: s.closing}
	var raises []raise
	for _, x := range s.raises {
		if r, ok := s.c.raise(x); ok {
			raises = append(raises, r)
		}
	}
	s.changes, s.closing, s.raises = nil, nil, nil
	s.Mu.Unlock()
	for _, r := range raises {
		if s.c.idle(ctx, r, now) {
			o.raises = append(o.raises, r.inst)
		}
	}
	for _, piece := range o.pieces(pieceMost) {
		if !s.settlePiece(ctx, piece, now) {
			return false
		}
		clear(piece.changes) // what explains them is of no more use
	}
	return true
}

func (s *Shard) settlePiece(ctx context.Context, o Outcome, now clock.Stamp) bool {
	for _, x := range s.cleared(o.changes) {
		moves, busy := s.c.withdraw(ctx, x, now)
		o.moves = append(o.moves, moves...)
		o.note(x, busy)
	}
	for _, x := range s.refired(o.changes) {
		// What has come to wait since then waits for a condition that had gone.
		moves, busy := s.c.withdraw(ctx, x, now)
		o.moves = append(o.moves, moves...)
		o.note(x, busy)
	}
	s.Mu.Lock()
	d := Decide(o, s.c.Track.Position(), now)
	s.Mu.Unlock()
	rc, ok := s.commit(ctx, d)
	if !ok {
		return false
	}
	s.Committed(d.Firings)
	if rc.Waits(len(d.Remediations)) {
		s.c.Nudge()
	}
	return true
}

// cleared lists the instances whose end may leave something to withdraw.
func (s *Shard) cleared(changes []change) (out []*Instance) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for i := range changes {
		c := &changes[i]
		if c.tr.To == policy.StateOK && told(c.tr) && c.inst.En.P.Doc.Remedy != nil {
			out = append(out, c.inst)
		}
	}
	return out
}

// refired lists the instances that fire again and whose remediation of the episode
// before may be at work still.
func (s *Shard) refired(changes []change) (out []*Instance) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for i := range changes {
		if x := changes[i].inst; changes[i].tr.To == policy.StateFiring && x.Underway {
			out = append(out, x)
		}
	}
	return out
}

// note keeps whether a remediation is at work for an instance.
func (o *Outcome) note(x *Instance, busy bool) {
	if o.busy == nil {
		o.busy = map[*Instance]bool{}
	}
	o.busy[x] = busy
}

// Committed notes what the ledger now has.
func (s *Shard) Committed(rows []engine.FiringRow) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for i := range rows {
		en := s.c.Find(rows[i].Policy)
		if en == nil || rows[i].Closed != "" {
			continue
		}
		if x := en.Insts[rows[i].Fingerprint]; x != nil {
			x.Row.Version = rows[i].Version + 1
			x.Seen = rows[i].State.Seen
			if x.Kept = sameState(x.Row.State, rows[i].State); x.Kept {
				delete(s.dirty, x)
			}
		}
	}
}

// commit writes a decision, again and again while the ledger cannot be written:
// what was decided is never dropped, and evaluation waits, which ingest feels as
// Lagging. It returns false only when ctx ended.
func (s *Shard) commit(ctx context.Context, d *engine.Decision) (rc engine.Receipt, ok bool) {
	c := s.c
	conflicts := 0
	wait := 50 * time.Millisecond
	for {
		rc, err := c.Journal.Commit(ctx, d)
		if err == nil {
			c.Count.Decisions.Add(1)
			c.Stored(d.Position)
			return rc, true
		}
		if ctx.Err() != nil {
			return rc, false
		}
		c.Count.CommitErrors.Add(1)
		if fault.KindOf(err) == fault.Conflict {
			if len(d.Moves) > 0 {
				// Somebody moved a remediation that was to be withdrawn: gate 4 will
				// see that its condition has gone.
				s.left(d.Moves)
				d.Moves = nil
				continue
			}
			// A policy was edited or deleted in between, and its firings closed: what is
			// left of the decision stands.
			if conflicts++; conflicts <= 20 {
				s.freshen(d, conflicts)
				continue
			}
			c.Log.Error("decision conflicts with the ledger and is dropped", "error", err, "firings", len(d.Firings))
			return rc, true
		}
		c.Log.Warn("decision not written, will retry", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return rc, false
		case <-time.After(wait):
		}
		wait = min(2*wait, 2*time.Second)
	}
}

// left marks the instances of moves that were given up: what was to be withdrawn may
// still wait when they fire again, and is asked for then.
func (s *Shard) left(moves []engine.RemediationMove) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for i := range moves {
		r := &moves[i].Move.Next
		if en := s.c.Find(r.Policy); en != nil && en.Shard == s {
			if x := en.Insts[r.Fingerprint]; x != nil {
				x.Underway = true
			}
		}
	}
}

// freshen takes the row versions of a decision again and leaves out what has been
// closed; a closing itself is given up last.
func (s *Shard) freshen(d *engine.Decision, try int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	rows := d.Firings[:0]
	for _, row := range d.Firings {
		if row.Closed != "" {
			if try <= 10 {
				rows = append(rows, row)
			}
			continue
		}
		en := s.c.Find(row.Policy)
		if en == nil || en.Shard != s {
			continue
		}
		x := en.Insts[row.Fingerprint]
		if x == nil || x.Dead {
			continue
		}
		row.Version = x.Row.Version
		rows = append(rows, row)
	}
	d.Firings = rows
}

// raise is a firing about which the ledger is asked, with what its policy says: that
// may be edited meanwhile, for the ledger is asked without the shard's lock.
type raise struct {
	inst     *Instance
	cooldown time.Duration
	mode     string
	fired    clock.Stamp
}

// raise takes what idle asks by; the shard's lock is held. False: there is nothing to
// ask about any more.
func (c *Core) raise(x *Instance) (raise, bool) {
	doc := &x.En.P.Doc
	if x.Dead || doc.Remedy == nil {
		return raise{}, false
	}
	r := raise{inst: x, cooldown: c.Cooldown, mode: doc.Mode, fired: x.Row.State.Fired}
	if own := doc.Remedy.Cooldown; own != nil {
		r.cooldown = own.Std()
	}
	r.cooldown = max(r.cooldown, time.Second)
	return r, true
}

// idle reports whether a firing has no remediation alive and the last one ended
// in a way after which another is due: it succeeded, or was withdrawn because
// the condition had gone, and the cool-down is over.
func (c *Core) idle(ctx context.Context, x raise, now clock.Stamp) bool {
	if c.Reader == nil {
		return false
	}
	fp := x.inst.FP
	rs, _, err := c.Reader.Remediations(ctx, engine.RemediationFilter{Policy: x.inst.En.Name, Firing: &fp, Limit: 1})
	if err != nil {
		return false
	}
	if len(rs) == 0 {
		return true
	}
	r := rs[0]
	since, same := now.Sub(r.Finished)
	if !same { // the wall clock may have been set in between: it has been this boot at least
		since = time.Duration(now.Boot)
	}
	switch r.State {
	case remedy.Succeeded:
		return since >= x.cooldown
	case remedy.Cancelled, remedy.Failed, remedy.Refused:
		// Failed: it had given up when its condition went. Refused: that was unknown for
		// too long, and what fires now is known.
		if r.Gate == remedy.GateRecheck {
			return since >= x.cooldown
		}
	}
	if r.State == remedy.Refused && r.Gate == remedy.GateMode && r.Plan.Mode != x.mode {
		return true
	}
	// Held, running, gave_up (which retries by itself), what another gate refused and
	// what a person cancelled stay as they are for this episode.
	started, _ := now.Sub(x.fired)
	made, _ := now.Sub(r.Created)
	return r.State.Final() && r.State != remedy.GaveUp && made > started
}

// withdraw cancels what still waits for a firing that cleared, and says whether
// something is at work for it, which nobody cancels.
func (c *Core) withdraw(ctx context.Context, x *Instance, now clock.Stamp) (out []engine.RemediationMove, busy bool) {
	if c.Reader == nil {
		return nil, false
	}
	fp := x.FP
	rs, _, err := c.Reader.Remediations(ctx, engine.RemediationFilter{
		Policy: x.En.Name, Firing: &fp, Limit: 8,
		States: []remedy.State{remedy.Queued, remedy.Held, remedy.GaveUp, remedy.Running, remedy.Verifying},
	})
	if err != nil {
		return nil, false
	}
	for _, r := range rs {
		if r.State == remedy.Running || r.State == remedy.Verifying {
			busy = true
			continue
		}
		if m, err := remedy.Withdraw(r, "the condition cleared before the act", now); err == nil {
			out = append(out, engine.RemediationMove{Version: r.Version, Move: m})
		}
	}
	return out, busy
}
