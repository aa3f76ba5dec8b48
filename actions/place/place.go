// Package place is one name in one folder, held so that nobody can put anything
// else in its way: the one road by which files outside the data directory are
// changed.
//
// The way to a folder is walked name by name from the root, and no symbolic link
// is followed anywhere. Every folder on the way must belong to root, to vigild
// or to the file's own owner, and the last one may not be writable by others; so
// a name cannot be exchanged between the look and the act, and if it could, the
// act would still end in the folder that is held.
//
// It refuses what a link leads to, folders that others can write, and changing
// anything that is no regular file. A file is replaced whole: what stands under
// the name is the old one or the new one at every moment, also after a power
// cut. A [Place] belongs to one goroutine; Close lets go of it.
package place

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Place is a name in a held folder.
type Place struct {
	Path string
	fd   int    // of the folder, open for reading
	name string // in it
}

// Way says what is allowed on the way.
type Way struct {
	Owner   int      // uid, beside root and vigild, to whom folders may belong; -1 none
	Parents bool     // folders that are missing are made, 0755
	Refused []string // files and folders that no way may lead to, by whatever name
}

// Open walks to the folder of path. Errors: NotFound (a folder is missing),
// Forbidden (a link, or a folder that others could change), Unavailable.
func Open(path string, way Way) (*Place, error) {
	shut, err := closing(way.Refused)
	if err != nil {
		return nil, err
	}
	w, parts, err := begin(path, way, shut)
	if err != nil {
		return nil, err
	}
	for i, n := range parts[:len(parts)-1] {
		if err := w.into(n, way.Parents, i == len(parts)-2); err != nil {
			unix.Close(w.at)
			return nil, err
		}
	}
	p := &Place{Path: path, fd: w.at, name: parts[len(parts)-1]}
	if err := w.shut.own(p, w.ways); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// walk is how far one is on the way to a path.
type walk struct {
	Way
	path   string // where it leads
	at     int    // the folder that is held; of the walk until it is a Place's
	folder string // its path, "" the root
	shut   closed
	ways   []spot
	eased  func(folder string) bool // it will be others' no more by then; nil: none will
}

func begin(path string, way Way, shut closed) (*walk, []string, error) {
	parts, err := split(path)
	if err != nil {
		return nil, nil, err
	}
	at, err := root()
	if err != nil {
		return nil, nil, err
	}
	return &walk{Way: way, path: path, at: at, shut: shut, ways: make([]spot, 0, len(parts))}, parts, nil
}

// into goes into the next folder, which with parents is made when it is not there. After
// an error the walk stands where it stood. last: it is the folder of the path itself.
func (w *walk) into(name string, parents, last bool) error {
	to := w.folder + "/" + name
	if len(w.ways) > 0 && w.shut.names[w.ways[len(w.ways)-1]][name] { // it may not be there yet
		return alias(w.path)
	}
	next, made, err := step(w.at, name, parents)
	if err != nil {
		return cannot(w.path, to, err)
	}
	if made { // what is refused may lie in it
		if w.shut, err = closing(w.Refused); err != nil {
			unix.Close(next)
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(next, &st); err != nil {
		unix.Close(next)
		return cannot(w.path, to, err)
	}
	if st.Mode&0o020 != 0 && listed(next) { // the mode of the group says what the list may give at most
		st.Gid = ^uint32(0)
	}
	err = guarded(st, w.path, to, w.Owner, last)
	if err != nil && w.eased != nil && w.eased(to) {
		err = nil
	}
	if err == nil && w.shut.whole[spotOf(st)] { // before anything is made in it
		err = alias(w.path)
	}
	if err != nil {
		unix.Close(next)
		return err
	}
	unix.Close(w.at)
	w.at, w.folder, w.ways = next, to, append(w.ways, spotOf(st))
	return nil
}

// split is the names on the way to a path, its own last.
func split(path string) ([]string, error) {
	if !strings.HasPrefix(path, "/") || len(path) > 4095 {
		return nil, fault.New(fault.Unprocessable, "%q is not an absolute path", path)
	}
	parts := strings.Split(path[1:], "/")
	for _, n := range parts {
		if n == "" || n == "." || n == ".." || len(n) > 255 || strings.ContainsRune(n, 0) {
			return nil, fault.New(fault.Unprocessable, "%q is not a plain path", path)
		}
	}
	return parts, nil
}

func root() (int, error) {
	at, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fault.Wrap(fault.Unavailable, err, "open /")
	}
	return at, nil
}

// step opens the next folder; with make it is made when it is not there.
func step(at int, name string, make bool) (next int, made bool, err error) {
	const how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	open := func() (int, error) { return unix.Openat(at, name, how, 0) }
	if next, err = again(open); !errors.Is(err, unix.ENOENT) || !make {
		return next, false, err
	}
	if err := unix.Mkdirat(at, name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, false, err
	}
	if err := unix.Fsync(at); err != nil {
		return -1, false, err
	}
	next, err = again(open)
	return next, true, err
}

func again(f func() (int, error)) (int, error) {
	for {
		fd, err := f()
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// listed says that a folder has an access list, which may let others write in it than
// its owner, its group and everybody.
func listed(fd int) bool {
	n, err := unix.Fgetxattr(fd, "system.posix_acl_access", nil)
	return err == nil && n > 0
}

// guarded refuses a folder in which somebody else could exchange what stands.
func guarded(st unix.Stat_t, path, at string, owner int, last bool) error {
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() && uid != owner {
		return fault.New(fault.Forbidden, "%s is not touched: %s belongs to uid %d, who could exchange it", path, at, uid).Mend("chown root %s, or let that user own the file too", at)
	}
	open := st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != 0
	if sticky := st.Mode&unix.S_ISVTX != 0; open && (last || !sticky) {
		return fault.New(fault.Forbidden, "%s is not touched: others can write in %s (mode %04o)", path, at, st.Mode&0o7777).Mend("chmod go-w %s", at)
	}
	return nil
}

// readOnly names the usual reason, which is not the disk: vigild's own unit.
func readOnly(path, at string) error {
	return fault.New(fault.Forbidden, "%s cannot be written: %s is read-only for vigild", path, at).
		Mend("under systemd, open it with ReadWritePaths=%s in a drop-in (systemctl edit vigild), then restart vigild", at)
}

func cannot(path, at string, err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return readOnly(path, filepath.Dir(at))
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return fault.New(fault.Forbidden, "%s is not touched: %s is a symbolic link or no folder, and links are not followed", path, at).Mend("name the real path")
	case errors.Is(err, unix.ENOENT):
		return fault.New(fault.NotFound, "%s is not there, so %s cannot be touched", at, path).Mend("make the folder first, with kind: Directory")
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fault.Wrap(fault.Forbidden, err, "%s", path)
	}
	return fault.Wrap(fault.Unavailable, err, "%s", path)
}

// Close lets go of the folder.
func (p *Place) Close() { unix.Close(p.fd) }

// Stat looks at the name itself; ok is false when there is nothing.
func (p *Place) Stat() (st unix.Stat_t, ok bool, err error) {
	err = unix.Fstatat(p.fd, p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return st, false, nil
	}
	if err != nil {
		return st, false, cannot(p.Path, p.Path, err)
	}
	return st, true, nil
}

// sync makes what happened to the names in the folder last.
func (p *Place) sync() error {
	if err := unix.Fsync(p.fd); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of %s cannot be synced", p.Path)
	}
	return nil
}

// dressing is what fails where the right to give files away is missing.
const dressing = "set owner and mode of"

func (p *Place) failed(what string, err error) error {
	k := fault.Unavailable
	switch {
	case errors.Is(err, unix.EROFS):
		return readOnly(p.Path, filepath.Dir(p.Path))
	case errors.Is(err, unix.EPERM) && what == dressing && os.Geteuid() == 0:
		return fault.New(fault.Forbidden, "%s %s: %v, though vigild is root", what, p.Path, err).
			Mend("under systemd, give it CapabilityBoundingSet=CAP_CHOWN in a drop-in (systemctl edit vigild), then restart vigild")
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		k = fault.Forbidden
	case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOTDIR):
		k = fault.Conflict
	}
	return fault.Wrap(k, err, "%s %s", what, p.Path)
}
