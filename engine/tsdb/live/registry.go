package live

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/series"
	"vigil/engine/tsdb/index"
	"vigil/engine/tsdb/rows"
)

// Registry knows every live series: by its bytes, by its labels, by its ref.
type Registry struct {
	table    *index.Table[Head]
	postings *index.Postings
	locals   locals
	ended    atomic.Uint64 // how often End was called

	mu      sync.Mutex
	prints  prints
	shares  map[string]*share
	nextRef uint64
	undef   []*Head // not in the log yet
	unsaved []*Head // not in samples.db yet
	scratch series.Labels
	bytes   []byte // scratch of keyOf
}

// NewRegistry makes an empty one; the look-up by raw labels takes aliasBytes.
func NewRegistry(aliasBytes int) *Registry {
	r := &Registry{table: index.NewTable[Head](aliasBytes), shares: map[string]*share{}, nextRef: 1}
	r.postings = index.NewPostings(func(l series.Local) series.Key {
		if h := r.locals.at(l); h != nil {
			return h.Key
		}
		return ""
	})
	return r
}

// The classes of callers: what one of them may write under some label bytes says
// nothing about what another may.
const (
	Known index.Class = iota
	Open
	Own
)

// ClassOf is the class of a batch's sender.
func ClassOf(b *series.Batch) index.Class {
	switch {
	case b.Own:
		return Own
	case b.Open:
		return Open
	}
	return Known
}

// find returns the series with these labels. The lock is held.
func (r *Registry) find(print uint64, ls series.Labels) *Head {
	return r.prints.find(print, func(h *Head) bool { return h.Key.Equal(ls) })
}

// insert makes h live. The lock is held.
func (r *Registry) insert(h *Head) {
	r.locals.give(h)
	r.prints.add(h)
	h.share.Load().live++
	// The strings of these lie in the head's own key; the index keeps them.
	r.scratch = h.Key.AppendTo(r.scratch[:0])
	r.postings.Add(h.Local, r.scratch)
	clear(r.scratch)
}

// Restore makes a series live that was defined before. It says no when the
// definition does not read.
func (r *Registry) Restore(ref series.Ref, token string, key []byte, saved bool) (*Head, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := series.Key(key)
	ls, ok := k.Sorted(r.scratch[:0])
	if !ok {
		return nil, false
	}
	r.scratch = ls
	if ls.Get(series.OriginLabel) == series.OriginOpen {
		k = r.keyOf(ls)
	}
	r.nextRef = max(r.nextRef, uint64(ref)+1)
	h := newHead(ref, k, ls.Fingerprint(), r.shareOf(token, ls))
	h.Owned.Store(isOwn(token))
	r.insert(h)
	if !saved {
		r.unsaved = append(r.unsaved, h)
	}
	return h, true
}

// keyOf lays labels out so that what a sender without a token writes, which is
// all but the mark of its origin, is a piece of it.
// The lock is held.
func (r *Registry) keyOf(ls series.Labels) series.Key {
	r.bytes = r.bytes[:0]
	open := false
	for _, l := range ls {
		if l == origin {
			open = true
			continue
		}
		r.bytes = series.AppendLabel(r.bytes, l.Name, l.Value)
	}
	if open {
		r.bytes = append(r.bytes, originKey...)
	}
	return series.Key(r.bytes)
}

var (
	origin    = series.Label{Name: series.OriginLabel, Value: series.OriginOpen}
	originKey = series.Labels{origin}.Key()
)

// All is the live series, nil where a local is free.
func (r *Registry) All() []*Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.locals.all()
}

// Select is the live series that match, by their locals.
func (r *Registry) Select(sel series.Selector) []*Head {
	for {
		ended := r.ended.Load()
		found := r.postings.Select(sel)
		out := make([]*Head, 0, len(found))
		for _, l := range found {
			if h := r.locals.at(l); h != nil {
				out = append(out, h)
			}
		}
		// A local may have been given to another series only after some have ended.
		if r.ended.Load() == ended {
			return out
		}
	}
}

// Obtain finds a series by the labels of which raw is a sender's spelling, or
// makes it, within the caps. A new one is announced before anybody can find it,
// and Get finds it under raw from then on.
// What vigild itself writes is its own from then on, and refused to all others.
func (r *Registry) Obtain(c Caps, hooks engine.Hooks, b *series.Batch, raw []byte, ls series.Labels, boot time.Duration) (*Head, series.Reason) {
	print := ls.Fingerprint()
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.find(print, ls)
	if h == nil {
		sh := r.shareOf(tokenOf(b), ls)
		if r.live() >= c.Series || sh.capped() && sh.live >= c.PerToken {
			return nil, series.SeriesCap
		}
		h = newHead(series.Ref(r.nextRef), r.keyFrom(raw, ls), print, sh)
		h.Born = boot
		r.nextRef++
		r.insert(h)
		r.undef = append(r.undef, h)
		r.unsaved = append(r.unsaved, h)
		hooks.Registered(h.Ref, h.Local, h.Key)
	} else if !b.Own && h.Owned.Load() {
		return nil, series.LocalName
	}
	if b.Own {
		r.own(h, tokenOf(b))
	}
	r.remember(raw, ClassOf(b), h)
	return h, series.Accepted
}

