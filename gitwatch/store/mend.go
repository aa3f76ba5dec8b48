package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vigil/engine/fault"
)

// mend writes anew what was taken out of the folder while this process had it open:
// packs live on as long as they are open, and the refs are in memory. Unavailable
// when that does not do. It blocks on the disk.
func (s *Store) mend(ctx context.Context) error {
	if s.stands() == nil {
		return nil
	}
	s.land.Lock()
	defer s.land.Unlock()
	lost := s.stands() // not while somebody else moves packs
	if lost == nil {
		return nil
	}
	err := s.folders()
	if err == nil {
		err = s.repack(ctx)
	}
	if err == nil {
		err = s.writeRefs(s.Refs())
	}
	switch {
	case err == nil:
		s.cfg.Mended(lost)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.KindOf(err) == fault.Unavailable:
		return err
	}
	return fault.New(fault.Unavailable, "the repository was changed under vigild (%v), and what it still has open does not mend it: %v", lost, err).At(s.cfg.Dir).
		Mend("restart vigild, which sets it aside and makes another, and push again")
}

// stands says what is not in the folder as this process knows it.
func (s *Store) stands() error {
	s.mu.Lock()
	packs, refs := slices.Clone(s.packs), len(s.refs)
	s.mu.Unlock()
	names := []string{"HEAD", "config", "objects", "objects/pack", "refs"}
	if refs > 0 {
		names = append(names, "packed-refs")
	}
	for _, n := range names {
		if _, err := os.Lstat(filepath.Join(s.cfg.Dir, n)); err != nil {
			return lacking(n, err)
		}
	}
	for _, p := range packs {
		name := filepath.Base(p.Name())
		if _, err := os.Lstat(p.Name() + ".idx"); err != nil {
			return lacking(name+".idx", err)
		}
		info, err := os.Lstat(p.Name() + ".pack")
		if err != nil {
			return lacking(name+".pack", err)
		}
		if info.Size() != p.Size() {
			return fault.New(fault.Corrupt, "%s.pack has %d bytes, and had %d", name, info.Size(), p.Size())
		}
	}
	return nil
}

func lacking(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "%s is gone", name)
	}
	return err
}
