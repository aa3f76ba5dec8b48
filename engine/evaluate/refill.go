package evaluate

import (
	"context"
	"time"

	"vigil/engine"
	"vigil/engine/series"
	"vigil/engine/shard"
)

// refill fills the windows of an entry's cold instances from the store, one
// selection per source, and ends the filling. What is replayed at start waits in
// the shards' queues, and for those series the refill stops where the replay
// begins; what came in meanwhile waits in the instances' backlogs, and what of
// it the store already returned comes late to the windows and is ignored.
func (e *Evaluator) refill(ctx context.Context, en *shard.Entry) error {
	if cold(en) == 0 {
		e.warm(en)
		return nil
	}
	now := e.clock().Millis()
	// Beyond the widest window, the series' own interval is learnt from a little more.
	back := max(en.Cond.Widest, 10*time.Minute)
	for i, src := range en.Cond.Sources {
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
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	en.Filling = false
	for _, x := range en.Insts {
		en.Shard.Thaw(x, at)
	}
	en.Shard.Poke()
	return nil
}

// cold counts the instances whose windows are to be refilled.
func cold(en *shard.Entry) (n int) {
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	for _, x := range en.Insts {
		if x.Cold {
			n++
		}
	}
	return n
}

// warm ends the filling of an entry without pouring anything in.
func (e *Evaluator) warm(en *shard.Entry) {
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	en.Filling = false
	at := e.clock()
	for _, x := range en.Insts {
		en.Shard.Thaw(x, at)
	}
}

// pour feeds a selection into the cold instances that read its series.
func (e *Evaluator) pour(cur engine.Cursor, en *shard.Entry, source int) error {
	var buf []series.Point
	now := e.clock().Millis()
	for cur.Next() {
		ref := cur.Ref()
		before, replayed := e.replayFrom[ref]
		xs := reading(en, source, cur.Labels())
		if len(xs) == 0 {
			continue
		}
		ps, err := cur.Points(buf[:0])
		if err != nil {
			return err
		}
		buf = ps
		en.Shard.Mu.Lock()
		for _, x := range xs {
			if !x.Cold {
				continue
			}
			for _, p := range ps {
				if replayed && p.T >= before {
					break
				}
				if x.In.Observe(source, ref, p) && source == 0 {
					x.Arrived, x.Beyond = e.arrival(p.T), p.T > now
				}
			}
		}
		en.Shard.Mu.Unlock()
	}
	return cur.Err()
}

// reading lists the instances of an entry that read a series as a source.
func reading(en *shard.Entry, source int, ls series.Labels) []*shard.Instance {
	en.Shard.Mu.Lock()
	defer en.Shard.Mu.Unlock()
	if source == 0 {
		if x := en.Insts[ls.Fingerprint()]; x != nil {
			return []*shard.Instance{x}
		}
		return nil
	}
	return en.Joined(source, ls)
}
