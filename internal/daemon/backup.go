package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"vigil/engine/fault"
	"vigil/internal/daemon/offline"
)

// Backup writes verified copies of both stores into a folder that it makes. It
// blocks for as long as the copies take; the daemon goes on.
func (h *house) Backup(ctx context.Context, dir string) error {
	if !filepath.IsAbs(dir) {
		return fault.New(fault.Unprocessable, "the folder of a backup is an absolute path").At(dir)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fault.New(fault.Conflict, "the folder exists already").At(dir)
		}
		return fault.Wrap(fault.Unprocessable, err, "the folder cannot be made")
	}
	made, err := h.ledger.Snapshot(ctx, dir)
	if err != nil {
		return err
	}
	if err := os.Rename(made, filepath.Join(dir, offline.Ledger)); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the copy of the ledger")
	}
	return h.store.Snapshot(ctx, filepath.Join(dir, offline.Samples))
}
