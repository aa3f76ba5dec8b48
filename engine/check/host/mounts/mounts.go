// Package mounts measures the mounted file systems, of which any may hang.
//
// The list comes from mountinfo and is read anew only when it changed. Each mount
// is asked by statfs, which cannot be interrupted: one that does not answer costs
// its own series, holds one thread until the kernel lets it go, and is not asked
// again before that. Of several mounts of one file system one is told.
//
// It refuses what the filters exclude and more than 256 mounts.
package mounts

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// maxMounts bounds the mounts that are measured.
const maxMounts = 256

// Area reads a mountinfo and asks each mount for its space.
type Area struct {
	path, root      string
	others          bool
	skipMount       *kernel.Filter
	skipType        *kernel.Filter
	asker           *asker
	wait            time.Duration
	text            []byte // mountinfo as it was when mounts was made
	mounts          []mount
	size, free      *kernel.Vec
	avail, inodes   *kernel.Vec
	inodesFree, ro  *kernel.Vec
	failed          *kernel.Vec
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

// Config is where the area looks and what it leaves out.
type Config struct {
	Mountinfo             string         // path of the file
	Others                bool           // it is another process's, whose mounts may be writable where ours are not
	Root                  string         // whose free space disk_free_percent tells
	SkipMounts, SkipTypes *kernel.Filter // mount points and file system types
	Wait                  time.Duration  // how long a round waits for all mounts together
	Statfs                func(string, *unix.Statfs_t) error
}

// New makes the area; nothing is read.
func New(cfg Config) *Area {
	v := func(name string) *kernel.Vec { return kernel.NewVec(name, "device", "fstype", "mountpoint") }
	return &Area{
		path: cfg.Mountinfo, others: cfg.Others, root: cfg.Root,
		skipMount: cfg.SkipMounts, skipType: cfg.SkipTypes,
		asker: newAsker(cfg.Statfs), wait: cfg.Wait,
		size: v("node_filesystem_size_bytes"), free: v("node_filesystem_free_bytes"),
		avail: v("node_filesystem_avail_bytes"), inodes: v("node_filesystem_files"),
		inodesFree: v("node_filesystem_files_free"), ro: v("node_filesystem_readonly"),
		failed:  v("node_filesystem_device_error"),
		percent: kernel.Shared("disk_free_percent"), usage: kernel.Shared("disk_usage"),
		inodesFreeRatio: kernel.One("vigil_root_inodes_free_ratio"),
	}
}

// Names is every metric name that Collect can emit.
func (f *Area) Names() []string {
	return append(kernel.Names(f.size, f.free, f.avail, f.inodes, f.inodesFree, f.ro, f.failed),
		kernel.LabelNames(f.percent, f.usage, f.inodesFreeRatio)...)
}

// Stuck is the number of mounts whose answer is still awaited. Concurrent.
func (f *Area) Stuck() int { return f.asker.stuckCount() }

// Collect measures every mount. It blocks for at most Config.Wait.
func (f *Area) Collect(ctx context.Context, r *kernel.Round) error {
	b, err := r.Read(f.path)
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
	answers := f.asker.ask(ctx, points, f.wait)
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
func (f *Area) emitRoot(r *kernel.Round, a answer) {
	s := &a.st
	if a.err != nil || s.Blocks == 0 {
		return
	}
	used := float64(s.Blocks - s.Bfree)
	if whole := used + float64(s.Bavail); whole > 0 {
		r.Emit(f.percent, 100*float64(s.Bavail)/whole)
		r.Emit(f.usage, used/whole)
	}
	if s.Files > 0 {
		r.Emit(f.inodesFreeRatio, float64(s.Ffree)/float64(s.Files))
	}
}

func (f *Area) emitMount(r *kernel.Round, m *mount, a answer) {
	if a.err != nil {
		r.Emit(m.failed, 1)
		return
	}
	r.Emit(m.failed, 0)
	block := float64(a.st.Bsize)
	r.Emit(m.size, float64(a.st.Blocks)*block)
	r.Emit(m.free, float64(a.st.Bfree)*block)
	r.Emit(m.avail, float64(a.st.Bavail)*block)
	r.Emit(m.inodes, float64(a.st.Files))
	r.Emit(m.inodesFree, float64(a.st.Ffree))
	ro := 0.0
	if m.ro || !f.others && a.st.Flags&unix.ST_RDONLY != 0 {
		ro = 1
	}
	r.Emit(m.roLabels, ro)
}

// parse makes the list of mounts. Of several mounts of one file system (bind
// mounts, subvolumes) the shortest path stands for all; of several mounts on
// one path the last one covers the others.
func (f *Area) parse(b []byte) (out []mount) {
	for len(b) > 0 {
		var l []byte
		l, b = kernel.Line(b)
		m, fstype, source, ok := parseMount(l)
		if !ok || f.skipType.Excludes(fstype) && m.point != f.root || f.skipMount.Excludes([]byte(m.point)) {
			continue
		}
		p := []byte(m.point)
		m.size, m.free, m.avail = f.size.At(source, fstype, p), f.free.At(source, fstype, p), f.avail.At(source, fstype, p)
		m.inodes, m.inodesFree = f.inodes.At(source, fstype, p), f.inodesFree.At(source, fstype, p)
		m.roLabels, m.failed = f.ro.At(source, fstype, p), f.failed.At(source, fstype, p)
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
	_, rest := kernel.Field(l)
	_, rest = kernel.Field(rest)
	device, rest := kernel.Field(rest)
	_, rest = kernel.Field(rest)
	point, rest := kernel.Field(rest)
	options, rest := kernel.Field(rest)
	for {
		var w []byte
		w, rest = kernel.Field(rest)
		if len(w) == 0 {
			return m, nil, nil, false
		}
		if string(w) == "-" {
			break
		}
	}
	fstype, rest = kernel.Field(rest)
	source, rest = kernel.Field(rest)
	super, _ := kernel.Field(rest)
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
