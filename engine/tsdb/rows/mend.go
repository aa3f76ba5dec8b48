package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// settle finishes what a crash left half done: a restore that had moved the old
// file aside, or a snapshot that was never finished. A missing or empty database
// beside snapshots is not a first start.
func (d *DB) settle(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.cfg.Path), 0o700); err != nil {
		return err
	}
	if size, ok := exists(d.cfg.Path); ok && size > 0 {
		return nil
	}
	snaps, err := d.snapshots()
	if err != nil || len(snaps) == 0 {
		return err
	}
	return d.replace(ctx, "the file was empty or gone")
}

// snapshots lists the snapshots, newest first.
func (d *DB) snapshots() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(escapeGlob(d.cfg.Snapshots), SnapshotPrefix+"*"+snapshotSuffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// A snapshot's name sorts by age.
const (
	SnapshotPrefix = "samples-"
	snapshotSuffix = ".db"
)

// replace moves the database aside and puts the newest sound snapshot in its
// place; with none, an empty one will be made.
func (d *DB) replace(ctx context.Context, why string) error {
	if err := d.setAside(why); err != nil {
		return err
	}
	snaps, err := d.snapshots()
	if err != nil {
		return err
	}
	for _, s := range snaps {
		if err := Verify(ctx, s); err != nil {
			d.events = append(d.events, Event{"quarantined", s, "the snapshot is damaged too: " + err.Error()})
			if err := moveAll(s, d.cfg.Quarantine, time.Now().UnixNano()); err != nil {
				return err
			}
			continue
		}
		if err := copyIn(s, d.cfg.Path); err != nil {
			return err
		}
		d.events = append(d.events, Event{"restored", d.cfg.Path, "from the snapshot " + filepath.Base(s)})
		return nil
	}
	d.events = append(d.events, Event{"fresh", d.cfg.Path, "there was no snapshot: history before the log is lost"})
	return nil
}

func (d *DB) setAside(why string) error {
	_, there := exists(d.cfg.Path)
	// Without the file too: its -wal would be taken for that of the next one.
	if err := moveAll(d.cfg.Path, d.cfg.Quarantine, time.Now().UnixNano()); err != nil {
		return err
	}
	if there {
		d.events = append(d.events, Event{"quarantined", d.cfg.Path, why})
	}
	return nil
}

// moveAll moves a database with its -wal and -shm into a directory, under names
// that say when.
func moveAll(path, dir string, stamp int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		to := filepath.Join(dir, fmt.Sprintf("%s.%d%s", filepath.Base(path), stamp, suffix))
		if err := os.Rename(path+suffix, to); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// copyIn copies a database file that nobody has open to path, durably.
func copyIn(from, path string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	temp := path + ".restore"
	dst, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Verify checks a snapshot: ours, of a schema we know, and sound. It blocks for
// as long as reading the whole file takes.
func Verify(ctx context.Context, path string) error {
	if size, ok := exists(path); !ok || size == 0 {
		return fmt.Errorf("%s: no such snapshot, or an empty one", path)
	}
	db, err := sql.Open("sqlite", dsn(path)+"&_query_only=1&mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer db.Close()
	var app, version int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if app != applicationID || version > schemaVersion {
		return errForeign
	}
	var word string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&word); err != nil {
		return err
	}
	if word != "ok" {
		return fmt.Errorf("%w: %s", errCheck, word)
	}
	return nil
}

// Snapshot writes a checked copy of the database to path, which must not exist.
// The copy is durable when it returns.
func (d *DB) Snapshot(ctx context.Context, path string) error {
	temp := path + ".part"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, ok := exists(path); ok {
		return fmt.Errorf("%s exists already", path)
	}
	if _, err := d.w.ExecContext(ctx, "VACUUM INTO ?", temp); err != nil {
		return errors.Join(err, removed(temp))
	}
	if err := Verify(ctx, temp); err != nil {
		return errors.Join(err, removed(temp))
	}
	if err := os.Chmod(temp, 0o600); err != nil {
		return errors.Join(err, removed(temp))
	}
	f, err := os.Open(temp)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		d.stats.BytesWritten += uint64(st.Size())
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Prune keeps the newest snapshots and removes the others.
func (d *DB) Prune(keep int) error {
	snaps, err := d.snapshots()
	if err != nil {
		return err
	}
	var errs []error
	for i, s := range snaps {
		if i >= keep {
			errs = append(errs, os.Remove(s))
		}
	}
	return errors.Join(errs...)
}

// Restore puts a snapshot in the place of a database that nobody has open; the
// old one is moved aside.
func Restore(ctx context.Context, cfg Config, snapshot string) error {
	if err := Verify(ctx, snapshot); err != nil {
		return err
	}
	d := &DB{cfg: cfg}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return err
	}
	if err := d.setAside("replaced by a restore"); err != nil {
		return err
	}
	if err := copyIn(snapshot, cfg.Path); err != nil {
		return err
	}
	// The log that goes with it starts anew: none of its segments is missing.
	d, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = d.w.ExecContext(ctx, "DELETE FROM meta WHERE key='newest'")
	return errors.Join(err, d.Close())
}

// Abandon closes a database that turned out to be damaged while it was in use and
// moves it aside; Open then finds a snapshot or begins again. One whose file was taken
// away is whole: a copy of it is put in its place before. left is false where that
// copy could not be made: then nothing has changed.
func (d *DB) Abandon(ctx context.Context, why string) (left bool, err error) {
	whole := ""
	if d.Lost() != nil {
		whole = d.cfg.Path + ".whole"
		if err := removed(whole); err != nil {
			return false, err
		}
		if err := d.Snapshot(ctx, whole); err != nil {
			return false, err
		}
	}
	if err := errors.Join(d.closeBoth(), d.setAside(why)); err != nil || whole == "" {
		return true, err
	}
	d.events = append(d.events, Event{"rewritten", d.cfg.Path, why + "; it was written anew, whole"})
	return true, errors.Join(os.Rename(whole, d.cfg.Path), syncDir(filepath.Dir(d.cfg.Path)))
}

// errGone says that the file is not where it was opened.
var errGone = errors.New("the file was removed or replaced while it was in use")

// Lost is nil while the file lies where it was opened, else an error that Damaged is
// true of. Concurrent.
func (d *DB) Lost() error {
	if fi, err := os.Stat(d.cfg.Path); err == nil && os.SameFile(fi, d.opened) {
		return nil
	}
	return errGone
}

// Carry goes on counting from the counters of a database that was abandoned.
func (d *DB) Carry(old Stats) {
	d.stats.BytesWritten += old.BytesWritten
	d.stats.Transactions += old.Transactions
	d.stats.RowsMerged += old.RowsMerged
}

// Limit caps the file at a number of pages, beyond which writes say that the
// disk is full. It lasts while the database is open.
func (d *DB) Limit(ctx context.Context, pages int) error {
	_, err := d.w.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count=%d", pages))
	return err
}
