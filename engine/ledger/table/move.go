package table

import (
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Apply writes a move of a remediation that is at version; it opens no attempt.
func (t *Tx) Apply(version int64, m remedy.Move) error {
	if m.Open != nil {
		return fault.New(fault.Internal, "attempt %s can only be opened by a claim", m.Open.ID())
	}
	return t.Move(version, m)
}

// Move writes everything of a move but its started record.
func (t *Tx) Move(version int64, m remedy.Move) error {
	if m.Close != nil {
		if m.Close.Remediation != m.Next.ID {
			return fault.New(fault.Internal, "remediation %d closes attempt %s", m.Next.ID, m.Close.ID())
		}
		if err := t.CloseAttempt(*m.Close); err != nil {
			return err
		}
	}
	if err := t.PutRemediation(version, m.Next); err != nil {
		return err
	}
	return t.beside(m)
}

// beside writes what a move changes beside its remediation, and tells of it.
func (t *Tx) beside(m remedy.Move) error {
	if err := t.PutBudget(m.Budget, m.Storm); err != nil {
		return err
	}
	if err := t.PutBreaker(m.Next.Subject, m.Breaker); err != nil {
		return err
	}
	return t.Chain(m.Audit...)
}
