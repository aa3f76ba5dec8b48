package daemon

import (
	"context"
	"errors"
	"strings"
	"sync"

	"vigil/gitwatch/paths"
	"vigil/internal/daemon/config"
)

// reloader reads the configuration again when somebody says so or when its file
// changed. A bad one changes nothing and says why. Only its own goroutine
// touches current; bad may be asked by anybody.
type reloader struct {
	h       *house
	nudges  <-chan struct{}
	told    string         // settings that wait for a restart and were named already
	current *config.Loaded // in force, as far as it can change while running

	mu  sync.Mutex
	err error // why the newest configuration is not in force
}

// bad is why the newest configuration is not in force, nil when it is.
func (r *reloader) bad() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// note keeps err and reports whether it is news.
func (r *reloader) note(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := err != nil && (r.err == nil || r.err.Error() != err.Error())
	r.err = err
	return news
}

// run reloads until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	watching := make(chan error, 1)
	if file := r.h.d.cfg.File; file != "" {
		w, err := paths.New(paths.Defaults(), paths.Deps{Paths: []string{file}, Log: r.h.d.log, Nudge: func(context.Context) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}})
		if err != nil {
			return err
		}
		own, stop := context.WithCancel(ctx)
		defer func() { stop(); <-watching }()
		go func() { watching <- w.Run(own) }()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.nudges:
			r.reload(ctx, true)
			_, _ = r.h.folder.Reload(ctx, true) // its own log says what was wrong
		case <-changed:
			r.reload(ctx, false)
		}
	}
}

// reload compares what the file says now with what is in force. said is whether
// somebody asked, and so wants an answer even when nothing changed.
func (r *reloader) reload(ctx context.Context, said bool) {
	log := r.h.d.log
	fresh, err := config.Load(r.h.d.opt.From)
	var live, later []string
	if err == nil {
		for _, c := range config.Diff(&r.current.Config, &fresh.Config) {
			if c.Live {
				live = append(live, c.Key)
			} else {
				later = append(later, c.Key)
			}
		}
		if len(live) > 0 {
			r.h.notify.Reloading()
			err = r.apply(ctx, fresh)
			r.h.notify.Ready()
		}
	}
	news := r.note(err)
	switch {
	case err != nil:
		if said || news {
			log.Error("configuration not reloaded, nothing was changed", "err", err)
		}
		return
	case len(live) > 0:
		log.Info("configuration reloaded", "changed", strings.Join(live, " "))
	case said:
		log.Info("configuration reloaded, nothing that can change while running had changed")
	}
	if key := strings.Join(later, " "); key != "" && (said || key != r.told) {
		log.Warn("settings changed that need a restart", "settings", key)
		r.told = key
	}
}

// apply puts in force what can change while running: first what can refuse,
// then what cannot.
func (r *reloader) apply(ctx context.Context, fresh *config.Loaded) error {
	next := *r.current
	next.Log.Level, next.Policies.Starter = fresh.Log.Level, fresh.Policies.Starter
	next.Catalogue, next.Notify = fresh.Catalogue, fresh.Notify
	next.Tokens = fresh.Tokens
	next.API.RateLimit, next.API.AllowedHosts, next.API.AllowedOrigins = fresh.API.RateLimit, fresh.API.AllowedHosts, fresh.API.AllowedOrigins
	tokens, err := fixed(&next, r.h.d.clock)
	if err != nil {
		return err
	}
	if err := r.h.set.Reload(next.ActionsConfig()); err != nil {
		return err
	}
	if err := r.h.builtin.Put(ctx, next.Policies.Starter); err != nil {
		return errors.Join(err, r.h.set.Reload(r.current.ActionsConfig()))
	}
	if err := r.h.server.Adopt(ctx, next.API, tokens); err != nil {
		return errors.Join(err, r.h.set.Reload(r.current.ActionsConfig()), r.h.builtin.Put(ctx, r.current.Policies.Starter))
	}
	r.h.d.setLevel(next.Log.Level)
	r.current = &next
	return nil
}
