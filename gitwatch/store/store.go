// Package store is the bare repository in the data directory: packs, refs, and
// what commits and trees in them say.
//
// It is a disposable cache. Objects come in whole packs through a quarantine
// ([Store.Receive], [Store.Import]) and become part of it in one step together
// with the refs ([Quarantine.Land]), old values compared under one lock. All
// refs stand in one file, replaced by rename, so several refs change at once or
// not at all. A stock git may read the folder; its hooks and its config are
// never looked at.
//
// It refuses objects whose ancestors or contents are missing, ref names that
// could lead elsewhere, and trees with names that a file system could take for
// others.
// Invariants: packs are on disk, synced, before a ref names them; every object
// of the store has everything it refers to; what is no object is never there
// after Open.
//
// It starts nothing. [Store.Close] lets go of the packs once their readers have.
package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/pack"
)

// Config says where the repository is and what it takes.
type Config struct {
	Dir    string    // made when it is not there
	Branch string    // what HEAD points to, without refs/heads/
	Caps   pack.Caps // of what comes in

	// Step, when set, is called before each step of landing: "pack", "index",
	// "folder", "ref", "sweep", and before each sync and rename of refs, with the
	// file's name. Tests look at the order and end the process there.
	Step func(name string)
	// Mended, when set, is called after files that somebody took away, or changed,
	// under this process were written anew; lost is the first of them.
	Mended func(lost error)
}

// Validate checks the branch and the caps.
func (c Config) Validate() error {
	if c.Dir == "" {
		return fault.New(fault.Unprocessable, "the repository needs a folder")
	}
	if err := CheckRef("refs/heads/" + c.Branch); err != nil {
		return err
	}
	return c.Caps.Validate()
}

// Store is one bare repository. It is safe for concurrent use; one process may
// have it open at a time.
type Store struct {
	cfg Config

	land sync.Mutex // whoever changes packs or refs on disk

	mu    sync.Mutex // over what follows
	packs []*pack.Pack
	refs  map[string]plumbing.Hash
	epoch int // how often objects were let go of
}

// Open opens the repository, makes it when it is not there, and sweeps what a
// crash left in quarantine. Corrupt when what the refs name is not all there;
// see [OpenOrRemake]. It blocks on the disk.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, refs: map[string]plumbing.Hash{}}
	if s.cfg.Mended == nil {
		s.cfg.Mended = func(error) {}
	}
	err := s.folders()
	if err == nil {
		err = s.sweep()
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the repository %s", cfg.Dir)
	}
	if err := s.load(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// OpenOrRemake opens the repository; a corrupt one is set aside as DIR.corrupt,
// in the place of an older one, and an empty one made. lost says what was wrong
// then. The caller fetches again, or waits for the next push.
func OpenOrRemake(cfg Config) (s *Store, lost error, err error) {
	s, err = Open(cfg)
	if fault.KindOf(err) != fault.Corrupt {
		return s, nil, err
	}
	lost = err
	aside := cfg.Dir + ".corrupt"
	if err := os.RemoveAll(aside); err != nil {
		return nil, lost, fault.Wrap(fault.Unavailable, err, "the corrupt repository %s cannot be set aside", cfg.Dir)
	}
	if err := os.Rename(cfg.Dir, aside); err != nil {
		return nil, lost, fault.Wrap(fault.Unavailable, err, "the corrupt repository %s cannot be set aside", cfg.Dir)
	}
	s, err = Open(cfg)
	return s, lost, err
}

// folders makes the folders and the files that git wants to see.
func (s *Store) folders() error {
	_, err := os.Lstat(filepath.Join(s.cfg.Dir, "HEAD"))
	fresh := errors.Is(err, fs.ErrNotExist)
	for _, d := range []string{"", "objects", "objects/pack", "objects/info", "refs", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(s.cfg.Dir, d), 0o700); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(filepath.Join(s.cfg.Dir, "config")); errors.Is(err, fs.ErrNotExist) {
		if err := s.replace(filepath.Join(s.cfg.Dir, "config"), []byte("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")); err != nil {
			return err
		}
	}
	head := []byte("ref: refs/heads/" + s.cfg.Branch + "\n")
	if was, err := os.ReadFile(filepath.Join(s.cfg.Dir, "HEAD")); err != nil || string(was) != string(head) {
		if err := s.replace(filepath.Join(s.cfg.Dir, "HEAD"), head); err != nil {
			return err
		}
	}
	if fresh { // the folders themselves must outlive a power cut
		for _, d := range []string{"..", ".", "objects"} {
			if err := s.sync(filepath.Join(s.cfg.Dir, d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep removes quarantines, half-moved packs and files that never came to their
// name.
func (s *Store) sweep() error {
	folder := filepath.Join(s.cfg.Dir, "objects")
	for dir, prefix := range map[string]string{folder: incoming, s.cfg.Dir: unnamed} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), prefix) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join(folder, "pack"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, "pack", e.Name())
		if name, ok := strings.CutSuffix(path, ".pack"); ok {
			if _, err := os.Lstat(name + ".idx"); err == nil {
				continue
			}
		} else if name, ok := strings.CutSuffix(path, ".idx"); ok {
			if _, err := os.Lstat(name + ".pack"); err == nil {
				continue
			}
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) load() error {
	folder := filepath.Join(s.cfg.Dir, "objects", "pack")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the repository %s", s.cfg.Dir)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".idx")
		if !ok {
			continue
		}
		p, err := pack.Open(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		s.packs = append(s.packs, p)
		if err := p.Verify(context.Background()); err != nil {
			return err
		}
	}
	if s.refs, err = s.readRefs(); err != nil {
		return err
	}
	v := s.View()
	defer v.Close()
	for name, h := range s.refs {
		if err := v.Whole(h); err != nil {
			return fault.Wrap(fault.Corrupt, err, "the repository %s: %s", s.cfg.Dir, name)
		}
	}
	return nil
}

// Close lets go of the packs; views that are open keep theirs.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packs {
		p.Release()
	}
	s.packs = nil
}

// Dir is where the repository is.
func (s *Store) Dir() string { return s.cfg.Dir }

// Branch is the full name of the ref that HEAD points to.
func (s *Store) Branch() string { return "refs/heads/" + s.cfg.Branch }

// View is the objects as they are now, for one goroutine; Close it.
func (s *Store) View() *objects.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &objects.View{Set: pack.NewSet(s.cfg.Caps, s.packs...)}
}

// Stats is the size of the repository.
type Stats struct {
	Packs   int
	Objects int
	Bytes   int64
	Refs    int
}

// Stats is safe to call at any time.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Packs: len(s.packs), Refs: len(s.refs)}
	for _, p := range s.packs {
		st.Objects += p.Count()
		st.Bytes += p.Size()
	}
	return st
}