// keyFrom is keyOf in the order in which the labels came, if that will do. The
// lock is held.
func (r *Registry) keyFrom(raw []byte, ls series.Labels) series.Key {
	if k := series.Key(raw); k.Equal(ls) {
		return k
	} else if k += originKey; k.Equal(ls) {
		return k
	}
	return r.keyOf(ls)
}

// remember lets Get find h under a spelling: under one of them, the first, for
// nothing. The lock is held.
func (r *Registry) remember(raw []byte, c index.Class, h *Head) {
	if n := len(raw); n <= len(h.Key) && string(h.Key[:n]) == string(raw) && r.table.PutOwn(&h.own, string(h.Key[:n]), c, h) {
		return
	}
	r.table.Put(raw, c, h)
}

// TakeUndefined hands over the series whose definitions the next log record must
// begin with; GiveBack returns them when it was not written.
func (r *Registry) TakeUndefined() []*Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs := r.undef
	r.undef = nil
	return defs
}

// GiveBack returns series whose definitions were not written after all.
func (r *Registry) GiveBack(undef, unsaved []*Head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undef = append(undef, r.undef...)
	r.unsaved = append(unsaved, r.unsaved...)
}

// Redefine puts the definitions of all series that are not in samples.db before the
// next log record once more: what defined them may be gone with a part of the log.
func (r *Registry) Redefine() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undef = slices.Clone(r.unsaved)
}

// TakeUnsaved hands over the series whose definitions are not in samples.db, and
// the ref that comes next.
func (r *Registry) TakeUnsaved() (defs []*Head, nextRef uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs = r.unsaved
	r.unsaved = nil
	return defs, r.nextRef
}

// Definitions are the series as they lie in the log and in samples.db.
func Definitions(hs []*Head) []rows.Series {
	if len(hs) == 0 {
		return nil
	}
	defs := make([]rows.Series, len(hs))
	var ls series.Labels
	for i, h := range hs {
		ls = h.Key.AppendTo(ls[:0])
		defs[i] = rows.Series{Ref: h.Ref, Token: h.share.Load().token, Key: []byte(ls.Key())}
	}
	return defs
}

// Caps are how many series there may be, in all and of one sender.
type Caps struct{ Series, PerToken int }

// For is the caps as a batch meets them. What vigild measures itself is bounded
// by its checks; a share above the cap stays free for it, so that a flood of
// pushed series does not blind it.
func (c Caps) For(b *series.Batch) Caps {
	if b.Own {
		c.Series += c.Series / 8
	}
	return c
}

// Get finds a live series by raw label bytes, nil where it is not known under
// them. It takes no lock.
func (r *Registry) Get(key []byte, c index.Class) *Head {
	h := r.table.Get(key, c)
	if h != nil && h.Gone.Load() {
		return nil
	}
	return h
}

// Postings is the label index.
func (r *Registry) Postings() *index.Postings { return r.postings }

// Live counts the series, and the bytes of the look-up by raw labels.
func (r *Registry) Live() (n, aliasBytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live(), r.table.Bytes()
}

func (r *Registry) live() int { return r.prints.used }

// Above makes refs go on from ref.
func (r *Registry) Above(ref uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextRef = max(r.nextRef, ref)
}

// UnsaveAll makes every live series' definition one that is not in samples.db.
func (r *Registry) UnsaveAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaved = slices.DeleteFunc(r.locals.all(), func(h *Head) bool { return h == nil })
}

// End ends series and announces it; their locals may be given out again after.
// No append may be under way.
func (r *Registry) End(gone []*Head, hooks engine.Hooks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	labels := make(map[series.Local]series.Labels, len(gone))
	for _, h := range gone {
		h.Gone.Store(true)
		labels[h.Local] = h.Key.Labels()
	}
	r.postings.Remove(labels)
	r.table.Purge(func(h *Head) bool { return h.Gone.Load() })
	r.ended.Add(1)
	for _, h := range gone {
		r.locals.clear(h.Local)
		r.prints.remove(h)
		r.disown(h)
		hooks.Dropped(h.Ref, h.Local)
		r.locals.release(h.Local)
	}
	ended := func(h *Head) bool { return h.Gone.Load() }
	r.undef = slices.DeleteFunc(r.undef, ended)
	r.unsaved = slices.DeleteFunc(r.unsaved, ended)
}
