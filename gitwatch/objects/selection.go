package objects

import (
	"context"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/pack"
)

// Everything is the depth of a history without an end.
const Everything = math.MaxInt32

// Ask is what somebody who fetches wants and has.
type Ask struct {
	Wants   []plumbing.Hash // commits of the store
	Haves   []plumbing.Hash // what is not in the store is passed over
	Depth   int             // 0: not asked; Everything: undo a shallow clone
	Shallow []plumbing.Hash // commits whose parents they do not have
}

// Selection answers an Ask.
type Selection struct {
	Objects   []plumbing.Hash // what to send, in the order of the packs
	Shallow   []plumbing.Hash // commits that are sent without their parents
	Unshallow []plumbing.Hash // commits that get their parents now
}

// Select finds what is to be sent: everything under the wants that is not under
// the haves.
func (v *View) Select(ctx context.Context, ask Ask) (Selection, error) {
	s := &selector{v: v, ctx: ctx, commits: map[plumbing.Hash]Commit{}}
	return s.run(ask)
}

// Ready says whether every want has a common ancestor with the haves, so that
// asking for more haves is of no use.
func (v *View) Ready(ctx context.Context, ask Ask) (bool, error) {
	s := &selector{v: v, ctx: ctx, commits: map[plumbing.Hash]Commit{}}
	if len(ask.Haves) == 0 {
		return false, nil
	}
	cut := set(ask.Shallow)
	for _, w := range ask.Wants {
		if met, err := s.meets(w, ask.Haves, cut); err != nil || !met {
			return false, err
		}
	}
	return true, nil
}

type selector struct {
	v       *View
	ctx     context.Context
	commits map[plumbing.Hash]Commit // Raw left out
	steps   int
}

func set(hs []plumbing.Hash) map[plumbing.Hash]struct{} {
	m := make(map[plumbing.Hash]struct{}, len(hs))
	for _, h := range hs {
		m[h] = struct{}{}
	}
	return m
}

func (s *selector) commit(h plumbing.Hash) (Commit, error) {
	if c, ok := s.commits[h]; ok {
		return c, nil
	}
	if s.steps++; s.steps%128 == 0 && s.ctx.Err() != nil {
		return Commit{}, s.ctx.Err()
	}
	c, err := s.v.Commit(h)
	c.Raw = nil
	if err == nil {
		s.commits[h] = c
	}
	return c, err
}

// ancestors are the commits that somebody has, who has these tips.
func (s *selector) ancestors(tips []plumbing.Hash, shallow map[plumbing.Hash]struct{}) (map[plumbing.Hash]struct{}, error) {
	seen := map[plumbing.Hash]struct{}{}
	var queue []plumbing.Hash
	push := func(h plumbing.Hash) {
		if _, ok := seen[h]; !ok {
			seen[h] = struct{}{}
			queue = append(queue, h)
		}
	}
	for _, h := range tips {
		if kind, err := s.v.Kind(h); err == nil && kind == plumbing.CommitObject {
			push(h)
		}
	}
	for len(queue) > 0 {
		h := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		c, err := s.commit(h)
		if err != nil {
			return nil, err
		}
		if _, cut := shallow[h]; cut {
			continue
		}
		for _, p := range c.Parents {
			push(p)
		}
	}
	return seen, nil
}

func (s *selector) run(ask Ask) (Selection, error) {
	var out Selection
	shallow := set(ask.Shallow)
	if ask.Depth == 0 {
		fresh, theirs, err := s.newer(ask.Wants, ask.Haves, shallow, nil)
		if err != nil {
			return out, err
		}
		out.Objects, err = s.objects(fresh, ask.Haves, theirs, shallow)
		return out, err
	}
	theirs, err := s.ancestors(ask.Haves, shallow)
	if err != nil {
		return out, err
	}
	wants := append([]plumbing.Hash(nil), ask.Wants...)
	within, edge, err := s.within(ask.Wants, ask.Depth)
	if err != nil {
		return out, err
	}
	cut := set(edge) // commits that are sent, if at all, without their parents
	for _, h := range edge {
		if _, was := shallow[h]; !was {
			out.Shallow = append(out.Shallow, h)
		}
	}
	for _, h := range ask.Shallow {
		_, isEdge := cut[h]
		if _, in := within[h]; !in || isEdge {
			cut[h] = struct{}{}
			continue
		}
		out.Unshallow = append(out.Unshallow, h)
		c, err := s.commit(h)
		if err != nil {
			return out, err
		}
		wants = append(wants, c.Parents...)
	}
	fresh, err := s.fresh(wants, theirs, cut)
	if err != nil {
		return out, err
	}
	out.Objects, err = s.objects(fresh, ask.Haves, theirs, cut)
	return out, err
}

