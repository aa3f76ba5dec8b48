package gitwatch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/paths"
	"vigil/gitwatch/store"
)

// origin is where a watcher looks.
type origin interface {
	// tip is what the branch points to, NotFound without it.
	tip(ctx context.Context) (plumbing.Hash, error)
	// bring copies a tip, and what the store lacks under it, into quarantine.
	bring(ctx context.Context, st *store.Store, tip plumbing.Hash) (*store.Quarantine, error)
	close()
}

// local is a repository on this machine. Its refs and objects are read; its
// working tree, its config and its hooks are not.
type local struct {
	repo *git.Repository
	ref  plumbing.ReferenceName
	most int64 // bytes of an object; a larger one is not read
}

// openLocal opens a bare repository or one with a working tree. Without
// signatures whoever can write there says what this host should be, so it must
// be root or vigild's own user.
func openLocal(path string, cfg Config) (*local, error) {
	dir, err := gitDir(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the repository")
	}
	if err := paths.Trusted(info); err != nil && !cfg.RequireSigned {
		return nil, fault.New(fault.Forbidden, "%s", strings.Replace(err.Error(), "file", "repository", 1)).At(dir).Mend("require_signed = true, or chown it to root or vigild's user and chmod o-w")
	}
	repo, err := git.PlainOpenWithOptions(path, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fault.New(fault.Unavailable, "no repository can be opened here: %v", err).At(path)
	}
	return &local{repo, plumbing.NewBranchReferenceName(cfg.Branch), cfg.Pack.Object}, nil
}

// gitDir is the folder in which refs lie: of a bare repository itself, else .git
// or what a .git file names, and of a linked working tree the common folder.
func gitDir(path string) (string, error) {
	dir := filepath.Join(path, ".git")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		dir = path
	case err != nil:
		return "", fault.Wrap(fault.Unavailable, err, "the repository")
	case !info.IsDir():
		text, err := readSmall(dir, 4096)
		if err != nil {
			return "", err
		}
		to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", fault.New(fault.Unavailable, "this names no repository").At(dir)
		}
		if dir = to; !filepath.IsAbs(dir) {
			dir = filepath.Join(path, dir)
		}
	}
	if text, err := readSmall(filepath.Join(dir, "commondir"), 4096); err == nil {
		to := strings.TrimSpace(string(text))
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		dir = to
	}
	return filepath.Clean(dir), nil
}

func (l *local) tip(context.Context) (plumbing.Hash, error) {
	ref, err := l.repo.Reference(l.ref, true)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return plumbing.ZeroHash, fault.New(fault.NotFound, "the branch %s is not there", l.ref.Short())
	}
	if err != nil {
		return plumbing.ZeroHash, fault.Wrap(fault.Unavailable, err, "the branch %s", l.ref.Short())
	}
	return ref.Hash(), nil
}

func (l *local) bring(ctx context.Context, st *store.Store, tip plumbing.Hash) (*store.Quarantine, error) {
	return st.Import(ctx, l, tip)
}

func (l *local) close() {}

// Object reads from the repository, for the store to copy. Its size is looked at
// first, since the library takes the whole of it into memory.
func (l *local) Object(h plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	if n, err := l.repo.Storer.EncodedObjectSize(h); err == nil && n > l.most {
		return 0, nil, fault.New(fault.TooLarge, "the object %s has %d bytes, at most %d are taken", h, n, l.most).
			Mend("take the file of this size out of the commits; the local config bounds it by git.pack.object")
	}
	o, err := l.repo.Storer.EncodedObject(plumbing.AnyObject, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return 0, nil, fault.New(fault.NotFound, "the object %s is missing there", h)
	}
	if err != nil {
		return 0, nil, fault.Wrap(fault.Corrupt, err, "the object %s", h)
	}
	data, err := readObject(o)
	return o.Type(), data, fault.Wrap(fault.Corrupt, err, "the object %s", h)
}
