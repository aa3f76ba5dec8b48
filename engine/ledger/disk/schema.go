package disk

import (
	"context"
	"fmt"
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
		return err
	}
	app, err := c.Int(ctx, "PRAGMA application_id")
	if err != nil {
		return err
	}
	tables, err := c.Int(ctx, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
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
	if budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, budget)
		defer cancel()
	}
	verdict := ""
	err = c.Query(ctx, "PRAGMA quick_check(1)", conn.Row{}, func(cs *conn.Cells) error { verdict = cs.Text(); return nil })
	switch {
	case fault.KindOf(err) == fault.Timeout && budget > 0:
		f.deps.Log.Info("the check of the ledger ran out of its time", "path", path, "budget", budget)
		return nil
	case err != nil:
		return err
	case verdict != "ok":
		return fault.New(fault.Corrupt, "%s is damaged: %s", path, verdict)
	}
	return nil
}

// errEmpty is a file with nothing in it yet, as a kill in the first start leaves it.
var errEmpty = fault.New(fault.NotFound, "the file is empty")
