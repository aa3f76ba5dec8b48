package place

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Intent is an act at a path that has not begun.
type Intent struct {
	Folder bool // it is about a folder; else about a file
	Absent bool // it goes
	Writes bool // it gets new bytes
	Bytes  int64
	Attr   Attributes
	Most   int64 // more bytes than this are not kept, and so neither replaced nor removed; 0: any number

	// Left says whether acts that come before leave a folder, something else or
	// nothing at a path; known is false where they leave it alone. Guess says that more
	// may have changed by then, so that only what will stay as it is counts.
	Left  func(path string) (folder, there, known bool)
	Guess bool
	Taken map[uint64]int64 // bytes that acts before take, by file system; this one's are added
	Sight *Sight           // nil: of this act alone
}

// Sight is where vigild's own lies, looked at once for acts that are foreseen together;
// each act looks anew when it is done. Its zero value has not looked yet; it belongs to
// one goroutine.
type Sight struct {
	shut closed
	done bool
}

func (s *Sight) closing(refused []string) (closed, error) {
	if s == nil {
		return closing(refused)
	}
	if !s.done {
		shut, err := closing(refused)
		if err != nil {
			return shut, err
		}
		s.shut, s.done = shut, true
	}
	return s.shut, nil
}

// Foresee says why an act at a path could not be done as the host stands: a link, a
// file or nothing where a folder should be on the way, a folder that is read-only, or
// others', or full, something else than what is wanted in the place, an owner that vigild may
// not give. What stands there now is st. It makes nothing, follows no link, and does
// not block for long.
func Foresee(path string, way Way, in Intent) (st unix.Stat_t, there bool, err error) {
	shut, err := in.Sight.closing(way.Refused)
	if err != nil {
		return st, false, err
	}
	w, parts, err := begin(path, way, shut)
	if err != nil {
		return st, false, err
	}
	defer func() { unix.Close(w.at) }()
	made := func(at string) bool { folder, _, known := in.Left(at); return known && folder }
	w.eased = made
	missing := -1
	for i, n := range parts[:len(parts)-1] {
		to := w.folder + "/" + n
		if _, there, known := in.Left(to); known && !there {
			err = cannot(path, to, unix.ENOENT) // it goes before
		} else {
			err = w.into(n, false, i == len(parts)-2)
		}
		if fault.KindOf(err) == fault.NotFound {
			missing = i
			break
		}
		if err != nil && (in.Guess || made(to)) && !errors.Is(err, unix.EACCES) {
			return st, false, nil // it may be another one by then
		}
		if err != nil {
			return st, false, err
		}
	}
	if missing >= 0 {
		if in.Absent {
			return st, false, nil
		}
		if err := w.mounted(); err != nil { // why it is missing comes second
			return st, false, err
		}
		to := w.folder
		for _, n := range parts[missing : len(parts)-1] {
			if to += "/" + n; !way.Parents && !in.Guess && !made(to) {
				return st, false, cannot(path, to, unix.ENOENT)
			}
		}
		if err := w.room(&in, made(cmp.Or(w.folder, "/")), 0); err != nil {
			return st, false, err
		}
		if _, _, known := in.Left(path); !known && !in.Guess {
			if err := (&Place{Path: path}).fits(&in, st, false); err != nil {
				return st, false, err
			}
		}
		return st, false, (&Place{Path: path}).givable(&in, st, false)
	}
	p := &Place{Path: path, fd: w.at, name: parts[len(parts)-1]}
	if err := w.shut.own(p, w.ways); err != nil {
		return st, false, err
	}
	if st, there, err = p.Stat(); err != nil {
		return st, there, err
	}
	if _, _, known := in.Left(path); known || in.Guess {
		return st, there, w.room(&in, made(cmp.Or(w.folder, "/")), 0)
	}
	if in.Folder && !in.Absent && there && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return st, there, p.dressable(&in, st)
	}
	if err := w.room(&in, made(cmp.Or(w.folder, "/")), replaced(st, there)); err != nil {
		return st, there, err
	}
	if err := p.fits(&in, st, there); err != nil || in.Absent {
		return st, there, err
	}
	return st, there, p.givable(&in, st, there)
}

