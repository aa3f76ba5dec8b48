package powercut

import (
	"path/filepath"
	"sync"

	lib "modernc.org/sqlite/lib"
)

// Kind is one kind of call.
type Kind int

// The kinds that are recorded or made to fail.
const (
	Open Kind = iota
	Read
	Write
	Truncate
	Sync
	Delete
	ShmMap
)

// Codes to fail with, as SQLite's system layer would.
const (
	EIO    = lib.SQLITE_IOERR
	ENOSPC = lib.SQLITE_FULL
	ERO    = lib.SQLITE_READONLY
)

type op struct {
	kind   Kind
	name   string
	off    int64
	data   []byte
	synced bool
}

// Recorder sees everything that SQLite does in one directory.
type Recorder struct {
	dir string

	mu    sync.Mutex
	ops   []op
	calls int
	fail  *Failure
	fails int
	sloth bool
}

// Failure makes calls fail.
type Failure struct {
	At     int    // the n-th call from now, from 1, of the kinds below
	Kinds  []Kind // empty: all
	Sticky bool   // every later one too, until Heal
	Code   int32
	Torn   bool        // of a write, the first half reaches the disk
	While  func() bool // if set, calls fail only while it is true
}

// Record begins to record what SQLite does below dir; Stop ends it. Databases
// opened with vfs=powercut before that are not seen.
func Record(dir string) (*Recorder, error) {
	if err := register(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	r := &Recorder{dir: dir}
	mu.Lock()
	defer mu.Unlock()
	recorders[dir] = r
	return r, nil
}

// Stop forgets the directory. Its databases must be closed.
func (r *Recorder) Stop() {
	mu.Lock()
	defer mu.Unlock()
	delete(recorders, r.dir)
}

// Lazy makes syncs only noted, not done: the states are rebuilt from the notes.
func (r *Recorder) Lazy() { r.mu.Lock(); r.sloth = true; r.mu.Unlock() }

func (r *Recorder) lazy() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.sloth }

// Now is how many calls have been recorded: a place in the record.
func (r *Recorder) Now() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.ops) }

// Fail arms a failure and begins to count anew.
func (r *Recorder) Fail(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail, r.calls, r.fails = &f, 0, 0
}

// Heal disarms it and says how many calls failed.
func (r *Recorder) Heal() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = nil
	return r.fails
}

func (r *Recorder) before(k Kind, _ string) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail == nil {
		return 0
	}
	mine := len(r.fail.Kinds) == 0
	for _, want := range r.fail.Kinds {
		mine = mine || want == k
	}
	if !mine || r.fail.While != nil && !r.fail.While() {
		return 0
	}
	r.calls++
	if r.calls < r.fail.At || r.calls > r.fail.At && !r.fail.Sticky {
		return 0
	}
	r.fails++
	if r.fail.Code != EIO {
		return r.fail.Code
	}
	switch k {
	case Read:
		return lib.SQLITE_IOERR_READ
	case Write:
		return lib.SQLITE_IOERR_WRITE
	case Truncate:
		return lib.SQLITE_IOERR_TRUNCATE
	case Sync:
		return lib.SQLITE_IOERR_FSYNC
	case Delete:
		return lib.SQLITE_IOERR_DELETE
	case ShmMap:
		return lib.SQLITE_IOERR_SHMMAP
	}
	return lib.SQLITE_CANTOPEN
}

func (r *Recorder) torn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fail != nil && r.fail.Torn
}

func (r *Recorder) record(o op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
}
