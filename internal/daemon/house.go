package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"vigil/actions"
	"vigil/api"
	"vigil/engine"
	"vigil/engine/atonce"
	"vigil/engine/audit"
	"vigil/engine/check"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/hall"
	"vigil/engine/ledger"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
	"vigil/engine/remedy/worker"
	"vigil/engine/tsdb"
	"vigil/engine/world"
	"vigil/internal/daemon/archive"
	"vigil/internal/daemon/desired"
	"vigil/internal/daemon/evidence"
	"vigil/internal/daemon/handsoff"
	"vigil/internal/daemon/manager"
	"vigil/internal/daemon/own"
	"vigil/internal/daemon/parts"
	"vigil/internal/daemon/pulse"
	"vigil/internal/daemon/source"
)

// house is the rooms of one running daemon, introduced to each other.
type house struct {
	d       *Daemon
	began   clock.Stamp
	up      atomic.Bool   // every part runs
	bound   chan struct{} // closed when the listeners are bound
	ledger  *ledger.Ledger
	store   *tsdb.Store
	set     *actions.Set
	engine  *hall.Engine
	worker  *worker.Worker
	checks  *check.Runner
	checked *own.Checks      // what the runner is told to run, by its owners
	desired *desired.Desired // nil: no source of revisions
	server  *api.Server
	archive *archive.Archive
	folder  *source.Folder
	hands   *handsoff.Keeper
	pulse   *pulse.Pulse
	builtin *source.Builtin
	self    *self
	notify  *manager.Manager
	reload  *reloader
}

