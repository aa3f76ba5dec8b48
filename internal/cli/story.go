package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"vigil/api/contract"
)

type whyCmd struct {
	ID       int64 `arg:"" help:"Number of the remediation."`
	Evidence bool  `help:"Print the evidence of every step too."`
}

// Help shows examples.
func (whyCmd) Help() string {
	return "Examples:\n  vigild why 17\n  vigild why 17 --evidence -o json"
}

// Run tells the story.
func (c *whyCmd) Run(ctx context.Context, s *session) error {
	r, err := s.remote()
	if err != nil {
		return err
	}
	st, err := r.Why(ctx, c.ID)
	if err != nil {
		return err
	}
	return s.story(st, c.Evidence)
}

type whyNotCmd struct {
	Policy   string `arg:"" help:"Name of the policy."`
	Target   string `arg:"" optional:"" help:"Target; none if the policy has one instance."`
	Evidence bool   `help:"Print the evidence of every step too."`
}

// Help shows an example.
func (whyNotCmd) Help() string { return "Example:\n  vigild why-not web-slow web" }

// Run tells what stops it.
func (c *whyNotCmd) Run(ctx context.Context, s *session) error {
	r, err := s.remote()
	if err != nil {
		return err
	}
	st, err := r.WhyNot(ctx, c.Policy, c.Target)
	if err != nil {
		return err
	}
	return s.story(st, c.Evidence)
}

func (s *session) story(st contract.Story, evidence bool) error {
	return s.print(st, func() error {
		fmt.Fprintln(s.Out, s.paint(bold, plain(st.Headline)))
		for _, l := range st.Lines {
			when := ""
			if len(l.Time) > 19 {
				when = clockOf(l.Time) + "  "
			}
			fmt.Fprintf(s.Out, "  %s%s\n", when, plain(l.Text))
			if evidence && len(l.Evidence) > 0 {
				text, err := json.MarshalIndent(l.Evidence, "      ", "  ")
				if err == nil {
					fmt.Fprintf(s.Out, "      %s\n", text)
				}
			}
		}
		return nil
	})
}

// clockOf is the time of day of an RFC 3339 time, to the millisecond.
func clockOf(t string) string {
	end := len(t) - 1
	if end > 23 {
		end = 23
	}
	return t[11:end]
}
