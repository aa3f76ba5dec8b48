package paths

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// node is one name on the way to a spot, or a spot.
type node struct {
	name   string
	up     *node
	kids   map[string]*node
	wd     int32 // of its watch, -1 none
	spot   bool
	inside bool
	fresh  bool // it, or something below, was put in since the last cover
	dirty  bool // among what is told next
	stale  bool // something else may stand in its place
}

func (n *node) path() string {
	if n.up == nil {
		return "/"
	}
	size := 0
	for m := n; m.up != nil; m = m.up {
		size += 1 + len(m.name)
	}
	b := make([]byte, size)
	for m := n; m.up != nil; m = m.up {
		size -= len(m.name)
		copy(b[size:], m.name)
		size--
		b[size] = '/'
	}
	return string(b)
}

// folder says that names in it matter, or that no folder above tells of it.
func (n *node) folder() bool { return n.inside || len(n.kids) > 0 || n.spot && n.up == nil }

// What a watch asks the kernel for: names that come and go in the folder, what
// happens to the folder itself, and for one that holds a spot what happens to the
// files in it. What was unlinked and is still written to is of no interest.
const (
	ofNames = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	ofSelf  = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	ofFiles = unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB
	asked   = unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK | unix.IN_MASK_ADD
)

func (n *node) mask() uint32 {
	if n.spot && n.up == nil {
		return ofNames | ofSelf | ofFiles | asked
	}
	for _, k := range n.kids {
		if k.spot {
			return ofNames | ofSelf | ofFiles | asked
		}
	}
	return ofNames | ofSelf | asked
}

// add puts a spot in.
func (s *Spots) add(path string, inside bool) {
	n := s.root
	n.fresh = true
	for name := range strings.SplitSeq(path[1:], "/") {
		if name == "" { // the root itself
			break
		}
		k := n.kids[name]
		if k == nil {
			if n.kids == nil {
				n.kids = map[string]*node{}
			}
			k = &node{name: strings.Clone(name), up: n, wd: -1}
			n.kids[k.name] = k
		}
		k.fresh = true
		n = k
	}
	n.spot, n.inside = true, inside
	s.set[path] = n
}

// forget takes a spot out, and every folder that only led to it.
func (s *Spots) forget(n *node) {
	delete(s.set, n.path())
	n.spot = false
	s.outside(n)
	for ; !n.folder(); n = n.up {
		s.unwatch(n)
		delete(s.lost, n)
		if n.spot || n.up == nil {
			return
		}
		delete(n.up.kids, n.name)
	}
}

// outside makes the names in a spot's folder matter no longer.
func (s *Spots) outside(n *node) {
	n.inside = false
	if !n.folder() {
		s.unwatch(n)
		delete(s.lost, n)
	}
}

// cover sees to it that every folder from n on is watched, or those alone that
// lead to what is fresh. A folder is watched before its names are looked at, so
// that nothing can come between. Where a watch had to be moved, what is below is
// marked.
func (s *Spots) cover(n *node, fresh bool) {
	fd := -1
	if f, err := openFolder(n.path()); err == nil {
		fd = f
	}
	s.coverAt(n, fd, fresh)
}

func (s *Spots) coverAt(n *node, fd int, fresh bool) {
	n.fresh = false
	if fd < 0 { // there is no such folder: the one above tells when there is
		if s.uncover(n) {
			s.below(n)
		}
		return
	}
	defer unix.Close(fd)
	if n.folder() && s.watch(n, fd) && !fresh {
		s.below(n)
	}
	for _, k := range n.kids {
		if !k.folder() || fresh && !k.fresh {
			k.fresh = false
			continue
		}
		kfd, err := unix.Openat(fd, k.name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			kfd = -1
		}
		s.coverAt(k, kfd, fresh)
	}
}

// openFolder takes hold of a folder without following a link; where the kernel
// cannot say so, of the last name alone: an event too many does no harm.
func openFolder(path string) (int, error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err == unix.ENOSYS || err == unix.EPERM || err == unix.EAGAIN || err == unix.EINTR {
		return unix.Open(path, flags, 0)
	}
	return fd, err
}

// watch watches the folder that fd holds, and says whether it is another one
// than before.
func (s *Spots) watch(n *node, fd int) bool {
	if n.wd < 0 && len(s.wds) >= s.cfg.MaxDirs {
		s.miss(n)
		return false
	}
	got, err := unix.InotifyAddWatch(s.fd, "/proc/self/fd/"+strconv.Itoa(fd), n.mask())
	if err != nil { // ENOSPC above all: the limit of this user
		s.miss(n)
		return s.unwatch(n)
	}
	delete(s.lost, n)
	wd := int32(got)
	if wd == n.wd {
		return false
	}
	s.unwatch(n)
	n.wd = wd
	s.wds[wd] = append(s.wds[wd], n) // two places can be one folder: a bind mount
	return true
}

func (s *Spots) miss(n *node) {
	if _, ok := s.lost[n]; !ok {
		s.lost[n] = false
	}
}

// unwatch ends a node's watch, and the kernel's when nobody else shares it.
func (s *Spots) unwatch(n *node) bool {
	if n.wd < 0 {
		return false
	}
	list := s.wds[n.wd]
	for i, m := range list {
		if m == n {
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) > 0 {
		s.wds[n.wd] = list
	} else {
		delete(s.wds, n.wd)
		if s.fd >= 0 {
			_, _ = unix.InotifyRmWatch(s.fd, uint32(n.wd)) // it fails when the folder is gone
		}
	}
	n.wd = -1
	return true
}

// uncover ends all watches from n on; it says whether there was one.
func (s *Spots) uncover(n *node) bool {
	was := s.unwatch(n)
	delete(s.lost, n)
	n.fresh = false
	for _, k := range n.kids {
		if s.uncover(k) {
			was = true
		}
	}
	return was
}

// folders lists every folder that should be watched, those above first.
func (s *Spots) folders() (out []*node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out = make([]*node, 0, len(s.wds)+len(s.lost))
	var add func(n *node)
	add = func(n *node) {
		if n.folder() {
			out = append(out, n)
		}
		for _, k := range n.kids {
			add(k)
		}
	}
	add(s.root)
	return out
}

// slice is how many folders are checked before somebody else may go on.
const slice = 128

// check proves for the first of some folders that their watches are where they
// should be, and returns the rest.
func (s *Spots) check(list []*node) []*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(list), slice)
	for _, n := range list[:n] {
		if s.fd < 0 || !n.folder() || n.up != nil && n.up.kids[n.name] != n { // the set has changed meanwhile
			continue
		}
		fd, err := openFolder(n.path())
		if err != nil {
			if s.uncover(n) {
				s.below(n)
			}
			continue
		}
		moved := s.watch(n, fd)
		unix.Close(fd)
		if moved {
			s.cover(n, false)
			s.below(n)
		}
	}
	s.say()
	return list[n:]
}

// below marks every spot from n on.
func (s *Spots) below(n *node) {
	s.mark(n)
	for _, k := range n.kids {
		s.below(k)
	}
}
