package pack

import (
	"cmp"
	"crypto/sha1"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
)

// cacheBytes is what one Set keeps of inflated objects, since a delta's base is
// soon wanted again.
const cacheBytes = 8 << 20

// Set reads objects from several packs. It holds its packs until Close. It is
// for one goroutine.
type Set struct {
	packs []*Pack
	limit int64 // inflated bytes of one object
	depth int   // of a chain

	inflate inflater

	cache  map[place]cached
	cached int
}

type place struct {
	pack   *Pack
	offset int64
}

type cached struct {
	kind plumbing.ObjectType
	data []byte
}

// NewSet takes a hold of the packs; the first that has an object serves it.
func NewSet(caps Caps, packs ...*Pack) *Set {
	for _, p := range packs {
		p.Hold()
	}
	return &Set{packs: slices.Clone(packs), limit: caps.Object, depth: caps.Depth, cache: map[place]cached{}}
}

// Close lets go of the packs.
func (s *Set) Close() {
	for _, p := range s.packs {
		p.Release()
	}
	s.packs, s.cache = nil, nil
}

// Packs are the packs of the set; they stay held by it alone.
func (s *Set) Packs() []*Pack { return s.packs }

func (s *Set) find(h plumbing.Hash) (place, bool) {
	for _, p := range s.packs {
		if at, ok := p.find(h); ok {
			return place{p, at}, true
		}
	}
	return place{}, false
}

// Has says whether the object is there; nothing is read.
func (s *Set) Has(h plumbing.Hash) bool { _, ok := s.find(h); return ok }

// Kind is the object's kind, NotFound without the object. Only headers are read.
func (s *Set) Kind(h plumbing.Hash) (plumbing.ObjectType, error) {
	at, ok := s.find(h)
	if !ok {
		return 0, fault.New(fault.NotFound, "there is no object %s", h)
	}
	for range s.depth + 1 {
		head, err := at.pack.head(at.offset)
		if err != nil || !head.delta() {
			return head.kind, err
		}
		if at.offset, err = at.pack.base(at.offset, head); err != nil {
			return 0, err
		}
	}
	return 0, fault.New(fault.Corrupt, "the chain under %s is deeper than %d", h, s.depth)
}

// Get reads an object; the bytes are shared and not to be changed. NotFound,
// TooLarge, or Corrupt when the bytes do not have the name they are kept under.
func (s *Set) Get(h plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	at, ok := s.find(h)
	if !ok {
		return 0, nil, fault.New(fault.NotFound, "there is no object %s", h)
	}
	kind, data, err := s.read(at)
	if err != nil {
		return 0, nil, err
	}
	// A plain SHA-1 will do: what made a collision was refused when it came in.
	sum := sha1.New()
	fmt.Fprintf(sum, "%s %d\x00", kind, len(data))
	sum.Write(data)
	if [20]byte(sum.Sum(nil)) != h {
		return 0, nil, fault.New(fault.Corrupt, "the object %s has other bytes than its name says", h)
	}
	return kind, data, nil
}

func (s *Set) read(at place) (plumbing.ObjectType, []byte, error) {
	type step struct {
		at    place
		delta []byte
	}
	var (
		chain []step
		kind  plumbing.ObjectType
		data  []byte
	)
	for {
		if c, ok := s.cache[at]; ok {
			kind, data = c.kind, c.data
			break
		}
		h, deflated, err := at.pack.raw(at.offset)
		if err != nil {
			return 0, nil, err
		}
		if h.size > s.limit {
			return 0, nil, fault.New(fault.TooLarge, "an object of %d bytes, at most %d are read", h.size, s.limit)
		}
		bytes, err := s.inflate.inflate(deflated, h.size)
		if err != nil {
			return 0, nil, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", at.pack.name, at.offset)
		}
		if !h.delta() {
			kind, data = h.kind, bytes
			s.keep(at, kind, data)
			break
		}
		if chain = append(chain, step{at, bytes}); len(chain) > s.depth {
			return 0, nil, fault.New(fault.Corrupt, "a chain in %s is deeper than %d", at.pack.name, s.depth)
		}
		if at.offset, err = at.pack.base(at.offset, h); err != nil {
			return 0, nil, err
		}
	}
	for _, st := range slices.Backward(chain) {
		var err error
		if data, err = patch(data, st.delta, s.limit); err != nil {
			if fault.KindOf(err) == fault.TooLarge {
				return 0, nil, err
			}
			return 0, nil, fault.Wrap(fault.Corrupt, err, "the pack %s at %d", st.at.pack.name, st.at.offset)
		}
		s.keep(st.at, kind, data)
	}
	return kind, data, nil
}

func (s *Set) keep(at place, kind plumbing.ObjectType, data []byte) {
	if len(data) > cacheBytes/8 {
		return
	}
	if s.cached += len(data); s.cached > cacheBytes {
		clear(s.cache)
		s.cached = len(data)
	}
	s.cache[at] = cached{kind, data}
}

// Sort puts objects in the order in which they lie in the packs, so that an
// offset delta comes after its base; objects that are not there come last.
func (s *Set) Sort(hs []plumbing.Hash) {
	rank := map[*Pack]int{}
	for i, p := range s.packs {
		rank[p] = i
	}
	type keyed struct {
		h    plumbing.Hash
		pack int
		at   int64
	}
	ks := make([]keyed, len(hs))
	for i, h := range hs {
		ks[i] = keyed{h, len(s.packs), 0}
		if at, ok := s.find(h); ok {
			ks[i] = keyed{h, rank[at.pack], at.offset}
		}
	}
	slices.SortFunc(ks, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.pack, b.pack), cmp.Compare(a.at, b.at))
	})
	for i, k := range ks {
		hs[i] = k.h
	}
}
