package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"vigil/internal/cli/session"
	"vigil/internal/daemon"
	"vigil/internal/daemon/config"
)

type runCmd struct {
	Listen string `help:"TCP address; overrides the config file." placeholder:"ADDR"`
}

// Help shows examples.
func (runCmd) Help() string {
	return "Examples:\n  vigild\n  vigild run --listen 127.0.0.1:8000 --data-dir /tmp/vigil\n\nSIGHUP reloads the configuration; SIGTERM stops within bounds."
}

// Run runs the daemon until ctx ends.
func (c *runCmd) Run(ctx context.Context, s *session.Session) error {
	from := s.From()
	change := from.Change
	from.Change = func(cfg *config.Config) {
		change(cfg)
		if c.Listen != "" {
			cfg.API.Listen = c.Listen
		}
	}
	d, err := daemon.New(daemon.Options{From: from, Log: s.Err, Reload: s.Hangup, Version: session.Version(), Ready: func(r daemon.Running) {
		if r.Listen != nil {
			fmt.Fprintf(s.Out, "vigild is ready in %s: http://%s (docs at /docs), data in %s\n", r.Took.Round(1e6), r.Listen, r.DataDir)
		}
		if file := filepath.Join(r.DataDir, daemon.TokenFile); readable(file) {
			fmt.Fprintf(s.Out, "changes over TCP need a token: the first one is in %s\n", file)
		}
	}})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

func readable(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
