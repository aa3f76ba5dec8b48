package wal

import (
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is all that the log asks of a file system, so that a test can stand
// between the two and take the power away.
type FS interface {
	// Open opens a file for reading and writing; it must exist unless create is
	// set. Links are not followed.
	Open(name string, create bool) (File, error)
	// List names the files of a directory, in no particular order. A directory
	// that does not exist is empty.
	List(dir string) ([]string, error)
	// MakeDir makes a directory and its parents, readable by the owner alone.
	MakeDir(dir string) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Inode says which file lies under a name now; links are not followed.
	Inode(name string) (Inode, error)
}

// Inode is which file it is, whatever its name.
type Inode struct{ Dev, Number uint64 }

// File is an open file. Sync makes data and size durable (fdatasync).
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	// Inode says which file it is, and whether it has a name still: what was
	// removed goes with its last handle. It allocates nothing.
	Inode() (id Inode, named bool, err error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// OS is the host's file system.
type OS struct{}

// Open implements [FS].
func (OS) Open(name string, create bool) (File, error) {
	flags := os.O_RDWR | unix.O_NOFOLLOW
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// List implements [FS].
func (OS) List(dir string) ([]string, error) {
	es, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	names := make([]string, 0, len(es))
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names, err
}

// MakeDir implements [FS].
func (fs OS) MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(dir))
}

// Rename implements [FS].
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements [FS].
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir implements [FS].
func (OS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Inode implements [FS].
func (OS) Inode(name string) (Inode, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return Inode{}, &os.PathError{Op: "lstat", Path: name, Err: err}
	}
	return Inode{uint64(st.Dev), st.Ino}, nil
}

type osFile struct{ *os.File }

func (f osFile) Inode() (Inode, bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Inode{}, false, err
	}
	return Inode{uint64(st.Dev), st.Ino}, st.Nlink > 0, nil
}

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}
