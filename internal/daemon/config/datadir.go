package config

import (
	"os"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// MakeDataDir makes the data directory, or makes sure that the one that is there
// is a folder of this user's own which no other user can write or read: who could
// put another ledger in it would be admin. It blocks on disk.
func (l *Loaded) MakeDataDir() error {
	dir := l.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Unavailable, "the data directory cannot be made: %v", err).At("data_dir").
			Mend("set data_dir, VIGIL_DATA_DIR or --data-dir to a place that this user may write")
	}
	// By a descriptor, so that what is looked at is what is changed; the last
	// element may be a link, which whoever wrote the config chose.
	f, err := os.Open(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the data directory %s cannot be opened", dir)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the data directory %s cannot be looked at", dir)
	}
	if int(st.Uid) != os.Geteuid() {
		return fault.New(fault.Forbidden, "the data directory %s belongs to uid %d, and vigild runs as uid %d", dir, st.Uid, os.Geteuid()).At("data_dir").
			Mend("chown it, or set data_dir to another one")
	}
	const foreign = 0o027 // group may read, as for backups
	if st.Mode&foreign != 0 {
		if err := f.Chmod(os.FileMode(st.Mode & 0o777 &^ foreign)); err != nil {
			return fault.Wrap(fault.Forbidden, err, "the data directory %s is open to others", dir)
		}
	}
	return nil
}
