package daemon

import (
	"context"
	"net/http"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/internal/daemon/git"
	"vigil/internal/daemon/own"
)

// desired is the rooms of desired state, nil in a house without a source of
// revisions.
type desired struct {
	h      *house
	repo   *git.Repository
	source *git.Source
	own    *own.Own
}

// openDesired opens the repository and introduces it; nothing moves yet.
func (h *house) openDesired() (*desired, error) {
	cfg := h.d.cfg
	if !cfg.Git.Enabled {
		return nil, nil
	}
	host, err := cfg.Chosen()
	if err != nil {
		return nil, err
	}
	box, err := cfg.Box()
	if err != nil {
		return nil, err
	}
	d := &desired{h: h, own: own.New(h.engine, h.checked)}
	d.repo, err = git.Open(git.Config{Git: cfg.GitConfig(), Host: host, Trust: cfg.Trust()}, git.Deps{
		Box: box, Validate: d.own.Validate, Clock: h.d.clock, Log: h.d.log.With("room", "git"),
	})
	if err != nil {
		return nil, err
	}
	if d.source, err = git.New(d.repo, unkept{d.own}, h.ledger); err != nil {
		d.repo.Close()
		return nil, err
	}
	return d, nil
}

// handler and webhook are what the API serves of it.
func (d *desired) handler() http.Handler {
	if d == nil {
		return nil
	}
	return d.source.Handler()
}

func (d *desired) webhook() http.Handler {
	if d == nil {
		return nil
	}
	return d.source.Webhook()
}

// run says what was lost, then follows the source.
func (d *desired) run(ctx context.Context) error {
	if err := d.repo.Lost(); err != nil {
		log := d.h.d.log
		log.Error("the repository was corrupt and is set aside; what was applied stays as it is until the next push or fetch", "err", err)
		now := d.h.d.clock()
		_, aerr := d.h.ledger.Commit(ctx, &engine.Decision{At: now, Audit: []audit.Record{{
			At: now, Actor: "vigild", Verb: "repository.lost", Object: "repository:" + d.h.d.cfg.Git.Name, Reason: err.Error(),
		}}})
		if aerr != nil && ctx.Err() == nil {
			log.Error("the loss of the repository is not in the audit", "err", aerr)
		}
	}
	return d.source.Run(ctx)
}

// unkept reads revisions and brings none about.
type unkept struct{ own *own.Own }

func (u unkept) Inspect(_ context.Context, _ engine.Revision, set *reconcile.Set, say func(string)) error {
	says, err := u.own.Check(set.Documents)
	if err != nil {
		return err
	}
	for _, s := range says {
		say(s)
	}
	return fault.New(fault.Unsupported, "the documents are right, and this vigild does not apply revisions yet")
}

func (u unkept) Land(context.Context, engine.Revision) (int64, error) {
	return 0, fault.New(fault.Unsupported, "this vigild does not apply revisions yet")
}

func (u unkept) Await(context.Context, int64, func(string)) error { return nil }
