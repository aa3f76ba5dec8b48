package host

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
	skip *filter
	of   []*vec
}

func newDisks(cfg Config) *disks {
	d := &disks{path: cfg.Proc + "/diskstats", skip: newFilter(cfg.DisksExclude)}
	for _, f := range diskFields {
		d.of = append(d.of, newVec(f.name, "device"))
	}
	return d
}

func (d *disks) names() (out []string) {
	for _, v := range d.of {
		if v.name != "" {
			out = append(out, v.name)
		}
	}
	return out
}

func (d *disks) collect(r *round) error {
	b, err := r.read(d.path)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		_, l = field(l) // major
		_, l = field(l) // minor
		device, rest := field(l)
		if len(device) == 0 || d.skip.excludes(device) {
			continue
		}
		for i, f := range diskFields {
			v, more, ok := next(rest)
			if !ok {
				break
			}
			rest = more
			if f.name != "" {
				r.emit(d.of[i].at(device), v*f.scale)
			}
		}
	}
	return nil
}
