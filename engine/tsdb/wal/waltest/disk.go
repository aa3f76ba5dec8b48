// Package waltest is a disk whose power can be cut: an implementation of wal.FS
// in memory that remembers every call and rebuilds what a real disk might hold
// after a cut at any of them.
//
// The model: what was synced is there; of what was written since, any subset of
// 512-byte sectors is; of the directory changes since the last directory sync,
// any first part is. It does not model flash that lies about a flush.
//
// For tests alone. Concurrent; it starts nothing.
package waltest

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"

	"vigil/engine/tsdb/wal"
)

const sector = 512

type verb uint8

const (
	vCreate verb = iota
	vWrite
	vTruncate
	vSync
	vRename
	vRemove
	vSyncDir
	vStat
	vMark
)

var verbs = [...]string{"create", "write", "truncate", "sync", "rename", "remove", "syncdir", "stat", "mark"}

// op is one remembered call.
type op struct {
	verb     verb
	file     *inode
	name, to string
	off      int64
	data     []byte
	mark     any
}

// inode is a file's content, whatever its name.
type inode struct {
	data   []byte
	number uint64 // 0: nobody asked
}

// Disk is the disk. The zero value is empty and forgets nothing.
type Disk struct {
	mu    sync.Mutex
	names map[string]*inode
	ops   []op
	base  map[string]*inode // as it was before the first op
	calls int
	files uint64 // that were asked which one they are

	// Fail, when set, is asked before each call that may fail; n counts them from
	// 1. A write that fails has written a part of its data.
	Fail func(n int, verb, name string) error
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, base: map[string]*inode{}}
}

// Mark remembers that v happened now; Crash gives back the last one.
func (d *Disk) Mark(v any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op{verb: vMark, mark: v})
}

// Ops is how many calls a cut may fall after.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

// Calls is how many calls could have failed so far.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Crash cuts the power after the first n calls and returns what the disk may
// hold then (one of the possibilities, picked by rng) and the marks so far.
func (d *Disk) Crash(n int, rng *rand.Rand) (*Disk, []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops := d.ops[:n]
	synced := map[*inode]int{}
	dirSynced := map[string]int{}
	var marks []any
	for i, o := range ops {
		switch o.verb {
		case vSync:
			synced[o.file] = i
		case vSyncDir:
			dirSynced[o.name] = i
		case vMark:
			marks = append(marks, o.mark)
		}
	}
	out := New()
	content := map[*inode]*inode{}
	of := func(i *inode) *inode {
		if content[i] == nil {
			content[i] = &inode{}
		}
		return content[i]
	}
	for name, i := range d.base {
		content[i] = &inode{data: slices.Clone(i.data)}
		out.names[name] = content[i]
	}
	lost := map[string]bool{} // directories whose later changes did not make it
	for i, o := range ops {
		switch o.verb {
		case vWrite:
			whole := i <= at(synced, o.file)
			for from := 0; from < len(o.data); {
				pos := o.off + int64(from)
				to := min(len(o.data), from+int(sector-pos%sector))
				if whole || rng.IntN(2) == 0 {
					of(o.file).write(o.data[from:to], pos)
				}
				from = to
			}
		case vTruncate:
			if i <= at(synced, o.file) || rng.IntN(2) == 0 {
				of(o.file).truncate(o.off)
			}
		case vCreate, vRename, vRemove:
			dir := path.Dir(o.name)
			if k, ok := dirSynced[dir]; !ok || i > k {
				lost[dir] = lost[dir] || rng.IntN(2) == 0
				if lost[dir] {
					continue
				}
			}
			switch o.verb {
			case vCreate:
				out.names[o.name] = of(o.file)
			case vRemove:
				delete(out.names, o.name)
			case vRename:
				if f, ok := out.names[o.name]; ok {
					out.names[o.to] = f
					delete(out.names, o.name)
				}
			}
		}
	}
	for name, i := range out.names {
		out.base[name] = &inode{data: slices.Clone(i.data)}
	}
	out.rebase()
	return out, marks
}

