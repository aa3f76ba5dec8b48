package store

import (
	"context"
	"os"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
)

// Source is another repository to copy from. NotFound without the object. It is
// called from one goroutine.
type Source interface {
	Object(h plumbing.Hash) (plumbing.ObjectType, []byte, error)
}

// Import copies a commit, and everything under it that the store lacks, from a
// source into quarantine, under the same caps as a push. The caller ends it
// with Drop, landed or not.
func (s *Store) Import(ctx context.Context, src Source, tip plumbing.Hash) (*Quarantine, error) {
	v := s.View()
	defer v.Close()
	i := &importer{ctx: ctx, src: src, v: v, caps: s.cfg.Caps, seen: map[plumbing.Hash]struct{}{}}
	if err := i.walk(tip); err != nil {
		return nil, err
	}
	return s.fill(ctx, i.write)
}

type importer struct {
	ctx   context.Context
	src   Source
	v     *objects.View
	caps  pack.Caps
	seen  map[plumbing.Hash]struct{}
	order []plumbing.Hash
	bytes int64
}

// walk lists what is missing; blobs are not read yet.
func (i *importer) walk(tip plumbing.Hash) error {
	stack := []plumbing.Hash{}
	push := func(h plumbing.Hash) {
		if _, ok := i.seen[h]; ok || i.v.Has(h) {
			return
		}
		i.seen[h] = struct{}{}
		i.order = append(i.order, h)
		stack = append(stack, h)
	}
	push(tip)
	for len(stack) > 0 {
		if err := i.ctx.Err(); err != nil {
			return err
		}
		if len(i.order) > i.caps.Objects {
			return fault.New(fault.TooLarge, "over %d objects at once", i.caps.Objects)
		}
		h := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		kind, raw, err := i.object(h)
		if err != nil {
			return err
		}
		switch kind {
		case plumbing.CommitObject:
			c, err := objects.ParseCommit(h, raw)
			if err != nil {
				return err
			}
			for _, p := range c.Parents {
				push(p)
			}
			push(c.Tree)
		case plumbing.TreeObject:
			entries, err := objects.ParseTree(h, raw)
			if err != nil {
				return err
			}
			for _, e := range entries {
				switch e.Mode {
				case objects.ModeTree:
					push(e.Hash)
				case objects.ModeSubmodule:
				default:
					if _, ok := i.seen[e.Hash]; !ok && !i.v.Has(e.Hash) {
						i.seen[e.Hash] = struct{}{}
						i.order = append(i.order, e.Hash)
					}
				}
			}
		default:
			return fault.New(fault.Unprocessable, "%s is a %s, where a commit or a tree is referred to", h, kind)
		}
	}
	return nil
}

func (i *importer) object(h plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	kind, raw, err := i.src.Object(h)
	if err != nil {
		return 0, nil, err
	}
	if int64(len(raw)) > i.caps.Object {
		return 0, nil, fault.New(fault.TooLarge, "the object %s has over %d bytes", h, i.caps.Object)
	}
	if plumbing.ComputeHash(kind, raw) != h {
		return 0, nil, fault.New(fault.Corrupt, "the object %s of the source has other bytes than its name says", h)
	}
	return kind, raw, nil
}

func (i *importer) write(f *os.File) error {
	if len(i.order) == 0 {
		return nil
	}
	w, err := pack.NewWriter(f, uint32(len(i.order)))
	if err != nil {
		return err
	}
	for n, h := range i.order {
		if n%64 == 0 && i.ctx.Err() != nil {
			return i.ctx.Err()
		}
		kind, raw, err := i.object(h)
		if err != nil {
			return err
		}
		if i.bytes += int64(len(raw)); i.bytes > i.caps.Inflated {
			return fault.New(fault.TooLarge, "over %d bytes at once", i.caps.Inflated)
		}
		if err := w.Object(h, kind, raw); err != nil {
			return err
		}
	}
	_, err = w.Close()
	return err
}
