package host

import (
	"context"

	"vigil/engine/check/host/kernel"
)

// diskFields are the columns of /proc/diskstats after the device name, in
// order; an empty name is a column we do not keep.
var diskFields = []struct {
	name  string
	scale float64
}{
	{"node_disk_reads_completed_total", 1},
	{"node_disk_reads_merged_total", 1},
	{"node_disk_read_bytes_total", 512},
	{"node_disk_read_time_seconds_total", 1e-3},
	{"node_disk_writes_completed_total", 1},
	{"node_disk_writes_merged_total", 1},
	{"node_disk_written_bytes_total", 512},
	{"node_disk_write_time_seconds_total", 1e-3},
	{"node_disk_io_now", 1},
	{"node_disk_io_time_seconds_total", 1e-3},
	{"node_disk_io_time_weighted_seconds_total", 1e-3},
	{"node_disk_discards_completed_total", 1},
	{"", 0},
	{"node_disk_discarded_sectors_total", 1},
}

// disks reads /proc/diskstats.
type disks struct {
	path string
	skip *kernel.Filter
	of   []*kernel.Vec
}

func newDisks(cfg Config) *disks {
	d := &disks{path: cfg.Proc + "/diskstats", skip: kernel.NewFilter(cfg.DisksExclude)}
	for _, f := range diskFields {
		d.of = append(d.of, kernel.NewVec(f.name, "device"))
	}
	return d
}

func (d *disks) Names() (out []string) {
	for _, v := range d.of {
		if v.Name != "" {
			out = append(out, v.Name)
		}
	}
	return out
}

func (d *disks) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(d.path)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		_, l = kernel.Field(l) // major
		_, l = kernel.Field(l) // minor
		device, rest := kernel.Field(l)
		if len(device) == 0 || d.skip.Excludes(device) {
			continue
		}
		for i, f := range diskFields {
			v, more, ok := kernel.Next(rest)
			if !ok {
				break
			}
			rest = more
			if f.name != "" {
				r.Emit(d.of[i].At(device), v*f.scale)
			}
		}
	}
	return nil
}
