package tsdb

import (
	"context"
	"fmt"

	"vigil/engine/series"
	"vigil/engine/tsdb/live"
	"vigil/engine/tsdb/payload"
	"vigil/engine/tsdb/rows"
	"vigil/engine/tsdb/wal"
)

// loader rebuilds the store from samples.db and the log.
type loader struct {
	s          *Store
	byRef      map[series.Ref]*live.Head // those whose refs are large
	dense      []*live.Head              // the others, by index
	batch      series.Batch
	undefined  uint64 // samples of series that nothing defines
	unreadable uint64
	wall       int64
}

func (l *loader) find(ref series.Ref) *live.Head {
	if uint64(ref) < uint64(len(l.dense)) {
		return l.dense[ref]
	}
	return l.byRef[ref]
}

func (l *loader) know(h *live.Head) {
	const most = 1 << 24
	if h.Ref >= most {
		l.byRef[h.Ref] = h
		return
	}
	for uint64(h.Ref) >= uint64(len(l.dense)) {
		l.dense = append(l.dense, make([]*live.Head, max(1024, len(l.dense)/2))...)
	}
	l.dense[h.Ref] = h
}

// load does the work of Start, up to what runs.
func (s *Store) load(ctx context.Context, from uint64) error {
	l := &loader{s: s, byRef: map[series.Ref]*live.Head{}}
	if err := l.rows(ctx); err != nil {
		return err
	}
	if err := l.log(); err != nil {
		return err
	}
	s.Evaluated(from)
	s.log.Advance(from)
	s.heads.Begin(s.heads.State().Era, s.log.Position())
	s.startEra(l.wall)
	now := s.clock()
	s.lastCut = bootTime(now)
	for _, h := range s.reg.All() {
		h.Born = bootTime(now)
		s.hooks.Registered(h.Ref, h.Local, h.Key)
	}
	if err := l.again(from); err != nil {
		return err
	}
	if s.log.Stats().Live == 0 {
		// Nothing of the log is older than this: say so, or the next start would
		// miss what never was.
		s.meta.Horizon = s.log.Position()
		if err := s.saveMeta(ctx); err != nil {
			return err
		}
	}
	if err := s.log.Prepare(); err != nil {
		s.ill(err) // appends will say so themselves
	}
	s.noteStats()
	return nil
}

// rows loads series, tails and state.
func (l *loader) rows(ctx context.Context) error {
	s := l.s
	var err error
	if s.meta, err = s.db.LoadMeta(ctx); err != nil {
		return err
	}
	s.reg.Above(max(s.meta.NextRef, 1))
	era := max(s.meta.Era, 1)
	s.heads.Begin(era, 0)
	s.era.confirmed = max(s.meta.Confirmed, 1)
	l.wall = s.meta.Wall
	s.horizon.Store(s.meta.Horizon)
	err = s.db.LoadSeries(ctx, func(d rows.Series) error {
		if h, ok := s.reg.Restore(d.Ref, d.Token, d.Key, true); ok {
			l.know(h)
		} else {
			l.unreadable++
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.db.Tails(func(ref series.Ref, t rows.Tail) {
		if h := l.find(ref); h != nil {
			h.Resume(t, era)
		}
	})
	return nil
}

// log replays the log into the heads.
func (l *loader) log() error {
	s := l.s
	floor := wal.Floor{Generation: s.meta.Generation, Position: s.meta.Horizon, Seq: s.meta.Seq, Newest: s.meta.Newest}
	log, damages, err := wal.Open(s.fs, s.cfg.wal(), floor, l.record)
	if err != nil {
		return err
	}
	s.log = log
	s.tell(logEvents(damages)...)
	if l.undefined > 0 {
		s.tell(Event{Kind: "undefined", Place: s.cfg.wal().Dir, Detail: fmt.Sprintf("%d samples belong to series that nothing defines any more", l.undefined)})
	}
	if l.unreadable > 0 {
		s.tell(Event{Kind: "gap", Place: s.cfg.Dir, Detail: fmt.Sprintf("%d series or log records do not read back", l.unreadable)})
	}
	return nil
}

// record takes one log record into the registry and the heads.
func (l *loader) record(r wal.Record) error {
	s := l.s
	l.wall = max(l.wall, r.Wall)
	if r.Count > 0 && r.Era > 0 && r.Era != s.heads.State().Era {
		s.heads.NewEra(r.Era, s.reg.All())
	}
	p := payload.Read(r.Payload)
	err := p.Definitions(func(ref series.Ref, token, key []byte) {
		// A series that the last cut knew of and samples.db does not has ended.
		if h := l.find(ref); h != nil || uint64(ref) < s.meta.NextRef {
			if h != nil {
				s.reg.Redefined(h, string(token))
			}
			return
		}
		if h, ok := s.reg.Restore(ref, string(token), key, false); ok {
			l.know(h)
		} else {
			l.unreadable++
		}
	})
	if err != nil {
		l.unreadable++
		return nil
	}
	at := r.Position
	for {
		more, err := p.Batch(&l.batch)
		if err != nil {
			l.unreadable++
			return nil
		}
		if !more {
			return nil
		}
		for i := range l.batch.Items {
			it := &l.batch.Items[i]
			n := uint64(it.Hi - it.Lo)
			h := l.find(it.Ref)
			if h == nil {
				l.undefined += n
				s.reg.Above(uint64(it.Ref) + 1)
				at += n
				continue
			}
			for _, pt := range l.batch.Points[it.Lo:it.Hi] {
				if at >= h.Cut() && at >= s.meta.Horizon {
					s.heads.Add(h, pt, at)
				}
				at++
			}
		}
	}
}

// again hands what was not evaluated to the engine.
func (l *loader) again(from uint64) error {
	return l.s.log.Read(from, func(r wal.Record) error {
		p := payload.Read(r.Payload)
		if p.Definitions(func(series.Ref, []byte, []byte) {}) != nil {
			return nil // counted when it was first read
		}
		at := r.Position
		for {
			b := &l.batch
			if more, err := p.Batch(b); err != nil || !more {
				return nil
			}
			for i := range b.Items {
				it := &b.Items[i]
				skip := min(uint64(it.Hi-it.Lo), max(from, at)-at)
				at += uint64(it.Hi - it.Lo)
				it.Lo += uint32(skip)
				h := l.find(it.Ref)
				if h == nil {
					it.Hi = it.Lo
					continue
				}
				it.Local = h.Local
			}
			b.Seq = max(from, at-uint64(len(b.Points)))
			if b.Accepted() > 0 {
				l.s.hooks.Committed([]*series.Batch{b})
			}
		}
	})
}
