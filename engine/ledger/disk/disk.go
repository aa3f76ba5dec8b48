// Package disk keeps one SQLite file safe: it opens, checks, migrates, writes,
// checkpoints, copies, quarantines and restores ledger.db.
//
// What Write returned nil for survives kill -9 and power cuts. There is one
// writer connection, which also does every checkpoint; writers that wait share
// one transaction and one fsync, each behind its own savepoint. After a failed
// write the connection is thrown away and the next one is verified against what
// was acknowledged before it may write. Every row carries a checksum.
//
// It refuses knowledge of what the rows mean, a second instance on the same
// directory, network file systems, newer schemas, ATTACH, and to be silently
// empty: a file that cannot be trusted is moved aside whole, the newest good
// snapshot takes its place, and the [Gap] says so until it has been recorded.
//
// Open starts nothing. Run does the upkeep (checkpoints, ballast) until its ctx
// ends; without it Write does the same inline, later. Close ends all.
package disk

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"

	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// Config says where the file lies and how it is kept.
type Config struct {
	Dir       string        // directory of the file, its lock, ballast and snapshots
	Name      string        // file name, as ledger.db
	Readers   int           // read connections
	Ballast   int64         // bytes kept aside for a full disk; 0 keeps none
	CheckTime time.Duration // budget of the check at start
	Upkeep    time.Duration // period of Run
	LogPages  int           // pages of 4 KiB beyond which Run empties the write-ahead log; the writer does beyond 2.5 times as many
	VFS       string        // name of a registered SQLite VFS; "" is the system's
}

const pageSize = 4096

// Deps is what the file needs from others.
type Deps struct {
	Clock clock.Clock
	Log   *slog.Logger
}

// File is one open database. Its methods may be called concurrently.
type File struct {
	told   clock.Stamp // when a checkpoint's failure was last told; use
	cfg    Config
	schema Schema
	deps   Deps
	lock   *os.File
	gap    *Gap
	opened os.FileInfo // the file that is written, to see it taken away

	writer
	readers chan *conn.Conn
	anchor  *conn.Conn // keeps the index of the log alive while the writer is replaced
	ballast ballast
	nudge   chan struct{}
	closed  sync.Once
	stats   counters
}

// Open locks the directory, checks and if need be restores the file, migrates
// it, and opens its connections. It blocks. Conflict: another process has the
// directory. Unsupported: the schema is newer, or the file system is a network's;
// nothing was changed. Unavailable: the disk cannot be read or written.
func Open(ctx context.Context, cfg Config, schema Schema, deps Deps) (*File, error) {
	f := &File{cfg: cfg, schema: schema, deps: deps, nudge: make(chan struct{}, 1)}
	if err := processSwitches(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "making the data directory %s", cfg.Dir)
	}
	var err error
	if f.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	if err = f.open(ctx); err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, err
	}
	return f, nil
}

func (f *File) open(ctx context.Context) (err error) {
	if f.gap, err = f.mend(ctx); err != nil {
		return err
	}
	if err = f.connect(); err != nil {
		return err
	}
	if err = f.migrate(ctx); err != nil {
		return err
	}
	f.readers = make(chan *conn.Conn, f.cfg.Readers)
	for range f.cfg.Readers {
		c, err := conn.Open(f.readDSN())
		if err != nil {
			return err
		}
		f.readers <- c
	}
	if f.anchor, err = conn.Open(f.readDSN()); err != nil {
		return err
	}
	if _, err = f.anchor.Int(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // SQLite makes them by the umask, and later ones like the first
		if err := os.Chmod(f.Path()+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ioFault(err, "keeping %s to its owner", f.Path())
		}
	}
	if f.opened, err = os.Stat(f.Path()); err != nil {
		return ioFault(err, "looking at %s", f.Path())
	}
	f.ballast = ballast{path: filepath.Join(f.cfg.Dir, "ledger.ballast"), size: f.cfg.Ballast}
	if err := f.ballast.open(); err != nil {
		f.deps.Log.Warn("no room for the ledger's ballast", "path", f.ballast.path, "error", err)
	}
	return nil
}

func (f *File) writeDSN() string {
	return conn.DSN(f.Path(), f.cfg.VFS, "_journal_mode=WAL&_txlock=immediate")
}
func (f *File) readDSN() string { return conn.DSN(f.Path(), f.cfg.VFS, "mode=ro&_query_only=1") }

// Path is the database file.
func (f *File) Path() string { return filepath.Join(f.cfg.Dir, f.cfg.Name) }

// Gap is what was lost before this start and has not been recorded yet; nil if
// nothing was. Recorded forgets it.
func (f *File) Gap() *Gap { return f.gap }

// Recorded says that the gap has been written where it belongs.
func (f *File) Recorded() error {
	f.gap = nil
	return forgetGap(f.cfg.Dir)
}

// Run does the upkeep every Upkeep and whenever the log has grown, until ctx ends.
func (f *File) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Upkeep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.nudge:
		case <-tick.C:
			f.ballast.refill(f.deps.Clock())
		}
		f.tidy()
	}
}

// Close makes a last checkpoint, closes every connection and gives the
// directory free. It may be called again.
func (f *File) Close() (err error) {
	f.closed.Do(func() {
		f.line.Lock()
		f.gone = true
		f.line.Unlock()
		f.use.Lock()
		defer f.use.Unlock()
		f.shut = true
		for range cap(f.readers) {
			select {
			case c := <-f.readers:
				if c != nil {
					err = errors.Join(err, c.Close())
				}
			case <-time.After(10 * time.Second):
				err = errors.Join(err, fault.New(fault.Timeout, "a reader of %s did not come back", f.Path()))
			}
		}
		if f.c != nil {
			_, _, _, cerr := f.c.Checkpoint("TRUNCATE", conn.Patient)
			err = errors.Join(err, cerr)
		}
		if f.anchor != nil {
			err = errors.Join(err, f.anchor.Close())
		}
		if f.c != nil {
			err = errors.Join(err, f.c.Close())
		}
		err = errors.Join(err, f.lock.Close())
	})
	return err
}

// processSwitches sets what SQLite has per process: commits by fdatasync, locks
// that a stray close elsewhere in the process does not drop, one statement per
// pragma.
func processSwitches() error {
	sqlite.StrictPragmas(true)
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return fault.Wrap(fault.Internal, err, "choosing fdatasync")
	}
	if sqlite.OFDLockingEnabled() {
		return nil
	}
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return fault.Wrap(fault.Internal, err, "choosing open file description locks")
	}
	return nil
}
