// Package index finds series: by the bytes of their labels as they arrived, and
// by selectors.
//
// Table is the hot path: reading takes no lock and allocates nothing. Postings
// answers selectors from lists of series per label value. Neither knows what a
// series is beyond its labels and its dense index; both may be used
// concurrently. They hold memory only, start nothing and do no I/O.
package index

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Class separates callers who may not share an entry: what one may write under a
// key another may not.
type Class uint8

const shardCount = 64

// Table maps label bytes, in whatever order a sender chose, to a value. It is
// bounded: a shard that is full is emptied and fills again from the slow path.
type Table[V any] struct {
	limit  int // bytes of keys in one shard
	shards [shardCount]shard[V]
}

type shard[V any] struct {
	slots atomic.Pointer[slots[V]]
	mu    sync.Mutex // for writing
	used  int
	bytes int
	_     [32]byte // keeps neighbours off one cache line
}

// slots is an open-addressed table that only ever gains entries.
type slots[V any] struct {
	mask  uint64
	entry []atomic.Pointer[alias[V]]
}

type alias[V any] struct {
	hash  uint64
	class Class
	key   []byte
	value *V
}

// entryCost is what an entry takes beside its key, roughly.
const entryCost = 96

// NewTable makes a table that holds about limit bytes.
func NewTable[V any](limit int) *Table[V] {
	t := &Table[V]{limit: max(limit/shardCount, 4096)}
	for i := range t.shards {
		t.shards[i].slots.Store(newSlots[V](16))
	}
	return t
}

func newSlots[V any](n int) *slots[V] {
	return &slots[V]{mask: uint64(n - 1), entry: make([]atomic.Pointer[alias[V]], n)}
}

func hashOf(key []byte, c Class) uint64 {
	// The class is folded in by an odd multiplier, so that the classes of one key
	// lie apart.
	return xxhash.Sum64(key) + uint64(c)*0x9e3779b97f4a7c15
}

// Get finds the value of a key, nil where it is not known. It takes no lock.
func (t *Table[V]) Get(key []byte, c Class) *V {
	h := hashOf(key, c)
	s := t.shards[h%shardCount].slots.Load()
	for i := h >> 8; ; i++ {
		a := s.entry[i&s.mask].Load()
		if a == nil {
			return nil
		}
		if a.hash == h && a.class == c && bytes.Equal(a.key, key) {
			return a.value
		}
	}
}

// Put remembers a value under a copy of key.
func (t *Table[V]) Put(key []byte, c Class, v *V) {
	h := hashOf(key, c)
	sh := &t.shards[h%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	cost := len(key) + entryCost
	s := sh.slots.Load()
	switch {
	case sh.bytes+cost > t.limit:
		s = newSlots[V](16)
		sh.used, sh.bytes = 0, 0
	case (sh.used+1)*2 > len(s.entry):
		s = grown(s)
	}
	a := &alias[V]{h, c, bytes.Clone(key), v}
	if put(s, a) {
		sh.used++
		sh.bytes += cost
	}
	sh.slots.Store(s)
}

// put adds or replaces an entry and says whether it is new.
func put[V any](s *slots[V], a *alias[V]) bool {
	for i := a.hash >> 8; ; i++ {
		old := s.entry[i&s.mask].Load()
		if old != nil && (old.hash != a.hash || old.class != a.class || !bytes.Equal(old.key, a.key)) {
			continue
		}
		s.entry[i&s.mask].Store(a)
		return old == nil
	}
}

func grown[V any](s *slots[V]) *slots[V] {
	n := newSlots[V](2 * len(s.entry))
	for i := range s.entry {
		if a := s.entry[i].Load(); a != nil {
			put(n, a)
		}
	}
	return n
}

// Purge drops the entries of which gone says so. Slow: it rebuilds all shards.
func (t *Table[V]) Purge(gone func(*V) bool) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		old := sh.slots.Load()
		n := newSlots[V](len(old.entry))
		sh.used, sh.bytes = 0, 0
		for j := range old.entry {
			if a := old.entry[j].Load(); a != nil && !gone(a.value) {
				put(n, a)
				sh.used++
				sh.bytes += len(a.key) + entryCost
			}
		}
		sh.slots.Store(n)
		sh.mu.Unlock()
	}
}

// Bytes is about how much the table holds.
func (t *Table[V]) Bytes() (n int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		n += sh.bytes
		sh.mu.Unlock()
	}
	return n
}
