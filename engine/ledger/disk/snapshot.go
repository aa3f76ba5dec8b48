package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// keepSnapshots is how many are kept.
const keepSnapshots = 2

func (f *File) snapshotDir() string { return filepath.Join(f.cfg.Dir, "snapshots") }

// copyDSN opens a copy that nobody writes; it takes no locks and leaves no trace.
func (f *File) copyDSN(path string) string { return conn.DSN(path, f.cfg.VFS, "mode=ro&immutable=1") }

// Snapshot writes a verified copy of the file into dir ("" is the directory
// from which a damaged file is restored), keeps the newest two there, and
// returns its path. It blocks for as long as the copy takes; writers go on.
func (f *File) Snapshot(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		dir = f.snapshotDir()
	}
	if f.ballast.isSpent() {
		return "", fault.New(fault.Unavailable, "the disk is full: no snapshot is made").After(refillEvery)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", ioFault(err, "making %s", dir)
	}
	old := snapshots(dir)
	n := 1
	if len(old) > 0 {
		if _, err := fmt.Sscanf(filepath.Base(old[len(old)-1]), "ledger-%d.db", &n); err == nil {
			n++
		}
	}
	path := filepath.Join(dir, fmt.Sprintf("ledger-%09d.db", n))
	if err := f.copyTo(ctx, path); err != nil {
		return "", err
	}
	for len(old) >= keepSnapshots {
		_ = os.Remove(old[0]) // one too many is only untidy
		old = old[1:]
	}
	return path, nil
}

// copyTo makes a verified copy under another name first, so that a copy with
// this name is always whole and on disk.
func (f *File) copyTo(ctx context.Context, path string) (err error) {
	half := path + ".half"
	if err := os.RemoveAll(half); err != nil {
		return ioFault(err, "removing %s", half)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(half) // it is made again next time
		}
	}()
	c, err := conn.Open(conn.DSN(f.Path(), f.cfg.VFS, "mode=ro"))
	if err != nil {
		return err
	}
	var row conn.Row
	row.Text(half)
	err = c.Query(ctx, "VACUUM INTO ?", row, func(*conn.Cells) error { return nil })
	if err = errors.Join(err, c.Close()); err != nil {
		return fault.Wrap(fault.KindOf(err), err, "copying the ledger to %s", path)
	}
	if err := f.look(ctx, f.copyDSN(half), half, 0); err != nil {
		return err
	}
	return settle(half, path)
}

// snapshots lists the whole copies in a directory, oldest first.
func snapshots(dir string) (out []string) {
	es, _ := os.ReadDir(dir) // sorted by name
	for _, e := range es {
		if n := e.Name(); strings.HasPrefix(n, "ledger-") && strings.HasSuffix(n, ".db") {
			out = append(out, filepath.Join(dir, n))
		}
	}
	return out
}

// Replace puts a copy in the place of a directory's file. The daemon must not
// run: the directory is locked. What was there is moved aside, not removed; the
// next Open finds a Gap that was asked for. Corrupt: the copy is damaged or no
// ledger; Unsupported: a newer vigild made it; nothing was changed then.
func Replace(ctx context.Context, cfg Config, schema Schema, deps Deps, from string) error {
	f := &File{cfg: cfg, schema: schema, deps: deps}
	if err := processSwitches(); err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return ioFault(err, "making the data directory %s", cfg.Dir)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return err
	}
	defer lock.Close() // gives the directory free; nothing was written through it
	if from, err = f.verify(ctx, from); err != nil {
		return err
	}
	return f.replace(ctx, &Gap{At: deps.Clock(), Reason: "a person restored " + filepath.Base(from), Asked: true, Restored: from})
}

// Verify says whether from is a copy that Replace would take. It changes nothing.
func Verify(ctx context.Context, cfg Config, schema Schema, deps Deps, from string) error {
	if err := processSwitches(); err != nil {
		return err
	}
	_, err := (&File{cfg: cfg, schema: schema, deps: deps}).verify(ctx, from)
	return err
}

func (f *File) verify(ctx context.Context, from string) (whole string, err error) {
	whole, err = filepath.Abs(from)
	if err != nil {
		return "", ioFault(err, "finding %s", from)
	}
	if fileSize(whole) < 0 {
		return "", fault.New(fault.NotFound, "there is no file %s", whole)
	}
	if err := f.look(ctx, f.copyDSN(whole), whole, 0); err != nil {
		return "", fault.Wrap(fault.KindOf(err), err, "%s cannot be restored", whole)
	}
	return whole, nil
}
