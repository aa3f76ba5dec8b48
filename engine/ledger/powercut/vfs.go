// Package powercut stands between SQLite and the disk, in tests: it records
// what SQLite asks of the system's VFS, makes chosen calls fail, and rebuilds
// the states that a power cut could leave behind.
//
// SQLite's registry of VFSs is the process's own, so this room keeps one table
// of recorders by directory; a database elsewhere passes through untouched. It
// is imported by tests alone.
package powercut

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Name is what a data source names to get this VFS: vfs=powercut.
const Name = "powercut"

var (
	mu        sync.Mutex
	recorders = map[string]*Recorder{} // by directory
	files     = map[uintptr]*open{}    // by SQLite's file object
	methods   = map[uintptr]uintptr{}  // of the system -> ours
	system    *lib.Tsqlite3_vfs
	systemPtr uintptr
)

type open struct {
	r    *Recorder
	name string
	sys  *lib.Tsqlite3_io_methods
}

var register = sync.OnceValue(func() error {
	tls := libc.NewTLS() // kept for the life of the process, as the registration is
	name, err := libc.CString("unix")
	if err != nil {
		return err
	}
	systemPtr = lib.Xsqlite3_vfs_find(tls, name)
	if systemPtr == 0 {
		return errors.New("powercut: SQLite has no VFS named unix")
	}
	system = at[lib.Tsqlite3_vfs](systemPtr)
	ours := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*system)))
	if ours == 0 {
		return errors.New("powercut: out of memory")
	}
	v := at[lib.Tsqlite3_vfs](ours)
	*v = *system
	if v.FzName, err = libc.CString(Name); err != nil {
		return err
	}
	v.FxOpen = pointer(xOpen)
	v.FxDelete = pointer(xDelete)
	if rc := lib.Xsqlite3_vfs_register(tls, ours, 0); rc != lib.SQLITE_OK {
		return errors.New("powercut: SQLite refused the VFS")
	}
	return nil
})

// at reads a C address, which the collector does not move.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointer is a Go function as the transpiled SQLite stores one.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// call is the reverse.
func call[F any](p uintptr) F {
	box := p
	return *(*F)(unsafe.Pointer(&box))
}

func find(path string) (*Recorder, string) {
	mu.Lock()
	defer mu.Unlock()
	for dir, r := range recorders {
		if rel, ok := strings.CutPrefix(path, dir+string(filepath.Separator)); ok {
			return r, rel
		}
	}
	return nil, ""
}

func fileOf(p uintptr) *open {
	mu.Lock()
	defer mu.Unlock()
	return files[p]
}

func xOpen(tls *libc.TLS, _ uintptr, zName, pFile uintptr, flags int32, out uintptr) int32 {
	r, name := (*Recorder)(nil), ""
	if zName != 0 {
		r, name = find(libc.GoString(zName))
	}
	if r != nil {
		if rc := r.before(Open, name); rc != 0 {
			at[lib.Tsqlite3_file](pFile).FpMethods = 0
			return rc
		}
	}
	sys := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](system.FxOpen)
	rc := sys(tls, systemPtr, zName, pFile, flags, out)
	f := at[lib.Tsqlite3_file](pFile)
	if rc != lib.SQLITE_OK || r == nil || f.FpMethods == 0 {
		return rc
	}
	if flags&lib.SQLITE_OPEN_CREATE != 0 {
		r.record(op{kind: Open, name: name})
	}
	mu.Lock()
	defer mu.Unlock()
	files[pFile] = &open{r: r, name: name, sys: at[lib.Tsqlite3_io_methods](f.FpMethods)}
	mine, ok := methods[f.FpMethods]
	if !ok {
		mine = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
		m := at[lib.Tsqlite3_io_methods](mine)
		*m = *at[lib.Tsqlite3_io_methods](f.FpMethods)
		m.FxClose, m.FxRead, m.FxWrite = pointer(xClose), pointer(xRead), pointer(xWrite)
		m.FxTruncate, m.FxSync = pointer(xTruncate), pointer(xSync)
		if m.FxShmMap != 0 {
			m.FxShmMap = pointer(xShmMap)
		}
		methods[f.FpMethods] = mine
	}
	f.FpMethods = mine
	return rc
}

func xDelete(tls *libc.TLS, _ uintptr, zName uintptr, syncDir int32) int32 {
	r, name := find(libc.GoString(zName))
	if r != nil {
		if rc := r.before(Delete, name); rc != 0 {
			return rc
		}
	}
	rc := call[func(*libc.TLS, uintptr, uintptr, int32) int32](system.FxDelete)(tls, systemPtr, zName, syncDir)
	if r != nil && rc == lib.SQLITE_OK {
		r.record(op{kind: Delete, name: name, synced: syncDir != 0})
	}
	return rc
}

func xClose(tls *libc.TLS, p uintptr) int32 {
	f := fileOf(p)
	mu.Lock()
	delete(files, p)
	mu.Unlock()
	return call[func(*libc.TLS, uintptr) int32](f.sys.FxClose)(tls, p)
}

func xRead(tls *libc.TLS, p, buf uintptr, n int32, off int64) int32 {
	f := fileOf(p)
	if rc := f.r.before(Read, f.name); rc != 0 {
		return rc
	}
	return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.sys.FxRead)(tls, p, buf, n, off)
}

func xWrite(tls *libc.TLS, p, buf uintptr, n int32, off int64) int32 {
	f := fileOf(p)
	sys := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.sys.FxWrite)
	if rc := f.r.before(Write, f.name); rc != 0 {
		if n > 1 && f.r.torn() { // the first half reaches the file
			half := bytes.Clone(libc.GoBytes(buf, int(n)/2))
			if sys(tls, p, buf, n/2, off) == lib.SQLITE_OK {
				f.r.record(op{kind: Write, name: f.name, off: off, data: half})
			}
		}
		return rc
	}
	rc := sys(tls, p, buf, n, off)
	if rc == lib.SQLITE_OK {
		f.r.record(op{kind: Write, name: f.name, off: off, data: bytes.Clone(libc.GoBytes(buf, int(n)))})
	}
	return rc
}

func xTruncate(tls *libc.TLS, p uintptr, size int64) int32 {
	f := fileOf(p)
	if rc := f.r.before(Truncate, f.name); rc != 0 {
		return rc
	}
	rc := call[func(*libc.TLS, uintptr, int64) int32](f.sys.FxTruncate)(tls, p, size)
	if rc == lib.SQLITE_OK {
		f.r.record(op{kind: Truncate, name: f.name, off: size})
	}
	return rc
}

func xSync(tls *libc.TLS, p uintptr, flags int32) int32 {
	f := fileOf(p)
	if rc := f.r.before(Sync, f.name); rc != 0 {
		return rc
	}
	rc := int32(lib.SQLITE_OK)
	if !f.r.lazy() {
		rc = call[func(*libc.TLS, uintptr, int32) int32](f.sys.FxSync)(tls, p, flags)
	}
	if rc == lib.SQLITE_OK {
		f.r.record(op{kind: Sync, name: f.name})
	}
	return rc
}

func xShmMap(tls *libc.TLS, p uintptr, page, size, extend int32, pp uintptr) int32 {
	f := fileOf(p)
	if rc := f.r.before(ShmMap, f.name); rc != 0 {
		return rc
	}
	return call[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](f.sys.FxShmMap)(tls, p, page, size, extend, pp)
}
