// Package explain answers why something was done and why something is not.
//
// A story is told from the audit records, the attempts and, for why-not, from
// the instances as they stand. It decides nothing and changes nothing: it reads
// the ledger and looks at instances under their shard's lock. It starts nothing;
// methods block on disk and may be called concurrently.
package explain

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/evaluate"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/shard"
)

// Teller tells. See the package comment.
type Teller struct {
	states  *evaluate.Evaluator
	reader  engine.Reader
	judge   remedy.Judge
	actions remedy.Actions // may be nil
	rules   *decide.Rules
	clock   clock.Clock
}

// New makes a teller; rc is what the gates that are asked ahead count by. actions
// may be nil, then no subject is known ahead.
func New(rc remedy.Config, ev *evaluate.Evaluator, r engine.Reader, j remedy.Judge, a remedy.Actions, c clock.Clock) (*Teller, error) {
	rules, err := decide.New(rc)
	if err != nil {
		return nil, err
	}
	return &Teller{ev, r, j, a, rules, c}, nil
}

// Why tells a remediation as a story: what was seen, what was decided, what the
// gates answered, what was done, how it ended. NotFound if there is none.
func (t *Teller) Why(ctx context.Context, id int64) (engine.Story, error) {
	r, err := t.reader.Remediation(ctx, id)
	if err != nil {
		return engine.Story{}, err
	}
	attempts, err := t.reader.Attempts(ctx, id)
	if err != nil {
		return engine.Story{}, err
	}
	objects := []string{fmt.Sprintf("remediation:%d", id)}
	for _, a := range attempts {
		objects = append(objects, "attempt:"+a.ID())
	}
	recs, err := t.reader.AuditAbout(ctx, objects, 500)
	if err != nil {
		return engine.Story{}, err
	}
	var lines []engine.StoryLine
	if r.Policy != "" {
		about, err := t.reader.AuditAbout(ctx, []string{shard.FiringObject(r.Policy, r.Fingerprint)}, 500)
		if err != nil {
			return engine.Story{}, err
		}
		recs = append(recs, episode(about, r)...)
	}
	slices.SortFunc(recs, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, rec := range recs {
		lines = append(lines, lineOf(rec))
	}
	return engine.Story{Headline: headline(r, attempts), Lines: lines}, nil
}

// episode keeps the records of the firing that led to r: from the last time it
// was ok before r was made until it is ok again.
func episode(recs []audit.Record, r remedy.Remediation) []audit.Record {
	from, to := 0, len(recs)
	for i, rec := range recs {
		over := rec.Verb == "firing.clear" || rec.Verb == "firing.close"
		if over && rec.At.Wall < r.Created.Wall {
			from = i + 1
		}
		if over && rec.At.Wall >= r.Created.Wall {
			to = i + 1
			break
		}
	}
	return recs[from:max(from, to)]
}

func headline(r remedy.Remediation, attempts []remedy.Attempt) string {
	what := r.Target
	if n := len(r.Plan.Ladder); n > 0 {
		what = r.Plan.Ladder[min(r.Rung, n-1)].Action + " on " + r.Target
	}
	by := "asked for by " + r.Actor
	if r.Policy != "" {
		by = "because policy " + r.Policy + " fired"
	}
	s := fmt.Sprintf("Remediation %d: %s, %s; %s", r.ID, what, by, strings.ReplaceAll(string(r.State), "_", " "))
	if r.Reason != "" {
		s += " (" + r.Reason + ")"
	}
	if n := len(attempts); n > 0 {
		s += fmt.Sprintf("; %d attempt", n)
		if n > 1 {
			s += "s"
		}
	}
	return s + "."
}

func lineOf(rec audit.Record) engine.StoryLine {
	l := engine.StoryLine{At: rec.At, Time: rec.At.Time().Format(time.RFC3339Nano), Text: rec.Verb + ": " + rec.Reason}
	if json.Valid(rec.Evidence) {
		l.Evidence = rec.Evidence
		if said := spoken(rec); said != "" {
			l.Text += " [" + said + "]"
		}
	}
	return l
}

// spoken puts the expression of a record's evidence into words.
func spoken(rec audit.Record) string {
	var ev struct {
		Fire *policy.Node `json:"fire"`
	}
	if json.Unmarshal(rec.Evidence, &ev) != nil || ev.Fire == nil {
		return ""
	}
	return sentence(ev.Fire)
}

// sentence is an expression with the value of each part that has one to tell.
func sentence(n *policy.Node) string {
	var parts []string
	var walk func(*policy.Node)
	walk = func(n *policy.Node) {
		if n.Text != n.Value && len(parts) < 8 {
			parts = append(parts, n.Text+" = "+n.Value)
		}
		for _, a := range n.Args {
			walk(a)
		}
	}
	walk(n)
	return strings.Join(parts, "; ")
}
