// Package direct is what people do to remediations: ask for an action, approve,
// cancel, retry, report a status.
//
// Each verb reads the row, applies a pure step of remedy and commits it with its
// audit record; when the worker moved the row in between it looks again. It
// refuses to act itself: what it queues goes through the worker and its gates.
// It starts nothing; methods block on disk and may be called concurrently.
package direct

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/act"
	"vigil/engine/remedy/decide"
)

// Desk does it. See the package comment.
type Desk struct {
	journal engine.Journal
	reader  engine.Reader
	judge   remedy.Judge
	actions remedy.Actions
	clock   clock.Clock
	nudge   func()
	rules   *decide.Rules
}

// New makes a desk; actions may be nil, then every name is unknown.
func New(cfg remedy.Config, j engine.Journal, r engine.Reader, facts remedy.Judge, a remedy.Actions, c clock.Clock, nudge func()) (*Desk, error) {
	rules, err := decide.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Desk{j, r, facts, a, c, nudge, rules}, nil
}

// CreateAction makes a direct action. A kind or a catalogue name we know is
// queued (or, without Queue, waits for approval); a name we do not know is left
// for an outside remediator, unless it is near one of ours and the request is Strict.
// Gates 1 and 4 do not apply to it.
func (d *Desk) CreateAction(ctx context.Context, actor string, q engine.ActionRequest) (remedy.Remediation, error) {
	var none remedy.Remediation
	var is fault.Issues
	q.Target, q.Action = strings.TrimSpace(q.Target), strings.TrimSpace(q.Action)
	for _, f := range []struct{ place, v string }{{"/target", q.Target}, {"/action", q.Action}} {
		if f.v == "" {
			is.Add(f.place, "must not be empty")
		} else if len(f.v) > 255 || strings.ContainsFunc(f.v, unicode.IsControl) {
			is.Add(f.place, "must be at most 255 bytes without control characters")
		}
	}
	if q.Priority == "" {
		q.Priority = "medium"
	}
	engine.OneOf(&is, "/priority", q.Priority, "low", "medium", "high")
	if err := is.Err(); err != nil {
		return none, err
	}
	now := d.clock()
	name, with, source := d.find(q)
	r := remedy.Remediation{
		Source: source, Labels: map[string]string{"target": q.Target}, Target: q.Target, Severity: "warning",
		Priority: q.Priority, Actor: actor, State: remedy.Queued, Created: now, Details: q.Details, Reason: q.Reason,
		Plan:     remedy.Plan{Ladder: []remedy.Rung{{Action: name, With: with}}, Mode: "act"},
		Approval: source == remedy.FromAPI && !q.Queue,
	}
	if name != q.Action {
		r.Plan.Named = q.Action
	}
	r.Plan.Asked = ends(name, with)
	if source == remedy.FromExternal {
		r.Plan.External = true
		r.Reason = "no action here is called " + name
		if why := act.Former(d.actions, name); why != "" {
			r.Reason += " (" + why + ")"
		}
		if near := d.near(name); near != "" {
			if q.Strict {
				return none, fault.Issues{{Place: "/action", Msg: fmt.Sprintf("no action here is called %q", name), Hint: fmt.Sprintf("did you mean %q? An outside remediator's is asked for with strict false (vigild action run --outside)", near)}}
			}
			r.Reason += fmt.Sprintf(" (did you mean %q?)", near)
		}
		r.Reason += ": it waits for an outside remediator"
	} else {
		// What could never run is told now, not when its turn comes.
		for _, x := range r.Plan.Check(d.actions) {
			// The caller wrote no ladder: the one rung's parameters are `with`.
			x.Place = "/" + strings.TrimPrefix(strings.TrimPrefix(engine.Pointer(x.Place), "/"), "ladder/0/")
			is = append(is, x)
		}
		if err := is.Err(); err != nil {
			return none, err
		}
	}
	dec := &engine.Decision{At: now, Remediations: []remedy.Remediation{r}, Audit: []audit.Record{{
		At: now, Actor: actor, Verb: "action.create", Object: "target:" + q.Target, Reason: name + " was asked for",
	}}}
	rc, err := d.journal.Commit(ctx, dec)
	if err != nil {
		return none, err
	}
	if len(rc.Remediations) != 1 {
		return none, fault.New(fault.Internal, "the ledger gave out %d ids for one action", len(rc.Remediations))
	}
	r.ID, r.Version = rc.Remediations[0], 1
	if rc.Waits(1) {
		d.nudge()
	}
	return r, nil
}

