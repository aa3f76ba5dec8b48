package evaluate

import (
	"context"
	"encoding/json"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/shard"
)

type rowKey struct {
	policy string
	fp     uint64
}

// Load brings memory to where the ledger says it was: policies and firings;
// then the store replays its log into the shards' queues (nothing is evaluated
// yet), and the windows are refilled with what lies before that. Run calls it;
// a rehearsal, which has no moving parts, calls it alone.
func (e *Evaluator) Load(ctx context.Context, snap *engine.Snapshot) error {
	e.started = e.clock()
	e.rows = make(map[rowKey]engine.FiringRow, len(snap.Firings))
	for _, f := range snap.Firings {
		e.rows[rowKey{f.Policy, f.Fingerprint}] = f
	}
	e.index.Mu.Lock()
	for _, row := range snap.Policies {
		e.enter(e.newEntry(e.fromRow(row)))
	}
	e.index.Mu.Unlock()
	e.link()
	e.storedPos.Store(snap.Position)
	e.track.From(snap.Position)
	if err := e.samples.Start(ctx, snap.Position, e); err != nil {
		return err
	}
	if err := e.awaken(ctx); err != nil {
		return err
	}
	e.replayFrom = nil
	e.opened.Store(true)
	return nil
}

// awaken makes instances for firings whose series is not live, closes those
// whose policy is gone, and refills all windows.
func (e *Evaluator) awaken(ctx context.Context) error {
	e.index.Mu.Lock()
	var orphans []engine.FiringRow
	for k, row := range e.rows {
		en := e.entries[k.policy]
		if en == nil || en.Cond == nil {
			row.Closed = "its policy is gone"
			orphans = append(orphans, row)
			continue
		}
		en.Shard.Mu.Lock()
		x := shard.NewInstance(en, row.Labels, true)
		e.restore(x)
		en.Put(x)
		e.join(x)
		en.Shard.Mu.Unlock()
	}
	e.rows = nil
	ens := make([]*shard.Entry, 0, len(e.entries))
	for _, en := range e.entries {
		if en.Cond != nil {
			ens = append(ens, en)
		}
	}
	e.index.Mu.Unlock()
	for _, en := range ens {
		if err := e.refill(ctx, en); err != nil {
			return err
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	_, err := e.journal.Commit(ctx, shard.Decide(shard.Outcome{Closing: orphans}, 0, e.clock()))
	return err
}

// restore gives a new instance the state that is kept for it: by the entry it
// takes over from, else by the ledger. The entry's shard is locked.
func (e *Evaluator) restore(x *shard.Instance) {
	if x.En.Listen != nil {
		return
	}
	now := e.clock()
	if old := x.En.Inherit; old != nil {
		if ox := old.Insts[x.FP]; ox != nil {
			x.Restore(ox.Row, ox.Seen, ox.Kept, ox.Remedied, now)
			x.Underway = ox.Underway
		}
		return
	}
	k := rowKey{x.En.Name, x.FP}
	row, ok := e.rows[k]
	if !ok {
		return
	}
	delete(e.rows, k)
	// An episode that stands has had its remediation, whatever hides it for now: where
	// the ledger has none, or none any more, it is raised. What is left of an episode
	// before, such as one that gave up, is asked for when it fires again.
	stands := row.State.Stands()
	x.Restore(row, row.State.Seen, true, stands, now)
	x.Underway = !stands
}

// fromRow compiles a stored policy. One that no longer compiles is kept, named,
// and evaluated by nobody.
func (e *Evaluator) fromRow(row engine.PolicyRow) shard.Policy {
	p := shard.Policy{
		Owner: document.Owner(row.Owner), Place: row.Place, Version: row.Version, Created: row.Created, Updated: row.Updated,
	}
	err := json.Unmarshal(row.Text, &p.Doc)
	p.Doc.Name = row.Name
	if err == nil {
		err = compileRow(&p)
	}
	if err != nil {
		p.Cond, p.Broken = nil, err.Error()
		e.log.Error("stored policy does not compile, it is off", "policy", row.Name, "error", p.Broken)
	} else if p.Doc.Remedy != nil {
		// Stored by a vigild that took it: it is judged on, and an act that cannot be
		// right is refused when its turn comes.
		for _, i := range p.Doc.Remedy.Check(nil) {
			e.log.Warn("stored policy would be refused now", "policy", row.Name, "place", "/remedy"+i.Place, "error", i.Msg, "hint", i.Hint)
		}
	}
	return p
}

func compileRow(p *shard.Policy) error {
	c, is := policy.Compile(p.Doc.Condition)
	p.Cond = c
	return is.Err()
}

// arrival is the stamp of a sample that was taken in before this start: as long
// ago on the boot clock as on the wall clock, and never in the future.
func (e *Evaluator) arrival(t int64) clock.Stamp {
	ago := max(time.Duration(e.started.Millis()-t)*time.Millisecond, 0)
	return e.started.Add(-ago)
}
