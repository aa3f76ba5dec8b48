package host

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/series"
)

// maxMounts bounds the mounts that are measured.
const maxMounts = 256

// filesystems reads /proc/self/mountinfo and asks each mount for its space.
type filesystems struct {
	path, root      string
	skipMount       *filter
	skipType        *filter
	asker           *asker
	wait            time.Duration
	text            []byte // mountinfo as it was when mounts was made
	mounts          []mount
	size, free      *vec
	avail, inodes   *vec
	inodesFree, ro  *vec
	failed          *vec
	percent, usage  series.Labels
	inodesFreeRatio series.Labels
}

// mount is one line of mountinfo that passed the filters, with its labels made.
type mount struct {
	point  string
	device string // major:minor, to know two mounts of one file system
	ro     bool

	size, free, avail, inodes, inodesFree, roLabels, failed series.Labels
}

func newFilesystems(cfg Config) *filesystems {
	v := func(name string) *vec { return newVec(name, "device", "fstype", "mountpoint") }
	return &filesystems{
		path: cfg.Proc + "/self/mountinfo", root: cfg.Root,
		skipMount: newFilter(cfg.MountpointsExclude), skipType: newFilter(cfg.FstypesExclude),
		asker: newAsker(unix.Statfs), wait: cfg.StuckAfter.Std(),
		size: v("node_filesystem_size_bytes"), free: v("node_filesystem_free_bytes"),
		avail: v("node_filesystem_avail_bytes"), inodes: v("node_filesystem_files"),
		inodesFree: v("node_filesystem_files_free"), ro: v("node_filesystem_readonly"),
		failed:  v("node_filesystem_device_error"),
		percent: one("disk_free_percent"), usage: one("disk_usage"),
		inodesFreeRatio: one("vigil_root_inodes_free_ratio"),
	}
}

func (f *filesystems) names() []string {
	return append(vecNames(f.size, f.free, f.avail, f.inodes, f.inodesFree, f.ro, f.failed),
		labelNames(f.percent, f.usage, f.inodesFreeRatio)...)
}

func (f *filesystems) stuckCount() int { return f.asker.stuckCount() }

func (f *filesystems) collect(r *round) error {
	b, err := r.read(f.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, f.text) {
		f.text = append(f.text[:0], b...)
		f.mounts = f.parse(f.text)
	}
	points := make([]string, 0, maxMounts+1)
	points = append(points, f.root)
	for i := range f.mounts {
		points = append(points, f.mounts[i].point)
	}
	answers := f.asker.ask(r.ctx, points, f.wait)
	f.emitRoot(r, answers[0])
	for i := range f.mounts {
		f.emitMount(r, &f.mounts[i], answers[i+1])
	}
	if answers[0].err != nil {
		return fmt.Errorf("statfs %s: %w", f.root, answers[0].err)
	}
	return nil
}

// emitRoot tells the original's gauges, computed as df does: what is kept back
// for root counts neither as used nor as free.
func (f *filesystems) emitRoot(r *round, a answer) {
	s := &a.st
	if a.err != nil || s.Blocks == 0 {
		return
	}
	used := float64(s.Blocks - s.Bfree)
	if whole := used + float64(s.Bavail); whole > 0 {
		r.emit(f.percent, 100*float64(s.Bavail)/whole)
		r.emit(f.usage, used/whole)
	}
	if s.Files > 0 {
		r.emit(f.inodesFreeRatio, float64(s.Ffree)/float64(s.Files))
	}
}

func (f *filesystems) emitMount(r *round, m *mount, a answer) {
	if a.err != nil {
		r.emit(m.failed, 1)
		return
	}
	r.emit(m.failed, 0)
	block := float64(a.st.Bsize)
	r.emit(m.size, float64(a.st.Blocks)*block)
	r.emit(m.free, float64(a.st.Bfree)*block)
	r.emit(m.avail, float64(a.st.Bavail)*block)
	r.emit(m.inodes, float64(a.st.Files))
	r.emit(m.inodesFree, float64(a.st.Ffree))
	ro := 0.0
	if m.ro || a.st.Flags&unix.ST_RDONLY != 0 {
		ro = 1
	}
	r.emit(m.roLabels, ro)
}

// parse makes the list of mounts. Of several mounts of one file system (bind
// mounts, subvolumes) the shortest path stands for all; of several mounts on
// one path the last one covers the others.
func (f *filesystems) parse(b []byte) (out []mount) {
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		m, fstype, source, ok := parseMount(l)
		if !ok || f.skipType.excludes(fstype) && m.point != f.root || f.skipMount.excludes([]byte(m.point)) {
			continue
		}
		p := []byte(m.point)
		m.size, m.free, m.avail = f.size.at(source, fstype, p), f.free.at(source, fstype, p), f.avail.at(source, fstype, p)
		m.inodes, m.inodesFree = f.inodes.at(source, fstype, p), f.inodesFree.at(source, fstype, p)
		m.roLabels, m.failed = f.ro.at(source, fstype, p), f.failed.at(source, fstype, p)
		keep := true
		for i := range out {
			switch {
			case out[i].point == m.point:
				out[i], keep = m, false
			case out[i].device == m.device && len(out[i].point) > len(m.point):
				out[i], keep = m, false
			case out[i].device == m.device:
				keep = false
			}
			if !keep {
				break
			}
		}
		if keep && len(out) < maxMounts {
			out = append(out, m)
		}
	}
	return out
}

// parseMount reads one line of mountinfo (proc(5)): id, parent, major:minor,
// root, mount point, options, optional fields, "-", type, source, super options.
func parseMount(l []byte) (m mount, fstype, source []byte, ok bool) {
	_, rest := field(l)
	_, rest = field(rest)
	device, rest := field(rest)
	_, rest = field(rest)
	point, rest := field(rest)
	options, rest := field(rest)
	for {
		var w []byte
		w, rest = field(rest)
		if len(w) == 0 {
			return m, nil, nil, false
		}
		if string(w) == "-" {
			break
		}
	}
	fstype, rest = field(rest)
	source, rest = field(rest)
	super, _ := field(rest)
	m.point, m.device = string(unescape(point)), string(device)
	m.ro = hasOption(options, "ro") || hasOption(super, "ro")
	return m, fstype, unescape(source), len(fstype) > 0 && len(point) > 0
}

func hasOption(list []byte, want string) bool {
	for len(list) > 0 {
		o, rest, _ := bytes.Cut(list, []byte(","))
		if string(o) == want {
			return true
		}
		list = rest
	}
	return false
}

// unescape undoes the kernel's \040 for blanks, tabs, newlines and backslashes.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) && isOctal(b[i+1]) && isOctal(b[i+2]) && isOctal(b[i+3]) {
			out = append(out, (b[i+1]-'0')<<6|(b[i+2]-'0')<<3|(b[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, b[i])
	}
	return out
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
