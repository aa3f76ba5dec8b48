// Package steer is the commands that change what vigild does: policies,
// remediations, holds, tokens. One file a noun; each command asks the running
// daemon and prints its answer.
package steer

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type ActionCmd struct {
	List    actionListCmd    `cmd:"" help:"List remediations, newest first."`
	Show    actionShowCmd    `cmd:"" help:"Show one with its attempts."`
	Names   actionNamesCmd   `cmd:"" help:"What can be named as an action, and where it is defined."`
	Run     actionRunCmd     `cmd:"" help:"Ask for an act now."`
	Approve actionApproveCmd `cmd:"" help:"Say yes to one that waits for approval."`
	Cancel  actionCancelCmd  `cmd:"" help:"Cancel one that has not ended."`
	Retry   actionRetryCmd   `cmd:"" help:"Try one again that failed or gave up."`
	Resolve actionResolveCmd `cmd:"" help:"Say how an act ended whose end nobody saw."`
}

// Help shows examples.
func (ActionCmd) Help() string {
	return "Examples:\n  vigild action list --status pending\n  vigild action run service web.service verb=restart --reason \"new certificate\"\n  vigild action approve 17\n  vigild action resolve 17 done --reason \"the mail has arrived\""
}

type actionListCmd struct {
	Status string `help:"pending, running, completed, failed or cancelled." enum:"pending,running,completed,failed,cancelled," default:""`
	Target string `help:"Only this target."`
	Limit  int    `help:"At most so many." default:"20"`
}

// Run lists.
func (c *actionListCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	list, err := r.Actions(ctx, client.ActionQuery{Status: c.Status, Target: c.Target, Limit: c.Limit})
	if err != nil {
		return err
	}
	return s.Print(list, func() error {
		rows := make([][]string, 0, len(list.Actions))
		for _, a := range list.Actions {
			rows = append(rows, []string{strconv.FormatInt(a.ID, 10), state(s, a.State), a.Policy, a.Target, a.Action, session.Since(a.CreatedAt), a.Reason})
		}
		return s.Table([]string{"ID", "STATE", "POLICY", "TARGET", "ACTION", "AGE", "REASON"}, rows)
	})
}

// state is a state as it is printed; colors would break the columns.
func state(s *session.Session, st string) string { return st }

type actionShowCmd struct {
	ID int64 `arg:"" help:"Its number."`
}

// Run shows one.
func (c *actionShowCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	a, err := r.Action(ctx, c.ID)
	if err != nil {
		return err
	}
	tries, err := r.Attempts(ctx, c.ID)
	if err != nil {
		return err
	}
	both := struct {
		contract.Action
		AttemptList []contract.Attempt `json:"attempt_list"`
	}{a, tries.Attempts}
	return s.Print(both, func() error {
		fmt.Fprintf(s.Out, "remediation %d: %s\n", a.ID, a.State)
		for _, f := range []struct{ name, value string }{
			{"action", a.Action}, {"policy", a.Policy}, {"asked for by", a.Actor}, {"target", a.Target}, {"subject", a.Subject},
		} {
			if f.value != "" {
				fmt.Fprintf(s.Out, "  %s: %s\n", f.name, session.Plain(f.value))
			}
		}
		if a.Reason != "" {
			fmt.Fprintf(s.Out, "  %s\n", session.Plain(a.Reason))
		}
		var rows [][]string
		for _, t := range tries.Attempts {
			took, end := "", "open"
			if t.FinishedAt != nil {
				took, end = t.FinishedAt.Sub(t.StartedAt).Round(time.Millisecond).String(), "failed"
				if t.OK {
					end = "ok"
				}
			}
			rows = append(rows, []string{t.ID, t.Action, t.Subject, end, took, t.Error})
		}
		if len(rows) == 0 {
			return nil
		}
		return s.Table([]string{"ATTEMPT", "ACTION", "SUBJECT", "END", "TOOK", "ERROR"}, rows)
	})
}

type actionRunCmd struct {
	Action  string   `arg:"" help:"A kind or a name of the catalogue; another is left for an outside remediator."`
	Target  string   `arg:"" help:"What it is about."`
	With    []string `arg:"" optional:"" help:"Parameters as key=value."`
	Reason  string   `help:"Why; it stands in the audit trail."`
	Wait    bool     `help:"Wait until it has ended."`
	Outside bool     `help:"The name is an outside remediator's, though it is near one that is known here."`
}

