package manage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vigil/api/contract"
	"vigil/api/face"
	"vigil/api/guard"
	"vigil/api/problem"
	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// statusWords are the original's, in its order.
var statusWords = []string{"pending", "running", "completed", "failed", "cancelled"}

const statusList = "['pending', 'running', 'completed', 'failed', 'cancelled']"

// ActionID is exported since huma reads the fields of exported structs alone.
type ActionID struct {
	ID int64 `path:"id" example:"17"`
}

func (m *Manage) actions(r *face.Registrar) {
	type created struct {
		Body contract.ActionCreate
	}
	face.Handle(r, face.Line("POST", "/api/v1/actions", guard.Operate, "createAction", "Ask for an act", "actions", 201),
		func(ctx context.Context, c guard.Caller, in *created) (*face.Reply[contract.ActionCreated], error) {
			return m.createAction(ctx, c, in.Body)
		})

	type listing struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
		Page   int    `query:"page" minimum:"1" default:"1"`
		Status string `query:"status" doc:"pending, running, completed, failed or cancelled"`
		State  string `query:"state" doc:"One of our states"`
		Target string `query:"target" doc:"Exactly this target"`
		Policy string `query:"policy"`
		Start  string `query:"start_time" doc:"RFC 3339 or Unix seconds; created at or after"`
		End    string `query:"end_time" doc:"created before"`
		Before string `query:"before" doc:"Cursor: the next of an earlier page"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/actions", guard.Read, "listActions", "List actions, newest first", "actions", 0),
		func(ctx context.Context, _ guard.Caller, in *listing) (*face.Reply[contract.ActionList], error) {
			f := engine.RemediationFilter{Word: in.Status, Target: in.Target, Policy: in.Policy, Limit: in.Limit, Offset: (in.Page - 1) * in.Limit}
			if err := checkWord(in.Status); err != nil {
				return nil, err
			}
			if in.State != "" {
				f.States = []remedy.State{remedy.State(in.State)}
			}
			if in.Page > 1_000_000 {
				f.Offset = 500_000_000 // beyond any end: an empty list, as the original answered
			}
			from, err := face.Moment(in.Start, "start_time")
			if err != nil {
				return nil, err
			}
			to, err := face.Moment(in.End, "end_time")
			if err != nil {
				return nil, err
			}
			f.From, f.To = from.Wall, to.Wall
			if in.Before != "" {
				if f.Before, err = strconv.ParseInt(in.Before, 10, 64); err != nil || f.Before <= 0 {
					return nil, face.Unfit("this is not a cursor", in.Before, "query", "before")
				}
				f.Offset = 0
			}
			return m.listActions(ctx, f, in.Page)
		})

	type byStatus struct {
		Status string `path:"status"`
		Limit  int    `query:"limit" default:"50" doc:"Clamped to 1..500"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/actions/status/{status}", guard.Read, "listActionsByStatus", "List actions of one status", "actions", 0),
		func(ctx context.Context, _ guard.Caller, in *byStatus) (*face.Reply[contract.ActionList], error) {
			if err := checkWord(in.Status); err != nil {
				return nil, err
			}
			out, err := m.listActions(ctx, engine.RemediationFilter{Word: in.Status, Limit: min(max(in.Limit, 1), 500)}, 1)
			if err == nil {
				out.Body.Total, out.Body.PageSize = out.Body.Count, out.Body.Count
			}
			return out, err
		})

	face.Handle(r, face.Line("GET", "/api/v1/actions/{id}", guard.Read, "getAction", "One action", "actions", 0),
		func(ctx context.Context, _ guard.Caller, in *ActionID) (*face.Reply[contract.Action], error) {
			x, err := m.action(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return face.Say(wireAction(x))
		})

	type attempts struct {
		Action int64 `query:"action" required:"true" doc:"Of which action"`
	}
	face.Handle(r, face.Line("GET", "/api/v1/attempts", guard.Read, "listAttempts", "Every act of one action", "actions", 0),
		func(ctx context.Context, _ guard.Caller, in *attempts) (*face.Reply[contract.AttemptList], error) {
			if _, err := m.action(ctx, in.Action); err != nil {
				return nil, err
			}
			as, err := m.Reader.Attempts(ctx, in.Action)
			if err != nil {
				return nil, err
			}
			out := contract.AttemptList{Attempts: make([]contract.Attempt, len(as))}
			for i, a := range as {
				out.Attempts[i] = wireAttempt(a)
			}
			return face.Say(out)
		})
	m.actionChanges(r)
}

