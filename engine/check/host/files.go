package host

import (
	"context"
	"fmt"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// files reads /proc/sys/fs/file-nr: open files of the whole system.
type files struct {
	path           string
	allocated, max series.Labels
}

func newFiles(cfg Config) *files {
	return &files{cfg.Proc + "/sys/fs/file-nr", kernel.One("node_filefd_allocated"), kernel.One("node_filefd_maximum")}
}

func (f *files) Names() []string { return kernel.LabelNames(f.allocated, f.max) }

func (f *files) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(f.path)
	if err != nil {
		return err
	}
	used, b, ok1 := kernel.Next(b)
	_, b = kernel.Field(b) // always 0 since Linux 2.6
	limit, _, ok2 := kernel.Next(b)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s: expected three numbers", f.path)
	}
	r.Emit(f.allocated, used)
	r.Emit(f.max, limit)
	return nil
}
