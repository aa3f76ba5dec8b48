package offline

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/policy"
	firings "vigil/engine/policy/record"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/given"
	remediations "vigil/engine/remedy/record"
)

// Decided counts the decisions of an audit export that were made again.
type Decided struct {
	Firings      int // of the condition, and the step that the firing took
	Remediations int // of the gates, and what followed from an end
	Bare         int // about a remediation, with nothing to decide by: of before that was kept, or no decision of the gates
	Unknown      int // by a configuration that stands before the export
}

// Again is how many came out as they were written.
func (d Decided) Again() int { return d.Firings + d.Remediations }

// Decisions makes every decision in an audit export again, from the evidence in its
// record alone: what a condition came to, and the step that its firing took for it;
// what the gates answered, and what followed from how an act ended. It reads the
// export twice, for a configuration may be told again behind what it decided.
// Corrupt names the first record that does not come out as it was written, Unsupported
// one that a newer vigild made.
func Decisions(in io.ReadSeeker) (Decided, error) {
	d := again{rules: map[string]*decide.Rules{"": {}}, bare: map[int64]bool{}, next: map[int64]beside{}}
	if err := walk(in, d.learn); err != nil {
		return d.Decided, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return d.Decided, fault.Wrap(fault.Unavailable, err, "reading an audit export")
	}
	err := walk(in, d.look)
	d.Bare += len(d.bare)
	return d.Decided, err
}

// walk calls each for every record.
func walk(in io.Reader, each func(audit.Record) error) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 64<<10), audit.MaxLine)
	for sc.Scan() {
		r, err := audit.ParseLine(sc.Bytes())
		if err != nil {
			return err
		}
		if err := each(r); err != nil {
			kind := fault.Corrupt
			if fault.KindOf(err) == fault.Unsupported { // nothing is said to be false that is not known here
				kind = fault.Unsupported
			}
			return fault.New(kind, "audit record %d (%s): %v", r.Seq, r.Object, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "reading an audit export")
	}
	return nil
}

// again is one walk through an export.
type again struct {
	Decided
	rules map[string]*decide.Rules
	last  []audit.Record   // the newest few: what one move tells lies together
	bare  map[int64]bool   // among them, and not told by a move that was made again
	next  map[int64]beside // what must come, of a move that was made again
}

// beside is a record that the move of another tells too.
type beside struct {
	audit.Record
	words bool
}

// learn keeps a configuration that decisions name.
func (d *again) learn(r audit.Record) error {
	if r.Verb != decide.ConfigVerb || len(r.Evidence) == 0 {
		return nil
	}
	rules, err := decide.Stored(r.Evidence)
	if err == nil {
		d.rules[rules.Digest()] = rules
	}
	return err
}

func (d *again) look(r audit.Record) error {
	if want, ok := d.next[r.Seq]; ok {
		delete(d.next, r.Seq)
		if err := remediations.Same(r, want.Record, want.words); err != nil {
			return err
		}
	} else if err := d.decide(r); err != nil {
		return err
	}
	d.last = append(d.last, r)
	if n := len(d.last) - given.MostTold; n > 0 {
		if old := d.last[n-1].Seq; d.bare[old] {
			delete(d.bare, old)
			d.Bare++
		}
		d.last = append(d.last[:0], d.last[n:]...)
	}
	return nil
}

func (d *again) decide(r audit.Record) error {
	if strings.HasPrefix(r.Verb, "firing.") {
		return d.firing(r)
	}
	if !given.Tells(r.Verb) {
		return nil
	}
	e, ok, err := remediations.Of(r)
	if err != nil {
		return err
	}
	if !ok {
		// What ends with its firing is no gate's word: the firing's record decides it.
		if r.Verb != "remediation.cleared" || len(r.Evidence) > 0 {
			d.bare[r.Seq] = true
		}
		return nil
	}
	rules := d.rules[e.Given.Config]
	if rules == nil {
		d.Unknown++
		return nil
	}
	told, at, err := remediations.Again(r, e, rules)
	if err != nil {
		return err
	}
	if f := e.Given.Facts; f != nil && len(e.Condition) > 0 && slices.ContainsFunc(e.Gates, func(a given.Answered) bool { return a.Gate == remedy.GateRecheck }) {
		if err := firings.HeldAgain(e.Condition, policy.Truth(f.Holds)); err != nil {
			return err
		}
	}
	d.Remediations++
	for _, is := range d.last {
		i := at - int(r.Seq-is.Seq)
		if i < 0 {
			continue
		}
		if err := remediations.Same(is, told[i], remediations.Worded(&e)); err != nil {
			return fault.New(fault.Corrupt, "record %d before it (%s): %v", is.Seq, is.Object, err)
		}
		delete(d.bare, is.Seq)
	}
	for i, want := range told[at+1:] {
		d.next[r.Seq+1+int64(i)] = beside{want, remediations.Worded(&e)}
	}
	return nil
}

// firing makes the decision about a firing again.
func (d *again) firing(r audit.Record) error {
	if len(r.Evidence) == 0 {
		return nil
	}
	var e firings.Evidence
	if err := json.Unmarshal(r.Evidence, &e); err != nil {
		return fault.New(fault.Corrupt, "its evidence: %v", err)
	}
	if e.Fire == nil {
		return nil // closed, not decided
	}
	d.Firings++
	return e.Again()
}
