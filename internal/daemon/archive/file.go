package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/audit"
	"vigil/engine/fault"
)

// place makes the folder, though not those above it: what is to be a disk of its
// own may not be mounted.
func (a *Archive) place() error {
	err := os.Mkdir(a.conf.Folder, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fault.Wrap(fault.Unavailable, err, "the folder of audit exports")
	}
	return nil
}

const partFile = "audit.ndjson.part"

// write exports the records after from that may go into one file. The zero head:
// none may.
func (a *Archive) write(ctx context.Context, from audit.Head, spare int64) (upto audit.Head, size int64, err error) {
	part := filepath.Join(a.conf.Folder, partFile)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
	}
	defer f.Close()
	defer os.Remove(part) // it has another name by then, or is not whole
	w := bufio.NewWriter(f)
	now := a.deps.Clock()
	var last, before audit.Head
	var bytes, lastBytes int64
	err = a.walk(ctx, from.Seq, func(r audit.Record, line []byte) (bool, error) {
		switch {
		case a.conf.Keep > 0 && now.Time().Sub(r.At.Time()) <= a.conf.Keep.Std(),
			spare >= 0 && bytes+int64(len(line)) > spare,
			r.Seq-from.Seq > maxRecords, bytes >= maxBytes:
			return false, nil
		}
		before, lastBytes = last, bytes
		last = r.Head()
		bytes += int64(len(line))
		_, err := w.Write(line)
		return true, err
	})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
	}
	// The newest record of the chain never goes.
	if newest, err := a.deps.Chain.Audit(ctx, last.Seq, "", 1); err != nil {
		return upto, 0, err
	} else if len(newest) == 0 {
		if last, bytes = before, lastBytes; last.Seq > 0 {
			if err := f.Truncate(bytes); err != nil {
				return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
			}
		}
	}
	if last.Seq == 0 {
		return upto, 0, nil
	}
	if err := f.Sync(); err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
	}
	if _, err := f.Seek(0, 0); err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
	}
	v := audit.NewVerifier(from)
	if err := audit.WalkExport(f, v, last, func(audit.Record, int) {}); err != nil {
		return upto, 0, fault.Wrap(fault.KindOf(err), err, "an audit export that was read back")
	}
	if err := os.Rename(part, a.name(from, last)); err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export")
	}
	return last, bytes, a.sync()
}

// name is the file of the records after from, up to one.
func (a *Archive) name(from, upto audit.Head) string {
	return filepath.Join(a.conf.Folder, fmt.Sprintf("audit-%012d-%012d.ndjson", from.Seq+1, upto.Seq))
}

func (a *Archive) sync() error {
	d, err := os.Open(a.conf.Folder)
	if err == nil {
		err = d.Sync()
		d.Close()
	}
	return fault.Wrap(fault.Unavailable, err, "the folder of audit exports")
}

// finished finds a file of an earlier run that begins after from: vigild ended
// between its last byte and the prune. One that does not verify is no reason to
// prune, and its place is not taken either.
func (a *Archive) finished(from audit.Head) (upto audit.Head, size int64, err error) {
	files, err := os.ReadDir(a.conf.Folder) // in the order of their names
	if err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "the folder of audit exports")
	}
	name, begins := "", fmt.Sprintf("audit-%012d-", from.Seq+1)
	for _, file := range files {
		if n := file.Name(); strings.HasPrefix(n, begins) && strings.HasSuffix(n, ".ndjson") {
			name = filepath.Join(a.conf.Folder, n)
		}
	}
	if name == "" {
		return upto, 0, nil
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return upto, 0, fault.Wrap(fault.Unavailable, err, "an audit export of an earlier run")
	}
	defer f.Close()
	v := audit.NewVerifier(from)
	if err := audit.WalkExport(f, v, audit.Head{}, func(_ audit.Record, n int) { size += int64(n) }); err != nil || v.Count() == 0 {
		return upto, 0, fault.New(fault.Conflict, "%s stands where the next export would go, and is none of this chain: %v", name, err).Mend("move it away")
	}
	return v.Head(), size, nil
}
