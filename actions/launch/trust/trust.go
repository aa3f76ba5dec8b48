// Package trust says whether somebody else could change what a path names: the
// condition under which a program is started, or a file believed.
//
// It refuses a way on which anything belongs to others, or is open to them, and to
// search a PATH. It reads and starts nothing; concurrent.
package trust

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// maxLinks is how many symbolic links a path may lead through, as in the kernel.
const maxLinks = 40

// Path checks that nobody but root and vigild's own user can change what
// path names: every folder, every link on the way and the file itself belong to
// one of them and are not writable by group or others (a sticky folder is
// enough, since there only an owner can rename). It returns the real path.
// Blocks on the file system; concurrent.
//
// Because no other user can touch any part of the way, starting the program by
// its path afterwards cannot be raced by one; so scripts keep their name.
func Path(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fault.New(fault.Unprocessable, "%q is not an absolute path", path).Mend("write the whole path, there is no PATH search")
	}
	at, rest, links := "/", split(path), 0
	if err := guarded("/", path); err != nil {
		return "", err
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		var st unix.Stat_t
		if err := unix.Lstat(next, &st); err != nil {
			return "", lost(path, next, err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			if links++; links > maxLinks {
				return "", fault.New(fault.Unprocessable, "%s leads through more than %d links", path, maxLinks)
			}
			if !owned(st.Uid) {
				return "", notOurs(path, next, st)
			}
			to, err := os.Readlink(next)
			if err != nil {
				return "", fault.Wrap(fault.NotFound, err, "%s", path)
			}
			if filepath.IsAbs(to) {
				at = "/"
			}
			rest = append(split(to), rest...)
			continue
		}
		if err := guarded(next, path); err != nil {
			return "", err
		}
		at = next
	}
	return at, nil
}

func split(path string) []string {
	var out []string
	for _, s := range strings.Split(path, "/") {
		if s != "" && s != "." {
			out = append(out, s)
		}
	}
	return out
}

func owned(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

func guarded(at, path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(at, &st); err != nil {
		return lost(path, at, err)
	}
	open := st.Mode&0o022 != 0
	if st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0 {
		open = false
	}
	if !owned(st.Uid) || open {
		return notOurs(path, at, st)
	}
	return nil
}

// lost says what of a path is not there, or cannot be looked at.
func lost(path, at string, err error) error {
	if at == path {
		return fault.Wrap(fault.NotFound, err, "%s", path)
	}
	return fault.Wrap(fault.NotFound, err, "%s: %s", path, at)
}

func notOurs(path, at string, st unix.Stat_t) error {
	return fault.New(fault.Forbidden, "%s is not trusted: %s belongs to uid %d with mode %04o, so others could change it", path, at, st.Uid, st.Mode&0o7777).
		Mend("chown root %s and chmod go-w %s", at, at)
}
