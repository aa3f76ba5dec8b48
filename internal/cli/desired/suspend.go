package desired

import (
	"context"
	"fmt"
	"strings"

	"vigil/api/client"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type SuspendCmd struct {
	Selector string `arg:"" optional:"" help:"Kind/name, where * is any run of characters; '*' is everything. Without it, those that stand are listed."`
	For      string `help:"How long, such as 2h; at most 30d." placeholder:"SPAN"`
	Reason   string `help:"Why; it stands in the audit trail." placeholder:"TEXT"`
}

// Help shows examples.
func (SuspendCmd) Help() string {
	return "Drift is still found and told; nothing of it is healed until the end.\n\nExamples:\n  vigild suspend File/motd --for 2h --reason \"trying something\"\n  vigild suspend '*' --for 30m --reason \"by hand today\"\n  vigild suspend"
}

// Run suspends, or lists.
func (c *SuspendCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	if c.Selector == "" {
		if c.For != "" || c.Reason != "" {
			return fault.New(fault.Usage, "nothing says what is to be left alone").Mend("vigild suspend File/motd --for 2h --reason TEXT")
		}
		list, err := r.Suspends(ctx)
		if err != nil {
			return err
		}
		return s.Print(list, func() error {
			rows := make([][]string, len(list.Suspends))
			for i, x := range list.Suspends {
				rows[i] = []string{x.ID, x.Selector, session.Moment(x.Until), x.Actor, x.Reason}
			}
			return s.Table([]string{"ID", "WHAT", "UNTIL", "BY", "REASON"}, rows)
		})
	}
	if c.For == "" || c.Reason == "" {
		return fault.New(fault.Usage, "a suspend needs --for and --reason").Mend("vigild suspend %s --for 2h --reason TEXT", c.Selector)
	}
	out, err := r.Suspend(ctx, c.Selector, c.For, c.Reason)
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		_, err := fmt.Fprintf(s.Out, "%s is left alone until %s: suspend %s\n", session.Plain(out.Selector), session.Moment(out.Until), session.Plain(out.ID))
		return err
	})
}

type UnsuspendCmd struct {
	ID     string `arg:"" name:"id" help:"Its id, or what it leaves alone, as it was given."`
	Reason string `help:"Why; it stands in the audit trail." placeholder:"TEXT"`
}

// Help shows an example.
func (UnsuspendCmd) Help() string {
	return "Examples:\n  vigild unsuspend 1a227a9c4a8e44c7\n  vigild unsuspend File/motd\n\nvigild suspend lists those that stand."
}

// Run ends one.
func (c *UnsuspendCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	id, err := called(ctx, r, c.ID)
	if err != nil {
		return err
	}
	ok, err := r.Unsuspend(ctx, id, c.Reason)
	if err != nil {
		return err
	}
	return s.Done(ok)
}

// called is the id of the one suspend that has a selector; an id is one already.
func called(ctx context.Context, r *client.Client, name string) (string, error) {
	if name != "*" && !strings.Contains(name, "/") {
		return name, nil
	}
	list, err := r.Suspends(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, x := range list.Suspends {
		if x.Selector == name {
			ids = append(ids, x.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", fault.New(fault.NotFound, "no suspend of %s stands", name).Mend("vigild suspend lists those that do")
	case 1:
		return ids[0], nil
	}
	return "", fault.New(fault.Conflict, "%d suspends of %s stand: %s", len(ids), name, strings.Join(ids, ", ")).Mend("say which by its id")
}
