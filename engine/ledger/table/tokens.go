package table

import (
	"context"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

const tokenColumns = "name, hash, role, created, expires, used"

func tokenRow(k engine.Token) (r conn.Row) {
	r.Text(k.Name)
	r.Blob(k.Hash[:])
	r.Text(k.Role)
	r.Stamp(k.Created)
	r.Stamp(k.Expires)
	r.Stamp(k.Used)
	r.Bound("a token", 4096)
	r.Seal()
	return r
}

// PutToken stores a token, or one of the same name again.
func (t *Tx) PutToken(k engine.Token) error {
	_, err := t.Exec("INSERT INTO tokens ("+tokenColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET ("+
		tokenColumns+", sum) = (excluded.name, excluded.hash, excluded.role, excluded.created, excluded.expires, excluded.used, excluded.sum)", tokenRow(k))
	return err
}

// TouchToken writes when a token was presented, unless it was put again since.
func (t *Tx) TouchToken(k engine.Token) error {
	row := tokenRow(k)
	row.Text(k.Name)
	row.Blob(k.Hash[:])
	row.Stamp(k.Created)
	_, err := t.Exec("UPDATE tokens SET ("+tokenColumns+", sum) = (?, ?, ?, ?, ?, ?, ?) WHERE name = ? AND hash = ? AND created IS ?", row)
	return err
}

// DeleteToken removes a token. NotFound: there is none.
func (t *Tx) DeleteToken(name string) error {
	var row conn.Row
	row.Text(name)
	n, err := t.Exec("DELETE FROM tokens WHERE name = ?", row)
	if err == nil && n == 0 {
		err = fault.New(fault.NotFound, "there is no token %s", name)
	}
	return err
}

// Tokens reads those that match; where is SQL of the ledger alone.
func Tokens(ctx context.Context, c *conn.Conn, where string, row conn.Row) (out []engine.Token, err error) {
	err = c.Query(ctx, "SELECT "+tokenColumns+", sum FROM tokens WHERE "+where+" ORDER BY name", row, func(cs *conn.Cells) error {
		err := cs.Open("tokens")
		k := engine.Token{Name: cs.Text()}
		copy(k.Hash[:], cs.Blob())
		k.Role, k.Created, k.Expires, k.Used = cs.Text(), cs.Stamp(), cs.Stamp(), cs.Stamp()
		out = append(out, k)
		return err
	})
	return out, err
}
