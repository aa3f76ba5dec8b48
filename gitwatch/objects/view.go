// Package objects is what commits and trees say, and the walks over them.
//
// A [View] reads them from packs: ancestry, everything that is reachable, what
// somebody who fetches lacks, and the files of one revision, whole and checked.
//
// It refuses malformed commits and trees, and for the files of a revision:
// links, submodules, names that a file system could take for others, and what
// is over a cap, each with its path.
// Invariants: files come from objects, never from a checkout, and every byte
// was hashed against the name it has; a walk visits an object once.
//
// It starts nothing; walks end with their context.
package objects

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/pack"
)

// View reads objects. It is for one goroutine, and to be closed.
type View struct{ *pack.Set }

// Commit reads a commit.
func (v *View) Commit(h plumbing.Hash) (Commit, error) {
	kind, raw, err := v.Get(h)
	if err != nil {
		return Commit{}, err
	}
	if kind != plumbing.CommitObject {
		return Commit{}, fault.New(fault.Unprocessable, "%s is a %s and no commit", h, kind)
	}
	return ParseCommit(h, raw)
}

// Tree reads a tree.
func (v *View) Tree(h plumbing.Hash) ([]Entry, error) {
	kind, raw, err := v.Get(h)
	if err != nil {
		return nil, err
	}
	if kind != plumbing.TreeObject {
		return nil, fault.New(fault.Unprocessable, "%s is a %s and no tree", h, kind)
	}
	return ParseTree(h, raw)
}

// Descends says whether a commit is, or comes after, an ancestor. A zero
// ancestor comes before everything. It blocks on the disk until ctx ends.
func (v *View) Descends(ctx context.Context, commit, ancestor plumbing.Hash) (bool, error) {
	if ancestor.IsZero() || commit == ancestor {
		return true, nil
	}
	found := false
	err := v.History(ctx, commit, func(c Commit) (bool, error) {
		found = found || c.ID == ancestor
		return !found, nil
	})
	return found, err
}

// History visits a commit and its ancestors, each once, children roughly before
// their parents. visit says whether to go on above this commit.
func (v *View) History(ctx context.Context, from plumbing.Hash, visit func(Commit) (bool, error)) error {
	seen := map[plumbing.Hash]struct{}{from: {}}
	for queue := []plumbing.Hash{from}; len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := v.Commit(queue[0])
		if err != nil {
			return err
		}
		on, err := visit(c)
		if err != nil {
			return err
		}
		if !on {
			continue
		}
		for _, p := range c.Parents {
			if _, ok := seen[p]; !ok {
				seen[p] = struct{}{}
				queue = append(queue, p)
			}
		}
	}
	return nil
}

// Whole says what is missing of the tip of a ref: its commit and its tree with
// everything in it. The past is not walked: it came in whole.
func (v *View) Whole(h plumbing.Hash) error {
	kind, raw, err := v.Get(h)
	if err != nil || kind == plumbing.TagObject {
		return err
	}
	c, err := ParseCommit(h, raw)
	if err != nil {
		return err
	}
	return v.Connected(context.Background(), []plumbing.Hash{c.Tree}, func(h plumbing.Hash) bool { return false })
}

// MaxDepth bounds how deep folders nest.
const MaxDepth = 64

// Connected walks everything that the objects refer to, except below what known
// says is complete, and names the first thing that is missing or of the wrong
// kind.
func (v *View) Connected(ctx context.Context, from []plumbing.Hash, known func(plumbing.Hash) bool) error {
	type step struct {
		h     plumbing.Hash
		want  plumbing.ObjectType
		depth int
	}
	seen := map[plumbing.Hash]plumbing.ObjectType{}
	var stack []step
	push := func(h plumbing.Hash, want plumbing.ObjectType, depth int) error {
		if as, ok := seen[h]; ok {
			if as != want {
				return fault.New(fault.Unprocessable, "%s is referred to as a %s and as a %s", h, as, want)
			}
			return nil
		}
		seen[h] = want
		if known(h) {
			kind, err := v.Kind(h)
			if err != nil {
				return err
			}
			if kind != want {
				return fault.New(fault.Unprocessable, "%s is a %s, where a %s is referred to", h, kind, want)
			}
			return nil
		}
		stack = append(stack, step{h, want, depth})
		return nil
	}
	for _, h := range from {
		kind, err := v.Kind(h)
		if fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.Unprocessable, "the object %s is missing", h)
		}
		if err != nil {
			return err
		}
		if err := push(h, kind, 0); err != nil {
			return err
		}
	}
	for n := 0; len(stack) > 0; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.depth > MaxDepth {
			return fault.New(fault.TooLarge, "folders nest deeper than %d", MaxDepth)
		}
		kind, err := v.Kind(s.h)
		if fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.Unprocessable, "the object %s is missing", s.h)
		}
		if err != nil {
			return err
		}
		if kind != s.want {
			return fault.New(fault.Unprocessable, "%s is a %s, where a %s is referred to", s.h, kind, s.want)
		}
		switch kind {
		case plumbing.BlobObject:
		case plumbing.CommitObject:
			c, err := v.Commit(s.h)
			if err != nil {
				return err
			}
			for _, p := range c.Parents {
				if err := push(p, plumbing.CommitObject, 0); err != nil {
					return err
				}
			}
			if err := push(c.Tree, plumbing.TreeObject, 0); err != nil {
				return err
			}
		case plumbing.TreeObject:
			es, err := v.Tree(s.h)
			if err != nil {
				return err
			}
			for _, e := range es {
				want := plumbing.BlobObject
				switch e.Mode {
				case ModeSubmodule:
					continue
				case ModeTree:
					want = plumbing.TreeObject
				}
				if err := push(e.Hash, want, s.depth+1); err != nil {
					return err
				}
			}
		default:
			return fault.New(fault.Unprocessable, "%s is a %s; only commits are taken", s.h, kind)
		}
	}
	return nil
}

// Between are the commits under tip that are not under base, newest first, at
// most limit; more says that there are others. A zero base has nothing under it.
// Where a committer's clock was wrong an older commit may be among them; none is
// left out.
func (v *View) Between(ctx context.Context, tip, base plumbing.Hash, limit int) (cs []Commit, more bool, err error) {
	s := &selector{v: v, ctx: ctx, commits: map[plumbing.Hash]Commit{}}
	var old []plumbing.Hash
	if !base.IsZero() {
		old = []plumbing.Hash{base}
	}
	// A walk that was cut short has others to come, however few of those that it
	// found turned out to be new.
	fresh, _, err := s.newer([]plumbing.Hash{tip}, old, nil, func(n int) bool { more = n > 2*limit; return more })
	if err != nil {
		return nil, false, err
	}
	if len(fresh) > limit {
		fresh, more = fresh[:limit], true
	}
	for _, h := range fresh {
		c, err := v.Commit(h)
		if err != nil {
			return nil, false, err
		}
		cs = append(cs, c)
	}
	return cs, more, nil
}