// rebase makes the present content the beginning of the disk's memory.
func (d *Disk) rebase() {
	for name, i := range d.base {
		d.names[name] = &inode{data: slices.Clone(i.data)}
		d.ops = append(d.ops,
			op{verb: vCreate, file: d.names[name], name: name},
			op{verb: vWrite, file: d.names[name], data: i.data},
			op{verb: vSync, file: d.names[name]},
			op{verb: vSyncDir, name: path.Dir(name)})
	}
	d.base = map[string]*inode{}
}

func at(m map[*inode]int, f *inode) int {
	if i, ok := m[f]; ok {
		return i
	}
	return -1
}

func (i *inode) write(b []byte, off int64) {
	if need := int(off) + len(b); need > len(i.data) {
		i.data = append(i.data, make([]byte, need-len(i.data))...)
	}
	copy(i.data[off:], b)
}

func (i *inode) truncate(size int64) {
	if int(size) <= len(i.data) {
		i.data = i.data[:size]
		return
	}
	i.data = append(i.data, make([]byte, int(size)-len(i.data))...)
}

// Content returns a file's bytes, for a test that wants to spoil them.
func (d *Disk) Content(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.names[name]; f != nil {
		return f.data
	}
	return nil
}

// SetFail changes Fail while the disk is in use.
func (d *Disk) SetFail(f func(n int, verb, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Fail = f
}

func (d *Disk) may(v verb, name string) error {
	d.calls++
	if d.Fail == nil {
		return nil
	}
	return d.Fail(d.calls, verbs[v], name)
}

// Open implements wal.FS.
func (d *Disk) Open(name string, create bool) (wal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.may(vCreate, name); err != nil {
		return nil, err
	}
	f := d.names[name]
	if f == nil {
		if !create {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		f = &inode{}
		d.names[name] = f
		d.ops = append(d.ops, op{verb: vCreate, file: f, name: name})
	}
	return &handle{d, f, name}, nil
}

// List implements wal.FS.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for name := range d.names {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	return out, nil
}

// MakeDir implements wal.FS; directories are always there.
func (d *Disk) MakeDir(string) error { return nil }

// Rename implements wal.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.may(vRename, from); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	d.ops = append(d.ops, op{verb: vRename, name: from, to: to})
	return nil
}

// Remove implements wal.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.may(vRemove, name); err != nil {
		return err
	}
	delete(d.names, name)
	d.ops = append(d.ops, op{verb: vRemove, name: name})
	return nil
}

// SyncDir implements wal.FS.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.may(vSyncDir, dir); err != nil {
		return err
	}
	d.ops = append(d.ops, op{verb: vSyncDir, name: dir})
	return nil
}

// Inode implements wal.FS.
func (d *Disk) Inode(name string) (wal.Inode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.may(vStat, name); err != nil {
		return wal.Inode{}, err
	}
	f := d.names[name]
	if f == nil {
		return wal.Inode{}, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return d.which(f), nil
}

func (d *Disk) which(f *inode) wal.Inode {
	if f.number == 0 {
		d.files++
		f.number = d.files
	}
	return wal.Inode{Number: f.number}
}

type handle struct {
	d    *Disk
	f    *inode
	name string
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	err := h.d.may(vWrite, h.name)
	if err != nil {
		b = b[:len(b)/2]
	}
	h.f.write(b, off)
	h.d.ops = append(h.d.ops, op{verb: vWrite, file: h.f, off: off, data: slices.Clone(b)})
	return len(b), err
}

func (h *handle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.f.data)), nil
}

func (h *handle) Inode() (wal.Inode, bool, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.may(vStat, h.name); err != nil {
		return wal.Inode{}, false, err
	}
	for _, f := range h.d.names {
		if f == h.f {
			return h.d.which(h.f), true, nil
		}
	}
	return h.d.which(h.f), false, nil
}

func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.may(vTruncate, h.name); err != nil {
		return err
	}
	h.f.truncate(size)
	h.d.ops = append(h.d.ops, op{verb: vTruncate, file: h.f, off: size})
	return nil
}

func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.may(vSync, h.name); err != nil {
		return err
	}
	h.d.ops = append(h.d.ops, op{verb: vSync, file: h.f})
	return nil
}

func (h *handle) Close() error { return nil }
