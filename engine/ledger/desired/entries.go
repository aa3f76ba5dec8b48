package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

// Entries is the step of the schema that brought the catalogue entries of the
// repository.
const Entries = `
CREATE TABLE entries (
	name TEXT PRIMARY KEY, place TEXT NOT NULL, commit_hash TEXT NOT NULL, document BLOB,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

const entryColumns = "name, place, commit_hash, document"

// putEntries writes the entries in the place of those that were there.
func putEntries(c *conn.Conn, all []engine.EntryRow) error {
	if _, err := c.Exec("DELETE FROM entries", conn.Row{}); err != nil {
		return err
	}
	for _, e := range all {
		var r conn.Row
		r.Text(e.Name)
		r.Text(e.Place)
		r.Text(e.Commit)
		r.Blob(e.Text)
		r.Bound("entry "+e.Name, maxRow)
		r.Seal()
		if _, err := c.Exec("INSERT INTO entries ("+entryColumns+", sum) VALUES (?, ?, ?, ?, ?)", r); err != nil {
			return refused(err, "entry %s cannot be written twice", e.Name)
		}
	}
	return nil
}

// ReadEntries reads them all, by name.
func ReadEntries(ctx context.Context, c *conn.Conn) (out []engine.EntryRow, err error) {
	err = c.Query(ctx, "SELECT "+entryColumns+", sum FROM entries ORDER BY name", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("entries")
		out = append(out, engine.EntryRow{Name: cs.Text(), Place: cs.Text(), Commit: cs.Text(), Text: cs.Blob()})
		return err
	})
	return out, err
}