// replaced are the bytes that go when a file is replaced.
func replaced(st unix.Stat_t, there bool) int64 {
	if there && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 {
		return st.Size
	}
	return 0
}

// mounted says that the folder that is held lies on a file system that is read-only.
func (w *walk) mounted() error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(w.at, &fs); err == nil && fs.Flags&unix.ST_RDONLY != 0 {
		return readOnly(w.path, cmp.Or(w.folder, "/"))
	}
	return nil
}

// room says why nothing new can come into the folder that is held. made: it is made, or
// put right, before.
func (w *walk) room(in *Intent, made bool, goes int64) error {
	folder := cmp.Or(w.folder, "/")
	var fs unix.Statfs_t
	if err := unix.Fstatfs(w.at, &fs); err != nil {
		return cannot(w.path, folder, err)
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		return readOnly(w.path, folder)
	}
	if !made && (in.Absent || in.Writes || in.Folder) { // what is only dressed stays in it
		if err := w.writable(folder); err != nil {
			return err
		}
	}
	if in.Absent || !in.Writes && !in.Folder || fs.Blocks == 0 { // nothing new, or no disk
		return nil
	}
	free := fs.Bavail
	if os.Geteuid() == 0 {
		free = fs.Bfree
	}
	var st unix.Stat_t
	if err := unix.Fstat(w.at, &st); err != nil {
		return cannot(w.path, folder, err)
	}
	dev, has := uint64(st.Dev), int64(min(free, 1<<40))*int64(fs.Bsize)-in.Taken[uint64(st.Dev)]
	switch {
	case in.Bytes > 0 && in.Bytes > has:
		return fault.New(fault.Unavailable, "%s cannot be written: it takes %d bytes, and the file system of %s has %d free", w.path, in.Bytes, folder, max(has, 0)).
			Mend("make room there, then try again")
	case fs.Files > 0 && fs.Ffree == 0:
		return fault.New(fault.Unavailable, "%s cannot be made: the file system of %s has no inode left for another file", w.path, folder).
			Mend("remove files there, then try again")
	}
	if in.Taken != nil {
		in.Taken[dev] += in.Bytes - goes
	}
	return nil
}