func (m *Manage) actionChanges(r *face.Registrar) {
	type cancel struct {
		ActionID
		Body *contract.ActionCancel
	}
	face.Handle(r, face.Line("PUT", "/api/v1/actions/{id}/cancel", guard.Operate, "cancelAction", "Cancel an action", "actions", 0),
		func(ctx context.Context, c guard.Caller, in *cancel) (*face.Reply[contract.ActionChanged], error) {
			reason := ""
			if in.Body != nil {
				reason = face.Text(in.Body.Reason)
			}
			now, err := m.action(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if w := now.State.Word(); w != "pending" && w != "running" {
				return nil, face.BadRequest(fmt.Sprintf("Action with status '%s' cannot be cancelled. Only actions with status ['pending', 'running'] can be cancelled.", w))
			}
			before, err := m.Engine.CancelAction(ctx, c.Actor, in.ID, reason)
			if err != nil {
				return nil, m.unknownAction(err, in.ID)
			}
			return face.Say(contract.ActionChanged{OK: true, ActionID: in.ID, Message: "Action cancelled successfully",
				PreviousStatus: before.State.Word(), NewStatus: "cancelled", PreviousState: string(before.State), State: string(remedy.Cancelled)})
		})

	type status struct {
		ActionID
		Body contract.ActionStatus
	}
	face.Handle(r, face.Line("PUT", "/api/v1/actions/{id}/status", guard.Operate, "setActionStatus", "An outside remediator's word on an action", "actions", 0),
		func(ctx context.Context, c guard.Caller, in *status) (*face.Reply[contract.ActionChanged], error) {
			before, after, err := m.Engine.SetActionStatus(ctx, c.Actor, in.ID, in.Body.Status, face.Text(in.Body.Details), face.Text(in.Body.ErrorMessage))
			if err != nil {
				return nil, m.unknownAction(err, in.ID)
			}
			return face.Say(changed(before, after, "Action status updated"))
		})

	type resolve struct {
		ActionID
		Body contract.ActionResolve
	}
	face.Handle(r, face.Line("POST", "/api/v1/actions/{id}/resolve", guard.Operate, "resolveAction", "Say how an act ended whose end nobody saw", "actions", 0),
		func(ctx context.Context, c guard.Caller, in *resolve) (*face.Reply[contract.ActionChanged], error) {
			before, err := m.action(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			after, err := m.Engine.ResolveAction(ctx, c.Actor, in.ID, in.Body.Done, face.Text(in.Body.Reason))
			if err != nil {
				return nil, m.unknownAction(err, in.ID)
			}
			return face.Say(changed(before, after, "Action resolved"))
		})

	for _, v := range []struct {
		verb, id, summary, done string
		do                      func(ctx context.Context, actor string, id int64) (remedy.Remediation, error)
	}{
		{"approve", "approveAction", "Say yes to an action that asks", "Action approved", m.Engine.ApproveAction},
		{"retry", "retryAction", "Queue an action that ended without success again", "Action queued again", m.Engine.RetryAction},
	} {
		face.Handle(r, face.Line("POST", "/api/v1/actions/{id}/"+v.verb, guard.Operate, v.id, v.summary, "actions", 0),
			func(ctx context.Context, c guard.Caller, in *ActionID) (*face.Reply[contract.ActionChanged], error) {
				before, err := m.action(ctx, in.ID)
				if err != nil {
					return nil, err
				}
				after, err := v.do(ctx, c.Actor, in.ID)
				if err != nil {
					return nil, m.unknownAction(err, in.ID)
				}
				return face.Say(changed(before, after, v.done))
			})
	}
}

func changed(before, after remedy.Remediation, msg string) contract.ActionChanged {
	return contract.ActionChanged{OK: true, ActionID: after.ID, Message: msg, PreviousStatus: before.State.Word(),
		NewStatus: after.State.Word(), PreviousState: string(before.State), State: string(after.State)}
}

func checkWord(w string) error {
	if w == "" || slices.Contains(statusWords, w) {
		return nil
	}
	return face.BadRequest("Invalid status. Must be one of " + statusList)
}

// action reads one, or says in the original's words that there is none.
func (m *Manage) action(ctx context.Context, id int64) (remedy.Remediation, error) {
	x, err := m.Reader.Remediation(ctx, id)
	return x, m.unknownAction(err, id)
}

func (m *Manage) unknownAction(err error, id int64) error {
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "Action with id %d not found", id)
	}
	return err
}

