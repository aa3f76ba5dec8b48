package host

import (
	"fmt"

	"vigil/engine/series"
)

// files reads /proc/sys/fs/file-nr: open files of the whole system.
type files struct {
	path           string
	allocated, max series.Labels
}

func newFiles(cfg Config) *files {
	return &files{cfg.Proc + "/sys/fs/file-nr", one("node_filefd_allocated"), one("node_filefd_maximum")}
}

func (f *files) names() []string { return labelNames(f.allocated, f.max) }

func (f *files) collect(r *round) error {
	b, err := r.read(f.path)
	if err != nil {
		return err
	}
	used, b, ok1 := next(b)
	_, b = field(b) // always 0 since Linux 2.6
	limit, _, ok2 := next(b)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s: expected three numbers", f.path)
	}
	r.emit(f.allocated, used)
	r.emit(f.max, limit)
	return nil
}
