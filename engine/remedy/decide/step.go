package decide

import (
	"encoding/json"
	"strconv"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/remedy"
)

// step builds the move of one remediation: each event is checked against the
// table, and what is told on the way is written with it.
type step struct {
	remedy.Move
	now clock.Stamp
	err error // the first pair that the table does not list
}

func begin(r remedy.Remediation, now clock.Stamp) *step {
	return &step{Move: remedy.Move{Next: r}, now: now}
}

// event moves the state and keeps the stamps that go with it.
func (s *step) event(e remedy.Event) {
	to, err := remedy.Next(s.Next.State, e)
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return
	}
	r := &s.Next
	r.State = to
	switch {
	case to == remedy.Held:
	case to == remedy.Queued && e == remedy.Retried:
		r.Gate, r.Since = "", clock.Stamp{}
	default:
		r.Gate, r.Since, r.Until = "", clock.Stamp{}, clock.Stamp{}
	}
	if to.Final() {
		r.Finished = s.now
	} else {
		r.Finished = clock.Stamp{}
	}
}

// tell adds an audit record about the remediation.
func (s *step) tell(actor, verb, reason string, evidence json.RawMessage) {
	s.tellOf("remediation:"+strconv.FormatInt(s.Next.ID, 10), actor, verb, reason, evidence)
}

func (s *step) tellOf(object, actor, verb, reason string, evidence json.RawMessage) {
	s.Audit = append(s.Audit, audit.Record{At: s.now, Actor: actor, Verb: verb, Object: object, Reason: reason, Evidence: evidence})
}

func (s *step) done() (remedy.Move, error) { return s.Move, s.err }

// evidence is JSON of what cannot fail to become JSON; nil when it did.
func evidence(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
