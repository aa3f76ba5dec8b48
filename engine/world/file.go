package world

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

var _ reconcile.World = (*World)(nil)

// File looks at one path; see reconcile.World. A path is first taken hold of
// without being opened: opening a device or a pipe would be an act. With LookHash
// a file that nobody touched since it was last read is not read again, see sums.
func (w *World) File(ctx context.Context, path string, want reconcile.Look) (reconcile.File, error) {
	var out reconcile.File
	if ctx.Err() != nil {
		return out, fault.Wrap(fault.Cancelled, ctx.Err(), "look at %s", path)
	}
	fd, err := hold(path, 0)
	if err != nil || fd < 0 {
		return out, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return out, unseen(path, err)
	}
	out = reconcile.File{Type: typeOf(st.Mode), Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Size: st.Size,
		Changed: time.Unix(int64(st.Mtim.Sec), int64(st.Mtim.Nsec))}
	out.Owner, out.Group = w.names.user(st.Uid), w.names.group(st.Gid)
	if out.Type != "file" || want == reconcile.LookMeta {
		return out, nil
	}
	began := w.now()
	if want == reconcile.LookHash {
		var ok bool
		if out.SHA256, ok = w.sums.known(&st, began); ok {
			return out, nil
		}
	}
	most := int64(reconcile.MaxHashed)
	if want == reconcile.LookContent {
		most = reconcile.MaxContent
	}
	if st.Size > most {
		return out, fault.New(fault.TooLarge, "%s has %d bytes, at most %d are looked at", path, st.Size, most)
	}
	in, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return out, unseen(path, err)
	}
	defer unix.Close(in)
	if err := digest(ctx, in, path, most, want == reconcile.LookContent, &out); err != nil {
		return out, err
	}
	w.sums.keep(in, &st, out.SHA256, began)
	return out, nil
}

// buffers are lent for one file each.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

func digest(ctx context.Context, fd int, path string, most int64, keep bool, out *reconcile.File) error {
	b, _ := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	h, total := sha256.New(), int64(0)
	for {
		n, err := unix.Read(fd, *b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return unseen(path, err)
		case ctx.Err() != nil:
			return fault.Wrap(fault.Cancelled, ctx.Err(), "look at %s", path)
		case n == 0:
			out.SHA256 = hex.EncodeToString(h.Sum(nil))
			return nil
		}
		if total += int64(n); total > most {
			return fault.New(fault.TooLarge, "%s grows beyond %d bytes while it is looked at", path, most)
		}
		h.Write((*b)[:n])
		if keep {
			out.Content = append(out.Content, (*b)[:n]...)
		}
		if n < len(*b) && total >= out.Size { // the end, as far as anybody can tell: saves a call
			out.SHA256 = hex.EncodeToString(h.Sum(nil))
			return nil
		}
	}
}

// hold takes hold of a path without following a link anywhere on the way; of a
// link at its end it holds the link. -1 and no error: there is nothing.
func hold(path string, flags int) (int, error) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return -1, fault.New(fault.Unprocessable, "%q is not an absolute path", path)
	}
	if flags == 0 {
		flags = unix.O_PATH
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return -1, nil
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // an old kernel, or a filter of system calls
			return walk(path, flags)
		}
		return -1, unseen(path, err)
	}
}

// walk is hold for kernels without openat2: one folder after the other.
func walk(path string, flags int) (int, error) {
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, unseen(path, err)
	}
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for i, name := range parts {
		f := unix.O_PATH | unix.O_DIRECTORY
		if i == len(parts)-1 {
			f = flags
		}
		next, err := unix.Openat(at, name, f|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(at)
		switch {
		case errors.Is(err, unix.ENOENT):
			return -1, nil
		case errors.Is(err, unix.ENOTDIR):
			return -1, linked(path, "/"+strings.Join(parts[:i+1], "/"))
		case err != nil:
			return -1, unseen(path, err)
		}
		at = next
	}
	return at, nil
}

// linked tells a link on the way, which O_DIRECTORY reports as no folder, from a
// file on the way, below which there is nothing.
func linked(path, at string) error {
	var st unix.Stat_t
	if unix.Lstat(at, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return unseen(path, unix.ELOOP)
	}
	return nil
}

func unseen(path string, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return fault.New(fault.Forbidden, "%s leads through a symbolic link, and links are not followed", path).Mend("name the real path: realpath %s", path)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fault.Wrap(fault.Forbidden, err, "%s cannot be looked at", path)
	}
	return fault.Wrap(fault.Unavailable, err, "%s cannot be looked at", path)
}

func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "link"
	}
	return "other"
}

// Entries lists a folder; see reconcile.World.
func (w *World) Entries(ctx context.Context, path string) ([]reconcile.Entry, error) {
	fd, err := hold(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil || fd < 0 {
		return nil, err
	}
	d := os.NewFile(uintptr(fd), path)
	defer d.Close()
	var out []reconcile.Entry
	for {
		es, err := d.ReadDir(1000)
		for _, e := range es {
			t := "other"
			switch m := e.Type(); {
			case m.IsRegular():
				t = "file"
			case m.IsDir():
				t = "directory"
			case m&os.ModeSymlink != 0:
				t = "link"
			}
			out = append(out, reconcile.Entry{Name: e.Name(), Type: t})
		}
		switch {
		case errors.Is(err, io.EOF):
			slices.SortFunc(out, func(a, b reconcile.Entry) int { return strings.Compare(a.Name, b.Name) })
			return out, nil
		case err != nil:
			return nil, unseen(path, err)
		case ctx.Err() != nil:
			return nil, fault.Wrap(fault.Cancelled, ctx.Err(), "look at %s", path)
		case len(out) > reconcile.MaxEntries:
			return nil, fault.New(fault.TooLarge, "%s holds more than %d entries", path, reconcile.MaxEntries)
		}
	}
}
