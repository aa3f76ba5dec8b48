package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
)

// ManyPacks is when Compact begins to be worth it.
const ManyPacks = 32

// Compact puts everything that the refs reach into one pack when there are over
// most packs, and lets go of the rest. Readers are not disturbed. It blocks on
// the disk; after a crash the old packs are there, or the new one, or both.
func (s *Store) Compact(ctx context.Context, most int) error {
	if s.Stats().Packs <= most {
		return nil
	}
	s.land.Lock()
	defer s.land.Unlock()
	return s.repack(ctx)
}

// repack puts everything that the refs reach into one pack, from the packs that are
// open, and takes the names of the others away. The caller holds land.
func (s *Store) repack(ctx context.Context) error {
	v := s.View()
	defer v.Close()
	tips, err := s.tips(v)
	if err != nil {
		return err
	}
	sel, err := v.Select(ctx, objects.Ask{Wants: tips})
	if err != nil {
		return err
	}
	old := v.Packs()
	p, err := s.gather(v, sel.Objects)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.epoch++
	gone := s.packs
	s.packs = nil
	if p != nil {
		s.packs = []*pack.Pack{p}
	}
	s.mu.Unlock()
	var errs []error
	for _, o := range old {
		if p == nil || o.Name() != p.Name() {
			for _, f := range []string{o.Name() + ".idx", o.Name() + ".pack"} {
				if err := os.Remove(f); !errors.Is(err, fs.ErrNotExist) {
					errs = append(errs, err)
				}
			}
		}
	}
	release(gone)
	return fault.Wrap(fault.Unavailable, errors.Join(errs...), "old packs cannot be removed")
}

// tips are the commits that refs name. What cannot be read is an error: it would
// count as reached by nothing.
func (s *Store) tips(v *objects.View) ([]plumbing.Hash, error) {
	var tips []plumbing.Hash
	for name, h := range s.Refs() {
		kind, err := v.Kind(h)
		if err != nil {
			return nil, err
		}
		if kind != plumbing.CommitObject {
			return nil, fault.New(fault.Unsupported, "%s names a %s, and what that reaches is not known here", name, kind)
		}
		tips = append(tips, h)
	}
	plumbing.HashesSort(tips)
	return tips, nil
}

// gather copies objects into a new pack of the store, synced.
func (s *Store) gather(v *objects.View, all []plumbing.Hash) (*pack.Pack, error) {
	if len(all) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp(filepath.Join(s.cfg.Dir, "objects"), incoming)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the packs cannot be put together")
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "all")
	f, err := os.OpenFile(name+".pack", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the packs cannot be put together")
	}
	sum, err := v.WritePack(f, all, true)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	caps := s.cfg.Caps
	caps.Bytes, caps.Objects, caps.Inflated = 1<<40, len(all), 1<<50 // ours: it was let in before
	if _, err := pack.Index(context.Background(), name, caps); err != nil {
		return nil, err
	}
	to := filepath.Join(s.cfg.Dir, "objects", "pack", "pack-"+sum.String())
	err = errors.Join(s.sync(name+".idx"), os.Rename(name+".pack", to+".pack"), os.Rename(name+".idx", to+".idx"), s.sync(filepath.Dir(to)))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the packs cannot be put together")
	}
	return pack.Open(to)
}
