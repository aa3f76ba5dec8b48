package ground

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// Flow is the steps for one thing, one after another, each a remediation.
type Flow struct {
	T        *Thing
	Steps    []reconcile.Step
	i        int    // the step under way
	Revision int64  // whose steps they are; 0: drift is healed
	Back     bool   // they take back what was done
	Held     string // what a gate says about the step under way, a second old at most
	notice   bool   // they follow a change, and are not about the thing's own state
	Diffs    []reconcile.Difference
	undo     int64  // number of the way back of the step under way, 0 none
	giveBack func() // the bytes of the step under way, nil none are lent
	// Done is called once in Run's goroutine, with the round in which its end is
	// written: nil when every step succeeded.
	Done func(ctx context.Context, r *Round, err error)
}

// MaxRound bounds the things of one round: so long a look may keep others waiting.
const MaxRound = 256

// Round is one decision in the making, and what becomes true in memory once it
// is on disk.
type Round struct {
	D     engine.Decision
	flows []*Flow // in the order of d.Remediations
	After []func()
	// Suspect names who may have changed a thing that was healed before; nil nobody.
	Suspect func(t *Thing) string
	failed  []*Flow // could not be queued
	errs    []error
}

// Begin is a round in which nothing stands yet.
func (g *Ground) Begin() *Round {
	r := &Round{}
	r.D.At, r.D.Desired = g.Clock(), &engine.DesiredDecision{}
	return r
}

// Tell adds an audit record.
func (r *Round) Tell(actor, verb, object, reason string, evidence any) {
	a := audit.Record{Actor: actor, Verb: verb, Object: object, Reason: reason}
	if evidence != nil {
		a.Evidence = audit.Evidence(evidence)
	}
	r.D.Audit = append(r.D.Audit, a)
}

// Size is how many rows the round writes so far.
func (r *Round) Size() int { return r.D.Desired.Rows() + len(r.D.Remediations) + len(r.D.Audit) }

// Write commits a round; what it queued is under way then. While the ledger cannot
// be written it tries again, for the keeper has nothing to do that is not written
// down; an error means that ctx ended, and nothing of the round has happened.
func (g *Ground) Write(ctx context.Context, r *Round) error {
	for len(r.failed) > 0 { // an end may bring the next failure
		fs, errs := r.failed, r.errs
		r.failed, r.errs = nil, nil
		for i, f := range fs {
			g.under(f.T, nil)
			g.over(f, true)
			f.Done(ctx, r, errs[i])
		}
	}
	var rc engine.Receipt
	for pause := 10 * time.Millisecond; r.Size() > 0; pause = min(2*pause, 2*time.Second) {
		var err error
		if rc, err = g.Commit(ctx, &r.D); err == nil {
			break
		}
		g.Log.Error("the desired state cannot be written down, tried again", "err", err)
		if !Sleep(ctx, pause) {
			return err
		}
	}
	g.Mu.Lock()
	for i, id := range rc.Remediations {
		g.Flows[id] = r.flows[i]
	}
	for _, f := range r.After {
		f()
	}
	g.Mu.Unlock()
	if rc.Waits(len(r.flows)) {
		g.Nudge()
	}
	return nil
}

// Sleep waits; false: ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// under says what is under way for a thing.
func (g *Ground) under(t *Thing, f *Flow) {
	g.Mu.Lock()
	defer g.Mu.Unlock()
	t.Flow = f
}

// Queue adds the flow's next step to the round: its way back first, where it is a
// revision's.
func (g *Ground) Queue(ctx context.Context, r *Round, f *Flow) {
	g.under(f.T, f)
	if err := g.add(ctx, r, f); err != nil {
		r.failed, r.errs = append(r.failed, f), append(r.errs, err)
	}
}

func (g *Ground) add(ctx context.Context, r *Round, f *Flow) error {
	s := f.Steps[f.i]
	if err := g.bring(f, s.Content); err != nil {
		return fmt.Errorf("%s: %w", s.Summary, err)
	}
	action, known := g.Actions.Action(s.Action)
	if !known {
		return fault.New(fault.Unprocessable, "%s: there is no action %q here", s.Summary, s.Action)
	}
	req := remedy.Request{Action: s.Action, With: s.With, Target: f.T.Ref, Back: f.Back}
	if !f.notice { // what follows a change is asked for by a person's document, and no step of ours
		req.Source = remedy.FromReconcile
	}
	spec, err := action.Resolve(req)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Summary, err)
	}
	if f.Revision != 0 && !f.Back {
		u, err := g.wayBack(ctx, action, req, s, f)
		if err != nil {
			return err
		}
		r.D.Desired.Undo = append(r.D.Desired.Undo, u)
		f.undo = u.N
	}
	r.D.Remediations = append(r.D.Remediations, g.remediation(f, s, spec))
	r.flows = append(r.flows, f)
	return nil
}

