package cli

import (
	"context"

	"vigil/internal/daemon"
)

// attemptCmd is what systemd starts for an action that is to outlive vigild.
type attemptCmd struct {
	Dir string `arg:"" help:"Folder of the attempt."`
}

// Run runs the attempt's program until its end is on disk.
func (c *attemptCmd) Run(ctx context.Context) error { return daemon.RunAttempt(ctx, c.Dir) }
