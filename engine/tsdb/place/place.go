// Package place makes a data directory one store's own.
//
// It refuses a second process, and file systems of other machines, where a lock
// and a sync are not what they seem. The lock ends with the file that it gives,
// or with the process; it starts nothing.
package place

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// networks are the file systems on which locks and syncs are not what they seem,
// by the magic number of statfs(2).
var networks = map[int64]string{
	0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x517b: "SMB", 0x5346414f: "AFS", 0x6b414653: "kAFS",
	0x00c36400: "Ceph", 0x01021997: "9P", 0x0bd00bd0: "Lustre", 0x73757245: "Coda", 0x564c: "NCP", 0x7461636f: "OCFS2", 0x01161970: "GFS2",
}

// Occupy makes the directory this process's own until the file is closed: a
// Conflict when it is another's, Unavailable on a file system that cannot hold a
// lock. It does not wait.
func Occupy(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, os.NewSyscallError("statfs", err)
	}
	if err := local(int64(st.Type), dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "samples.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fault.New(fault.Conflict, "another vigild uses this data directory").
			At(path).Mend("stop it first, or give this one a data_dir of its own"), f.Close())
	}
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f, nil
}

// local refuses the file systems of other machines.
func local(magic int64, dir string) error {
	name, bad := networks[magic&0xffffffff]
	if !bad {
		return nil
	}
	return fault.New(fault.Unavailable, "the data directory lies on %s, where a lock and a sync cannot be relied on", name).
		At(dir).Mend("use a directory on a local disk")
}
