package gitwatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/fault"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/paths"
	"vigil/gitwatch/store"
)

// Deps is what a watcher asks of others.
type Deps struct {
	Store *store.Store
	// Verify says who signed a revision; an error refuses it. See [Trust.Verify].
	Verify func(ctx context.Context, s Snapshot) (signer string, err error)
	// Inspect is the verdict on a new revision; an error leaves everything as it
	// is, and the revision is looked at again with the next nudge.
	Inspect func(ctx context.Context, s Snapshot) error
	// Landed is called once the store's branch has moved to the revision.
	Landed func(ctx context.Context, r Revision)
	Now    func() time.Time
	Log    *slog.Logger
}

// State is what a watcher saw last.
type State struct {
	Looked time.Time // the last look that reached the source
	Tip    string    // what the source's branch was at then
	Err    error     // why Tip is not what the store's branch is at; nil when it is
	Fails  int       // looks in a row that did not reach the source
}

// Watcher brings what a path or a remote says into the store.
type Watcher struct {
	cfg   Config
	deps  Deps
	nudge chan struct{}

	mu    sync.Mutex
	state State
}

// New makes a watcher for a config whose source is path or remote.
func New(cfg Config, deps Deps) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Source != fromPath && cfg.Source != fromRemote {
		return nil, fault.New(fault.Internal, "there is nothing to watch: the source is %s", cfg.Source)
	}
	if deps.Store == nil || deps.Verify == nil || deps.Inspect == nil || deps.Landed == nil || deps.Now == nil {
		return nil, fault.New(fault.Internal, "a watcher needs all its dependencies")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{cfg: cfg, deps: deps, nudge: make(chan struct{}, 1)}, nil
}

// State is safe to call at any time.
func (w *Watcher) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Nudge says "look now" and returns at once. Many nudges make one look, or two.
func (w *Watcher) Nudge() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// Run looks at once, at every nudge, and at intervals, until ctx ends; then it
// returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if dir, ok := w.folder(); ok {
		events, err := paths.New(w.events(), paths.Deps{
			Paths: []string{filepath.Join(dir, "HEAD"), filepath.Join(dir, "packed-refs"), filepath.Join(dir, "refs", "heads")},
			Nudge: func(context.Context) { w.Nudge() },
			Log:   w.deps.Log,
		})
		if err != nil {
			return err
		}
		wait.Go(func() { _ = events.Run(ctx) })
	}
	for {
		w.look(ctx)
		next := time.NewTimer(w.interval())
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-w.nudge:
			next.Stop()
		case <-next.C:
		}
	}
}

// folder is where the events of a source come from.
func (w *Watcher) folder() (string, bool) {
	path := w.cfg.Path
	if w.cfg.Source == fromRemote {
		at, err := parseRemote(w.cfg.URL)
		if err != nil || at.Protocol != "file" {
			return "", false
		}
		path = at.Path
	}
	dir, err := gitDir(path)
	if err != nil {
		return filepath.Join(path, ".git"), true
	}
	return dir, true
}

// events makes a revision known well within a quarter of a second.
func (w *Watcher) events() paths.Config {
	c := paths.Defaults()
	c.Debounce, c.Patience, c.Rescan = 50*time.Millisecond, 200*time.Millisecond, w.cfg.Poll
	return c
}

// Bounds of the time between two looks.
const (
	maxWait   = 15 * time.Minute
	maxDouble = 4
)

// interval is the time to the next look: a fifth more or less, so that many
// hosts do not ask at once, and longer while the source cannot be reached.
func (w *Watcher) interval() time.Duration {
	d := w.cfg.Poll << min(w.State().Fails, maxDouble)
	d = min(d, max(maxWait, w.cfg.Poll))
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// look asks the source, takes in what is new, and remembers how that ended.
func (w *Watcher) look(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	tip, reached, err := w.take(bounded)
	if ctx.Err() != nil {
		return
	}
	if err != nil && bounded.Err() != nil {
		err = fault.New(fault.Unavailable, "the source was not done within %s: %v", w.cfg.Timeout, err).Mend("[git] timeout gives it longer")
	}
	w.mu.Lock()
	was := w.state
	w.state.Err = err
	if w.state.Fails++; reached {
		w.state.Fails, w.state.Looked = 0, w.deps.Now()
		if !tip.IsZero() {
			w.state.Tip = tip.String()
		}
	}
	w.mu.Unlock()
	switch {
	case err != nil && (was.Err == nil || was.Err.Error() != err.Error()):
		w.deps.Log.Warn("the desired state stays as it is", "source", w.cfg.Source, "tip", w.State().Tip, "err", err)
	case err == nil && was.Err != nil:
		w.deps.Log.Info("the source is followed again", "source", w.cfg.Source, "tip", tip)
	}
}

func (w *Watcher) open(ctx context.Context) (origin, error) {
	if w.cfg.Source == fromPath {
		return openLocal(w.cfg.Path, w.cfg)
	}
	if at, err := parseRemote(w.cfg.URL); err == nil && at.Protocol == "file" {
		return openLocal(at.Path, w.cfg)
	}
	return openRemote(ctx, w.cfg)
}

// take brings the source's tip into the store. reached is that the source
// answered, whatever it said.
func (w *Watcher) take(ctx context.Context) (tip plumbing.Hash, reached bool, err error) {
	from, err := w.open(ctx)
	if err != nil {
		return tip, false, err
	}
	defer from.close()
	if tip, err = from.tip(ctx); err != nil {
		return tip, fault.KindOf(err) == fault.NotFound, err
	}
	st := w.deps.Store
	was := st.Ref(st.Branch())
	if tip == was {
		return tip, true, nil
	}
	q, err := from.bring(ctx, st, tip)
	if err != nil {
		return tip, true, err
	}
	defer q.Drop()
	if err := q.Check(ctx, tip); err != nil {
		return tip, true, err
	}
	forward, err := q.View().Descends(ctx, tip, was)
	if err != nil {
		return tip, true, err
	}
	if !forward {
		return tip, true, fault.New(fault.Conflict, "%s does not come after %s: the history was rewritten", tip.String()[:10], was.String()[:10]).Mend("revert instead; or `git merge -s ours %s` upon it, which keeps what it says, and comes after both: vigild serves the old commit at /git/%s", was.String()[:10], w.cfg.Name)
	}
	kind := objects.Path
	if w.cfg.Source == fromRemote {
		kind = objects.Remote
	}
	snap, err := objects.ReadRevision(ctx, q.View(), kind, st.Branch(), tip, was, w.cfg.Tree)
	if err != nil {
		return tip, true, err
	}
	if snap.Revision.Signer, err = w.deps.Verify(ctx, snap); err != nil {
		return tip, true, err
	}
	if err := w.deps.Inspect(ctx, snap); err != nil {
		return tip, true, err
	}
	if err := q.Land(store.Update{Ref: st.Branch(), Old: was, New: tip}); err != nil {
		return tip, true, err
	}
	w.deps.Landed(ctx, snap.Revision)
	if err := st.Compact(ctx, store.ManyPacks); err != nil && !errors.Is(err, context.Canceled) {
		w.deps.Log.Error("the packs of the repository cannot be put together", "err", err)
	}
	return tip, true, nil
}
