package table

import (
	"vigil/engine"
	"vigil/engine/ledger/desired"
)

// Decide writes everything of a decision, in the order that the constraints ask
// for, and puts what it gave out into rc.
func (t *Tx) Decide(d *engine.Decision, rc *engine.Receipt) error {
	for _, f := range d.Firings {
		if err := t.PutFiring(f); err != nil {
			return err
		}
	}
	for _, name := range d.Deleted {
		if err := t.DeletePolicy(name); err != nil {
			return err
		}
	}
	for _, p := range d.Policies {
		if err := t.PutPolicy(p); err != nil {
			return err
		}
	}
	for _, m := range d.Remediations {
		id, err := t.AddRemediation(m)
		if err != nil {
			return err
		}
		rc.Remediations = append(rc.Remediations, id)
	}
	for _, m := range d.Moves {
		if err := t.Apply(m.Version, m.Move); err != nil {
			return err
		}
	}
	for _, h := range d.Holds {
		if err := t.PutHold(h); err != nil {
			return err
		}
	}
	for _, id := range d.Released {
		if err := t.Release(id, d.At); err != nil {
			return err
		}
	}
	if err := desired.Write(t.Conn, d.Desired); err != nil {
		return err
	}
	if d.Position != 0 {
		// Shards finish in any order; what is stored never goes back.
		t.State.Position = max(t.State.Position, d.Position)
	}
	return t.Chain(d.Audit...)
}
