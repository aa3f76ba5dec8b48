package engine

import (
	"context"
	"encoding/json"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// load brings the engine to where the ledger says it was: policies, firings and
// holds; then the store replays its log into the shards' queues (nothing is
// evaluated yet), and the windows are refilled with what lies before that.
func (e *Engine) load(ctx context.Context) error {
	snap, err := e.journal.Load(ctx)
	if err != nil {
		return err
	}
	e.started = e.clock()
	e.holds.load(snap.Holds)
	e.safeMode(snap.UncleanStarts)
	e.rows = make(map[rowKey]FiringRow, len(snap.Firings))
	for _, f := range snap.Firings {
		e.rows[rowKey{f.Policy, f.Fingerprint}] = f
	}
	e.active = make(map[rowKey]bool, len(snap.Active))
	for _, r := range snap.Active {
		if r.Policy != "" {
			e.active[rowKey{r.Policy, r.Fingerprint}] = true
		}
	}
	e.reg.mu.Lock()
	for _, row := range snap.Policies {
		e.reg.enter(e, e.entryFromRow(row))
	}
	e.reg.mu.Unlock()
	e.reg.link()
	e.storedPos.Store(snap.Position)
	e.track.tail = snap.Position
	if err := e.samples.Start(ctx, snap.Position, e); err != nil {
		return err
	}
	return e.awaken(ctx)
}

// awaken makes instances for firings whose series is not live, and refills all
// windows; the shards do not run yet.
func (e *Engine) awaken(ctx context.Context) error {
	e.reg.mu.Lock()
	var orphans []FiringRow
	for k, row := range e.rows {
		en := e.reg.entries[k.policy]
		if en == nil || en.broken != "" {
			row.Closed = "its policy is gone"
			orphans = append(orphans, row)
			continue
		}
		en.shard.mu.Lock()
		if row.State.State != policy.StateOK {
			x := newInstance(en, row.Labels, true)
			e.restore(x)
			en.insts[x.fp] = x
		}
		en.shard.mu.Unlock()
	}
	e.rows = nil
	var ens []*entry
	for _, en := range e.reg.entries {
		ens = append(ens, en)
	}
	e.reg.mu.Unlock()
	for _, en := range ens {
		if err := e.refill(ctx, en); err != nil {
			return err
		}
	}
	if len(orphans) > 0 {
		now := e.clock()
		if _, err := e.journal.Commit(ctx, decide(outcome{closing: orphans}, 0, now)); err != nil {
			return err
		}
	}
	return nil
}

type rowKey struct {
	policy string
	fp     uint64
}

// restore gives a new instance the state the ledger kept for it; the entry's
// shard is locked.
func (e *Engine) restore(x *instance) {
	if x.en.verify != nil {
		return
	}
	if old := x.en.inherit; old != nil {
		if ox := old.insts[x.fp]; ox != nil {
			x.row.Version, x.row.State, x.stored, x.remedied = ox.row.Version, ox.row.State, ox.stored, ox.remedied
			if x.isFiring() {
				x.en.firing.Add(1)
			}
			x.en.shard.schedule(x, e.clock().Add(secondsOne))
		}
		return
	}
	k := rowKey{x.en.name(), x.fp}
	row, ok := e.rows[k]
	if !ok {
		return
	}
	delete(e.rows, k)
	x.row.Version, x.row.State, x.row.Evaluation = row.Version, row.State, row.Evaluation
	x.stored = row.State
	x.remedied = e.active[k] || x.isFiring()
	if x.isFiring() {
		x.en.firing.Add(1)
	}
	x.en.shard.schedule(x, e.clock().Add(secondsOne))
}

// refill fills the windows of an entry's cold instances from the store, one
// selection per source. Replayed points wait in the shards' queues and in
// backlogs; those the store already returned come late there and are ignored
// by the windows, so replay begins after what the earliest of them says.
func (e *Engine) refill(ctx context.Context, en *entry) error {
	en.shard.mu.Lock()
	n := 0
	for _, x := range en.insts {
		if x.cold {
			n++
		}
	}
	en.shard.mu.Unlock()
	if n == 0 {
		e.warm(en)
		return nil
	}
	now := e.clock().Millis()
	// Beyond the widest window the series' own interval is learnt from a little more.
	back := max(en.cond.Widest, 10*time.Minute)
	for i, src := range en.cond.Sources {
		cur, err := e.samples.Select(ctx, src.Selector, now-back.Milliseconds(), now+10*60*1000)
		if err != nil {
			return err
		}
		err = e.pour(cur, en, i)
		if cerr := cur.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	at := e.clock()
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	s := en.shard
	en.filling = false
	for _, x := range en.insts {
		if !x.cold {
			continue
		}
		x.cold = false
		for _, w := range x.backlog {
			s.round++
			s.touched = s.touched[:0]
			s.feed(x, w.source, w.ref, w.p, w.at)
		}
		x.backlog = nil
		x.fresh = false
		s.schedule(x, at)
	}
	s.poke()
	return nil
}

// pour feeds a selection into the cold instances that tap its series.
func (e *Engine) pour(cur Cursor, en *entry, source int) error {
	var buf []series.Point
	for cur.Next() {
		ref := cur.Ref()
		before, replayed := e.replayFrom[ref]
		xs := e.tapped(en, source, ref, cur.Labels())
		if len(xs) == 0 {
			continue
		}
		ps, err := cur.Points(buf[:0])
		if err != nil {
			return err
		}
		buf = ps
		en.shard.mu.Lock()
		for _, x := range xs {
			if !x.cold {
				continue
			}
			for _, p := range ps {
				if replayed && p.T >= before {
					break
				}
				if x.in.Observe(source, ref, p) && source == 0 {
					// On the instance's clock the sample arrived when it was taken.
					x.arrived = e.arrival(p.T)
				}
			}
		}
		en.shard.mu.Unlock()
	}
	return cur.Err()
}

// arrival is the stamp of a sample that was taken in before this start: as long
// ago on the boot clock as on the wall clock, and never in the future.
func (e *Engine) arrival(t int64) clock.Stamp {
	now := e.started
	ago := max(time.Duration(now.Millis()-t)*time.Millisecond, 0)
	return now.Add(-ago)
}

// tapped lists the instances of an entry that read a series as a source.
func (e *Engine) tapped(en *entry, source int, ref series.Ref, ls series.Labels) []*instance {
	en.shard.mu.Lock()
	defer en.shard.mu.Unlock()
	if source == 0 {
		if x := en.insts[ls.Fingerprint()]; x != nil {
			return []*instance{x}
		}
		return nil
	}
	var out []*instance
	for _, x := range en.insts {
		if en.cond.Joins(source, x.labels, ls) {
			out = append(out, x)
		}
	}
	return out
}

// entryFromRow compiles a stored policy. One that no longer compiles is kept,
// named, and evaluated by nobody.
func (e *Engine) entryFromRow(row PolicyRow) *entry {
	var doc PolicyDocument
	err := json.Unmarshal(row.Text, &doc)
	doc.Name = row.Name
	en, issues := e.compile(doc)
	if err != nil || len(issues) > 0 {
		msg := issues.Error()
		if err != nil {
			msg = err.Error()
		}
		e.log.Error("stored policy does not compile, it is off", "policy", row.Name, "error", msg)
		en = &entry{doc: doc, broken: msg, shard: e.shardOf(row.Name), insts: map[uint64]*instance{}}
	}
	en.owner, en.place, en.version = document.Owner(row.Owner), row.Place, row.Version
	en.created, en.updated = row.Created, row.Updated
	return en
}

// safeMode pauses everything after three unclean starts within ten minutes: the
// healer may be what brings the host down.
func (e *Engine) safeMode(starts []clock.Stamp) {
	now := e.started
	n := 0
	for _, s := range starts {
		if d, _ := now.Sub(s); d >= 0 && d <= 10*time.Minute {
			n++
		}
	}
	if n >= 3 {
		e.holds.safe = Hold{
			ID: "safe-mode", Kind: HoldPause, Actor: "vigild",
			Reason: "safe mode: three unclean starts within 10 minutes", From: now, Until: now.Add(30 * time.Minute), Created: now,
		}
		e.log.Error("safe mode: acting is paused", "starts", n, "until", e.holds.safe.Until.Time())
	}
}

var _ remedy.Judge = (*Engine)(nil)
