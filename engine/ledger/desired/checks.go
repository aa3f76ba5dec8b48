package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/ledger/conn"
)

// Checks is the step of the schema that brought the checks of the repository.
const Checks = `
CREATE TABLE checks (
	name TEXT PRIMARY KEY, place TEXT NOT NULL, document BLOB,
	sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

const checkColumns = "name, place, document"

// maxCheck is more than a file of 1 MiB takes as JSON.
const maxCheck = 8 << 20

// putChecks writes the checks in the place of those that were there.
func putChecks(c *conn.Conn, all []engine.CheckRow) error {
	if _, err := c.Exec("DELETE FROM checks", conn.Row{}); err != nil {
		return err
	}
	for _, k := range all {
		var r conn.Row
		r.Text(k.Name)
		r.Text(k.Place)
		r.Blob(k.Text)
		r.Bound("check "+k.Name, maxCheck)
		r.Seal()
		if _, err := c.Exec("INSERT INTO checks ("+checkColumns+", sum) VALUES (?, ?, ?, ?)", r); err != nil {
			return refused(err, "check %s cannot be written twice", k.Name)
		}
	}
	return nil
}

func readChecks(ctx context.Context, c *conn.Conn) (out []engine.CheckRow, err error) {
	err = c.Query(ctx, "SELECT "+checkColumns+", sum FROM checks ORDER BY name", conn.Row{}, func(cs *conn.Cells) error {
		err := cs.Open("checks")
		out = append(out, engine.CheckRow{Name: cs.Text(), Place: cs.Text(), Text: cs.Blob()})
		return err
	})
	return out, err
}