// within are the commits at most depth from the tips, and those at its end that
// have parents beyond.
func (s *selector) within(tips []plumbing.Hash, depth int) (in map[plumbing.Hash]struct{}, edge []plumbing.Hash, err error) {
	in = set(tips)
	level := tips
	for n := 1; len(level) > 0; n++ {
		var next []plumbing.Hash
		for _, h := range level {
			c, err := s.commit(h)
			if err != nil {
				return nil, nil, err
			}
			if n >= depth {
				if len(c.Parents) > 0 {
					edge = append(edge, h)
				}
				continue
			}
			for _, p := range c.Parents {
				if _, ok := in[p]; !ok {
					in[p] = struct{}{}
					next = append(next, p)
				}
			}
		}
		level = next
	}
	return in, edge, nil
}

// fresh are the commits under the wants that they do not have.
func (s *selector) fresh(wants []plumbing.Hash, theirs, cut map[plumbing.Hash]struct{}) ([]plumbing.Hash, error) {
	var out, queue []plumbing.Hash
	seen := map[plumbing.Hash]struct{}{}
	push := func(h plumbing.Hash) {
		if _, ok := theirs[h]; ok {
			return
		}
		if _, ok := seen[h]; !ok {
			seen[h] = struct{}{}
			queue = append(queue, h)
		}
	}
	for _, h := range wants {
		push(h)
	}
	for len(queue) > 0 {
		h := queue[0]
		queue = queue[1:]
		c, err := s.commit(h)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
		if _, end := cut[h]; end {
			continue
		}
		for _, p := range c.Parents {
			push(p)
		}
	}
	return out, nil
}

// objects are the commits with the trees and blobs that no commit which they
// have and which borders on them has.
func (s *selector) objects(fresh, haves []plumbing.Hash, theirs, cut map[plumbing.Hash]struct{}) ([]plumbing.Hash, error) {
	seen := map[plumbing.Hash]struct{}{}
	drop := func(plumbing.Hash) {}
	known := func(h plumbing.Hash) error {
		if _, ok := theirs[h]; !ok {
			return nil
		}
		c, err := s.commit(h)
		if err != nil {
			return err
		}
		return s.tree(c.Tree, seen, drop)
	}
	for _, h := range haves {
		if err := known(h); err != nil {
			return nil, err
		}
	}
	for _, h := range fresh {
		if _, end := cut[h]; end {
			continue
		}
		for _, p := range s.commits[h].Parents {
			if err := known(p); err != nil {
				return nil, err
			}
		}
	}
	out := append([]plumbing.Hash(nil), fresh...)
	for _, h := range fresh {
		if err := s.tree(s.commits[h].Tree, seen, func(h plumbing.Hash) { out = append(out, h) }); err != nil {
			return nil, err
		}
	}
	s.v.Sort(out)
	return out, nil
}

// tree visits what of a tree was not seen.
func (s *selector) tree(h plumbing.Hash, seen map[plumbing.Hash]struct{}, visit func(plumbing.Hash)) error {
	if _, ok := seen[h]; ok {
		return nil
	}
	seen[h] = struct{}{}
	visit(h)
	if s.steps++; s.steps%128 == 0 && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	entries, err := s.v.Tree(h)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Mode {
		case ModeTree:
			if err := s.tree(e.Hash, seen, visit); err != nil {
				return err
			}
		case ModeSubmodule:
		default:
			if _, ok := seen[e.Hash]; !ok {
				seen[e.Hash] = struct{}{}
				visit(e.Hash)
			}
		}
	}
	return nil
}

// WritePack writes the objects as one pack, copied as they lie in the store.
// offsets says whether deltas may name their base by distance.
func (v *View) WritePack(w io.Writer, objects []plumbing.Hash, offsets bool) (plumbing.Hash, error) {
	pw, err := pack.NewWriter(w, uint32(len(objects)))
	if err != nil {
		return plumbing.ZeroHash, err
	}
	sent := set(objects)
	wanted := func(h plumbing.Hash) bool { _, ok := sent[h]; return ok }
	for _, h := range objects {
		if err := pw.Copy(v.Set, h, wanted, offsets); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	return pw.Close()
}
