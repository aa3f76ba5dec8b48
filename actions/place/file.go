package place

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// Attributes are what a file or folder is given; -1 leaves one as it is.
type Attributes struct {
	Mode, UID, GID int
}

// Read returns the bytes of a regular file, at most limit of them: TooLarge
// beyond. ok is false when there is nothing; a link or a folder is a Conflict.
func (p *Place) Read(limit int64) (b []byte, st unix.Stat_t, ok bool, err error) {
	f, st, ok, err := p.open()
	if err != nil || !ok {
		return nil, st, ok, err
	}
	defer f.Close()
	if st.Size > limit {
		return nil, st, true, fault.New(fault.TooLarge, "%s has %d bytes, at most %d are kept", p.Path, st.Size, limit)
	}
	if b, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
		return nil, st, true, p.failed("read", err)
	}
	if int64(len(b)) > limit {
		return nil, st, true, fault.New(fault.TooLarge, "%s has over %d bytes", p.Path, limit)
	}
	return b, st, true, nil
}

// Large is the sum of a file with more bytes than are looked at: no file's.
const Large = "large"

// Sum is the sha256 of a regular file, in hex; "" when there is nothing, Large when it
// has over limit bytes. A file may have exbibytes without having a disk for them.
func (p *Place) Sum(limit int64) (string, error) {
	f, st, ok, err := p.open()
	if err != nil || !ok {
		return "", err
	}
	defer f.Close()
	if st.Size > limit {
		return Large, nil
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return "", p.failed("read", err)
	case n > limit:
		return Large, nil
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// open opens a regular file. The look before keeps devices and pipes closed; the
// look after is the one that counts.
func (p *Place) open() (*os.File, unix.Stat_t, bool, error) {
	st, ok, err := p.Stat()
	if err != nil || !ok {
		return nil, st, ok, err
	}
	fd, kind := -1, st.Mode&unix.S_IFMT
	if kind == unix.S_IFREG {
		fd, err = again(func() (int, error) {
			return unix.Openat(p.fd, p.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		})
		switch {
		case errors.Is(err, unix.ENOENT):
			return nil, st, false, nil
		case errors.Is(err, unix.ELOOP):
			kind = unix.S_IFLNK
		case err != nil:
			return nil, st, true, p.failed("open", err)
		default:
			if err := unix.Fstat(fd, &st); err != nil {
				unix.Close(fd)
				return nil, st, true, p.failed("look at", err)
			}
			kind = st.Mode & unix.S_IFMT
		}
	}
	if kind != unix.S_IFREG {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, st, true, fault.New(fault.Conflict, "%s is no regular file", p.Path)
	}
	return os.NewFile(uintptr(fd), p.Path), st, true, nil
}

// temporary is the name of the new file until it counts. There is one for each
// name, so what a crash left is found and taken away by the next try.
func (p *Place) temporary() string { return reconcile.Scratch(p.name) }

// Sweep takes away the new file of a Write that was cut short.
func (p *Place) Sweep() error {
	if err := unix.Unlinkat(p.fd, p.temporary(), 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return p.failed("take away what was left beside", err)
	}
	return nil
}

// Write puts a new file in the place of what stands there: a temporary file in
// the same folder, its owner and mode, its bytes on the disk, check, then the
// rename, then the folder on the disk. What is -1 in a is taken from the file
// that was there, else vigild's own and 0644. check, if not nil, sees the path of
// the new file; its error keeps everything as it was. A mode that is taken over loses
// setuid and setgid when the owner or the group is another one. A link in the place is
// replaced, a folder is a Conflict.
func (p *Place) Write(content []byte, a Attributes, check func(path string) error) (err error) {
	old, there, err := p.Stat()
	if err != nil {
		return err
	}
	regular := there && old.Mode&unix.S_IFMT == unix.S_IFREG
	if there && !regular && old.Mode&unix.S_IFMT != unix.S_IFLNK {
		return noFile(p.Path)
	}
	if regular {
		was := Attributes{int(old.Mode & 0o7777), int(old.Uid), int(old.Gid)}
		if own := a.or(was); own.UID != was.UID || own.GID != was.GID {
			was.Mode &^= 0o6000 // as chown(2) does: it ran as another one
		}
		a = a.or(was)
	}
	a = a.or(Attributes{0o644, os.Geteuid(), os.Getegid()})
	tmp := p.temporary()
	if err := unix.Unlinkat(p.fd, tmp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return p.failed("clear the way for", err)
	}
	fd, err := again(func() (int, error) {
		return unix.Openat(p.fd, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return p.failed("write", err)
	}
	f := os.NewFile(uintptr(fd), tmp)
	defer func() {
		f.Close()
		if err != nil {
			_ = unix.Unlinkat(p.fd, tmp, 0)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return p.failed("write", err)
	}
	if err := dress(fd, a, true); err != nil {
		return p.failed(dressing, err)
	}
	if regular {
		p.label(fd)
	}
	if err := f.Sync(); err != nil {
		return p.failed("sync", err)
	}
	if check != nil {
		if err := check(p.Path[:len(p.Path)-len(p.name)] + tmp); err != nil {
			return err
		}
	}
	if err := unix.Renameat(p.fd, tmp, p.fd, p.name); err != nil {
		return p.failed("rename the new file to", err)
	}
	return p.sync()
}

func (a Attributes) or(b Attributes) Attributes {
	if a.Mode < 0 {
		a.Mode = b.Mode
	}
	if a.UID < 0 {
		a.UID = b.UID
	}
	if a.GID < 0 {
		a.GID = b.GID
	}
	return a
}

// dress gives owner and mode, in this order: a change of the owner takes setuid
// away. own: the caller made the file just now, so its owner is known.
func dress(fd int, a Attributes, own bool) error {
	if (a.UID >= 0 || a.GID >= 0) && !(own && a.UID == os.Geteuid() && a.GID == os.Getegid()) {
		if err := unix.Fchown(fd, a.UID, a.GID); err != nil {
			return err
		}
	}
	if a.Mode >= 0 {
		return unix.Fchmod(fd, uint32(a.Mode))
	}
	return nil
}

// label takes over the SELinux label of the old file, where there is one.
func (p *Place) label(fd int) {
	f, _, ok, err := p.open()
	if err != nil || !ok {
		return
	}
	defer f.Close()
	b := make([]byte, 256)
	if n, err := unix.Fgetxattr(int(f.Fd()), "security.selinux", b); err == nil && n > 0 {
		_ = unix.Fsetxattr(fd, "security.selinux", b[:n], 0)
	}
}

// Dress gives a regular file, or with folder a folder, its attributes, and
// nothing through a link: what is held is what is changed.
func (p *Place) Dress(a Attributes, folder bool) error {
	fd := -1
	if folder {
		var err error
		if fd, err = again(func() (int, error) {
			return unix.Openat(p.fd, p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		}); err != nil {
			return p.failed("open the folder", err)
		}
		defer unix.Close(fd)
	} else {
		f, st, ok, err := p.open()
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "%s is not there", p.Path)
		}
		defer f.Close()
		if st.Nlink > 1 { // another name of it may be anywhere, put there by anybody
			return fault.New(fault.Conflict, "%s has %d names, and so is not only here", p.Path, st.Nlink).Mend("write it anew with its content")
		}
		fd = int(f.Fd())
	}
	if err := dress(fd, a, false); err != nil {
		return p.failed(dressing, err)
	}
	if err := unix.Fsync(fd); err != nil {
		return p.failed("sync", err)
	}
	return nil
}

// Remove takes the name away: of a file or a link, or with folder of an empty
// folder. Nothing there is success.
func (p *Place) Remove(folder bool) error {
	flags := 0
	if folder {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(p.fd, p.name, flags); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return p.failed("remove", err)
	}
	return p.sync()
}

// Target is where the link in the place leads.
func (p *Place) Target() (string, error) {
	b := make([]byte, unix.PathMax+1)
	n, err := unix.Readlinkat(p.fd, p.name, b)
	if err != nil {
		return "", p.failed("read the link", err)
	}
	return string(b[:n]), nil
}

// Link puts a symbolic link in the place of a file, a link or nothing, as Write does a
// file; nothing is done to where it leads. Of a, the mode does not count.
func (p *Place) Link(target string, a Attributes) (err error) {
	old, there, err := p.Stat()
	if err != nil {
		return err
	}
	if kind := old.Mode & unix.S_IFMT; there && kind != unix.S_IFREG && kind != unix.S_IFLNK {
		return noFile(p.Path)
	}
	if err := p.Sweep(); err != nil {
		return err
	}
	tmp := p.temporary()
	if err := unix.Symlinkat(target, p.fd, tmp); err != nil {
		return p.failed("make the link", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(p.fd, tmp, 0)
		}
	}()
	a = a.or(Attributes{0, os.Geteuid(), os.Getegid()})
	if a.UID != os.Geteuid() || a.GID != os.Getegid() {
		if err := unix.Fchownat(p.fd, tmp, a.UID, a.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return p.failed(dressing, err)
		}
	}
	if err := unix.Renameat(p.fd, tmp, p.fd, p.name); err != nil {
		return p.failed("rename the new link to", err)
	}
	return p.sync()
}

// Mkdir makes a folder, unless there is one.
func (p *Place) Mkdir() error {
	if err := unix.Mkdirat(p.fd, p.name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return p.failed("make", err)
	}
	return p.sync()
}
