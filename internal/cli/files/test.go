package files

import (
	"fmt"

	"vigil/engine/fault"
	"vigil/internal/cli/session"
	"vigil/internal/daemon/offline"
)

type TestCmd struct {
	Files []string `arg:"" help:"Stories, and YAML files of the policies that they name."`
}

// Help shows an example.
func (TestCmd) Help() string {
	return `Examples:
  vigild test stories/*.story policies/*.yaml

A story:
  every 10s
    cpu{host="web1"}  0.2x3 0.95x12 0.3x12
  policy hot hot.yaml
  at 80s   hot{host="web1"} pending
  at 120s  hot{host="web1"} firing  remedy service web1
  at 260s  hot{host="web1"} ok`
}

// Run runs the stories.
func (c *TestCmd) Run(s *session.Session) error {
	l, err := s.Load()
	if err != nil {
		return err
	}
	results, err := offline.RunStories(l, c.Files)
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
		}
	}
	if err := s.Print(results, func() error {
		for _, r := range results {
			word := s.Paint(session.Green, "ok  ")
			if !r.Passed {
				word = s.Paint(session.Red, "FAIL")
			}
			fmt.Fprintf(s.Out, "%s %s (%s)\n", word, r.File, session.Count(r.Expected, "expectation", "expectations"))
			for _, f := range r.Failures {
				fmt.Fprintf(s.Out, "     %s\n", session.Plain(f))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case len(results) == 0:
		return fault.New(fault.Usage, "no story among the files")
	case failed > 0:
		return session.ExitCode(fault.Unprocessable.Exit())
	}
	return nil
}
