// Package rows keeps packed chunks, the list of series and the store's own
// state in samples.db, a SQLite file.
//
// There is never a row per sample: a row holds the chunks of one series laid
// end to end. The rows of one series never overlap in time, so a range is read
// without looking at what lies outside it. One connection writes and does every
// checkpoint; a few others only read. Every commit is synced (synchronous=FULL),
// since it is what lets the log forget.
//
// It refuses a newer schema (and changes nothing then), files that are not its
// own, and damage: such a file is moved aside with its -wal and -shm, the newest
// snapshot that passes its check takes its place, and an [Event] says so.
//
// Write, Delete, SaveMeta, Snapshot and Maintain are for one goroutine; Read may
// run beside them. It starts nothing; Close ends it.
package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"vigil/engine/fault"
	"vigil/engine/tsdb/rows/sheet"
	"vigil/engine/tsdb/rows/tail"
)

// Config says where the database lies and how it is looked after.
type Config struct {
	Path        string        // of samples.db
	Snapshots   string        // directory searched when the database is damaged
	Quarantine  string        // where damaged files go
	Readers     int           // connections that read
	RowBytes    int           // chunks are laid end to end up to this many bytes
	CheckBudget time.Duration // how long the check at start may take
}

// Event is something that a person, and the audit trail, should know of.
type Event struct {
	Kind   string // quarantined, restored, fresh, unchecked, row_dropped, rewritten
	Place  string
	Detail string
}

// DB is the open database.
type DB struct {
	cfg    Config
	w, r   *sql.DB
	ranged *sql.Stmt // overlap, on r
	page   int64     // bytes
	tails  map[uint64]*tail.Bucket

	insert, extend, retail *sql.Stmt               // over sheets, on w
	sheets                 [2]sheet.Sheet          // the writing goroutine's, as are the two below
	touched                map[uint64]*tail.Bucket // empty between two transactions
	spares                 []*tail.Bucket
	events                 []Event
	stats                  Stats
	opened                 os.FileInfo // the file, as it was opened
}

// Stats is what the database counts; read it from the writing goroutine.
type Stats struct {
	Bytes        int64  // of the file, free pages left out
	BytesWritten uint64 // write-ahead log and checkpoints
	Transactions uint64
	RowsMerged   uint64 // rows rewritten for samples out of order
}

const (
	schemaVersion = 1
	applicationID = 0x56474c53 // "VGLS"

	// Rows are near 4 KB: a page that holds four of them, without overflow pages,
	// is filled to nine tenths, a page of 4 KiB to two thirds.
	pageBytes = 16384
)

