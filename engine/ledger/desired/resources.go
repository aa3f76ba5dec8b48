package desired

import (
	"context"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/ledger/conn"
	"vigil/engine/reconcile"
)

const resourceColumns = "ref, subject, kind, name, commit_hash, hash, last, adopted, prune, written, heals"

func resourceRow(v engine.Resource) (r conn.Row) {
	r.Text(v.Key.Ref())
	r.Text(v.Key.Subject)
	r.Text(v.Key.Kind)
	r.Text(v.Key.Name)
	r.Text(v.Commit)
	r.Text(v.Hash)
	r.JSON("what was last written of "+v.Key.Ref(), v.Last, maxRow)
	r.Bool(v.Adopted)
	r.Bool(v.Prune)
	r.Stamp(v.Written)
	r.JSON("the heals of "+v.Key.Ref(), v.Heals, maxRow)
	r.Bound("what is remembered of "+v.Key.Ref(), maxRow)
	r.Seal()
	return r
}

func readResource(cs *conn.Cells) (v engine.Resource, err error) {
	err = cs.Open("resources")
	cs.Text() // ref
	v.Key = reconcile.Key{Subject: cs.Text(), Kind: cs.Text(), Name: cs.Text()}
	v.Commit, v.Hash = cs.Text(), cs.Text()
	cs.JSON(&v.Last)
	v.Adopted, v.Prune, v.Written = cs.Bool(), cs.Bool(), cs.Stamp()
	cs.JSON(&v.Heals)
	return v, err
}

func putResource(c *conn.Conn, v engine.Resource) error {
	_, err := c.Exec("INSERT OR REPLACE INTO resources ("+resourceColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", resourceRow(v))
	return refused(err, "what is remembered of %s cannot be written", v.Key.Ref())
}

// forget removes a resource; that it is not there is what was asked for.
func forget(c *conn.Conn, ref string) error {
	var row conn.Row
	row.Text(ref)
	_, err := c.Exec("DELETE FROM resources WHERE ref = ?", row)
	return err
}

// Resources reads all of them, by ref.
func Resources(ctx context.Context, c *conn.Conn) (out []engine.Resource, err error) {
	err = c.Query(ctx, "SELECT "+resourceColumns+", sum FROM resources ORDER BY ref", conn.Row{}, func(cs *conn.Cells) error {
		v, err := readResource(cs)
		out = append(out, v)
		return err
	})
	return out, err
}

// remembered is engine.Resource as it lies in the journal: its names are a
// format, so they stand here and not in the struct that code may rename.
type remembered struct {
	Subject string          `json:"subject"`
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Commit  string          `json:"commit"`
	Hash    string          `json:"hash"`
	Last    reconcile.State `json:"last"`
	Adopted bool            `json:"adopted,omitempty"`
	Prune   bool            `json:"prune,omitempty"`
	Written clock.Stamp     `json:"written,omitzero"`
	Heals   reconcile.Heals `json:"heals,omitzero"`
}

func remember(v engine.Resource) remembered {
	return remembered{v.Key.Subject, v.Key.Kind, v.Key.Name, v.Commit, v.Hash, v.Last, v.Adopted, v.Prune, v.Written, v.Heals}
}

func (m remembered) resource() *engine.Resource {
	return &engine.Resource{Key: reconcile.Key{Subject: m.Subject, Kind: m.Kind, Name: m.Name}, Commit: m.Commit, Hash: m.Hash,
		Last: m.Last, Adopted: m.Adopted, Prune: m.Prune, Written: m.Written, Heals: m.Heals}
}