// bring puts the bytes of a step where its action finds them: they are lent, since
// after a crash the commit is read and compared anew; what is too much to lend is
// put on the disk.
func (g *Ground) bring(f *Flow, b []byte) error {
	if b == nil {
		return nil
	}
	if g.Lend != nil {
		if _, back, ok := g.Lend(b); ok {
			f.giveBack = back
			return nil
		}
	}
	_, err := g.Keep(b)
	return err
}

// over gives back what was lent for the step under way. Of one that failed and may
// be tried again by the ledger's own rules the bytes are kept.
func (g *Ground) over(f *Flow, ok bool) {
	if f.giveBack == nil {
		return
	}
	if !ok {
		if _, err := g.Keep(f.Steps[f.i].Content); err != nil {
			g.Log.Warn("the bytes of a step that failed are not kept", "resource", f.T.Ref, "err", err)
		}
	}
	f.giveBack()
	f.giveBack = nil
}

// wayBack is the journal's row for a step. A step that cannot be taken back is
// journalled too: what failed to come back is told by name.
func (g *Ground) wayBack(ctx context.Context, action remedy.Action, req remedy.Request, s reconcile.Step, f *Flow) (engine.Undo, error) {
	g.LastUndo++
	u := engine.Undo{N: g.LastUndo, Revision: f.Revision, Ref: f.T.Ref, Summary: s.Summary, Final: s.Final}
	if f.T.Kept {
		row := f.T.Row
		u.Before = &row
	}
	undoer, can := action.(remedy.Undoer)
	if !can {
		if u.Final == "" {
			u.Final = "the action " + s.Action + " cannot be taken back"
		}
		return u, nil
	}
	back, err := undoer.Undo(ctx, req)
	var fe *fault.Error
	switch {
	case err == nil:
		u.Action, u.With = back.Action, back.With
	case errors.As(err, &fe) && fe.Kind == fault.Unsupported:
		u.Final = err.Error()
	default:
		return u, fmt.Errorf("%s: its way back could not be kept, so it is not done: %w", s.Summary, err)
	}
	return u, nil
}

// Labels of a remediation of the keeper.
const (
	LabelResource = "resource"
	labelKind     = "kind"
	labelCommit   = "commit"
	LabelHash     = "hash" // of the document whose step it is, see Keyed
	LabelLast     = "last" // "yes" on the last step: afterwards the thing is right
	LabelBack     = remedy.LabelBack
	LabelNotice   = "notice" // "yes" on what follows a change
	LabelUndo     = "undo"   // number of its way back in the journal
)

