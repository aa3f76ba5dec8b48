package live

import (
	"slices"
	"sync"
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

	mu      sync.Mutex
	prints  map[uint64]*Head // chained through head.next
	byLocal []*Head          // nil where a local is free
	free    []series.Local
	shares  map[string]int // live series by whom they count for
	nextRef uint64
	live    int
	undef   []rows.Series // not in the log yet
	unsaved []rows.Series // not in samples.db yet
}

// NewRegistry makes an empty one; the look-up by raw labels takes aliasBytes.
func NewRegistry(aliasBytes int) *Registry {
	return &Registry{
		table: index.NewTable[Head](aliasBytes), postings: index.NewPostings(),
		prints: map[uint64]*Head{}, shares: map[string]int{}, nextRef: 1,
	}
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
	for h := r.prints[print]; h != nil; h = h.next {
		if h.Labels.Equal(ls) {
			return h
		}
	}
	return nil
}

// insert makes h live. The lock is held.
func (r *Registry) insert(h *Head) {
	if n := len(r.free); n > 0 {
		h.Local = r.free[n-1]
		r.free = r.free[:n-1]
	} else {
		h.Local = series.Local(len(r.byLocal))
		r.byLocal = append(r.byLocal, nil)
	}
	r.byLocal[h.Local] = h
	h.next = r.prints[h.print]
	r.prints[h.print] = h
	r.shares[share(h.Token, h.Labels)]++
	r.live++
	r.postings.Add(h.Local, h.Labels)
}

// remove ends h; its local is free afterwards. The lock is held.
func (r *Registry) remove(h *Head) {
	h.Gone.Store(true)
	r.postings.Remove(h.Local)
	r.byLocal[h.Local] = nil
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
	who := share(h.Token, h.Labels)
	if r.shares[who]--; r.shares[who] == 0 {
		delete(r.shares, who)
	}
	r.live--
}

// Restore makes a series live that was defined before; nil labels mean that the
// definition does not read.
func (r *Registry) Restore(ref series.Ref, token string, key []byte, saved bool) (*Head, bool) {
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

// All is the live series, nil where a local is free.
func (r *Registry) All() []*Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.byLocal)
}

// At is the series with a local, nil where it has gone.
func (r *Registry) At(ls []series.Local) []*Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Head, 0, len(ls))
	for _, l := range ls {
		if int(l) < len(r.byLocal) && r.byLocal[l] != nil {
			out = append(out, r.byLocal[l])
		}
	}
	return out
}

// Obtain finds a series or makes it, within the caps. A new one is announced
// before anybody can find it.
func (r *Registry) Obtain(c Caps, hooks engine.Hooks, token string, ls series.Labels, boot time.Duration) (*Head, series.Reason) {
	print := ls.Fingerprint()
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.find(print, ls); h != nil {
		return h, series.Accepted
	}
	if who := share(token, ls); r.live >= c.Series || who != "" && r.shares[who] >= c.PerToken {
		return nil, series.SeriesCap
	}
	h := newHead(series.Ref(r.nextRef), ls, print, token)
	h.Born = boot
	r.nextRef++
	r.insert(h)
	def := h.definition()
	r.undef = append(r.undef, def)
	r.unsaved = append(r.unsaved, def)
	hooks.Registered(h.Ref, h.Local, ls)
	return h, series.Accepted
}

// TakeUndefined hands over the definitions that the next log record must begin
// with; GiveBack returns them when it was not written.
func (r *Registry) TakeUndefined() []rows.Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs := r.undef
	r.undef = nil
	return defs
}

// GiveBack returns definitions that were not written after all.
func (r *Registry) GiveBack(undef, unsaved []rows.Series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undef = append(undef, r.undef...)
	r.unsaved = append(unsaved, r.unsaved...)
}

// TakeUnsaved hands over the definitions that are not in samples.db, and the ref
// that comes next.
func (r *Registry) TakeUnsaved() (defs []rows.Series, nextRef uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defs = r.unsaved
	r.unsaved = nil
	return defs, r.nextRef
}

func (h *Head) definition() rows.Series {
	var key []byte
	for _, l := range h.Labels {
		key = series.AppendLabel(key, l.Name, l.Value)
	}
	return rows.Series{Ref: h.Ref, Token: h.Token, Key: key}
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

// share is whom a series counts for: the token that brought it, all callers
// without one together, "" vigild itself. A token's name is never like openShare.
func share(token string, ls series.Labels) string {
	if token == "" && ls.Get(series.OriginLabel) == series.OriginOpen {
		return openShare
	}
	return token
}

const openShare = "(open)"

// Get finds a live series by raw label bytes, nil where it is not known under
// them. It takes no lock.
func (r *Registry) Get(key []byte, c index.Class) *Head {
	h := r.table.Get(key, c)
	if h != nil && h.Gone.Load() {
		return nil
	}
	return h
}

// Remember lets Get find h under key.
func (r *Registry) Remember(key []byte, c index.Class, h *Head) { r.table.Put(key, c, h) }

// Postings is the label index.
func (r *Registry) Postings() *index.Postings { return r.postings }

// Live counts the series, and the bytes of the look-up by raw labels.
func (r *Registry) Live() (n, aliasBytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live, r.table.Bytes()
}

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
	r.unsaved = r.unsaved[:0]
	for _, h := range r.byLocal {
		if h != nil {
			r.unsaved = append(r.unsaved, h.definition())
		}
	}
}

// End ends series and announces it; their locals may be given out again after.
// No append may be under way.
func (r *Registry) End(gone []*Head, hooks engine.Hooks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dead := make(map[series.Ref]bool, len(gone))
	for _, h := range gone {
		r.remove(h)
		hooks.Dropped(h.Ref, h.Local)
		r.free = append(r.free, h.Local)
		dead[h.Ref] = true
	}
	ended := func(d rows.Series) bool { return dead[d.Ref] }
	r.undef = slices.DeleteFunc(r.undef, ended)
	r.unsaved = slices.DeleteFunc(r.unsaved, ended)
	r.table.Purge(func(h *Head) bool { return h.Gone.Load() })
}
