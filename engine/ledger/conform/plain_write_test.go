package conform_test

import (
	"context"
	"strings"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/policy"
	"vigil/engine/remedy"
)

const small = 1 << 20

func (s *store) Commit(ctx context.Context, d *engine.Decision) (rc engine.Receipt, err error) {
	if n := len(d.Firings) + len(d.Policies) + len(d.Remediations) + len(d.Holds) + len(d.Audit) + d.Desired.Rows(); n > 100_000 {
		return rc, fault.New(fault.TooLarge, "a decision writes %d rows", n)
	}
	err = s.write(ctx, func(t *tx) error {
		rc = engine.Receipt{At: d.At.Time()}
		if err := t.decide(d, &rc); err != nil {
			return err
		}
		rc.AuditSeq = t.head().Seq
		return nil
	})
	if err != nil {
		return engine.Receipt{}, err
	}
	if s.bug == "an id is told from memory" && len(rc.Remediations) > 0 {
		s.another(s.read())
		rc.Remediations[0] = s.read().last
	}
	return rc, nil
}

func conflict(what string, args ...any) error { return fault.New(fault.Conflict, what, args...) }

func (t *tx) decide(d *engine.Decision, rc *engine.Receipt) error {
	for _, f := range d.Firings {
		if err := t.putFiring(f); err != nil {
			return err
		}
	}
	for _, name := range d.Deleted {
		if _, ok := t.policies[name]; !ok {
			return conflict("there is no policy %s", name)
		}
		delete(t.policies, name)
	}
	for _, p := range d.Policies {
		if t.policies[p.Name].Version != p.Version && t.bug != "the version of a policy is not compared" {
			return conflict("policy %s is not at version %d", p.Name, p.Version)
		}
		p.Version++
		if err := t.within("policy "+p.Name, small, p.Text); err != nil {
			return err
		}
		t.policies[p.Name] = p
	}
	for i, m := range d.Remediations {
		t.last++
		m.ID, m.Version = t.last, 1
		rc.Remediations = append(rc.Remediations, t.last)
		if err := t.within("a remediation", small, m); err != nil {
			return err
		}
		if _, claimed := d.Claims[i]; claimed {
			continue
		}
		if m.State == remedy.Running || m.State == remedy.Verifying {
			return fault.New(fault.Internal, "nothing was claimed")
		}
		t.remediations[m.ID] = m
	}
	for _, m := range d.Moves {
		if err := t.apply(m.Version, m.Move); err != nil {
			return err
		}
	}
	for _, h := range d.Holds {
		if err := t.within("a hold", small, h); err != nil {
			return err
		}
		t.holds[h.ID] = h
	}
	for _, id := range d.Released {
		h, ok := t.holds[id]
		if !ok || !h.Ended.IsZero() {
			return conflict("hold %s does not stand", id)
		}
		h.Ended = d.At
		t.holds[id] = h
	}
	if err := t.want(d.Desired); err != nil {
		return err
	}
	if d.Position != 0 && (d.Position > t.position || t.bug == "the position goes back") {
		t.position = d.Position
	}
	for _, r := range d.Audit {
		if err := t.within("an audit record", 2*small, r); err != nil {
			return err
		}
	}
	if t.bug != "a claim is told before its decision" {
		t.chain(d.Audit...)
	}
	for i, r := range d.Remediations {
		if c, ok := d.Claims[i]; ok {
			r.ID, r.Version = rc.Remediations[i], 1
			m, err := t.claim(r, c, true)
			if err != nil {
				return err
			}
			if rc.Claimed == nil {
				rc.Claimed = map[int]remedy.Move{}
			}
			rc.Claimed[i] = m
		}
	}
	if t.bug == "a claim is told before its decision" {
		t.chain(d.Audit...)
	}
	return nil
}

func (t *tx) putFiring(f engine.FiringRow) error {
	k := firingKey{f.Policy, f.Fingerprint}
	if t.firings[k].Version != f.Version && t.bug != "the version of a firing is not compared" {
		return conflict("the firing of %s is not at version %d", f.Policy, f.Version)
	}
	switch f.State.State {
	case policy.StateOK, policy.StatePending, policy.StateFiring, policy.StateRecovering, policy.StateUnknown, policy.StateFlapping, policy.StateSuppressed:
	default:
		return conflict("a firing cannot be %s", f.State.State)
	}
	f.Version++
	if t.firings[k] = f; f.Closed != "" {
		delete(t.firings, k)
	}
	return nil
}

func (t *tx) apply(version int64, m remedy.Move) error {
	if m.Open != nil {
		return fault.New(fault.Internal, "only a claim opens an attempt")
	}
	if m.Close != nil {
		if err := t.end(*m.Close); err != nil {
			return err
		}
	}
	if t.remediations[m.Next.ID].Version != version {
		return conflict("remediation %d is not at version %d", m.Next.ID, version)
	}
	m.Next.Version = version + 1
	t.remediations[m.Next.ID] = m.Next
	t.beside(m)
	return nil
}

