package disk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

// Schema is what the file must hold. Migrations are numbered by their place,
// from 1, and are never changed once they have been in a release.
type Schema struct {
	AppID      int32 // SQLite's application id: a file with another one is not ours
	Migrations []string
	// Verify says whether a fresh writer shows everything acknowledged so far.
	Verify func(*conn.Conn) error
	// Check reads every row of a file with the newest schema and says whether it
	// is what was written.
	Check func(context.Context, *conn.Conn) error
}

// migrate brings the file to the newest schema, one transaction a step, and
// keeps a verified copy of an older one before it changes it.
func (f *File) migrate(ctx context.Context) error {
	have, err := f.c.Int(ctx, "PRAGMA user_version")
	if err != nil {
		return err
	}
	if want := int64(len(f.schema.Migrations)); have > 0 && have < want {
		keep := fmt.Sprintf("%s.before-v%d", f.Path(), want)
		if err := f.copyTo(ctx, keep); err != nil {
			return err
		}
		f.deps.Log.Info("migrating the ledger", "from", have, "to", want, "copy", keep)
	}
	for i := have; i < int64(len(f.schema.Migrations)); i++ {
		script := f.schema.Migrations[i] + fmt.Sprintf("\n;PRAGMA application_id=%d;PRAGMA user_version=%d;", f.schema.AppID, i+1)
		err := f.Write(ctx, Job{Vital: true, Run: func(c *conn.Conn) error { _, err := c.Exec(script, conn.Row{}); return err }})
		if err != nil {
			return fault.Wrap(fault.KindOf(err), err, "migrating %s to schema %d", f.Path(), i+1)
		}
	}
	return nil
}

// look checks a file without changing it. Unsupported: a newer vigild wrote it.
// Corrupt: it is damaged or not ours. What the budget does not suffice for is
// left to the checksums of the rows; budget 0 has no bound. An empty file is fine.
func (f *File) look(ctx context.Context, dsn, path string, budget time.Duration) error {
	c, err := conn.Open(dsn)
	if err != nil {
		return err
	}
	defer c.Close() // read only: there is nothing to lose
	version, err := c.Int(ctx, "PRAGMA user_version")
	if err != nil {
		return damaged(err, path)
	}
	app, err := c.Int(ctx, "PRAGMA application_id")
	if err != nil {
		return err
	}
	tables, err := c.Int(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return damaged(err, path)
	}
	switch newest := int64(len(f.schema.Migrations)); {
	case app == 0 && tables == 0 && version == 0:
		return errEmpty
	case app != int64(f.schema.AppID):
		return fault.New(fault.Corrupt, "%s is not a ledger of vigild (application id %#x)", path, app)
	case version > newest:
		return fault.New(fault.Unsupported, "%s has schema %d; this vigild knows up to %d and has changed nothing", path, version, newest).
			Mend("run the newer vigild again, or restore a copy that an older one made")
	}
	if err := f.sameSchema(ctx, c, path, version); err != nil {
		return err
	}
	if budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, budget)
		defer cancel()
	}
	// On a read-only connection SQLite leaves out the CHECK constraints; this one
	// writes nothing either, and is closed before the other, so that its going
	// makes no checkpoint.
	w, err := conn.Open(conn.DSN(path, f.cfg.VFS, "mode=rw&_query_only=1"))
	if err != nil {
		return err
	}
	defer w.Close()
	// The quick check leaves out whether an index says what its table says, and a
	// row that no index finds would be served as absent.
	verdict := ""
	err = w.Query(ctx, "PRAGMA integrity_check(1)", conn.Row{}, func(cs *conn.Cells) error { verdict = cs.Text(); return nil })
	if err == nil && verdict == "ok" && version == int64(len(f.schema.Migrations)) {
		err = f.schema.Check(ctx, c)
	}
	switch {
	case fault.KindOf(err) == fault.Timeout && budget > 0:
		f.deps.Log.Info("the check of the ledger ran out of its time", "path", path, "budget", budget)
		return nil
	case err != nil:
		return damaged(err, path)
	case verdict != "ok":
		return fault.New(fault.Corrupt, "%s is damaged: %s", path, verdict)
	}
	return nil
}

// damaged takes a statement that SQLite cannot make sense of, on a file that is
// being checked, for the file's fault.
func damaged(err error, path string) error {
	if fault.KindOf(err) == fault.Internal {
		return fault.Wrap(fault.Corrupt, err, "%s cannot be read", path)
	}
	return err
}

// sameSchema compares the tables, indexes and triggers that the file declares
// with those that the migrations make: a trigger that somebody dropped, or a
// name that a flipped bit changed, passes every check of SQLite's.
func (f *File) sameSchema(ctx context.Context, c *conn.Conn, path string, version int64) error {
	m, err := conn.Open(conn.DSN("", "", "mode=memory"))
	if err != nil {
		return err
	}
	defer m.Close()
	for _, script := range f.schema.Migrations[:version] {
		if _, err := m.Exec(script, conn.Row{}); err != nil {
			return err
		}
	}
	want, err := declared(ctx, m)
	if err != nil {
		return err
	}
	have, err := declared(ctx, c)
	if err != nil {
		return damaged(err, path)
	}
	if !slices.Equal(want, have) {
		return fault.New(fault.Corrupt, "%s does not declare the tables and triggers of schema %d", path, version)
	}
	return nil
}

func declared(ctx context.Context, c *conn.Conn) (out []string, err error) {
	err = c.Query(ctx, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name", conn.Row{}, func(cs *conn.Cells) error {
		out = append(out, cs.Text(), cs.Text(), cs.Text(), cs.TextOrNull())
		return nil
	})
	return out, err
}

// errEmpty is a file with nothing in it yet, as a kill in the first start leaves it.
var errEmpty = fault.New(fault.NotFound, "the file is empty")
