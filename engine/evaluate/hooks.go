package evaluate

import (
	"slices"

	"vigil/engine/series"
	"vigil/engine/shard"
)

// Admit refuses names that only vigild's own checks may write, and a made-up
// origin: that label is the store's to set.
func (e *Evaluator) Admit(ls series.Labels, b *series.Batch) series.Reason {
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
func (e *Evaluator) Registered(ref series.Ref, l series.Local, key series.Key) {
	e.index.Mu.Lock()
	defer e.index.Mu.Unlock()
	subs, lv := e.index.Register(ref, l, key)
	// What is joined comes first: an instance that is made of the series looks for all
	// that it joins itself, and the series may be among them.
	for _, h := range subs {
		if h.source > 0 {
			e.attach(h, lv)
		}
	}
	for _, h := range subs {
		if h.source == 0 {
			e.attach(h, lv)
		}
	}
}

// Dropped ends what the series meant to every policy that watched it.
func (e *Evaluator) Dropped(ref series.Ref, l series.Local) {
	e.index.Mu.Lock()
	defer e.index.Mu.Unlock()
	w := e.index.Drop(ref, l)
	if w == nil {
		return
	}
	for _, t := range w.Taps {
		en := t.Inst.En
		en.Shard.Mu.Lock()
		t.Inst.In.Forget(t.Source, ref)
		if t.Source == 0 {
			en.Shard.Retire(t.Inst, "the series was dropped from the store")
		}
		en.Shard.Mu.Unlock()
		if t.Source == 0 {
			e.part(t.Inst)
			e.anchorOf(en)
		}
	}
}

// Reserve keeps room in the evaluator's queue for the points of watched series,
// or refuses them as Lagging; points nobody watches are never refused.
func (e *Evaluator) Reserve(b *series.Batch) {
	n := 0
	for i := range b.Items {
		if it := &b.Items[i]; it.Hi > it.Lo && e.index.Watch(it.Local) != nil {
			n += int(it.Hi - it.Lo)
		}
	}
	if n == 0 {
		return
	}
	if e.track.Reserve(n, e.cfg.Queue) {
		b.Reserved = n
		return
	}
	for i := range b.Items {
		if it := &b.Items[i]; it.Hi > it.Lo && e.index.Watch(it.Local) != nil {
			it.Refused += it.Hi - it.Lo
			it.Hi = it.Lo
			if it.Reason == series.Accepted {
				it.Reason = series.Lagging
			}
			e.count.Refused.Add(1)
		}
	}
}

// Abandoned gives the reservation back.
func (e *Evaluator) Abandoned(b *series.Batch) {
	e.track.Queued.Add(int64(-b.Reserved))
	b.Reserved = 0
}

// Committed copies the points of watched series to the shards that own their
// policies, batch by batch, in log order.
func (e *Evaluator) Committed(bs []*series.Batch) {
	at := e.clock()
	replay := !e.opened.Load()
	for _, b := range bs {
		came := at
		if replay { // a breach of long ago is no news
			came = e.arrival(b.Newest())
		}
		end := b.Seq + uint64(b.Accepted())
		var room [4]*shard.Block
		blocks := room[:0]
		got := 0
		for i := range b.Items {
			it := &b.Items[i]
			if it.Hi == it.Lo {
				continue
			}
			w := e.index.Watch(it.Local)
			if w == nil {
				continue
			}
			ps := b.Points[it.Lo:it.Hi]
			got += len(ps)
			if replay {
				e.replayed(it.Ref, ps)
			}
			for n, t := range w.Taps {
				sh := t.Inst.En.Shard
				if slices.ContainsFunc(w.Taps[:n], func(o shard.Tap) bool { return o.Inst.En.Shard == sh }) {
					continue
				}
				j := slices.IndexFunc(blocks, func(bl *shard.Block) bool { return bl.Shard() == sh })
				if j < 0 {
					j = len(blocks)
					blocks = append(blocks, shard.TakeBlock(sh, end, came, replay))
				}
				blocks[j].Add(w, ps)
			}
		}
		// The share of the queue is what was really taken on, however the watches
		// changed since Reserve.
		e.track.Queued.Add(int64(got - b.Reserved))
		b.Reserved = 0
		e.track.Begin(shard.Span{From: b.Seq, End: end, Left: len(blocks), Points: got, At: at})
		for _, bl := range blocks {
			bl.Shard().Push(bl)
		}
	}
}

// replayed notes where the replay of a series begins, for the refill.
func (e *Evaluator) replayed(ref series.Ref, ps []series.Point) {
	for _, p := range ps {
		if t, ok := e.replayFrom[ref]; !ok || p.T < t {
			e.replayFrom[ref] = p.T
		}
	}
}
