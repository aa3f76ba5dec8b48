// Package defined is the folder in which the definitions of processes lie that
// documents declared, a file each, and beside them what is remembered of processes.
//
// One that Put returned from is on the disk whole; one that a crash cut short is
// never read. It refuses to know what a definition says. It starts nothing; what is
// done about one name is the caller's to keep apart.
package defined

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Folder is one, which is there already.
type Folder struct{ Dir string }

const (
	ending     = ".process" // of the name of a definition's file
	unfinished = ".new"
)

func (f Folder) path(name string) string { return filepath.Join(f.Dir, name+ending) }

// Put has a definition on disk when it returns nil.
func (f Folder) Put(name string, raw []byte) (err error) {
	at := f.path(name)
	defer func() {
		err = fault.Wrap(fault.Unavailable, err, "the definition of process %s cannot be kept", name)
	}()
	file, err := os.OpenFile(at+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(at + unfinished)
		return err
	}
	if err = os.Rename(at+unfinished, at); err != nil {
		return err
	}
	return f.sync()
}

// Remove takes a definition away, and says whether there was one.
func (f Folder) Remove(name string) (was bool, err error) {
	err = os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = f.sync()
	}
	return true, fault.Wrap(fault.Unavailable, err, "the definition of process %s cannot be removed", name)
}

func (f Folder) sync() error {
	d, err := os.Open(f.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Names are those that are defined, sorted; none where there is no folder.
func (f Folder) Names() (out []string) {
	es, _ := os.ReadDir(f.Dir) // what cannot be read defines nothing, and is defined anew
	for _, e := range es {
		if name, is := strings.CutSuffix(e.Name(), ending); is && name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Get is a definition, of which at most one byte more than most is read.
func (f Folder) Get(name string, most int64) ([]byte, error) {
	file, err := os.OpenFile(f.path(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: %w", file.Name(), errors.Join(err, fs.ErrInvalid))
	}
	return io.ReadAll(io.LimitReader(file, most+1))
}

// Overwrite has b at the beginning of a file beside the definitions when it returns
// nil, written in place: within one sector it is the old or the new, or torn.
func (f Folder) Overwrite(file string, b []byte) error {
	at := filepath.Join(f.Dir, file)
	to, err := os.OpenFile(at, os.O_RDWR|unix.O_NOFOLLOW, 0)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		to, err = os.OpenFile(at, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := to.WriteAt(b, 0); err != nil {
		return err
	}
	if err := unix.Fdatasync(int(to.Fd())); err != nil || !fresh {
		return err
	}
	return f.sync()
}

// Prune takes away the oldest files beside the definitions that end in what is given
// and that keep does not want, by the name before the ending; most of them stay. What
// cannot be taken away stays too.
func (f Folder) Prune(end string, most int, keep func(name string) bool) {
	es, _ := os.ReadDir(f.Dir)
	var left []fs.FileInfo
	for _, e := range es {
		name, is := strings.CutSuffix(e.Name(), end)
		if i, err := e.Info(); is && err == nil && !keep(name) {
			left = append(left, i)
		}
	}
	slices.SortFunc(left, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, i := range left[:max(0, len(left)-most)] {
		_ = os.Remove(filepath.Join(f.Dir, i.Name()))
	}
}