func (m *Manage) createAction(ctx context.Context, c guard.Caller, in contract.ActionCreate) (*face.Reply[contract.ActionCreated], error) {
	name := in.Action
	if name == "" {
		name = in.ActionType
	}
	name, target := strings.TrimSpace(name), strings.TrimSpace(in.Target)
	switch {
	case target == "":
		return nil, face.Unfit("target must not be empty or blank", in.Target, "body", "target")
	case name == "" && in.Action == "" && in.ActionType == "":
		return nil, problem.Invalid{{Type: "missing", Loc: []any{"body", "action"}, Msg: "Field required"}}
	case name == "":
		return nil, face.Unfit("action must not be empty or blank", in.Action, "body", "action")
	}
	priority := face.Text(in.Priority)
	if priority == "" {
		priority = "medium"
	}
	x, err := m.Engine.CreateAction(ctx, c.Actor, engine.ActionRequest{
		Target: target, Action: name, With: in.With, Details: face.Text(in.Details), Priority: priority,
		Queue: in.QueueImmediately, Reason: face.Text(in.Reason), Strict: in.Strict,
	})
	if err != nil {
		return nil, face.FieldIssues(err)
	}
	queued := in.QueueImmediately && x.Source != remedy.FromExternal
	msg := "Action created successfully"
	if in.QueueImmediately {
		msg += " and queued for execution"
	}
	near := ""
	if x.Source == remedy.FromExternal && m.Catalogue != nil {
		var known []string
		for _, a := range m.Catalogue() {
			known = append(known, a.Name)
		}
		near = engine.NearAction(name, known)
	}
	return face.Say(contract.ActionCreated{
		OK: true, ActionID: x.ID, Message: msg, Target: x.Target, ActionType: name, Status: x.State.Word(), State: string(x.State),
		Queued: queued || in.QueueImmediately, CreatedAt: contract.Time(x.Created), DidYouMean: near,
	})
}

func (m *Manage) listActions(ctx context.Context, f engine.RemediationFilter, page int) (*face.Reply[contract.ActionList], error) {
	xs, total, err := m.Reader.Remediations(ctx, f)
	if err != nil {
		return nil, err
	}
	out := contract.ActionList{Count: len(xs), Total: total, Page: page, PageSize: f.Limit, Actions: make([]contract.Action, len(xs))}
	for i, x := range xs {
		out.Actions[i] = wireAction(x)
	}
	if len(xs) == f.Limit && len(xs) > 0 {
		out.Next = strconv.FormatInt(xs[len(xs)-1].ID, 10)
	}
	return face.Say(out)
}

// wireAction is a remediation in the contract's shape.
func wireAction(x remedy.Remediation) contract.Action {
	name := x.Plan.Named
	if n := len(x.Plan.Ladder); n > 0 && name == "" {
		name = x.Plan.Ladder[min(max(x.Rung, 0), n-1)].Action
	}
	a := contract.Action{
		ID: x.ID, Target: x.Target, Action: name, Status: x.State.Word(),
		Details: contract.Said(x.Details), ErrorMessage: contract.Said(x.Error),
		StartedAt: contract.Time(x.Created), CompletedAt: contract.Maybe(x.Finished),
		State: string(x.State), Source: string(x.Source), Policy: x.Policy, Severity: x.Severity, Priority: x.Priority,
		Actor: x.Actor, Subject: x.Subject, Labels: x.Labels, Gate: x.Gate, Reason: x.Reason, Until: contract.Maybe(x.Until),
		Rung: x.Rung, Attempts: x.Attempt, Approval: x.Approval, ApprovedBy: x.ApprovedBy, ApproveBy: contract.Maybe(x.ApproveBy),
		CreatedAt: contract.Time(x.Created),
	}
	if !x.Started.IsZero() {
		a.StartedAt = contract.Time(x.Started)
	}
	return a
}

func wireAttempt(a remedy.Attempt) contract.Attempt {
	return contract.Attempt{
		ID: a.ID(), N: a.N, Rung: a.Rung, Action: a.Action, Subject: a.Subject, Class: string(a.Class),
		StartedAt: contract.Time(a.Started), FinishedAt: contract.Maybe(a.Finished),
		OK: a.Result.OK, Error: a.Result.Error, TimedOut: a.Result.TimedOut, Exit: a.Result.Exit, Output: a.Result.Output, Data: a.Result.Data,
	}
}
