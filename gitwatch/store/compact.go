package store

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

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
	v := s.View()
	defer v.Close()
	sel, err := v.Select(ctx, objects.Ask{Wants: s.tips(v)})
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
			errs = append(errs, os.Remove(o.Name()+".idx"), os.Remove(o.Name()+".pack"))
		}
	}
	release(gone)
	return fault.Wrap(fault.Unavailable, errors.Join(errs...), "old packs cannot be removed")
}

func (s *Store) tips(v *objects.View) []plumbing.Hash {
	var tips []plumbing.Hash
	for _, h := range slices.Collect(maps.Values(s.Refs())) {
		if kind, err := v.Kind(h); err == nil && kind == plumbing.CommitObject {
			tips = append(tips, h)
		}
	}
	plumbing.HashesSort(tips)
	return tips
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
