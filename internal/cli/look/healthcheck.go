package look

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vigil/engine/fault"
	"vigil/internal/cli/session"
)

type HealthcheckCmd struct {
	Timeout session.Span `help:"How long to wait for the answer." default:"5s"`
}

// Help shows an example.
func (HealthcheckCmd) Help() string {
	return "Example:\n  HEALTHCHECK CMD [\"/vigild\", \"healthcheck\"]"
}

// Run asks whether the daemon is ready.
func (c *HealthcheckCmd) Run(ctx context.Context, s *session.Session) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer cancel()
	r, err := s.Remote()
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
	return s.Print(ready, func() error {
		_, err := fmt.Fprintln(s.Out, strings.Join(append([]string{"ready"}, ready.Degraded...), "; "))
		return err
	})
}
