package table

import (
	"context"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/ledger/conn"
)

const policyColumns = "name, owner, place, enabled, document, version, created, updated"

func policyRow(p engine.PolicyRow) (r conn.Row) {
	r.Text(p.Name)
	r.Text(p.Owner)
	r.Text(p.Place)
	r.Bool(p.Enabled)
	r.Blob(p.Text)
	r.Int(p.Version)
	r.Stamp(p.Created)
	r.Stamp(p.Updated)
	r.Bound("policy "+p.Name, maxSmall)
	r.Seal()
	return r
}

// PutPolicy writes a policy whose row is at p.Version; 0 creates.
func (t *Tx) PutPolicy(p engine.PolicyRow) error {
	was := p.Version
	p.Version++
	row := policyRow(p)
	if was == 0 {
		_, err := t.Exec("INSERT INTO policies ("+policyColumns+", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
		if fault.KindOf(err) == fault.Conflict {
			return fault.Wrap(fault.Conflict, err, "there is a policy %s already", p.Name)
		}
		return err
	}
	row.Text(p.Name)
	row.Int(was)
	n, err := t.Exec("UPDATE policies SET ("+policyColumns+", sum) = (?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE name = ? AND version = ?", row)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "policy %s is not at version %d any more", p.Name, was)
	}
	return err
}

func (t *Tx) DeletePolicy(name string) error {
	var row conn.Row
	row.Text(name)
	n, err := t.Exec("DELETE FROM policies WHERE name = ?", row)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "there is no policy %s any more", name)
	}
	return err
}

func Policies(ctx context.Context, c *conn.Conn) (out []engine.PolicyRow, err error) {
	err = c.Query(ctx, "SELECT "+policyColumns+", sum FROM policies ORDER BY name", conn.Row{}, func(cs *conn.Cells) error {
		if err := cs.Open("policies"); err != nil {
			return err
		}
		out = append(out, engine.PolicyRow{
			Name: cs.Text(), Owner: cs.Text(), Place: cs.Text(), Enabled: cs.Bool(), Text: cs.Blob(),
			Version: cs.Int(), Created: cs.Stamp(), Updated: cs.Stamp(),
		})
		return nil
	})
	return out, err
}
