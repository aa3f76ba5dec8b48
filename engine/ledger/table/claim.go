package table

import (
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Claim asks c.Decide about r, which is as this transaction sees it, and writes
// the move; fresh when r itself is not stored yet. The version that comes back is
// that on disk. Conflict: the firing moved, or the subject has an open attempt.
func (t *Tx) Claim(r remedy.Remediation, c remedy.Claim, fresh bool) (m remedy.Move, err error) {
	if c.FiringVersion != 0 {
		v, err := t.FiringVersion(c.Policy, c.Fingerprint)
		if err != nil {
			return m, err
		}
		if v != c.FiringVersion {
			return m, fault.New(fault.Conflict, "the firing behind remediation %d is not at version %d any more", r.ID, c.FiringVersion)
		}
	}
	h, err := t.History(c.Query, c.Now)
	if err != nil {
		return m, err
	}
	m = c.Decide(r, h)
	switch {
	case m.Next.ID != r.ID:
		return m, fault.New(fault.Internal, "the claim of remediation %d came back with remediation %d", r.ID, m.Next.ID)
	case m.Open != nil && m.Open.Remediation != r.ID:
		return m, fault.New(fault.Internal, "the claim of remediation %d opens attempt %s", r.ID, m.Open.ID())
	case m.Open == nil && m.Next.State == remedy.Running && r.State != remedy.Running:
		return m, fault.New(fault.Internal, "the claim of remediation %d opens no attempt", r.ID)
	case fresh && m.Close != nil:
		return m, fault.New(fault.Internal, "the claim of new remediation %d closes attempt %s", r.ID, m.Close.ID())
	}
	if fresh { // an attempt refers to its remediation
		m.Next.Version = r.Version + 1
		if err := t.insertRemediation(m.Next); err != nil {
			return m, err
		}
	}
	if m.Open != nil {
		if err := t.OpenAttempt(*m.Open, Counted{Policy: c.Query.Policy, Kind: c.Query.Kind}); err != nil {
			return m, err
		}
	}
	if fresh {
		return m, t.beside(m)
	}
	err = t.Move(r.Version, m)
	m.Next.Version = r.Version + 1
	return m, err
}