func (t *tx) end(a remedy.Attempt) error {
	for i, was := range t.attempts {
		if was.ID() == a.ID() && was.Finished.IsZero() {
			a.Result.Error = strings.ToValidUTF8(a.Result.Error, "\ufffd")
			t.attempts[i].Finished, t.attempts[i].Result, t.attempts[i].Capture = a.Finished, a.Result, a.Capture
			if t.bug == "what was captured is forgotten" {
				t.attempts[i].Capture = nil
			}
			return nil
		}
	}
	return conflict("attempt %s is not open", a.ID())
}

func (t *tx) beside(m remedy.Move) {
	if m.Budget != nil {
		t.budget = *m.Budget
	}
	if m.Storm != nil {
		t.storm = *m.Storm
	}
	if m.Breaker != nil && m.Next.Subject != "" {
		t.breakers[m.Next.Subject] = *m.Breaker
	}
	t.chain(m.Audit...)
}

func (s *store) Claim(ctx context.Context, c remedy.Claim) (m remedy.Move, err error) {
	if s.bug == "the gates are asked before the transaction" {
		ask := c.Decide
		c.Decide = func(r remedy.Remediation, _ remedy.History) remedy.Move {
			return ask(r, s.start.history(c.Query, c.Now, ""))
		}
	}
	err = s.write(ctx, func(t *tx) error {
		r, ok := t.remediations[c.ID]
		if !ok {
			return fault.New(fault.NotFound, "there is no remediation %d", c.ID)
		}
		if r.Version != c.Version && t.bug != "whoever claims gets it" {
			return conflict("remediation %d is not at version %d", c.ID, c.Version)
		}
		m, err = t.claim(r, c, false)
		return err
	})
	if err != nil {
		return remedy.Move{}, err
	}
	return m, nil
}

func (t *tx) claim(r remedy.Remediation, c remedy.Claim, fresh bool) (m remedy.Move, err error) {
	if v := t.firings[firingKey{c.Policy, c.Fingerprint}].Version; c.FiringVersion != 0 && v != c.FiringVersion && t.bug != "the firing behind a claim is not compared" {
		return m, conflict("the firing behind remediation %d is not at version %d", r.ID, c.FiringVersion)
	}
	m = c.Decide(r, t.history(c.Query, c.Now, t.bug))
	if m.Next.ID != r.ID || m.Open == nil && m.Next.State == remedy.Running && r.State != remedy.Running {
		return m, fault.New(fault.Internal, "remediation %d opens no attempt", r.ID)
	}
	if a := m.Open; a != nil {
		for _, was := range t.attempts {
			if was.ID() == a.ID() && t.bug != "whoever claims gets it" || was.Finished.IsZero() && was.Subject == a.Subject && t.bug != "two act on one subject" && t.bug != "whoever claims gets it" {
				return m, conflict("attempt %s cannot be opened", a.ID())
			}
		}
		t.attempts = append(t.attempts, done{*a, c.Query.Policy, c.Query.Kind})
	}
	m.Next.Version = r.Version + 1
	t.remediations[r.ID] = m.Next
	if !fresh && m.Close != nil {
		if err := t.end(*m.Close); err != nil {
			return m, err
		}
	}
	t.beside(m)
	return m, nil
}

func (s *store) Apply(ctx context.Context, version int64, m remedy.Move) error {
	return s.write(ctx, func(t *tx) error { return t.apply(version, m) })
}

// history is what the gates look back on, by its definition.
func (s *rows) history(q remedy.Query, now clock.Stamp, bug string) (h remedy.History) {
	const year = 366 * 24 * 3600 * 1_000_000
	recent := func(at clock.Stamp, per int64) bool {
		switch {
		case per <= 0:
			return false
		case bug == "every start is recent":
			return true
		case at.BootID == now.BootID && bug != "the past is told by the wall clock":
			return at.Boot > now.Boot-per
		}
		return at.Wall > now.Wall-per/1000 || at.Wall < now.Wall-max(year, per/1000)
	}
	touched := map[string]int{}
	for i, a := range s.attempts {
		if a.Subject == q.Subject && q.Subject != "" {
			if a.Finished.IsZero() {
				h.Open = a.ID()
			} else {
				h.LastEnd, h.LastEndBy = a.Finished, a.Remediation
			}
			if recent(a.Started, q.SubjectPer) {
				h.BySubject = append(h.BySubject, a.Started)
			}
		}
		if a.policy == q.Policy && q.Policy != "" && recent(a.Started, q.PolicyPer) {
			h.ByPolicy = append(h.ByPolicy, a.Started)
		}
		if a.kind == q.Kind && q.Kind != "" && recent(a.Started, q.KindPer) {
			h.ByKind = append(h.ByKind, a.Started)
		}
		if recent(a.Started, q.Storm) {
			touched[a.Subject] = i
		}
	}
	for i, a := range s.attempts {
		if at, ok := touched[a.Subject]; ok && at == i {
			h.Subjects = append(h.Subjects, remedy.Touched{Subject: a.Subject, At: a.Started})
		}
	}
	h.Budget, h.Storm, h.Breaker = s.budget, s.storm, s.breakers[q.Subject]
	return h
}
