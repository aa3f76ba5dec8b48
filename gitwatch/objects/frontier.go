package objects

import (
	"container/heap"

	"github.com/go-git/go-git/v5/plumbing"
)

// Colours of a commit: under what is wanted, under what they have.
const (
	ours = 1 << iota
	known
)

// frontier walks two sides of a history at once, newest first by the committers'
// clocks, so that what is far below both is never read. Where a clock was wrong
// it may take a commit that both sides have for ours alone, never the other way.
type frontier struct {
	s       *selector
	colour  map[plumbing.Hash]uint8
	queued  map[plumbing.Hash]bool
	queue   byDate
	live    int  // queued commits that are ours alone
	meeting bool // some commit is on both sides
}

type byDate []Commit

func (q byDate) Len() int           { return len(q) }
func (q byDate) Less(i, j int) bool { return q[i].Committer.When.After(q[j].Committer.When) }
func (q byDate) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byDate) Push(x any)        { *q = append(*q, x.(Commit)) }
func (q *byDate) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func (s *selector) frontier(wants, haves []plumbing.Hash) (*frontier, error) {
	f := &frontier{s: s, colour: map[plumbing.Hash]uint8{}, queued: map[plumbing.Hash]bool{}}
	for _, h := range wants {
		if err := f.add(h, ours); err != nil {
			return nil, err
		}
	}
	for _, h := range haves {
		if kind, err := s.v.Kind(h); err != nil || kind != plumbing.CommitObject {
			continue // of a history that is not ours
		}
		if err := f.add(h, known); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add gives a commit a colour, and queues it when that is news.
func (f *frontier) add(h plumbing.Hash, c uint8) error {
	was := f.colour[h]
	if was|c == was {
		return nil
	}
	f.colour[h] = was | c
	if was|c == ours|known {
		f.meeting = true
	}
	if f.queued[h] {
		if was == ours {
			f.live--
		}
		return nil
	}
	commit, err := f.s.commit(h)
	if err != nil {
		return err
	}
	f.queued[h] = true
	if was|c == ours {
		f.live++
	}
	heap.Push(&f.queue, commit)
	return nil
}

// next takes the newest commit and colours its parents, but for those of the
// commits in cut, which this walk takes for roots.
func (f *frontier) next(cut map[plumbing.Hash]struct{}) (Commit, error) {
	c := heap.Pop(&f.queue).(Commit)
	f.queued[c.ID] = false
	colour := f.colour[c.ID]
	if colour == ours {
		f.live--
	}
	if _, root := cut[c.ID]; root {
		return c, nil
	}
	if colour&known != 0 {
		colour = known
	}
	for _, p := range c.Parents {
		if err := f.add(p, colour); err != nil {
			return c, err
		}
	}
	return c, nil
}

// newer are the commits under the wants that are not under the haves, newest
// first; old are commits under the haves, those that border on the others among
// them. stop, when not nil, ends the walk with what was found so far.
func (s *selector) newer(wants, haves []plumbing.Hash, cut map[plumbing.Hash]struct{}, stop func(found int) bool) (fresh []plumbing.Hash, old map[plumbing.Hash]struct{}, err error) {
	f, err := s.frontier(wants, haves)
	if err != nil {
		return nil, nil, err
	}
	var order []plumbing.Hash
	for f.live > 0 && (stop == nil || !stop(len(order))) {
		c, err := f.next(cut)
		if err != nil {
			return nil, nil, err
		}
		if f.colour[c.ID] == ours {
			order = append(order, c.ID)
		}
	}
	for _, h := range order {
		if f.colour[h] == ours {
			fresh = append(fresh, h)
		}
	}
	old = map[plumbing.Hash]struct{}{}
	for h, c := range f.colour {
		if c&known != 0 {
			old[h] = struct{}{}
		}
	}
	return fresh, old, nil
}

// meets says whether a want has a common ancestor with the haves.
func (s *selector) meets(want plumbing.Hash, haves []plumbing.Hash, cut map[plumbing.Hash]struct{}) (bool, error) {
	f, err := s.frontier([]plumbing.Hash{want}, haves)
	if err != nil {
		return false, err
	}
	for len(f.queue) > 0 && !f.meeting {
		if _, err := f.next(cut); err != nil {
			return false, err
		}
	}
	return f.meeting, nil
}
