package tsdb

import (
	"slices"
	"sync"

	"vigil/engine"
	"vigil/engine/series"
	"vigil/engine/tsdb/index"
	"vigil/engine/tsdb/rows"
)

// registry knows every live series: by its bytes, by its labels, by its ref.
type registry struct {
	table    *index.Table[head]
	postings *index.Postings

	mu      sync.Mutex
	prints  map[uint64]*head // chained through head.next
	byLocal []*head          // nil where a local is free
	free    []series.Local
	tokens  map[string]int
	nextRef uint64
	live    int
	undef   []rows.Series // not in the log yet
	unsaved []rows.Series // not in samples.db yet
}

func newRegistry(aliasBytes int) *registry {
	return &registry{
		table: index.NewTable[head](aliasBytes), postings: index.NewPostings(),
		prints: map[uint64]*head{}, tokens: map[string]int{}, nextRef: 1,
	}
}

// The classes of callers: what one of them may write under some label bytes says
// nothing about what another may.
const (
	classNone index.Class = iota
	classOpen
	classOwn
)

func classOf(b *series.Batch) index.Class {
	switch {
	case b.Own:
		return classOwn
	case b.Open:
		return classOpen
	}
	return classNone
}

// find returns the series with these labels. The lock is held.
func (r *registry) find(print uint64, ls series.Labels) *head {
	for h := r.prints[print]; h != nil; h = h.next {
		if h.labels.Equal(ls) {
			return h
		}
	}
	return nil
}

// insert makes h live. The lock is held.
func (r *registry) insert(h *head) {
	if n := len(r.free); n > 0 {
		h.local = r.free[n-1]
		r.free = r.free[:n-1]
	} else {
		h.local = series.Local(len(r.byLocal))
		r.byLocal = append(r.byLocal, nil)
	}
	r.byLocal[h.local] = h
	h.next = r.prints[h.print]
	r.prints[h.print] = h
	r.tokens[h.token]++
	r.live++
	r.postings.Add(h.local, h.labels)
}

// remove ends h; its local is free afterwards. The lock is held.
func (r *registry) remove(h *head) {
	h.gone.Store(true)
	r.postings.Remove(h.local)
	r.byLocal[h.local] = nil
	for p := r.prints[h.print]; p != nil; p = p.next {
		if p.next == h {
			p.next = h.next
		}
	}
	if r.prints[h.print] == h {
		r.prints[h.print] = h.next
		if h.next == nil {
			delete(r.prints, h.print)
		}
	}
	if r.tokens[h.token]--; r.tokens[h.token] == 0 {
		delete(r.tokens, h.token)
	}
	r.live--
}

// restore makes a series live that was defined before; nil labels mean that the
// definition does not read.
func (r *registry) restore(ref series.Ref, token string, key []byte, saved bool) (*head, bool) {
	ls, err := series.ParseKey(key)
	if err != nil {
		return nil, false
	}
	r.nextRef = max(r.nextRef, uint64(ref)+1)
	h := newHead(ref, ls, ls.Fingerprint(), token)
	r.insert(h)
	if !saved {
		r.unsaved = append(r.unsaved, rows.Series{Ref: ref, Token: token, Key: slices.Clone(key)})
	}
	return h, true
}

// all is the live series, nil where a local is free.
func (r *registry) all() []*head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.byLocal)
}

// at is the series with a local, nil where it has gone.
func (r *registry) at(ls []series.Local) []*head {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*head, 0, len(ls))
	for _, l := range ls {
		if int(l) < len(r.byLocal) && r.byLocal[l] != nil {
			out = append(out, r.byLocal[l])
		}
	}
	return out
}

// resolve is the slow path of a look-up: it parses the labels and finds or makes
// the series. The caller's class decides under which entry it is found next time.
func (s *Store) resolve(b *series.Batch, key []byte, boot int64) (*head, series.Reason) {
	ls, ok := s.labels(b, key)
	if !ok {
		return nil, series.BadLabels
	}
	if reason := s.hooks.Admit(ls, b); reason != series.Accepted {
		return nil, reason
	}
	h, reason := s.reg.obtain(s.cfg, s.hooks, b.Token, ls, boot)
	if h != nil {
		s.reg.table.Put(key, classOf(b), h)
	}
	return h, reason
}

// labels parses and checks a key against the caps.
func (s *Store) labels(b *series.Batch, key []byte) (series.Labels, bool) {
	// A definition must fit well into a log segment.
	most := int64(s.cfg.MaxLabels) * int64(s.cfg.MaxLabelNameBytes+s.cfg.MaxLabelValueBytes+16)
	if int64(len(key)) > min(most, s.cfg.SegmentBytes/8) {
		return nil, false
	}
	ls, err := series.ParseKey(key)
	if err != nil || ls.Name() == "" {
		return nil, false
	}
	if b.Open {
		ls = ls.With(series.OriginLabel, series.OriginOpen)
	}
	if len(ls) > s.cfg.MaxLabels {
		return nil, false
	}
	for _, l := range ls {
		if len(l.Name) > s.cfg.MaxLabelNameBytes || len(l.Value) > s.cfg.MaxLabelValueBytes {
			return nil, false
		}
	}
	return ls, true
}

// obtain finds a series or makes it, within the caps. A new one is announced
// before anybody can find it.
func (r *registry) obtain(cfg Config, hooks engine.Hooks, token string, ls series.Labels, boot int64) (*head, series.Reason) {
	print := ls.Fingerprint()
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.find(print, ls); h != nil {
		return h, series.Accepted
	}
	if r.live >= cfg.MaxSeries || token != "" && r.tokens[token] >= cfg.MaxSeriesPerToken {
		return nil, series.SeriesCap
	}
	h := newHead(series.Ref(r.nextRef), ls, print, token)
	h.born = boot
	r.nextRef++
	r.insert(h)
	var key []byte
	for _, l := range ls {
		key = series.AppendLabel(key, l.Name, l.Value)
	}
	def := rows.Series{Ref: h.ref, Token: token, Key: key}
	r.undef = append(r.undef, def)
	r.unsaved = append(r.unsaved, def)
	hooks.Registered(h.ref, h.local, ls)
	return h, series.Accepted
}

// takeUndefined hands over the definitions that the next log record must begin
// with; giveBack returns them when it was not written.
func (r *registry) takeUndefined() []rows.Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs := r.undef
	r.undef = nil
	return defs
}

func (r *registry) giveBack(undef, unsaved []rows.Series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undef = append(undef, r.undef...)
	r.unsaved = append(unsaved, r.unsaved...)
}

func (r *registry) takeUnsaved() (defs []rows.Series, nextRef uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs = r.unsaved
	r.unsaved = nil
	return defs, r.nextRef
}
