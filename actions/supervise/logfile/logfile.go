// Package logfile is the file that a kept process writes to: opened for it, kept
// short, and read at its end.
//
// vigild opens it as itself, so whoever may write in a folder on the way could lead it
// anywhere. It refuses what is no regular file with one name, and a symbolic link on
// the way that somebody else than root or vigild made. It starts nothing; its calls
// end with their work on the disk, and may be made concurrently.
package logfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// File is one, there or not.
type File struct {
	Path string
	Ours bool // in vigild's own folder: the way there is its owner's
}

// Append opens the file for a process, and makes it when it is not there. Forbidden:
// it is not to be trusted; Unprocessable: it is no file; Unavailable.
func (l File) Append() (*os.File, error) {
	return l.open(unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT)
}

// Shorten keeps the younger half of a file that is longer than limit, in the same file,
// to which its process goes on appending: lines that are written in the last moment may
// be lost. None is no error.
func (l File) Shorten(limit int64) error {
	if st, err := os.Lstat(l.Path); err == nil && st.Size() <= limit {
		return nil // as nearly always
	}
	f, err := l.open(unix.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() <= limit {
		return err
	}
	// Piece by piece, since a limit may be larger than what vigild may take of memory. What
	// was appended meanwhile comes along.
	n, err := io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(f, st.Size()-limit/2, limit))
	if err != nil {
		return err
	}
	return f.Truncate(n)
}

// Tail is the end of the file, at most n bytes, from a line's beginning where there
// is one.
func (l File) Tail(n int) ([]byte, error) {
	f, err := l.open(unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(st.Size()-int64(n), 0)
	b, err := io.ReadAll(io.NewSectionReader(f, from, int64(n)))
	if i := bytes.IndexByte(b, '\n'); from > 0 && i >= 0 {
		b = b[i+1:]
	}
	return b, err
}

func (l File) open(how int) (*os.File, error) {
	at, name := unix.AT_FDCWD, l.Path
	if !l.Ours {
		var err error
		if at, name, err = way(l.Path); err != nil {
			return nil, err
		}
		defer unix.Close(at)
	}
	var fd int
	for {
		var err error
		// A pipe would wait for somebody at its other end.
		fd, err = unix.Openat(at, name, how|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0o640)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, l.cannot(err)
		}
	}
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	switch {
	case err != nil:
		err = l.cannot(err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = l.cannot(unix.ENXIO)
	case st.Nlink != 1:
		// Who may write the folder could make it a name of a file that only vigild may write.
		err = fault.New(fault.Forbidden, "%s is not a file with one name", l.Path).Mend("remove it")
	default:
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), l.Path), nil
}

func (l File) cannot(err error) error {
	switch {
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EISDIR):
		return fault.New(fault.Unprocessable, "%s is not a regular file", l.Path)
	case errors.Is(err, unix.ELOOP):
		return fault.New(fault.Forbidden, "%s is a symbolic link, which is not followed", l.Path).Mend("name the real path")
	}
	return fault.Wrap(fault.Unavailable, err, "%s", l.Path)
}

// maxLinks is how many symbolic links a way may lead through, as in the kernel.
const maxLinks = 40

// way holds the folder of a path, having walked there name by name: what was looked at
// is what is held, whatever anybody exchanges meanwhile.
func way(path string) (at int, name string, err error) {
	const how = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	root := func() (int, error) { return unix.Open("/", how|unix.O_DIRECTORY, 0) }
	cut := strings.LastIndexByte(path, '/')
	rest, name, links := strings.Split(path[:max(cut, 0)], "/"), path[cut+1:], 0
	if at, err = root(); err != nil {
		return -1, "", err
	}
	defer func() {
		if err != nil {
			unix.Close(at)
		}
	}()
	for len(rest) > 0 {
		n := rest[0]
		if rest = rest[1:]; n == "" || n == "." {
			continue
		}
		next, err := unix.Openat(at, n, how, 0)
		if err != nil {
			return at, "", fault.Wrap(fault.Unavailable, err, "%s: %s", path, n)
		}
		to, link, err := target(next, path)
		if err == nil && link {
			unix.Close(next)
			if links++; links > maxLinks {
				return at, "", fault.New(fault.Unprocessable, "%s leads through more than %d links", path, maxLinks)
			}
			rest = append(strings.Split(to, "/"), rest...)
			if !strings.HasPrefix(to, "/") {
				continue
			}
			if next, err = root(); err != nil {
				return at, "", err
			}
		}
		if err != nil {
			unix.Close(next)
			return at, "", err
		}
		unix.Close(at)
		at = next
	}
	return at, name, nil
}

// target is where a link that is held leads; link is false for a folder.
func target(fd int, path string) (to string, link bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false, fault.Wrap(fault.Unavailable, err, "%s", path)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, nil // what is no folder says so at the next name
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return "", false, fault.New(fault.Forbidden, "%s leads through a symbolic link of uid %d, who could lead it anywhere", path, st.Uid).Mend("name the real path")
	}
	b := make([]byte, unix.PathMax+1)
	n, err := unix.Readlinkat(fd, "", b)
	if err != nil {
		return "", false, fault.Wrap(fault.Unavailable, err, "%s", path)
	}
	return string(b[:n]), true, nil
}
