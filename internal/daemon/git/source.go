package git

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/api/guard"
	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/gitwatch"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
)

// Keeper is who judges revisions and brings them about; engine/revision has it.
type Keeper interface {
	// Inspect is the verdict and the plan; an error refuses the revision.
	Inspect(ctx context.Context, r engine.Revision, set *reconcile.Set, say func(line string)) error
	// Land takes a revision that the branch was moved to; it is durable on return.
	Land(ctx context.Context, r engine.Revision) (n int64, err error)
	// Await returns when the revision is good, or an error when it is not.
	Await(ctx context.Context, n int64, say func(line string)) error
}

// Revisions is what the ledger knows of revisions.
type Revisions interface {
	Revisions(ctx context.Context, before int64, limit int) ([]engine.Revision, error)
}

// Source is where revisions come from: the git server, or a watcher.
type Source struct {
	repo    *Repository
	keeper  Keeper
	ledger  Revisions
	server  *receive.Server   // nil: revisions are not pushed; the repository can be read all the same
	watcher *gitwatch.Watcher // nil: revisions are pushed
	hook    http.Handler      // nil: no webhook

	order   sync.Mutex       // one revision is landed at a time; over waiting
	waiting *engine.Revision // what the branch was moved to and could not be landed; nil nothing

	mu      sync.Mutex
	missing string // why the tip of the branch was not landed
}

// New introduces the repository to the keeper. Nothing moves until Run.
func New(r *Repository, k Keeper, ledger Revisions) (*Source, error) {
	s := &Source{repo: r, keeper: k, ledger: ledger}
	cfg, log := r.cfg.Git, r.deps.Log
	serve := receive.Defaults()
	serve.Name, serve.Writable, serve.Tree = cfg.Name, cfg.Writable, cfg.Tree
	pushed := cfg.Source == string(objects.Push)
	var err error
	if s.server, err = receive.New(serve, receive.Deps{
		Store: r.store, Authorize: pusher(pushed), Verify: r.Verify, Inspect: s.inspect, Landed: s.landed, Log: log,
	}); err != nil {
		return nil, err
	}
	if pushed {
		return s, nil
	}
	s.watcher, err = gitwatch.New(cfg, gitwatch.Deps{
		Store: r.store, Verify: r.Verify, Now: r.now, Log: log,
		Inspect: func(ctx context.Context, snap objects.Snapshot) error {
			return s.inspect(ctx, snap, receive.Options{}, func(string) {})
		},
		Landed: s.followed,
	})
	if err != nil {
		return nil, err
	}
	if cfg.WebhookSecret != "" {
		s.hook = gitwatch.Webhook(cfg.WebhookSecret, s.watcher.Nudge)
	}
	return s, nil
}

// Handler answers git clients.
func (s *Source) Handler() http.Handler { return s.server }

// Webhook answers webhooks, nil where there is none.
func (s *Source) Webhook() http.Handler { return s.hook }

// pusher says what a caller who came through the door may do here. Where
// revisions come from elsewhere nobody may push: the next look would take it for
// history that was rewritten.
func pusher(pushed bool) func(*http.Request) (receive.Pusher, error) {
	return func(r *http.Request) (receive.Pusher, error) {
		c := guard.From(r.Context())
		return receive.Pusher{
			Name: c.Actor, Read: c.Role.May(guard.Fetch),
			Push: pushed && c.Role.May(guard.Push), Rewind: pushed && c.Role.May(guard.Administer),
		}, nil
	}
}

// inspect is the verdict on a revision before anything moves.
func (s *Source) inspect(ctx context.Context, snap objects.Snapshot, o receive.Options, say func(string)) error {
	set, err := s.repo.read(snap)
	if err != nil {
		return err
	}
	for _, name := range unread(snap.Files, set.Read) {
		say(name + " is not read: vigil.yaml names the folders that are (" + strings.Join(set.Read, ", ") + ")")
	}
	if err := s.keeper.Inspect(ctx, revision(snap.Revision, o), set, say); err != nil || o.DryRun {
		return err
	}
	s.repo.last.put(snap.Revision.Commit, set)
	return nil
}

