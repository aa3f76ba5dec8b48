package look

import (
	"context"

	"vigil/internal/cli/session"
)

type WhyCmd struct {
	ID       int64 `arg:"" help:"Number of the remediation."`
	Evidence bool  `help:"Print the evidence of every step too."`
}

// Help shows examples.
func (WhyCmd) Help() string {
	return "Examples:\n  vigild why 17\n  vigild why 17 --evidence -o json"
}

// Run tells the story.
func (c *WhyCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	st, err := r.Why(ctx, c.ID)
	if err != nil {
		return err
	}
	return s.Story(st, c.Evidence)
}

type WhyNotCmd struct {
	Policy   string `arg:"" help:"Name of the policy."`
	Target   string `arg:"" optional:"" help:"Target; none if the policy has one instance."`
	Evidence bool   `help:"Print the evidence of every step too."`
}

// Help shows an example.
func (WhyNotCmd) Help() string { return "Example:\n  vigild why-not web-slow web" }

// Run tells what stops it.
func (c *WhyNotCmd) Run(ctx context.Context, s *session.Session) error {
	r, err := s.Remote()
	if err != nil {
		return err
	}
	st, err := r.WhyNot(ctx, c.Policy, c.Target)
	if err != nil {
		return err
	}
	return s.Story(st, c.Evidence)
}