// find finds what a name asks for: what we have under that very name,
// else one of the original's spellings, else nothing of ours.
func (d *Desk) find(q engine.ActionRequest) (name string, with map[string]any, source remedy.Source) {
	if d.actions != nil {
		if _, ok := d.actions.Action(q.Action); ok {
			return q.Action, aimed(q.Action, q.With, q.Target), remedy.FromAPI
		}
		canon := strings.ReplaceAll(strings.ToLower(q.Action), "_", "-")
		if _, ok := d.actions.Action(canon); ok {
			return canon, aimed(canon, q.With, q.Target), remedy.FromAPI
		}
	}
	if name, with, known := engine.OriginalAction(q.Action, q.Target); known {
		return name, with, remedy.FromAPI
	}
	return q.Action, q.With, remedy.FromExternal
}

// ends says that an act ends acts and repeats none: a person may stop what a policy
// starts again and again, though every start of it is one more act on the subject.
func ends(kind string, with map[string]any) bool {
	return (kind == "service" || kind == "process") && with["verb"] == "stop"
}

// near is the name of ours that was most likely meant, "" if none was.
func (d *Desk) near(name string) string {
	if d.actions == nil {
		return ""
	}
	return engine.NearAction(name, d.actions.Names())
}

// aimed fills in what a person has said already: the unit or the process that an
// act is about is its target, unless the parameters name another.
func aimed(kind string, with map[string]any, target string) map[string]any {
	key := ""
	switch kind {
	case "service":
		key = "unit"
	case "process":
		key = "process"
	default:
		return with
	}
	out := map[string]any{key: target}
	maps.Copy(out, with)
	return out
}

// CancelAction cancels what waits or runs; it returns the remediation before.
func (d *Desk) CancelAction(ctx context.Context, actor string, id int64, reason string) (remedy.Remediation, error) {
	before, _, err := d.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Cancel(r, actor, reason, now)
	})
	return before, err
}

// RetryAction queues a remediation that ended without success again.
func (d *Desk) RetryAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := d.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Retry(r, actor, now)
	})
	return after, err
}

// ApproveAction says yes to one that asks.
func (d *Desk) ApproveAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := d.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Approve(r, actor, now)
	})
	return after, err
}

// ResolveAction is a person's word on an act whose end nobody saw.
func (d *Desk) ResolveAction(ctx context.Context, actor string, id int64, done bool, reason string) (remedy.Remediation, error) {
	_, after, err := d.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Resolve(r, actor, done, reason, now)
	})
	return after, err
}

// move reads a remediation, applies a pure step and writes it; when the worker
// moved it in between it looks again.
func (d *Desk) move(ctx context.Context, id int64, step func(remedy.Remediation, clock.Stamp) (remedy.Move, error)) (before, after remedy.Remediation, err error) {
	for range 10 {
		before, err = d.reader.Remediation(ctx, id)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				err = fault.New(fault.NotFound, "Action with id %d not found", id)
			}
			return before, after, err
		}
		now := d.clock()
		m, err := step(before, now)
		if err != nil {
			return before, after, err
		}
		dec := &engine.Decision{At: now, Moves: []engine.RemediationMove{{Version: before.Version, Move: m}}}
		_, err = d.journal.Commit(ctx, dec)
		if err == nil {
			d.nudge()
			return before, m.Next, nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return before, after, err
		}
	}
	return before, after, fault.New(fault.Conflict, "remediation %d changes too fast to be changed; try again", id)
}