// Keyed tells whether a step is of the document that stands, in this run: the next one
// withdraws what this one queued. It is keyed, for labels are told, and whoever has
// the hash of a document can try out what is secret in it.
func (g *Ground) Keyed(it *reconcile.Item) string {
	h := hmac.New(sha256.New, g.key)
	h.Write([]byte(it.Hash))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// remediation is a step as it is queued. A revision is asked for by a person: its
// own guards stand in place of the gates that count acts. A heal of drift keeps
// the pace of its document.
func (g *Ground) remediation(f *Flow, s reconcile.Step, spec remedy.Spec) remedy.Remediation {
	var zero document.Duration
	within := document.Duration(verifyWithin)
	last := "no"
	if f.i == len(f.Steps)-1 {
		last = "yes"
	}
	row := g.Rows[g.Standing]
	if f.Revision != 0 {
		row = g.Rows[f.Revision]
	}
	labels := map[string]string{LabelResource: f.T.Ref, labelKind: f.T.Res.Key().Kind, LabelLast: last, "step": strconv.Itoa(f.i+1) + "/" + strconv.Itoa(len(f.Steps))}
	actor, details := "vigild", "heal: "+s.Summary
	if row != nil {
		labels[labelCommit] = row.Commit
	}
	if f.T.Item != nil {
		labels[LabelHash] = g.Keyed(f.T.Item)
	}
	if f.Revision != 0 {
		details = "revision " + Short(row.Commit) + ": " + s.Summary
		if row.Pusher != "" {
			actor = row.Pusher
		}
	}
	if f.undo != 0 {
		labels[LabelUndo] = strconv.FormatInt(f.undo, 10)
	}
	if f.notice {
		labels[LabelNotice] = "yes"
	}
	if f.Back {
		labels[LabelBack] = "yes"
		details = "take back: " + s.Summary
	}
	return remedy.Remediation{
		Source: remedy.FromReconcile, Labels: labels, Target: f.T.Ref, Severity: "warning", Priority: "high", Actor: actor,
		State: remedy.Queued, Created: g.Clock(), Details: details, Reason: Why(f.Diffs),
		Plan: remedy.Plan{
			Ladder: []remedy.Rung{{Action: s.Action, With: s.With, Tries: 1, Settle: &zero}}, Mode: "act",
			Verify: &remedy.Verify{Within: &within}, Cooldown: &zero, Asked: f.Revision != 0,
			Limit: &remedy.Limit{Max: healsAnHour, Per: document.Duration(time.Hour)},
		},
	}
}

const (
	verifyWithin = 10 * time.Second
	healsAnHour  = 120 // of one thing, steps included; its pace stops it long before
)

// Why is the first difference in words, and how many more there are.
func Why(ds []reconcile.Difference) string {
	if len(ds) == 0 {
		return ""
	}
	d := ds[0]
	s := fmt.Sprintf("%s: %s is %s, wanted %s", d.Class, d.Field, Shown(d.Found), Shown(d.Wanted))
	if len(ds) > 1 {
		s += fmt.Sprintf(" (and %d more)", len(ds)-1)
	}
	return s
}

// Shown is a value for a line of text.
func Shown(v string) string {
	if v == "" {
		return "nothing"
	}
	if len(v) > 40 {
		v = strings.ToValidUTF8(v[:16], "") + "..."
	}
	return strconv.Quote(v)
}

// Short is a commit for a line of text.
func Short(commit string) string { return commit[:min(10, len(commit))] }

// advance goes on with the flows whose remediation ended, in one round.
func (g *Ground) advance(ctx context.Context, ended map[int64]remedy.Remediation) {
	if len(ended) == 0 {
		return
	}
	r := g.Begin()
	g.Mu.Lock()
	var mine []*Flow
	var how []remedy.Remediation
	for id, rem := range ended {
		if f := g.Flows[id]; f != nil && Over(rem.State) {
			delete(g.Flows, id)
			mine, how = append(mine, f), append(how, rem)
		}
	}
	g.Mu.Unlock()
	for i, f := range mine {
		g.over(f, how[i].State == remedy.Succeeded)
		switch {
		case how[i].State != remedy.Succeeded:
			g.under(f.T, nil)
			if how[i].Attempt == 0 && f.undo != 0 { // it was not begun: there is nothing to take back
				r.D.Desired.Undone = append(r.D.Desired.Undone, f.undo)
			}
			f.Done(ctx, r, failure(f.Steps[f.i], how[i]))
		case f.i+1 < len(f.Steps):
			f.i++
			g.Queue(ctx, r, f)
		default:
			g.under(f.T, nil)
			f.Done(ctx, r, nil)
		}
	}
	_ = g.Write(ctx, r) // an error is the end of ctx: the next start finds it all
}

// ErrLeft is in the error of a step that was not begun, since nobody wants it any
// more: its thing is suspended now, or its document has changed.
var ErrLeft = errors.New("left")

// ErrStale is in the error of a step that did nothing, since its thing had changed
// again after it was looked at.
var ErrStale = errors.New("stale")

// failure says how a step failed.
func failure(s reconcile.Step, r remedy.Remediation) error {
	why := r.Error
	if why == "" {
		why = r.Reason
	}
	if why == "" {
		why = string(r.State)
	}
	switch {
	case r.Gate == remedy.GateRecheck && r.State == remedy.Cancelled:
		return fault.Wrap(fault.Conflict, ErrLeft, "%s: %s", s.Summary, why)
	case r.Gate == remedy.GateRecheck && r.State == remedy.Failed:
		return fault.Wrap(fault.Conflict, ErrStale, "%s: %s", s.Summary, why)
	}
	return fault.New(fault.Conflict, "%s: %s", s.Summary, why)
}
