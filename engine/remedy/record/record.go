// Package record decides once more what an audit record tells of a remediation: what
// each gate answered, whether an attempt was opened, the rung, the wait, the budget,
// the breaker and the storm brake, from its evidence alone and the configuration that
// the evidence names.
//
// It refuses to look anywhere else, and to repair: what does not come out as it was
// written is an error that names the gate or the part, what stands there and what comes
// out. All of it is pure and bounded by the size of the record.
package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
)

// Of reads the evidence of a record about a decision. False: it tells of none, or
// was made before what a decision was given was kept.
func Of(rec audit.Record) (e given.Evidence, ok bool, err error) {
	if !given.Tells(rec.Verb) || len(rec.Evidence) == 0 {
		return e, false, nil
	}
	if err := json.Unmarshal(rec.Evidence, &e); err != nil {
		return e, false, fault.Wrap(fault.Corrupt, err, "its evidence")
	}
	return e, e.Given != nil, nil
}

// Again makes the decision of rec once more, whose evidence is e, by the rules of the
// configuration that e.Given.Config names. It returns all that its move tells and
// which of those rec is. Corrupt: it does not come out as it was written. Unsupported:
// it does not, and a newer vigild than this one wrote it.
func Again(rec audit.Record, e given.Evidence, rules *decide.Rules) (told []audit.Record, at int, err error) {
	for _, g := range e.Gates {
		if !slices.ContainsFunc(new(decide.Rules).Gates(), func(n decide.Named) bool { return n.Name == g.Gate }) {
			err = fault.New(fault.Corrupt, "unknown gate %q", g.Gate)
		}
	}
	if err == nil {
		told, at, err = onceMore(rec, e, rules)
	}
	if err != nil && e.Given.Edition > given.Edition {
		err = fault.New(fault.Unsupported, "%v: made by a newer vigild, of edition %d of the gates; this one knows %d", err, e.Given.Edition, given.Edition).
			Mend("verify it with that one")
	}
	return told, at, err
}

func onceMore(rec audit.Record, e given.Evidence, rules *decide.Rules) (told []audit.Record, at int, err error) {
	m, err := again(rec, &e, rules)
	if err != nil {
		return nil, 0, err
	}
	for at = range m.Audit {
		x := m.Audit[at]
		var out given.Evidence
		if !given.Tells(x.Verb) || json.Unmarshal(x.Evidence, &out) != nil || out.Given == nil {
			continue
		}
		if err := compare(&e, &out); err != nil {
			return nil, 0, err
		}
		return m.Audit, at, Same(rec, x, Worded(&e))
	}
	return nil, 0, fault.New(fault.Corrupt, "it tells of a decision that does not come out: it goes to %s, and nothing is told", m.Next.State)
}

// Worded says whether a record is held to its words too: those of another edition may
// have been other words for the same.
func Worded(e *given.Evidence) bool { return e.Given.Edition == given.Edition }

// Same compares what a record says with what comes out, evidence aside.
func Same(rec, out audit.Record, words bool) error {
	for _, x := range []struct{ what, is, want string }{
		{"verb", rec.Verb, out.Verb}, {"object", rec.Object, out.Object}, {"actor", rec.Actor, out.Actor}, {"reason", rec.Reason, out.Reason},
	} {
		if whole(x.is) != whole(x.want) && (words || x.what != "reason") {
			return fault.New(fault.Corrupt, "its %s is written as %q and comes out as %q", x.what, x.is, x.want)
		}
	}
	return nil
}

// whole is a text without what evidence and record tell differently: bytes of no
// character are one mark for each in JSON, and one for all of them in the chain.
func whole(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for strings.Contains(s, "\uFFFD\uFFFD") {
		s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
	}
	return s
}

// compare names the first gate or part that differs.
func compare(e, out *given.Evidence) error {
	for i := range max(len(e.Gates), len(out.Gates)) {
		is, want := gate(e, i), gate(out, i)
		if !Worded(e) {
			is.Reason, want.Reason = "", ""
		}
		if is != want {
			return fault.New(fault.Corrupt, "gate %s is written as %s and comes out as %s", name(is, want), spoken(is), spoken(want))
		}
	}
	is, want := parts(e.Then), parts(out.Then)
	for i := range is {
		if is[i] != want[i] {
			return fault.New(fault.Corrupt, "%s is written as %s and comes out as %s", is[i].what, is[i].value, want[i].value)
		}
	}
	return nil
}