// open opens the stores and makes every room, starting nothing. What was opened
// is closed again when a later room refuses.
func (d *Daemon) open(ctx context.Context) (h *house, err error) {
	h = &house{d: d, began: d.clock(), bound: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	cfg, log := d.cfg, d.log
	cfg.Ledger.Dir = cfg.DataDir
	if h.ledger, err = ledger.Open(cfg.Ledger, ledger.Deps{Clock: d.clock, Log: log.With("room", "ledger")}); err != nil {
		return h, err
	}
	cfg.Store.Dir = cfg.DataDir
	if h.store, err = tsdb.Open(cfg.Store, tsdb.Deps{Clock: d.clock, Log: log.With("room", "tsdb")}); err != nil {
		return h, err
	}
	h.pulse = pulse.New(pulse.Config{Every: cfg.Self.Every.Std()}, pulse.Deps{Clock: d.clock, Log: log})
	h.builtin = source.NewBuiltin(source.BuiltinDeps{Kept: h.kept, Log: log.With("room", "policies"),
		Check: func(ds []document.Document) error {
			_, err := h.engine.FolderChanges(document.Builtin, ds, h.set)
			return err
		},
		Apply: func(ctx context.Context, ds []document.Document) error {
			return h.engine.ApplyFolder(ctx, "vigild", document.Builtin, ds)
		}})
	actCfg := cfg.ActionsConfig()
	actCfg.Wrapper = wrapper()
	if h.set, err = actions.New(actCfg, actions.Deps{Clock: d.clock, Log: log.With("room", "actions"), ProcessEvent: h.pulse.Event, ProcessNames: h.builtin.Changed}); err != nil {
		return h, err
	}
	work, seams := make(chan struct{}, 1), d.opt.Seams
	journal := atonce.New(through[engine.Journal](seams.Journal, h.ledger))
	engineCfg := cfg.Engine
	engineCfg.AuthOpen = cfg.API.Auth == "open"
	engineCfg.Remedy = cfg.Remedy
	engineCfg.LocalNames = localNames()
	h.engine, err = hall.New(engineCfg, engine.Deps{
		Samples: through[engine.Samples](seams.Samples, h.store), Journal: journal,
		Reader: h.ledger, Actions: h.set,
		Notices: engine.Notices{Work: work}, Clock: d.clock, Log: log.With("room", "engine"), Subject: h.set.Units().Subject,
	})
	if err != nil {
		return h, err
	}
	h.pulse.Introduce(h.engine.Ingest, h.set.Processes().List)
	capture, err := world.New(world.Config{Proc: cfg.Host.Proc}, world.Deps{Journal: evidence.Journal(h.set), Log: evidence.ProcessLog(h.set), State: h.set.UnitState, Process: h.process, Logger: log.With("room", "world")})
	if err != nil {
		return h, err
	}
	h.checks, err = check.New(cfg.CheckConfig(), check.Deps{
		Sink: h.engine.Ingest, Clock: d.clock, Log: log.With("room", "check"), Launch: launcher(h.set, cfg.Checks.PluginDirs),
		Past: func() check.Past { return h.store.Past() },
	})
	if err != nil {
		return h, err
	}
	owners := []document.Owner{document.Folder}
	if cfg.Git.Enabled {
		owners = append(owners, document.Git)
	}
	h.checked = own.NewChecks(h.checks, h.checks.Probe(), owners...)
	h.desired, err = desired.New(ctx, desired.Deps{
		Config: cfg, Journal: journal, Ledger: h.ledger, Actions: through[remedy.Actions](seams.Actions, h.set),
		Set: h.set, Engine: h.engine, World: capture, Checks: h.checked, Nudge: h.engine.Nudge, Clock: d.clock, Log: log,
		Listen: func() net.Addr { return h.server.Addr() },
		Step:   seams.Step,
	})
	if err != nil {
		return h, err
	}
	h.worker, err = worker.New(cfg.Remedy, worker.Deps{
		Ledger: through[remedy.Ledger](seams.Ledger, h.ledger), Judge: h.engine.Judge,
		Actions: through[remedy.Actions](seams.Actions, h.set), Capture: capture,
		Clock: d.clock, Wake: work, Log: log.With("room", "remedy"), Ended: h.desired.Ended(),
	})
	if err != nil {
		return h, err
	}
	journal.Introduce(h.worker)
	h.folder = source.New(source.Deps{
		Dirs: cfg.Sources, Log: log.With("room", "policies"), Rescan: cfg.Policies.Rescan.Std(),
		Sinks: []source.Sink{h.policySink(log.With("room", "policies")), h.checkSink()},
	})
	if h.hands, err = handsoff.New(handsoff.Deps{
		Book: h.engine, Clock: d.clock, Log: log.With("room", "handsoff"), Units: h.set.Units(),
	}); err != nil {
		return h, err
	}
	h.self = &self{clock: d.clock, log: log, ingest: h.engine.Ingest, every: cfg.Self.Every.Std(), cpus: runtime.NumCPU()}
	h.self.sources = h.sources()
	tokens, err := fixed(cfg, d.clock)
	if err != nil {
		return h, err
	}
	node, err := os.Hostname()
	if err != nil {
		return h, err
	}
	cfg.API.DataDir = cfg.DataDir
	h.server, err = api.New(cfg.API, api.Deps{
		Engine: h.engine, Reader: h.ledger, Samples: h.store, Tokens: h.ledger, Fixed: tokens,
		Clock: d.clock, Log: log.With("room", "api"), Version: d.opt.Version, Node: node, Deferred: cfg.Store.Durability == tsdb.Interval,
		Ready: h.ready, Stats: h.self.sources, Checks: func() []check.CheckStats { return h.checks.Stats().Each }, Reload: h.reloadPolicies, Backup: h.Backup, Confirm: h.Confirm,
		Catalogue: h.catalogue, Prune: h.ledger.Prune, Verify: h.ledger.AuditVerify, Replays: h.ledger, Git: h.desired.Handler(), GitName: cfg.Git.Name, Webhook: h.desired.Webhook(), Desired: h.desired.Face(), DesiredReader: h.ledger, Reverse: h.desired.Reverse(),
	})
	if err != nil {
		return h, err
	}
	if h.archive, err = archive.New(cfg.Audit, archive.Deps{Chain: h.ledger, Clock: d.clock, Log: log.With("room", "archive")}); err != nil {
		return h, err
	}
	h.notify = &manager.Manager{Log: log, Status: h.summary, Progress: h.progress()}
	h.reload = &reloader{h: h, nudges: d.opt.Reload, current: cfg}
	return h, nil
}

// close closes the stores, the newest first.
func (h *house) close() error {
	var errs []error
	h.desired.Close()
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	if h.ledger != nil {
		errs = append(errs, h.ledger.Close())
	}
	return errors.Join(errs...)
}

// parts is everything that moves, in the order of the start.
func (h *house) parts() []parts.Part {
	within := h.d.cfg.Stop.Within.Std()
	first := []parts.Part{
		{Name: "ledger", Run: h.ledger.Run, Bound: within},
		{Name: "engine", Run: h.engine.Run, Ready: h.engineReady, Bound: within},
		// Not before all is loaded: a limit below what is being loaded would spend
		// half of the processor on collecting nothing.
		{Name: "memory", Run: memory, Bound: within},
		{Name: "store events", Run: h.storeEvents, Bound: within},
		{Name: "processes", Run: h.set.Run, Ready: h.adopted, Bound: within},
		{Name: "process states", Run: h.pulse.Run, Bound: within},
		{Name: "builtin policies", Run: h.builtin.Run, Bound: within},
		{Name: "own series", Run: h.self.run, Bound: within},
		{Name: "hands-off", Run: h.hands.Run, Bound: within},
		{Name: "checks", Run: h.checks.Run, Bound: within},
		{Name: "worker", Run: h.worker.Run, Bound: within + h.d.cfg.Remedy.StopGrace.Std()},
		{Name: "policy folders", Run: h.folder.Run, Bound: within},
	}
	last := []parts.Part{
		{Name: "snapshots", Run: h.snapshots, Bound: within},
		{Name: "audit archive", Run: h.archive.Run, Bound: within},
		{Name: "clock", Run: h.confirmed, Bound: within},
		{Name: "reload", Run: h.reload.run, Bound: within},
		{Name: "api", Run: h.serve, Ready: h.listening, Bound: within + h.d.cfg.API.Drain.Std()},
		{Name: "service manager", Run: h.notify.Run, Bound: within},
	}
	return slices.Concat(first, h.desired.Parts(within), last)
}

// engineReady waits for the replay and puts the builtin policies in force.
func (h *house) engineReady(ctx context.Context) error {
	select {
	case <-h.engine.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	// Before the worker runs, so that it stands before what it decides.
	if err := h.ledger.Stand(ctx, audit.Record{
		At: h.d.clock(), Actor: "vigild", Verb: decide.ConfigVerb, Object: decide.ConfigObject,
		Reason: "the gates decide by this configuration", Evidence: decide.Told(h.d.cfg.Remedy),
	}); err != nil {
		return err
	}
	return h.builtin.Put(ctx, h.d.cfg.Policies.Starter)
}

// adopted waits until what an earlier vigild kept is known again: who compares with
// the machine before that sees nothing run, and takes it for drift.
func (h *house) adopted(ctx context.Context) error {
	select {
	case <-h.set.Processes().Adopted():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kept names the processes that are kept.
func (h *house) kept() (local, declared []string) {
	for _, p := range h.set.Processes().List() {
		if p.Declared {
			declared = append(declared, p.Name)
		} else {
			local = append(local, p.Name)
		}
	}
	return local, declared
}

// serve binds, makes the first token, says so, and serves.
func (h *house) serve(ctx context.Context) error {
	if err := h.server.Listen(ctx); err != nil {
		return err
	}
	if err := h.firstToken(ctx); err != nil {
		return err
	}
	close(h.bound)
	return h.server.Run(ctx)
}

// listening waits until serve has bound, so that `ready` is true when it is said.
func (h *house) listening(ctx context.Context) error {
	select {
	case <-h.bound:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// snapshots keeps verified copies of the ledger; the store keeps its own.
func (h *house) snapshots(ctx context.Context) error {
	cfg := h.d.cfg.Snapshots
	if cfg.Every == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(cfg.Every.Std())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := h.ledger.Snapshot(ctx, ""); err != nil && ctx.Err() == nil {
			h.d.log.Error("no snapshot of the ledger", "err", err)
		}
	}
}

// process tells the world how a process stands.
func (h *house) process(name string) (reconcile.Process, error) {
	i, known := h.set.Processes().Look(name)
	p := reconcile.Process{Known: known, Running: i.Running, Pid: i.Pid, Current: i.Current, Rising: i.Rising}
	if raw, declared := h.set.Processes().Definition(name); declared {
		c, err := reconcile.ReadCommand(raw)
		p.Command = &c
		return p, err
	}
	return p, nil
}
