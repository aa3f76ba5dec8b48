// Package daemon introduces the rooms to each other and runs them.
//
// [New] opens nothing and starts nothing; [Daemon.Run] opens the stores, starts
// the parts in a fixed order, says when it is ready, and stops them in reverse,
// each step named and bounded. A part that dies takes the daemon down in order,
// since half a daemon is worse than none.
//
// It refuses to decide anything about hosts, policies or acts: it composes the
// rooms' configurations, hands each room what it asked for, and reloads what can
// be reloaded while running. Everything it started has ended when Run returns.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"vigil/engine/clock"
	"vigil/internal/daemon/config"
	"vigil/internal/daemon/parts"
)

// Options is what a daemon runs with.
type Options struct {
	From    config.From
	Log     io.Writer       // where the log goes
	Reload  <-chan struct{} // "read the configuration again"; may be nil
	Version string
	// Ready is called once, when everything runs, from Run's goroutine.
	Ready func(Running)
	Seams Seams // of tests
}

// Running is what a daemon that is ready tells of itself.
type Running struct {
	Listen  net.Addr // nil: no TCP
	TLS     bool     // on Listen
	Auth    string   // of Listen: auto, open or token
	Socket  string   // "": no Unix socket
	DataDir string
	Took    time.Duration // from Run to ready
}

// Daemon is one vigild.
type Daemon struct {
	opt   Options
	cfg   *config.Loaded
	level *slog.LevelVar
	log   *slog.Logger
	clock clock.Clock
}

// New reads the configuration and makes a daemon. The error names every mistake
// in the configuration with its place.
func New(opt Options) (*Daemon, error) {
	cfg, err := config.Load(opt.From)
	if err != nil {
		return nil, err
	}
	d := &Daemon{opt: opt, cfg: cfg, level: new(slog.LevelVar), clock: opt.Seams.Clock}
	if d.clock == nil {
		d.clock = clock.System()
	}
	d.setLevel(cfg.Log.Level)
	h := slog.HandlerOptions{Level: d.level}
	if cfg.Log.Format == "json" {
		d.log = slog.New(slog.NewJSONHandler(opt.Log, &h))
	} else {
		d.log = slog.New(slog.NewTextHandler(opt.Log, &h))
	}
	return d, nil
}

func (d *Daemon) setLevel(text string) {
	var l slog.Level
	if l.UnmarshalText([]byte(text)) == nil { // Validate ran before
		d.level.Set(l)
	}
}

// Config is the configuration that the daemon runs with.
func (d *Daemon) Config() *config.Loaded { return d.cfg }

// Run runs until ctx ends, then stops everything and returns nil, or the first
// failure. It is called once.
func (d *Daemon) Run(ctx context.Context) error {
	began := time.Now()
	d.introduce()
	if err := d.cfg.MakeDataDir(); err != nil {
		return err
	}
	h, err := d.open(ctx)
	if err != nil {
		return err
	}
	err = parts.Run(ctx, d.log, h.parts(), func() {
		r := Running{Listen: h.server.Addr(), TLS: d.cfg.API.Encrypted(), Auth: d.cfg.API.Auth, Socket: h.server.Socket(), DataDir: d.cfg.DataDir, Took: time.Since(began)}
		d.log.Info("ready", "listen", text(r.Listen), "socket", r.Socket, "data_dir", r.DataDir, "took", r.Took.Round(time.Millisecond))
		h.up.Store(true)
		h.notify.Ready()
		if d.opt.Ready != nil {
			d.opt.Ready(r)
		}
	})
	if errors.Is(err, parts.ErrLeft) {
		// Something still uses the stores: closing them under it would be worse
		// than the replay that the next start does anyway.
		return err
	}
	if cerr := h.close(); err == nil {
		err = cerr
	}
	if err == nil { // else the caller says it: once is enough
		d.log.Info("stopped")
	}
	return err
}

// introduce says once what the configuration is made of.
func (d *Daemon) introduce() {
	d.log.Info("starting", "version", d.opt.Version, "config", d.cfg.File, "data_dir", d.cfg.DataDir, "policies", d.cfg.Sources, "env", d.cfg.Env)
	for _, dir := range d.cfg.Missing() {
		d.log.Warn("policy folder does not exist (yet)", "setting", "policies.dirs", "folder", dir)
	}
	for _, o := range d.cfg.Legacy {
		o.Tell(d.log)
	}
}

func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
