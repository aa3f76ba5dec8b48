package paths

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"vigil/engine/fault"
)

// Bounds of what one folder may hold.
const (
	MaxFiles = 10_000
	MaxFile  = 1 << 20
	MaxTotal = 64 << 20
	maxDepth = 8
)

// File is one file of a folder.
type File struct {
	Path string // the folder's path joined with the place in it
	Data []byte
}

// Content is what a plain folder says at one moment. Revision is the hash of
// every name and every byte, so equal content has an equal revision.
type Content struct {
	Revision string
	Files    []File // sorted by path
}

// Read reads every file of the folders whose name ends in one of the suffixes,
// in order of their paths. Hidden entries are left out. A link is followed as
// long as it stays inside its folder. What somebody other than root or this
// process's user could have written is refused, and so is what is too large:
// one bad file fails the whole read, since half a folder is not what anybody
// wrote. A folder that does not exist is NotFound. It blocks on disk.
func Read(folders []string, suffixes ...string) (Content, error) {
	var c Content
	total := 0
	for _, folder := range folders {
		root, err := os.OpenRoot(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return c, fault.New(fault.NotFound, "the folder does not exist").At(folder)
		}
		if err != nil {
			return c, fault.Wrap(fault.Unavailable, err, "the folder %s cannot be read", folder)
		}
		err = walk(root, ".", 0, func(name string) error {
			if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
				return nil
			}
			data, err := readOne(root, folder, name)
			if err != nil {
				return err
			}
			total += len(data)
			if len(c.Files) >= MaxFiles || total > MaxTotal {
				return fault.New(fault.TooLarge, "more than %d files or %d bytes", MaxFiles, MaxTotal).At(folder)
			}
			c.Files = append(c.Files, File{filepath.Join(folder, name), data})
			return nil
		})
		if cerr := root.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return Content{}, err
		}
	}
	c.Revision = revision(c.Files)
	return c, nil
}

func walk(root *os.Root, dir string, depth int, visit func(name string) error) error {
	if depth > maxDepth {
		return fault.New(fault.TooLarge, "folders nest deeper than %d", maxDepth).At(filepath.Join(root.Name(), dir))
	}
	d, err := root.Open(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder cannot be read")
	}
	if info, err := d.Stat(); err != nil || trustedFolder(info) != nil {
		d.Close()
		if err == nil {
			err = trustedFolder(info)
		}
		return fault.New(fault.Forbidden, "%v", err).At(filepath.Join(root.Name(), dir)).Mend("chown it to root or to vigild's user, and chmod o-w")
	}
	entries, err := d.ReadDir(MaxFiles + 1)
	d.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Unavailable, err, "the folder cannot be listed")
	}
	if len(entries) > MaxFiles {
		return fault.New(fault.TooLarge, "more than %d entries", MaxFiles).At(filepath.Join(root.Name(), dir))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if err := walk(root, name, depth+1, visit); err != nil {
				return err
			}
			continue
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}

func readOne(root *os.Root, folder, name string) ([]byte, error) {
	place := filepath.Join(folder, name)
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", place)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", place)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.Unprocessable, "this is no regular file").At(place)
	}
	if err := Trusted(info); err != nil {
		return nil, fault.New(fault.Forbidden, "%v", err).At(place).Mend("chown it to root or to vigild's user, and chmod go-w")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", place)
	}
	if len(data) > MaxFile {
		return nil, fault.New(fault.TooLarge, "over %d bytes", MaxFile).At(place)
	}
	return data, nil
}

// Trusted says why a file could have been written by somebody who is neither
// root nor this process's user; nil when nobody else could. A group that its owner
// lets write is the owner's word.
func Trusted(info fs.FileInfo) error {
	if info.Mode().Perm()&0o002 != 0 {
		return errors.New("anybody may write this file")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errors.New("this file belongs to another user")
	}
	return nil
}

// trustedFolder is Trusted for a folder: who may write it can take files away, and
// a policy with them. In a sticky one only their owners can.
func trustedFolder(info fs.FileInfo) error {
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return errors.New("anybody may take files out of this folder")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errors.New("this folder belongs to another user")
	}
	return nil
}

// revision hashes names and bytes, each with its length before it.
func revision(files []File) string {
	h := sha256.New()
	var n [8]byte
	put := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, f := range files {
		put([]byte(f.Path))
		put(f.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
