package desired

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

// exitDiffers is the exit code of --exit-code when something differs.
var exitDiffers = fault.Conflict.Exit()

type DriftCmd struct {
	Ref          string `arg:"" optional:"" help:"Only this one, such as File/motd."`
	All          bool   `help:"Everything that documents speak of, not only what differs."`
	History      bool   `help:"Every difference that was found, newest first, with its end."`
	Limit        int    `help:"How many lines of the history." default:"100"`
	Look         bool   `help:"Look at everything first."`
	ExitCode     bool   `help:"Exit with 6 when something differs." name:"exit-code"`
	Commit       string `help:"Write what was found into a commit on a branch of its own." placeholder:"REF"`
	Reason       string `help:"For the message of the commit." placeholder:"TEXT"`
	AllowSecrets bool   `help:"Commit what was found even when it looks like a secret."`
}

// Help shows examples.
func (DriftCmd) Help() string {
	return "Examples:\n  vigild drift\n  vigild drift --look --exit-code\n  vigild drift --history File/motd\n" +
		"  vigild drift --commit File/motd --reason \"it is right so\"\n\nMerging the branch that --commit makes accepts what was found."
}

// Run lists what differs, or its history, or makes a commit of it.
func (c *DriftCmd) Run(ctx context.Context, s *session.Session) error {
	var kind, name string
	if c.Ref != "" {
		var err error
		if kind, name, err = splitRef(c.Ref); err != nil {
			return err
		}
	}
	switch {
	case c.Commit != "":
		return c.commit(ctx, s)
	case c.Reason != "" || c.AllowSecrets:
		return fault.New(fault.Usage, "--reason and --allow-secrets belong to --commit")
	case c.History:
		return c.history(ctx, s)
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	if c.Look {
		if _, err := r.Resync(ctx); err != nil {
			return err
		}
	}
	lists := drifting
	if c.All {
		lists = everything
	}
	all, err := lists(ctx, r)
	if err != nil {
		return err
	}
	blind := unread(ctx, r)
	list := contract.ResourceList{Resources: []contract.Resource{}}
	for _, v := range all {
		if c.Ref == "" || v.Ref == c.Ref {
			list.Resources = append(list.Resources, v)
		}
	}
	list.Total = len(list.Resources)
	if c.Ref != "" && list.Total == 0 && blind == nil { // one that is right, or one that nobody speaks of
		if _, err := r.Resource(ctx, kind, name); err != nil {
			return err
		}
	}
	if err := s.Print(list, func() error {
		for _, v := range list.Resources {
			resource(s, v)
		}
		if list.Total == 0 && blind == nil {
			fmt.Fprintln(s.Out, nothing(c.All))
		}
		return nil
	}); err != nil {
		return err
	}
	if blind != nil {
		return blind
	}
	if c.ExitCode && slices.ContainsFunc(list.Resources, func(v contract.Resource) bool { return len(v.Drift) > 0 }) {
		return session.ExitCode(exitDiffers)
	}
	return nil
}

func nothing(all bool) string {
	if all {
		return "no document speaks of anything"
	}
	return "nothing differs"
}

func (c *DriftCmd) history(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return fault.New(fault.Usage, "--limit is not above zero")
	}
	list := contract.DriftList{Drifts: []contract.Drift{}}
	for before := ""; len(list.Drifts) < c.Limit; {
		page, err := r.DriftHistory(ctx, before, c.Ref, min(pageSize, c.Limit-len(list.Drifts)))
		if err != nil {
			return err
		}
		list.Drifts, list.Next = append(list.Drifts, page.Drifts...), page.Next
		if before = page.Next; before == "" {
			break
		}
	}
	return s.Print(list, func() error {
		rows := make([][]string, len(list.Drifts))
		for i, d := range list.Drifts {
			end, by := d.How, d.Suspect
			if d.EndedAt == nil {
				end = "stands"
			} else if d.FoundAt != nil {
				end += " after " + session.Ago(d.EndedAt.Sub(*d.FoundAt))
			}
			if by == "" {
				by = "-"
			}
			rows[i] = []string{session.Moment(d.FoundAt), d.Ref, d.Field, d.Class, value(d.Wanted), value(d.Found), end, by}
		}
		return s.Table([]string{"FOUND", "WHAT", "FIELD", "CLASS", "WANTED", "FOUND", "END", "SUSPECT"}, rows)
	})
}

func (c *DriftCmd) commit(ctx context.Context, s *session.Session) error {
	if c.Ref != "" || c.History || c.All || c.Look || c.ExitCode {
		return fault.New(fault.Usage, "--commit takes its ref itself: vigild drift --commit File/motd")
	}
	if _, _, err := splitRef(c.Commit); err != nil {
		return err
	}
	r, err := s.Remote()
	if err != nil {
		return err
	}
	out, err := r.CommitDrift(ctx, contract.DriftCommitRequest{Ref: c.Commit, Reason: c.Reason, Secrets: c.AllowSecrets})
	if err != nil {
		return err
	}
	return s.Print(out, func() error {
		fmt.Fprintf(s.Out, "%s on the branch %s: %s of %s as found\n", short(out.Commit), s.Paint(session.Bold, session.Plain(out.Branch)),
			session.Plain(strings.Join(out.Fields, ", ")), session.Plain(out.Ref))
		for _, l := range out.Left {
			fmt.Fprintf(s.Out, "left as it is: %s\n", session.Plain(l))
		}
		fmt.Fprintf(s.Out, "to accept it:\n  git fetch origin %s && git merge --no-ff FETCH_HEAD && git push\n", session.Plain(out.Branch))
		return nil
	})
}
