// Package match says which subscriptions a series is for, and what is tapped
// from it.
//
// A subscription is a selector with a key of the caller's. It is matched when a
// series is registered or the subscription is added, never when a sample comes:
// subscriptions are indexed by metric name, then by an equality label; those
// that name no metric are kept apart and counted. What taps a live series lies
// in a slice by its local index, read without a lock. What joins something is
// found by the labels that are compared ([Side]).
//
// It refuses to know what is subscribed and why. [Index] is changed under its
// caller's lock ([Index.Mu]); [Index.Watch] may be called by anyone at any time.
// It starts nothing.
package match

import (
	"sync"
	"sync/atomic"

	"vigil/engine/series"
)

// Live is a series that exists, as it is handed to those who watch it. Immutable.
type Live struct {
	Ref    series.Ref
	Local  series.Local
	Labels series.Labels
}

// Watch is what taps one live series. Immutable once published; a change
// publishes another.
type Watch[T comparable] struct {
	Live
	Taps []T
}

// Index matches series and subscriptions of keys K, and publishes taps T.
type Index[K, T comparable] struct {
	Mu sync.RWMutex // held by the caller of every method but Watch

	pages  atomic.Pointer[[]*page[T]]
	names  map[string]map[series.Local]struct{} // metric name -> its live series
	sides  map[string]*Side[series.Local]       // the same by what they were asked for; see Joined
	gone   map[series.Local]map[T]struct{}      // taps that are still to be taken out; see Release
	byName map[string]*bucket[K]
	loose  []sub[K] // subscriptions that name no metric
}

type sub[K comparable] struct {
	key K
	sel series.Selector
}

// bucket holds the subscriptions of one metric name, split by an equality label
// where the selector has one.
type bucket[K comparable] struct {
	equal map[series.Label][]sub[K]
	rest  []sub[K]
}

const pageSize = 1024

// page is what is known of a run of locals. Most series are watched by nobody, so
// their labels stay in one piece, which is the store's own.
type page[T comparable] struct {
	watch [pageSize]atomic.Pointer[Watch[T]]
	known [pageSize]known // under Index.Mu
}

type known struct {
	ref series.Ref // 0: no series has this local
	key series.Key
}

// New makes an empty index.
func New[K, T comparable]() *Index[K, T] {
	x := &Index[K, T]{
		names: map[string]map[series.Local]struct{}{}, byName: map[string]*bucket[K]{},
		sides: map[string]*Side[series.Local]{}, gone: map[series.Local]map[T]struct{}{},
	}
	x.pages.Store(&[]*page[T]{})
	return x
}

// Watch is the hot path: what taps a series, nil for one that nothing taps.
func (x *Index[K, T]) Watch(l series.Local) *Watch[T] {
	ps := *x.pages.Load()
	if int(l/pageSize) >= len(ps) {
		return nil
	}
	return ps[l/pageSize].watch[l%pageSize].Load()
}

// Register makes a series live and lists the keys of the subscriptions it is for;
// lv is nil where there are none. The index keeps key.
func (x *Index[K, T]) Register(ref series.Ref, l series.Local, key series.Key) (subs []K, lv *Live) {
	name := key.Name()
	ls := x.names[name]
	if ls == nil {
		ls = map[series.Local]struct{}{}
		x.names[name] = ls
	}
	ls[l] = struct{}{}
	p := x.page(l)
	p.known[l%pageSize] = known{ref, key}
	p.watch[l%pageSize].Store(nil)
	if side := x.sides[name]; side != nil {
		side.Add(l)
	}
	take := func(list []sub[K]) {
		for _, s := range list {
			if s.sel.MatchesKey(key) {
				subs = append(subs, s.key)
			}
		}
	}
	if b := x.byName[name]; b != nil {
		take(b.rest)
		if len(b.equal) > 0 {
			for _, l := range key.Labels() {
				take(b.equal[l])
			}
		}
	}
	if take(x.loose); len(subs) == 0 {
		return nil, nil
	}
	return subs, &Live{ref, l, key.Labels()}
}

// Drop ends a live series and returns what tapped it, nil for nothing.
func (x *Index[K, T]) Drop(ref series.Ref, l series.Local) *Watch[T] {
	p := x.page(l)
	k := &p.known[l%pageSize]
	if ref == 0 || k.ref != ref {
		return nil
	}
	name := k.key.Name()
	if side := x.sides[name]; side != nil {
		side.Remove(l)
	}
	if delete(x.names[name], l); len(x.names[name]) == 0 {
		delete(x.names, name)
		delete(x.sides, name)
	}
	delete(x.gone, l)
	*k = known{}
	return p.watch[l%pageSize].Swap(nil)
}

// Add subscribes a key to a selector; Remove takes exactly that back.
func (x *Index[K, T]) Add(key K, sel series.Selector) {
	list, done := x.list(sel)
	*list = append(*list, sub[K]{key, sel})
	done()
}

// Remove ends a subscription.
func (x *Index[K, T]) Remove(key K, sel series.Selector) {
	list, done := x.list(sel)
	for i := range *list {
		if (*list)[i].key == key {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			break
		}
	}
	done()
}

// list is where the subscriptions like sel lie; done stores the list again.
func (x *Index[K, T]) list(sel series.Selector) (list *[]sub[K], done func()) {
	name := sel.Name()
	if name == "" {
		return &x.loose, func() {}
	}
	b := x.byName[name]
	if b == nil {
		b = &bucket[K]{equal: map[series.Label][]sub[K]{}}
		x.byName[name] = b
	}
	tidy := func() {
		if len(b.rest) == 0 && len(b.equal) == 0 {
			delete(x.byName, name)
		}
	}
	for _, m := range sel {
		if m.Type == series.MatchEqual && m.Name != series.NameLabel && m.Value != "" {
			key := series.Label{Name: m.Name, Value: m.Value}
			l := b.equal[key]
			return &l, func() {
				if b.equal[key] = l; len(l) == 0 {
					delete(b.equal, key)
				}
				tidy()
			}
		}
	}
	return &b.rest, tidy
}

// Loose counts the subscriptions that name no metric.
func (x *Index[K, T]) Loose() int { return len(x.loose) }