func gate(e *given.Evidence, i int) given.Answered {
	if i < len(e.Gates) {
		return e.Gates[i]
	}
	return given.Answered{}
}

func name(is, want given.Answered) string {
	switch {
	case want.Gate == "":
		return is.Gate
	case is.Gate == "" || is.Gate == want.Gate:
		return want.Gate
	}
	return is.Gate + ", in the place of " + want.Gate + ","
}

func spoken(a given.Answered) string {
	switch {
	case a.Gate == "":
		return "not asked"
	case a.Reason == "":
		return a.Answer
	}
	return fmt.Sprintf("%s (%s)", a.Answer, a.Reason)
}

type part struct{ what, value string }

// parts are what came of a decision, in a fixed order.
func parts(t *given.Then) []part {
	if t == nil {
		t = &given.Then{}
	}
	say := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	when := func(w given.When) string {
		if w.Never() {
			return "never"
		}
		return say(w)
	}
	return []part{
		{"the state it goes to", string(t.State)}, {"the time until", when(t.Until)}, {"the time to approve", when(t.ApproveBy)},
		{"the rung", strconv.Itoa(t.Rung)}, {"the try", strconv.Itoa(t.Try)}, {"what is left of the budget", say(t.Points)},
		{"the storm brake", when(t.Storm)}, {"the breaker", say(t.Breaker)},
	}
}

// again runs the function that decided.
func again(rec audit.Record, e *given.Evidence, c *decide.Rules) (remedy.Move, error) {
	now, g := rec.At, e.Given
	c = c.Of(g.Edition)
	r, err := row(e, now)
	if err != nil {
		return remedy.Move{}, err
	}
	h, err := history(g.Past, r.ID, now)
	if err != nil {
		return remedy.Move{}, err
	}
	f := facts(e, now)
	end := given.End{}
	if g.End != nil {
		end = *g.End
	}
	a := remedy.Attempt{Remediation: r.ID, N: r.Attempt, Class: end.Class, Started: now}
	id := end.Attempt
	if opened, is := strings.CutPrefix(rec.Object, "attempt:"); is && id == "" {
		id = opened
	}
	if id != "" {
		if n, err := fmt.Sscanf(id, "%d-%d-%d", &a.Epoch, &a.Remediation, &a.N); n != 3 || err != nil {
			return remedy.Move{}, fault.New(fault.Corrupt, "%q is no attempt", id)
		}
	}
	r.AttemptEnd = clock.Stamp{}
	if end.Quiet > 0 {
		r.AttemptEnd = given.Ago(now, end.Quiet)
	}
	j := decide.Jitter(end.Jitter)
	switch g.What {
	case given.OnClaim:
		return c.Decide(r, h, decide.Case{Facts: f, Epoch: a.Epoch, Now: now}), nil
	case given.OnOutside:
		return c.Taking(r, f, remedy.Move{Next: r}, now)
	case given.OnOffer:
		m, _ := decide.Barred(r, f.Trusted, rec.Object, now)
		return m, nil
	case given.OnUnclaimed:
		return c.Untaken(r, f, now)
	case given.OnEnd:
		return c.Ended(r, a, remedy.Result{OK: end.OK, Error: end.Error, Unseen: end.Unseen, Stale: end.Stale}, now, j)
	case given.OnNoStart:
		if end.Attempt == "" {
			return c.NotStarted(r, nil, end.Error, now, j)
		}
		return c.NotStarted(r, &a, end.Error, now, j)
	case given.OnProof:
		return c.Verified(r, h, remedy.Verification{OK: end.OK, Fell: end.Fell, Reason: end.Error}, now, j)
	case given.OnRecovery:
		return c.Recovered(r, a, end.Sight, now)
	case given.OnOrphan:
		return c.Orphaned(r, now)
	case given.OnReject:
		return c.Reject(r, end.Error, now)
	}
	return remedy.Move{}, fault.New(fault.Corrupt, "its evidence is of a decision called %q, which is not known here", g.What)
}