// unread are documents that lie beside vigil.yaml, where they look as if they
// counted, and that are in none of the folders that are read.
func unread(files []objects.File, read []string) (out []string) {
	if slices.Contains(read, "/") {
		return nil
	}
	for _, f := range files {
		if !strings.Contains(f.Path, "/") && f.Path != rootFile && (strings.HasSuffix(f.Path, ".yaml") || strings.HasSuffix(f.Path, ".yml")) && len(out) < 10 {
			out = append(out, f.Path)
		}
	}
	return out
}

// patience bounds how long the ledger may take to write a revision down.
const patience = 30 * time.Second

// landed is called once the branch has moved. The pusher may go away: what was
// pushed is landed all the same.
func (s *Source) landed(ctx context.Context, r objects.Revision, o receive.Options, say func(string)) error {
	n, err := s.land(ctx, revision(r, o))
	if err != nil {
		return fault.New(fault.Unavailable, "the revision could not be written down yet, and is tried again: %v", err)
	}
	if !o.Wait {
		return nil
	}
	return s.keeper.Await(ctx, n, say)
}

// followed is landed for a watcher.
func (s *Source) followed(ctx context.Context, r objects.Revision) {
	if _, err := s.land(ctx, revision(r, receive.Options{})); err != nil {
		s.repo.deps.Log.Error("a revision could not be written down", "commit", r.Commit, "err", err)
	}
}

// land gives a revision to the keeper. One that could not be written down waits: the
// ledger may have a disk again, or the keeper time, before vigild is started anew.
func (s *Source) land(ctx context.Context, r engine.Revision) (int64, error) {
	s.order.Lock()
	defer s.order.Unlock()
	return s.landing(context.WithoutCancel(ctx), r)
}

// landing is land for who has the order.
func (s *Source) landing(ctx context.Context, r engine.Revision) (int64, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := s.keeper.Land(bounded, r)
	if s.waiting = nil; err != nil {
		s.repo.last.put("", nil)
		s.waiting = &r
	}
	s.note(err)
	return n, err
}

// tryEvery is when what waits is tried again.
const tryEvery = 10 * time.Second

// tryAgain tries what waits, until ctx ends.
func (s *Source) tryAgain(ctx context.Context) {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.landWaiting(ctx)
		}
	}
}

// landWaiting lands what waits, unless the branch has moved on: who moved it lands
// that.
func (s *Source) landWaiting(ctx context.Context) {
	s.order.Lock()
	defer s.order.Unlock()
	r, st := s.waiting, s.repo.store
	if r == nil {
		return
	}
	if st.Ref(st.Branch()).String() != r.Commit {
		s.waiting = nil
		return
	}
	if _, err := s.landing(ctx, *r); err == nil {
		s.repo.deps.Log.Info("the revision that could not be written down is", "commit", r.Commit)
	}
}

// note remembers why the tip of the branch is not with the keeper.
func (s *Source) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = ""
	if err != nil {
		s.missing = err.Error()
	}
}

// revision is evidence of gitwatch as the ledger keeps it.
func revision(r objects.Revision, o receive.Options) engine.Revision {
	return engine.Revision{
		Commit: r.Commit, Tree: r.Tree, Ref: r.Ref, Subject: r.Subject, Author: r.Author, Signer: r.Signer,
		Source: string(r.Source), When: r.When, Pusher: o.By.Name, Reason: o.Reason, Confirmed: o.ConfirmPrune || r.Confirmed,
	}
}

// Run lands what the branch is at and the ledger has not heard of, then follows
// the source until ctx ends.
func (s *Source) Run(ctx context.Context) error {
	var own sync.WaitGroup
	defer own.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
		s.note(err)
		s.repo.deps.Log.Error("what the branch is at is not the desired state", "branch", s.repo.store.Branch(), "err", err)
	}
	if s.watcher == nil {
		s.tryAgain(ctx)
		return nil
	}
	own.Go(func() { s.tryAgain(ctx) })
	return s.watcher.Run(ctx)
}

