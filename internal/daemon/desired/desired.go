// Package desired is the rooms of desired state, introduced to each other: the
// repository and its sources, the keeper of revisions, the world it compares
// with, the ears on files and units, and vigild's own documents.
//
// It composes and translates, and decides nothing: what a revision means is the
// keeper's business. New opens the repository and starts nothing; what moves are
// the parts, which the daemon runs in their order and stops in reverse. Close
// lets go of the repository afterwards.
package desired

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"vigil/actions"
	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/hall"
	"vigil/engine/judge"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kustomize"
	"vigil/engine/remedy"
	"vigil/engine/reverse"
	"vigil/engine/revision"
	"vigil/engine/world"
	"vigil/gitwatch/paths"
	"vigil/internal/daemon/config"
	"vigil/internal/daemon/git"
	"vigil/internal/daemon/own"
	"vigil/internal/daemon/parts"
)

// Deps is the rooms that stand already.
type Deps struct {
	Config  *config.Loaded
	Journal engine.Journal // the ledger, or something around it
	Ledger  *ledger.Ledger
	Actions remedy.Actions // the set, or something around it
	Set     *actions.Set
	Engine  *hall.Engine
	World   *world.World
	Checks  *own.Checks
	Nudge   func()          // the worker looks for work
	Listen  func() net.Addr // where the daemon listens on TCP, nil nowhere
	Clock   clock.Clock
	Log     *slog.Logger
	Step    func(name string) // of tests: before each change of the repository on disk; may be nil
}

// Desired is all of it. A nil Desired is that of a house without a source of
// revisions: its methods answer with nothing.
type Desired struct {
	Deps
	repo   *git.Repository
	source *git.Source
	back   *reverse.Reverse
	keeper *revision.Keeper
	spots  *paths.Spots // says which managed paths may have changed

	mu    sync.Mutex
	units map[string]bool // those that matter
}

// New opens the repository and introduces the rooms. It is nil where the config
// has no source of revisions.
func New(ctx context.Context, deps Deps) (d *Desired, err error) {
	cfg := deps.Config
	if !cfg.Git.Enabled {
		return nil, nil
	}
	if err := cfg.CheckGit(); err != nil {
		return nil, err
	}
	host, err := cfg.Chosen()
	if err != nil {
		return nil, err
	}
	box, err := cfg.Box()
	if err != nil {
		return nil, err
	}
	d = &Desired{Deps: deps}
	entries := own.NewActions(d.Set, cfg.Git.TrustActions)
	documents := own.New(d.Engine, d.Checks, entries)
	// Folders of policies name them, and attempts that are found again: they have to be
	// there before either is looked at.
	rows, err := d.Ledger.Entries(ctx)
	if err != nil {
		return nil, err
	}
	if err := entries.Restore(rows); err != nil {
		d.Log.Error("not every action of the repository is in force", "err", err)
	}
	d.repo, err = git.Open(git.Config{Git: cfg.GitConfig(), Host: host, Trust: cfg.Trust()}, git.Deps{
		Box: box, Render: kustomize.Renderer{}, Validate: documents.Validate, Health: healthy, Clock: d.Clock, Log: d.Log.With("room", "git"), Step: d.Step,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.repo.Close()
			d = nil
		}
	}()
	d.keeper, err = revision.New(cfg.Git.Keep, revision.Deps{
		Journal: d.Journal, Kept: d.Ledger, Reader: d.Ledger, World: d.World, Actions: d.Actions,
		Own: documents, Keep: d.Set.Contents().Put, Lend: d.Set.Contents().Lend, Load: d.repo.Load, Mark: d.repo.Mark, Watch: d.watch,
		Healthy: d.Engine.Healthy, Paused: d.Engine.Paused, Leaving: d.Set.Units().Leaving, Suspect: d.World.Suspect, Nudge: d.Nudge, Clock: d.Clock, Log: d.Log.With("room", "desired"),
	})
	if err != nil {
		return d, err
	}
	d.Engine.Introduce(d.keeper)
	d.spots, err = paths.NewSpots(paths.SpotsDefaults(), paths.SpotsDeps{Changed: d.keeper.Touched, Log: d.Log.With("room", "paths")})
	if err != nil {
		return d, err
	}
	if d.source, err = git.New(d.repo, d.keeper, d.Ledger); err != nil {
		return d, err
	}
	d.back, err = reverse.New(reverse.Config{Host: host.Name, Trust: cfg.Trust()}, reverse.Deps{
		Desired: d.keeper, World: d.World, Repository: d.source.Back(d.clone), Record: d.record, Clock: d.Clock,
	})
	return d, err
}