const schema = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE series(id INTEGER PRIMARY KEY, token TEXT NOT NULL, labels BLOB NOT NULL);
CREATE TABLE tail(bucket INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE chunk(series INTEGER NOT NULL, mint INTEGER NOT NULL, maxt INTEGER NOT NULL,
	count INTEGER NOT NULL, blob BLOB NOT NULL, PRIMARY KEY(series, mint)) WITHOUT ROWID;
CREATE TABLE rollup(series INTEGER NOT NULL, res INTEGER NOT NULL, mint INTEGER NOT NULL, maxt INTEGER NOT NULL,
	blob BLOB NOT NULL, PRIMARY KEY(series, res, mint)) WITHOUT ROWID;
`

// Open opens the database, making it, checking it or replacing it as need be.
// What was out of the ordinary is told by Events.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	// Process-wide switches: a stray close of the file elsewhere in the process
	// must not drop the locks, commits need no timestamps on disk, and a DSN
	// never carries a second statement.
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) && !sqlite.OFDLockingEnabled() {
		return nil, fmt.Errorf("samples.db: %w", err)
	}
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("samples.db: %w", err)
	}
	sqlite.StrictPragmas(true)

	d := &DB{cfg: cfg}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		err := d.open(ctx)
		if err == nil {
			return d, nil
		}
		_ = d.closeBoth() // err says more
		if !damaged(err) && !incomplete(err) || attempt == maxRestores {
			return nil, err
		}
		if err := d.replace(ctx, err.Error()); err != nil {
			return nil, err
		}
	}
}

// maxRestores bounds how often opening may end in a replacement: each damaged
// snapshot is one, then comes an empty database.
const maxRestores = 8

func dsn(path string, pragmas ...string) string {
	q := url.Values{
		"_busy_timeout": {"5000"}, "_dqs": {"0"}, "_defensive": {"1"}, "_error_rc": {"1"},
		"_pragma": append([]string{"trusted_schema(0)", "mmap_size(0)", "cell_size_check(1)"}, pragmas...),
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func writerDSN(path string) string {
	return dsn(path, "wal_autocheckpoint(0)", "cache_size(-4096)", "journal_size_limit(16777216)") +
		"&_journal_mode=WAL&_synchronous=FULL&_txlock=immediate"
}

func readerDSN(path string) string { return dsn(path, "cache_size(-1024)") + "&_query_only=1" }

func (d *DB) open(ctx context.Context) error {
	var err error
	// A look before the leap: the writer's pragmas would already change a file
	// that is not for us.
	if size, ok := exists(d.cfg.Path); ok && size > 0 {
		if d.r, err = sql.Open("sqlite", readerDSN(d.cfg.Path)); err != nil {
			return err
		}
		if _, err := d.look(ctx, d.r); err != nil {
			return err
		}
		if err := d.r.Close(); err != nil {
			return err
		}
		d.r = nil
	}
	if err := d.prepareSchema(ctx); err != nil {
		return err
	}
	if d.w, err = sql.Open("sqlite", writerDSN(d.cfg.Path)); err != nil {
		return err
	}
	d.w.SetMaxOpenConns(1)
	if err := d.check(ctx, d.w, d.cfg.CheckBudget); err != nil {
		return err
	}
	if d.r, err = sql.Open("sqlite", readerDSN(d.cfg.Path)); err != nil {
		return err
	}
	d.r.SetMaxOpenConns(d.cfg.Readers)
	d.r.SetMaxIdleConns(d.cfg.Readers)
	if err := d.private(); err != nil {
		return err
	}
	if d.opened, err = os.Stat(d.cfg.Path); err != nil {
		return err
	}
	if d.ranged, err = d.r.PrepareContext(ctx, overlap); err != nil {
		return err
	}
	for _, p := range []struct {
		st   **sql.Stmt
		text string
	}{{&d.insert, insertRows}, {&d.extend, extendRows}, {&d.retail, replaceTails}} {
		if *p.st, err = d.w.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	d.touched = map[uint64]*tail.Bucket{}
	if err := d.loadTails(ctx); err != nil {
		return err
	}
	if err := d.w.QueryRowContext(ctx, "PRAGMA page_size").Scan(&d.page); err != nil {
		return err
	}
	return d.measure(ctx)
}

// private keeps the files to their owner: SQLite makes the first by the umask, and
// later ones like it.
func (d *DB) private() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(d.cfg.Path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Unavailable, err, "keeping samples.db to its owner")
		}
	}
	return nil
}

// prepareSchema makes an empty file ours and turns away what is not.
// The size of a page can only be chosen before the first one is written, so this
// has a connection of its own.
func (d *DB) prepareSchema(ctx context.Context) error {
	db, err := sql.Open("sqlite", dsn(d.cfg.Path)+"&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	empty, err := d.look(ctx, db)
	if err != nil || !empty {
		return err
	}
	// In this order: turning auto_vacuum on already writes the first page.
	for _, q := range []string{fmt.Sprintf("PRAGMA page_size=%d", pageBytes), "PRAGMA auto_vacuum=2"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, q := range []string{schema, fmt.Sprintf("PRAGMA application_id=%d", applicationID), fmt.Sprintf("PRAGMA user_version=%d", schemaVersion)} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// look says whether the database is empty, and errs where it is not ours to use.
func (d *DB) look(ctx context.Context, db *sql.DB) (empty bool, err error) {
	var app, version, tables int
	for _, q := range []struct {
		text string
		to   *int
	}{
		{"PRAGMA application_id", &app}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables},
	} {
		if err := db.QueryRowContext(ctx, q.text).Scan(q.to); err != nil {
			return false, err
		}
	}
	switch {
	case tables == 0 && app == 0:
		return true, nil
	case app != applicationID:
		return false, errForeign
	case version > schemaVersion:
		return false, fault.New(fault.Unavailable, "samples.db has schema %d, this vigild knows %d", version, schemaVersion).
			At(d.cfg.Path).Mend("start the newer vigild, or restore a backup that this one wrote; nothing was changed")
	}
	return false, nil
}

var errForeign = errors.New("the file is a database, but not of vigild's samples")

var errCheck = errors.New("quick_check")

// check runs quick_check within a budget. Running out of time is not a failure,
// but it is told.
func (d *DB) check(ctx context.Context, db *sql.DB, budget time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	var word string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&word)
	switch {
	case err != nil && ctx.Err() != nil:
		d.events = append(d.events, Event{"unchecked", d.cfg.Path, fmt.Sprintf("the check did not end within %s", budget)})
		return nil
	case err != nil:
		return err
	case word != "ok":
		return fmt.Errorf("%w: %s", errCheck, word)
	}
	return nil
}

// damaged says whether an error means that the file itself is not what it
// should be, as opposed to a disk or a rule that says no.
func damaged(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH:
			return true
		}
	}
	return errors.Is(err, errForeign) || errors.Is(err, errCheck) || errors.Is(err, tail.ErrBody) || errors.Is(err, errGone)
}

// incomplete says whether a statement of ours did not fit the schema: tables
// are made together, so a missing one is damage while opening.
func incomplete(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_ERROR
}

// Damaged says whether an error from this room means that samples.db is damaged.
func Damaged(err error) bool { return err != nil && damaged(err) }

// Full says whether an error means that the disk has no room.
func Full(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}

// Events hands over what happened since it was last asked.
func (d *DB) Events() []Event {
	es := d.events
	d.events = nil
	return es
}

// Stats returns the counters as of the last write.
func (d *DB) Stats() Stats { return d.stats }

// measure notes how large the database is.
func (d *DB) measure(ctx context.Context) error {
	var pages int64
	if err := d.w.QueryRowContext(ctx, "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)").Scan(&pages); err != nil {
		return err
	}
	d.stats.Bytes = pages * d.page
	return nil
}

func (d *DB) closeBoth() error {
	var errs []error
	for _, db := range []*sql.DB{d.r, d.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	d.r, d.w = nil, nil
	return errors.Join(errs...)
}

// Close moves the write-ahead log into the file and closes it.
func (d *DB) Close() error {
	if d.r != nil {
		if err := d.r.Close(); err != nil {
			return errors.Join(err, d.closeBoth())
		}
		d.r = nil
	}
	var errs []error
	if d.w != nil {
		_, err := d.checkpoint(context.Background())
		errs = append(errs, err)
	}
	return errors.Join(append(errs, d.closeBoth())...)
}

// checkpoint moves the write-ahead log into the file, as far as readers let it,
// and counts what that wrote: each frame once in the log, and at most once more
// in the file.
func (d *DB) checkpoint(ctx context.Context) (busy bool, err error) {
	size, _ := exists(d.cfg.Path + "-wal")
	var b, frames, moved int64
	if err := d.w.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&b, &frames, &moved); err != nil {
		return false, err
	}
	if b == 0 {
		d.stats.BytesWritten += uint64(size + size/(d.page+24)*d.page)
	}
	return b != 0, nil
}

func exists(path string) (size int64, ok bool) {
	st, err := os.Lstat(path)
	if err != nil {
		return 0, false
	}
	return st.Size(), true
}