// Lost says what the repository had and has no more, nil nothing: it was corrupt
// and set aside, or the branch that revisions came from is gone from it.
func (s *Source) Lost(ctx context.Context) error {
	if s.repo.lost != nil {
		return fault.Wrap(fault.Corrupt, s.repo.lost, "the repository was corrupt and is set aside")
	}
	st := s.repo.store
	if !st.Ref(st.Branch()).IsZero() {
		return nil
	}
	last, err := s.newest(ctx)
	if err != nil || last.Ref != st.Branch() {
		return err
	}
	lost := fault.New(fault.NotFound, "the branch %s is gone from the repository, though the ledger has %.10s of it: its refs, or all of it, were taken away", s.repo.cfg.Git.Branch, last.Commit).
		At(st.Dir()).Mend("push the branch again; until then what was applied stays")
	s.note(lost)
	return lost
}

// catchUp lands the tip of the branch when a crash came between its move and the
// ledger. What a person went back to, and what was found bad, is no news: the
// newest revision that landed by itself is what the branch is compared with.
func (s *Source) catchUp(ctx context.Context) error {
	st := s.repo.store
	tip := st.Ref(st.Branch())
	if tip.IsZero() {
		return nil
	}
	last, err := s.newest(ctx)
	if err != nil || last.Commit == tip.String() {
		return err
	}
	v := st.View()
	defer v.Close()
	before := plumbing.NewHash(last.Commit)
	if _, err := v.Commit(before); last.Commit == "" || err != nil {
		before = plumbing.ZeroHash
	}
	snap, err := objects.ReadRevision(ctx, v, objects.Source(s.repo.cfg.Git.Source), st.Branch(), tip, before, s.repo.cfg.Git.Tree)
	if err != nil {
		return err
	}
	if snap.Revision.Signer, err = s.repo.Verify(ctx, snap); err != nil {
		return err
	}
	s.repo.deps.Log.Info("the branch moved before the last stop, and is taken up now", "commit", tip, "before", last.Commit)
	_, err = s.land(ctx, revision(snap.Revision, receive.Options{}))
	return err
}

// page is how many revisions are read at once.
const page = 100

// newest is the revision that landed last by itself, the zero one for none.
func (s *Source) newest(ctx context.Context) (engine.Revision, error) {
	for before := int64(0); ; {
		rows, err := s.ledger.Revisions(ctx, before, page)
		if err != nil {
			return engine.Revision{}, err
		}
		for _, r := range rows {
			if r.Return == 0 {
				return r, nil
			}
			before = r.N
		}
		if len(rows) < page {
			return engine.Revision{}, nil
		}
	}
}

// Stalled says why what the source has is not what the host follows, "" when it
// is.
func (s *Source) Stalled() string {
	s.mu.Lock()
	missing := s.missing
	s.mu.Unlock()
	if s.watcher != nil {
		if st := s.watcher.State(); st.Err != nil {
			return st.Err.Error()
		}
	}
	return missing
}

// Refused is the commit that the source has and that was refused when it was looked at,
// whole, and why; none where nothing was, or another one is asked about. An empty one
// asks about any.
func (s *Source) Refused(commit string) (tip string, why error) {
	if s.watcher == nil || commit != "" && len(commit) < 4 {
		return "", nil
	}
	st := s.watcher.State()
	if st.Err == nil || st.Tip == "" || !strings.HasPrefix(st.Tip, commit) || st.Tip == s.repo.store.Ref(s.repo.store.Branch()).String() {
		return "", nil
	}
	return st.Tip, st.Err
}

// Again looks at the source now, and returns at once.
func (s *Source) Again() {
	if s.watcher != nil {
		s.watcher.Nudge()
	}
}

// Stats is what the git server did.
func (s *Source) Stats() receive.Stats { return s.server.Stats() }
