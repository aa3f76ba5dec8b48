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
		where, scheme := "on "+r.Socket, "http"
		if r.TLS {
			scheme = "https"
		}
		if r.Listen != nil {
			where = fmt.Sprintf("%s://%s (docs at /docs)", scheme, r.Listen)
		}
		fmt.Fprintf(s.Out, "vigild is ready in %s: %s, data in %s\n", r.Took.Round(1e6), where, r.DataDir)
		file := filepath.Join(r.DataDir, daemon.TokenFile)
		switch {
		case r.Listen == nil:
		case r.Auth == "open":
			fmt.Fprintln(s.Out, "auth is open: every program on this host may change everything over TCP")
		case !readable(file):
		case r.Auth == "token":
			fmt.Fprintf(s.Out, "everything over TCP needs a token: the first one is in %s\n", file)
		default:
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
