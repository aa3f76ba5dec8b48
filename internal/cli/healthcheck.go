package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vigil/engine/fault"
)

type healthcheckCmd struct {
	Timeout time.Duration `help:"How long to wait for the answer." default:"5s"`
}

// Help shows an example.
func (healthcheckCmd) Help() string {
	return "Example:\n  HEALTHCHECK CMD [\"/vigild\", \"healthcheck\"]"
}

// Run asks whether the daemon is ready.
func (c *healthcheckCmd) Run(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := s.remote()
	if err != nil {
		return err
	}
	ready, err := r.Ready(ctx)
	if err != nil {
		return err
	}
	if !ready.Ready {
		return fault.New(fault.Unavailable, "not ready: %s", strings.Join(ready.Reasons, "; "))
	}
	return s.print(ready, func() error {
		_, err := fmt.Fprintln(s.Out, strings.Join(append([]string{"ready"}, ready.Degraded...), "; "))
		return err
	})
}
