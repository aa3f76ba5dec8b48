package desired

import (
	"context"
	"fmt"

	"vigil/api/contract"
	"vigil/internal/cli/session"
)

type PlanCmd struct {
	Commit   string `arg:"" optional:"" help:"A commit that is in the repository; without it, the newest."`
	ExitCode bool   `help:"Exit with 6 when there is something to do." name:"exit-code"`
}

// Help shows examples.
func (PlanCmd) Help() string {
	return "Looks at the machine and changes nothing. A commit that was not pushed is planned by pushing it with -o dry-run.\n\nExamples:\n  vigild plan\n  vigild plan 3f2c9a1\n  vigild plan --exit-code"
}

// Run prints the plan.
func (c *PlanCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	p, err := r.Plan(ctx, c.Commit)
	if err != nil {
		return err
	}
	if err := s.Print(p, func() error { return printPlan(s, p) }); err != nil {
		return err
	}
	if c.ExitCode && (len(p.Steps) > 0 || len(p.Own) > 0 || p.Refused != "") {
		return session.ExitCode(exitDiffers)
	}
	return nil
}

func printPlan(s *session.Session, p contract.Plan) error {
	fmt.Fprintf(s.Out, "commit %s speaks of %s", short(p.Commit), count(p.Items, "thing"))
	if p.From != "" && p.From != p.Commit {
		fmt.Fprintf(s.Out, "; %s holds now", short(p.From))
	}
	fmt.Fprintln(s.Out)
	if p.Refused != "" {
		fmt.Fprintln(s.Out, s.Paint(session.Red, "it would be refused: "+session.Plain(p.Refused)))
	}
	for _, st := range p.Steps {
		mark := s.Paint(session.Yellow, "~")
		if st.Prune {
			mark = s.Paint(session.Red, "-")
		}
		fmt.Fprintf(s.Out, "%s %s  %s\n", mark, s.Paint(session.Bold, session.Plain(st.Ref)), session.Plain(st.Summary))
		if st.Final != "" {
			fmt.Fprintf(s.Out, "  %s\n", s.Paint(session.Yellow, "cannot be undone: "+session.Plain(st.Final)))
		}
		differences(s, st.Because)
	}
	for _, o := range p.Own {
		fmt.Fprintf(s.Out, "%s %s\n", s.Paint(session.Yellow, "~"), session.Plain(o))
	}
	for _, v := range p.Held {
		fmt.Fprint(s.Out, "left: ")
		resource(s, v)
	}
	for _, v := range p.Unseen {
		fmt.Fprint(s.Out, "not seen: ")
		resource(s, v)
	}
	if len(p.Steps)+len(p.Own)+len(p.Held)+len(p.Unseen) == 0 && p.Refused == "" {
		fmt.Fprintln(s.Out, "nothing to do")
	}
	return nil
}