// clone is where people clone the repository from on this machine, "" where
// nothing listens on TCP.
func (d *Desired) clone() string {
	at := d.Listen()
	if at == nil {
		return ""
	}
	cfg := d.Config
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if cfg.API.Encrypted() {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/git/" + cfg.Git.Name
}

// record writes one audit record.
func (d *Desired) record(ctx context.Context, r audit.Record) error {
	_, err := d.Ledger.Commit(ctx, &engine.Decision{At: r.At, Audit: []audit.Record{r}})
	return err
}

// Reverse is the way back from the machine to the repository.
func (d *Desired) Reverse() engine.Reverse {
	if d == nil {
		return nil
	}
	return d.back
}

func healthy(h reconcile.Health) error {
	_, err := judge.HealthCondition(h)
	return err
}

// Close lets go of the repository.
func (d *Desired) Close() {
	if d != nil {
		d.repo.Close()
	}
}

// watch listens to what matters now.
func (d *Desired) watch(spots []revision.Spot, names []string) {
	list := make([]paths.Spot, len(spots))
	for i, s := range spots {
		list[i] = paths.Spot{Path: s.Path, Inside: s.Inside}
	}
	if err := d.spots.Set(list); err != nil {
		d.Log.Warn("changes of managed paths are found by rounds alone", "paths", len(list), "err", err)
	}
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	d.mu.Lock()
	d.units = set
	d.mu.Unlock()
}

// heard takes systemd's word that a unit changed; "" is that any may have.
func (d *Desired) heard(unit string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.units[unit] {
		d.keeper.UnitTouched(unit)
	}
	if unit == "" {
		for u := range d.units {
			d.keeper.UnitTouched(u)
		}
	}
}

// Ended takes the worker's word that a step is over; nil where nobody cares.
func (d *Desired) Ended() func(remedy.Remediation) {
	if d == nil {
		return nil
	}
	return d.keeper.Ended
}

// Handler answers git clients, Webhook webhooks; nil where nobody does.
func (d *Desired) Handler() http.Handler {
	if d == nil {
		return nil
	}
	return d.source.Handler()
}

// Webhook is nil without a secret that webhooks are signed with.
func (d *Desired) Webhook() http.Handler {
	if d == nil {
		return nil
	}
	return d.source.Webhook()
}

// Stalled says why what the source has is not what the host follows, "" when it is.
func (d *Desired) Stalled() string {
	if d == nil {
		return ""
	}
	v := d.Face().State()
	if v.Stalled == "" && (v.State == engine.RevisionBad || v.State == engine.RevisionRefused) {
		return "the newest revision is " + string(v.State) + ": " + v.Why
	}
	return v.Stalled
}

// Parts is what moves of it, in the order of the start.
func (d *Desired) Parts(within time.Duration) []parts.Part {
	if d == nil {
		return nil
	}
	return []parts.Part{
		{Name: "managed paths", Run: d.spots.Run, Bound: within},
		{Name: "desired state", Run: d.keep, Ready: d.loaded, Bound: within},
		{Name: "contents", Run: d.sweep, Bound: within},
		{Name: "revisions", Run: d.follow, Bound: within},
	}
}

// keep runs the keeper with an ear to systemd.
func (d *Desired) keep(ctx context.Context) error {
	stop := d.Set.Units().Hear(d.heard)
	defer stop()
	return d.keeper.Run(ctx)
}

func (d *Desired) loaded(ctx context.Context) error {
	select {
	case <-d.keeper.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow says what was lost, then follows the source.
func (d *Desired) follow(ctx context.Context) error {
	if err := d.source.Lost(ctx); err != nil && ctx.Err() == nil {
		d.Log.Error("what was applied stays as it is until the next push or fetch", "err", err)
		aerr := d.record(ctx, audit.Record{At: d.Clock(), Actor: "vigild", Verb: "repository.lost", Object: "repository:" + d.Config.Git.Name, Reason: err.Error()})
		if aerr != nil && ctx.Err() == nil {
			d.Log.Error("the loss of the repository is not in the audit", "err", aerr)
		}
	}
	return d.source.Run(ctx)
}
