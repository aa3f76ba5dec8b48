package engine

import (
	"context"
	"strings"
	"unicode"

	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// CreateAction makes a direct action. A kind or a catalogue name we know is
// queued (or, without Queue, waits for approval); a name we do not know is left
// for an outside remediator. Gates 1 and 4 do not apply to it.
func (e *Engine) CreateAction(ctx context.Context, actor string, q ActionRequest) (remedy.Remediation, error) {
	var none remedy.Remediation
	if err := e.usable(); err != nil {
		return none, err
	}
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
	oneOf(&is, "/priority", q.Priority, "low", "medium", "high")
	if err := is.Err(); err != nil {
		return none, err
	}
	now := e.clock()
	name, with, source := e.directAction(q)
	r := remedy.Remediation{
		Source: source, Labels: map[string]string{"target": q.Target}, Target: q.Target, Severity: "warning",
		Priority: q.Priority, Actor: actor, State: remedy.Queued, Created: now, Details: q.Details, Reason: q.Reason,
		Plan:     remedy.Plan{Ladder: []remedy.Rung{{Action: name, With: with}}, Mode: "act"},
		Approval: source == remedy.FromAPI && !q.Queue,
	}
	if source == remedy.FromExternal {
		r.Plan.External = true
		r.Reason = "no action here is called " + name + ": it waits for an outside remediator"
	} else {
		// What could never run is told now, not when its turn comes.
		for _, x := range r.Plan.Check(e.actions) {
			x.Place = "/with" + pointer(x.Place)
			is = append(is, x)
		}
		if err := is.Err(); err != nil {
			return none, err
		}
	}
	d := &Decision{At: now, Remediations: []remedy.Remediation{r}, Audit: []audit.Record{{
		At: now, Actor: actor, Verb: "action.create", Object: "target:" + q.Target, Reason: name + " was asked for",
	}}}
	rc, err := e.journal.Commit(ctx, d)
	if err != nil {
		return none, err
	}
	if len(rc.Remediations) != 1 {
		return none, fault.New(fault.Internal, "the ledger gave out %d ids for one action", len(rc.Remediations))
	}
	r.ID, r.Version = rc.Remediations[0], 1
	e.nudge()
	return r, nil
}

// directAction finds what a name asks for: what we have under that very name,
// else one of the original's spellings, else nothing of ours.
func (e *Engine) directAction(q ActionRequest) (name string, with map[string]any, source remedy.Source) {
	if e.actions != nil {
		if _, ok := e.actions.Action(q.Action); ok {
			with = q.With
			if with == nil && q.Action == "service" {
				with = map[string]any{"unit": q.Target, "verb": "restart"}
			}
			return q.Action, with, remedy.FromAPI
		}
		canon := strings.ReplaceAll(strings.ToLower(q.Action), "_", "-")
		if _, ok := e.actions.Action(canon); ok {
			return canon, q.With, remedy.FromAPI
		}
	}
	if name, with, known := OriginalAction(q.Action, q.Target); known {
		return name, with, remedy.FromAPI
	}
	return q.Action, q.With, remedy.FromExternal
}

// CancelAction cancels what waits or runs; it returns the remediation before.
func (e *Engine) CancelAction(ctx context.Context, actor string, id int64, reason string) (remedy.Remediation, error) {
	before, _, err := e.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Cancel(r, actor, reason, now)
	})
	return before, err
}

// RetryAction queues a remediation that ended without success again.
func (e *Engine) RetryAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := e.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Retry(r, actor, now)
	})
	return after, err
}

// ApproveAction says yes to one that asks.
func (e *Engine) ApproveAction(ctx context.Context, actor string, id int64) (remedy.Remediation, error) {
	_, after, err := e.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.Approve(r, actor, now)
	})
	return after, err
}

// SetActionStatus is the original's PUT status, for outside remediators.
func (e *Engine) SetActionStatus(ctx context.Context, actor string, id int64, status, details, errMsg string) (before, after remedy.Remediation, err error) {
	return e.move(ctx, id, func(r remedy.Remediation, now clock.Stamp) (remedy.Move, error) {
		return remedy.SetStatus(r, actor, status, details, errMsg, now)
	})
}

// move reads a remediation, applies a pure step and writes it; when the worker
// moved it in between it looks again.
func (e *Engine) move(ctx context.Context, id int64, step func(remedy.Remediation, clock.Stamp) (remedy.Move, error)) (before, after remedy.Remediation, err error) {
	if err := e.usable(); err != nil {
		return before, after, err
	}
	for range 10 {
		before, err = e.reader.Remediation(ctx, id)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				err = fault.New(fault.NotFound, "Action with id %d not found", id)
			}
			return before, after, err
		}
		now := e.clock()
		m, err := step(before, now)
		if err != nil {
			return before, after, err
		}
		d := &Decision{At: now, Moves: []RemediationMove{{Version: before.Version, Move: m}}}
		_, err = e.journal.Commit(ctx, d)
		if err == nil {
			e.nudge()
			return before, m.Next, nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return before, after, err
		}
	}
	return before, after, fault.New(fault.Conflict, "remediation %d changes too fast to be changed; try again", id)
}
