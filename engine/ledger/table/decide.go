package table

import (
	"vigil/engine"
	"vigil/engine/ledger/desired"
	"vigil/engine/remedy"
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
	for i, m := range d.Remediations {
		if _, claimed := d.Claims[i]; claimed { // stored below, as its claim leaves it
			t.State.Remediation++
			rc.Remediations = append(rc.Remediations, t.State.Remediation)
			continue
		}
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
	if err := t.Chain(d.Audit...); err != nil {
		return err
	}
	return t.claims(d, rc)
}

// claims asks the gates about the new remediations that somebody is ready to act
// on; what they say is told after the decision that brought it about.
func (t *Tx) claims(d *engine.Decision, rc *engine.Receipt) error {
	for i, r := range d.Remediations {
		c, claimed := d.Claims[i]
		if !claimed {
			continue
		}
		r.ID, r.Version = rc.Remediations[i], 1
		m, err := t.Claim(r, c, true)
		if err != nil {
			return err
		}
		if rc.Claimed == nil {
			rc.Claimed = map[int]remedy.Move{}
		}
		rc.Claimed[i] = m
	}
	return nil
}