// writable says why vigild may not write in the folder that is held, whoever it is.
func (w *walk) writable(folder string) error {
	err := unix.Faccessat(w.at, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	switch {
	case errors.Is(err, unix.EROFS):
		return readOnly(w.path, folder)
	case errors.Is(err, unix.EPERM):
		return fault.New(fault.Forbidden, "%s cannot be written: %s is immutable", w.path, folder).Mend("chattr -i %s, if it may be changed", folder)
	case errors.Is(err, unix.EACCES):
		return fault.New(fault.Forbidden, "%s cannot be written: vigild, which runs as uid %d, may not write in %s", w.path, os.Geteuid(), folder).
			Mend("give it the folder (chown, setfacl), or run it as root")
	}
	return nil // what else there is the act says
}

// fits says that something else stands where the act wants a file, or a folder.
func (p *Place) fits(in *Intent, st unix.Stat_t, there bool) error {
	kind := st.Mode & unix.S_IFMT
	switch {
	case !there && !in.Folder && !in.Absent && !in.Writes:
		return fault.New(fault.Conflict, "%s is not there", p.Path)
	case !there:
		return nil
	case in.Folder && kind != unix.S_IFDIR:
		return NoFolder(p.Path)
	case in.Folder:
		return p.empty(in)
	case in.Absent && kind == unix.S_IFDIR:
		return fault.New(fault.Conflict, "%s is a folder, and is not removed as a file", p.Path).Mend("kind: Directory with mode: absent removes an empty one")
	case !in.Absent && kind != unix.S_IFREG && !(in.Writes && kind == unix.S_IFLNK):
		return noFile(p.Path)
	case in.Most > 0 && (in.Writes || in.Absent) && st.Size > in.Most:
		return fault.New(fault.TooLarge, "%s has %d bytes, at most %d are kept, and so it could not come back", p.Path, st.Size, in.Most).Mend("move it away by hand")
	case kind == unix.S_IFREG && errors.Is(unix.Faccessat(p.fd, p.name, unix.W_OK, unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW), unix.EPERM):
		return fault.New(fault.Forbidden, "%s cannot be changed: it is immutable", p.Path).Mend("chattr -i %s, if it may be changed", p.Path)
	}
	return nil
}

// empty says that a folder which is to go holds something that does not go before.
func (p *Place) empty(in *Intent) error {
	fd, _, err := step(p.fd, p.name, false)
	if err != nil {
		return cannot(p.Path, p.Path, err)
	}
	d := os.NewFile(uintptr(fd), p.Path)
	defer d.Close()
	for {
		names, err := d.Readdirnames(256)
		i := slices.IndexFunc(names, func(n string) bool { _, there, known := in.Left(filepath.Join(p.Path, n)); return !known || there })
		if i >= 0 {
			return fault.New(fault.Conflict, "%s is not empty, and is only removed when it is: %s is in it", p.Path, names[i]).Mend("remove what is in it first")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cannot(p.Path, p.Path, err)
		}
	}
}

// dressable says why a folder that is there could not be given its attributes.
func (p *Place) dressable(in *Intent, st unix.Stat_t) error {
	if in.Attr == (Attributes{-1, -1, -1}) {
		return nil
	}
	var fs unix.Statfs_t
	if fd, _, err := step(p.fd, p.name, false); err == nil { // it may be a mount of its own
		err = unix.Fstatfs(fd, &fs)
		unix.Close(fd)
		if err == nil && fs.Flags&unix.ST_RDONLY != 0 {
			return readOnly(p.Path, p.Path)
		}
	}
	return p.givable(in, st, true)
}

// givable says why vigild may not give what stands there, or what it makes, its owner,
// group or mode.
func (p *Place) givable(in *Intent, st unix.Stat_t, there bool) error {
	a, self := in.Attr, os.Geteuid()
	has := capable()
	fresh := !there || !in.Folder && in.Writes // its own at first
	uid, gid := int(st.Uid), int(st.Gid)
	if fresh {
		if there && st.Mode&unix.S_IFMT == unix.S_IFREG {
			a = a.or(Attributes{int(st.Mode & 0o7777), uid, gid})
		}
		uid, gid = self, os.Getegid()
	}
	groups, _ := os.Getgroups()
	switch {
	case a.UID >= 0 && a.UID != uid && !has(unix.CAP_CHOWN),
		a.GID >= 0 && a.GID != gid && !has(unix.CAP_CHOWN) && (uid != self || a.GID != os.Getegid() && !slices.Contains(groups, a.GID)),
		a.Mode >= 0 && !fresh && uint32(a.Mode) != st.Mode&0o7777 && uid != self && !has(unix.CAP_FOWNER):
		return p.failed(dressing, unix.EPERM)
	}
	return nil
}

// capable tells the capabilities of this process; where they cannot be read, root has all.
func capable() func(int) bool {
	var set [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&head, &set[0]); err != nil {
		return func(int) bool { return os.Geteuid() == 0 }
	}
	return func(c int) bool { return set[c/32].Effective&(1<<(c%32)) != 0 }
}

// NoFolder is the refusal to put a folder in the place of something else.
func NoFolder(path string) error {
	return fault.New(fault.Conflict, "%s is no folder, and is not replaced by one", path).Mend("look at it, and remove it by hand, or with mode: absent in a commit before")
}

func noFile(path string) error {
	return fault.New(fault.Conflict, "%s is no file, and is not replaced by one", path).Mend("look at it, and remove it by hand")
}
