package engine

import (
	"slices"

	"vigil/engine/series"
)

// Admit refuses names that only vigild's own checks may write, and a made-up
// origin: that label is the store's to set.
func (e *Engine) Admit(ls series.Labels, b *series.Batch) series.Reason {
	if b.Own {
		return series.Accepted
	}
	if e.local[ls.Name()] {
		return series.LocalName
	}
	if o := ls.Get(series.OriginLabel); o != "" && !(b.Open && o == series.OriginOpen) {
		return series.Rejected
	}
	return series.Accepted
}

// Registered matches a new series with the policies that watch it.
func (e *Engine) Registered(ref series.Ref, l series.Local, ls series.Labels) {
	e.reg.register(e, ref, l, ls)
}

// Dropped ends what the series meant.
func (e *Engine) Dropped(ref series.Ref, l series.Local) { e.reg.drop(e, ref, l) }

// Reserve keeps room in the evaluator's queue for the points of watched series,
// or refuses them as Lagging; points nobody watches are never refused.
func (e *Engine) Reserve(b *series.Batch) {
	n := 0
	for i := range b.Items {
		if it := &b.Items[i]; it.Hi > it.Lo && e.reg.watch(it.Local) != nil {
			n += int(it.Hi - it.Lo)
		}
	}
	if n == 0 {
		return
	}
	if e.track.reserve(n, e.cfg.Queue) {
		b.Reserved = n
		return
	}
	for i := range b.Items {
		if it := &b.Items[i]; it.Hi > it.Lo && e.reg.watch(it.Local) != nil {
			it.Refused += it.Hi - it.Lo
			it.Hi = it.Lo
			if it.Reason == series.Accepted {
				it.Reason = series.Lagging
			}
			e.count.refused.Add(1)
		}
	}
}

// Abandoned gives the reservation back.
func (e *Engine) Abandoned(b *series.Batch) {
	e.track.release(b.Reserved)
	b.Reserved = 0
}

// Committed copies the points of watched series to the shards that own their
// policies, batch by batch, in log order.
func (e *Engine) Committed(bs []*series.Batch) {
	at := e.clock()
	replay := !e.opened.Load()
	for _, b := range bs {
		end := b.Seq + uint64(b.Accepted())
		var room [4]*block
		blocks := room[:0]
		got := 0
		for i := range b.Items {
			it := &b.Items[i]
			if it.Hi == it.Lo {
				continue
			}
			w := e.reg.watch(it.Local)
			if w == nil {
				continue
			}
			got += int(it.Hi - it.Lo)
			if replay {
				for _, p := range b.Points[it.Lo:it.Hi] {
					if t, ok := e.replayFrom[it.Ref]; !ok || p.T < t {
						e.replayFrom[it.Ref] = p.T
					}
				}
			}
			for _, sh := range w.shards {
				j := slices.IndexFunc(blocks, func(bl *block) bool { return bl.shard == sh })
				if j < 0 {
					j = len(blocks)
					blocks = append(blocks, takeBlock(sh, end, at, replay))
				}
				blocks[j].add(w, b.Points[it.Lo:it.Hi])
			}
		}
		// The share of the queue is what was really taken on, however the watches
		// changed since Reserve.
		e.track.adjust(got - b.Reserved)
		b.Reserved = 0
		e.track.begin(b.Seq, end, len(blocks), got, at)
		for _, bl := range blocks {
			bl.shard.push(bl)
		}
	}
}
