package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// networks are the file systems on which locks and flushes cannot be trusted,
// by the magic number that statfs gives.
var networks = map[int64]string{
	0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x5346414f: "AFS",
	0x73757245: "Coda", 0x564c: "NCP", 0x00c36400: "Ceph", 0x013661: "Lustre", 0x47504653: "GPFS",
}

// lockDir takes the directory for this process until the file is closed or the
// process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "looking at the data directory %s", dir)
	}
	if name, ok := networks[int64(uint32(st.Type))]; ok {
		return nil, fault.New(fault.Unsupported, "the data directory %s lies on a network file system (%s), whose locks and flushes cannot be trusted", dir, name).
			Mend("set data_dir to a local disk")
	}
	path := filepath.Join(dir, "vigil.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "opening the lock %s", path)
	}
	if pid, err := take(f); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fault.Wrap(fault.Unavailable, err, "locking %s", path)
		}
		return nil, fault.New(fault.Conflict, "another vigild (pid %s) uses the data directory %s", pid, dir).
			At(path).Mend("stop it, or give this one another data_dir")
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintf("%d\n", os.Getpid()))); err != nil && !errors.Is(err, unix.ENOSPC) {
		f.Close()
		return nil, fault.Wrap(fault.Unavailable, err, "writing the pid to %s", path)
	}
	return f, nil
}

// lingering is how long the lock of a process that is gone is waited for. A
// program that the process was just starting when it was killed holds a copy of
// the lock between fork and exec; whoever starts vigild again at once would be
// refused by a ghost.
const lingering = 2 * time.Second

// take locks f. When another has it, the error is EWOULDBLOCK and pid says who,
// as far as it is known: at once when that process lives, else after lingering.
func take(f *os.File) (pid string, err error) {
	for end := time.Now().Add(lingering); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return "", err
		}
		b := make([]byte, 20)
		n, _ := f.ReadAt(b, 0) // the pid is a courtesy; without it the refusal stands
		pid := strings.TrimSpace(string(b[:n]))
		if pid == "" {
			pid = "unknown"
		}
		id, bad := strconv.Atoi(pid)
		gone := bad == nil && id > 1 && errors.Is(unix.Kill(id, 0), unix.ESRCH)
		if !gone || time.Now().After(end) {
			return pid, err
		}
	}
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}
