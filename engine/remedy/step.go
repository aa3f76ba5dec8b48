package remedy

import (
	"encoding/json"
	"strconv"

	"vigil/engine/audit"
	"vigil/engine/clock"
)

// Step builds the move of one remediation: each event is checked against the
// table, and what is told on the way is written with it.
type Step struct {
	Move
	Now clock.Stamp
	err error // the first pair that the table does not list
}

// Begin starts a step from the row as it is.
func Begin(r Remediation, now clock.Stamp) *Step {
	return &Step{Move: Move{Next: r}, Now: now}
}

// Event moves the state and keeps the stamps that go with it.
func (s *Step) Event(e Event) {
	to, err := Next(s.Next.State, e)
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	r := &s.Next
	r.State = to
	switch {
	case to == Held:
	case to == Queued && e == Retried:
		r.Gate, r.Since = "", clock.Stamp{}
	default:
		r.Gate, r.Since, r.Until = "", clock.Stamp{}, clock.Stamp{}
	}
	if to != Running && to != Verifying {
		r.Lease, r.LeaseUntil = "", clock.Stamp{} // nobody has it any more
	}
	if to.Final() {
		r.Finished = s.Now
	} else {
		r.Finished = clock.Stamp{}
	}
}

// Tell adds an audit record about the remediation.
func (s *Step) Tell(actor, verb, reason string, evidence json.RawMessage) {
	s.TellOf("remediation:"+strconv.FormatInt(s.Next.ID, 10), actor, verb, reason, evidence)
}

// TellOf adds an audit record about another object.
func (s *Step) TellOf(object, actor, verb, reason string, evidence json.RawMessage) {
	s.Audit = append(s.Audit, audit.Record{At: s.Now, Actor: actor, Verb: verb, Object: object, Reason: reason, Evidence: evidence})
}

// Done is the move, or a Conflict that names the first pair not in the table.
func (s *Step) Done() (Move, error) { return s.Move, s.err }

// Withdraw is the event Cleared, told.
func (s *Step) Withdraw(reason string, ev json.RawMessage) {
	s.Event(Cleared)
	s.Next.Gate, s.Next.Reason = GateRecheck, reason
	s.Tell("vigild", "remediation.cleared", reason, ev)
}