// Run asks for an act.
func (c *actionRunCmd) Run(ctx context.Context, s *session.Session) error {
	with := map[string]any{}
	for _, kv := range c.With {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return fault.New(fault.Usage, "%q is no key=value", kv)
		}
		with[k] = v
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	in := contract.ActionCreate{Target: c.Target, Action: c.Action, QueueImmediately: true, With: with, Strict: !c.Outside}
	if c.Reason != "" {
		in.Reason = &c.Reason
	}
	made, err := r.CreateAction(ctx, in)
	if err != nil {
		return err
	}
	if !c.Wait {
		a, err := r.Action(ctx, made.ActionID) // it may wait for somebody, and says so
		if err != nil {
			return err
		}
		return s.Print(made, func() error { _, err := fmt.Fprintln(s.Out, standing(a)); return err })
	}
	a, err := settled(s, ctx, made.ActionID)
	if err != nil {
		return err
	}
	if err := s.Print(a, func() error {
		_, err := fmt.Fprintln(s.Out, standing(a))
		return err
	}); err != nil {
		return err
	}
	if a.State != "succeeded" {
		return session.ExitCode(fault.Conflict.Exit())
	}
	return nil
}

// standing is where a remediation stands, in a line.
func standing(a contract.Action) string {
	line := fmt.Sprintf("remediation %d: %s", a.ID, a.State)
	if a.Reason != "" {
		line += " (" + session.Plain(a.Reason) + ")"
	}
	return line
}

// settled waits until a remediation has ended. What it waits for meanwhile, a
// cooldown or a person, is told on standard error.
func settled(s *session.Session, ctx context.Context, id int64) (contract.Action, error) {
	r, err := s.Remote()
	if err != nil {
		return contract.Action{}, err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	left := func() error {
		return fault.New(fault.Cancelled, "remediation %d has not ended; it goes on without this command", id).
			Mend("vigild action show %d, or vigild action cancel %d", id, id)
	}
	for told := ""; ; {
		a, err := r.Action(ctx, id)
		switch {
		case ctx.Err() != nil:
			return a, left()
		case err != nil:
			return a, err
		}
		switch a.Status {
		case "completed", "failed", "cancelled":
			return a, nil
		}
		// The text of a hold counts down; only another gate is news.
		if a.State == "held" && a.Gate != told {
			told = a.Gate
			fmt.Fprintln(s.Err, standing(a))
		}
		select {
		case <-ctx.Done():
			return a, left()
		case <-tick.C:
		}
	}
}

type actionApproveCmd struct {
	ID int64 `arg:"" help:"Its number."`
}

// Run says yes.
func (c *actionApproveCmd) Run(ctx context.Context, s *session.Session) error {
	return changed(s, ctx, c.ID, "approved", func(ctx context.Context, r *client.Client) (contract.ActionChanged, error) {
		return r.ApproveAction(ctx, c.ID)
	})
}

type actionRetryCmd struct {
	ID int64 `arg:"" help:"Its number."`
}

// Run tries again.
func (c *actionRetryCmd) Run(ctx context.Context, s *session.Session) error {
	return changed(s, ctx, c.ID, "queued again", func(ctx context.Context, r *client.Client) (contract.ActionChanged, error) {
		return r.RetryAction(ctx, c.ID)
	})
}

type actionResolveCmd struct {
	ID     int64  `arg:"" help:"Its number."`
	End    string `arg:"" enum:"done,failed" help:"done or failed."`
	Reason string `help:"How that is known; it stands in the audit trail."`
}

// Run says it.
func (c *actionResolveCmd) Run(ctx context.Context, s *session.Session) error {
	return changed(s, ctx, c.ID, "resolved as "+c.End, func(ctx context.Context, r *client.Client) (contract.ActionChanged, error) {
		return r.ResolveAction(ctx, c.ID, c.End == "done", c.Reason)
	})
}

type actionCancelCmd struct {
	ID     int64  `arg:"" help:"Its number."`
	Reason string `help:"Why; it stands in the audit trail."`
}

// Run cancels.
func (c *actionCancelCmd) Run(ctx context.Context, s *session.Session) error {
	return changed(s, ctx, c.ID, "cancelled", func(ctx context.Context, r *client.Client) (contract.ActionChanged, error) {
		return r.CancelAction(ctx, c.ID, c.Reason)
	})
}

// changed carries out one change of a remediation and says what became of it.
func changed(s *session.Session, ctx context.Context, id int64, done string, do func(context.Context, *client.Client) (contract.ActionChanged, error)) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := do(ctx, r)
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		_, err := fmt.Fprintf(s.Out, "remediation %d: %s (was %s)\n", id, done, cmp.Or(out.PreviousState, out.PreviousStatus))
		return err
	})
}
