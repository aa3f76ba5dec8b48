// Package index finds series: by the bytes of their labels as they arrived, and
// by selectors.
//
// Table is the hot path: reading takes no lock and allocates nothing. Postings
// answers selectors from lists of series per label value. Neither knows what a
// series is beyond its labels and its dense index; both may be used
// concurrently. They hold memory only, start nothing and do no I/O.
package index

import (
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
	entry []atomic.Pointer[Alias[V]]
}

// Alias is one spelling of a value. The class is in the hash: two entries of one
// key and one hash are of one class.
type Alias[V any] struct {
	hash  uint64 // with ownBit
	key   string
	value *V
}

// ownBit marks an entry that lies in its value; hashes leave it free.
const ownBit = 1 << 7

func (a *Alias[V]) is(hash uint64, key []byte) bool {
	return a.hash&^ownBit == hash && a.key == string(key)
}

func (a *Alias[V]) cost() int {
	if a.hash&ownBit != 0 {
		return ownCost
	}
	return len(a.key) + entryCost
}

// What an entry takes beside its key, roughly; an own one lies in its value, key
// included.
const (
	entryCost = 64
	ownCost   = 24
)

// NewTable makes a table that holds about limit bytes.
func NewTable[V any](limit int) *Table[V] {
	t := &Table[V]{limit: max(limit/shardCount, 4096)}
	for i := range t.shards {
		t.shards[i].slots.Store(newSlots[V](16))
	}
	return t
}

func newSlots[V any](n int) *slots[V] {
	return &slots[V]{mask: uint64(n - 1), entry: make([]atomic.Pointer[Alias[V]], n)}
}

func hashOf(key []byte, c Class) uint64 {
	// The class is folded in by an odd multiplier, so that the classes of one key
	// lie apart.
	return (xxhash.Sum64(key) + uint64(c)*0x9e3779b97f4a7c15) &^ ownBit
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
		if a.is(h, key) {
			return a.value
		}
	}
}

// Put remembers a value under a copy of key.
func (t *Table[V]) Put(key []byte, c Class, v *V) {
	t.put(&Alias[V]{hashOf(key, c), string(key), v})
}

// PutOwn is Put with the entry and its key in memory that v has anyway: own is
// part of v, and key of what v holds for good. It says no when own is already
// another spelling. Calls for one value must not overlap.
func (t *Table[V]) PutOwn(own *Alias[V], key string, c Class, v *V) bool {
	a := Alias[V]{hashOf([]byte(key), c) | ownBit, key, v}
	switch {
	case own.value == nil:
		*own = a
	case own.hash != a.hash || own.key != a.key:
		return false
	}
	t.put(own)
	return true
}

func (t *Table[V]) put(a *Alias[V]) {
	sh := &t.shards[a.hash%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.slots.Load()
	switch {
	case sh.bytes+a.cost() > t.limit:
		s = newSlots[V](16)
		sh.used, sh.bytes = 0, 0
	case (sh.used+1)*4 > len(s.entry)*3:
		s = grown(s)
	}
	if put(s, a) {
		sh.used++
		sh.bytes += a.cost()
	}
	sh.slots.Store(s)
}

// put adds or replaces an entry and says whether it is new.
func put[V any](s *slots[V], a *Alias[V]) bool {
	for i := a.hash >> 8; ; i++ {
		old := s.entry[i&s.mask].Load()
		if old != nil && ((old.hash^a.hash)&^ownBit != 0 || old.key != a.key) {
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
				sh.bytes += a.cost()
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
