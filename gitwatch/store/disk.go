package store

import (
	"errors"
	"os"
	"path/filepath"
)

// unnamed begins the names of new files that have not replaced anything yet.
const unnamed = ".new-"

// replace writes a file beside its place, syncs it, renames it there and syncs
// the folder: after a crash the old bytes are there or the new ones.
func (s *Store) replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), unnamed+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	s.step("sync " + filepath.Base(path))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		s.step("rename " + filepath.Base(path))
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return s.sync(filepath.Dir(path))
}

// sync makes a file or a folder durable.
func (s *Store) sync(path string) error {
	s.step("sync " + filepath.Base(path))
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// step tells a test how far a change of the disk has come.
func (s *Store) step(name string) {
	if s.cfg.Step != nil {
		s.cfg.Step(name)
	}
}
