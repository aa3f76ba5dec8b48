// Package git is the desired state's way into the house: the repository in the
// data directory, the git server, the watcher of a path or a remote, and the
// webhook, introduced to the keeper of revisions.
//
// Everything here translates. Commits and snapshots of gitwatch become revisions
// and sets of the engine; verdicts, plans and health go back as lines to the
// pusher. What a revision means, and whether it holds, the keeper says.
//
// It refuses to apply anything, to take a revision past the keeper's verdict,
// and to let the tree that is judged say who may sign it.
// Invariants: a commit that the branch was moved to is landed with the keeper,
// now, or as soon as it takes it, or at the next start; a repository that was lost is said and audited.
//
// [Open] opens the repository and nothing else moves; [Source.Run] blocks until
// ctx ends.
package git

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/sealed"
	"vigil/gitwatch"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/signers"
	"vigil/gitwatch/store"
)

// Config is what documents are read with.
type Config struct {
	Git   gitwatch.Config
	Host  load.Host
	Trust reconcile.Trust
}

// Deps is what reading documents needs of others. Render may be nil.
type Deps struct {
	Box *sealed.Box
	// Render turns a folder with a kustomization into documents.
	Render load.Renderer
	// Validate looks further into the documents that belong to vigild itself.
	Validate func([]document.Document) fault.Issues
	// Health looks at what a document calls healthy.
	Health func(reconcile.Health) error
	Clock  clock.Clock
	Log    *slog.Logger
	Step   func(name string) // of tests: see store.Config; may be nil
}

// Repository is the clone in the data directory, and how a commit in it is read.
// It is safe for concurrent use.
type Repository struct {
	cfg   Config
	deps  Deps
	store *store.Store
	lost  error
	last  inspected
	key   *gitwatch.OwnKey // that commits of vigild itself are signed with
}

// Open opens the repository, or makes it. One that is found corrupt is set aside
// and made anew: Lost tells. It blocks on the disk.
func Open(cfg Config, d Deps) (*Repository, error) {
	where := cfg.Git.StoreConfig()
	where.Step = d.Step
	where.Mended = func(lost error) {
		d.Log.Error("somebody took files of the repository away under vigild; they are written anew", "dir", where.Dir, "lost", lost)
	}
	st, lost, err := store.OpenOrRemake(where)
	if err != nil {
		return nil, err
	}
	r := &Repository{cfg: cfg, deps: d, store: st, lost: lost}
	r.key = gitwatch.NewOwnKey(cfg.Git, r.mail(), func(k *signers.Key, path string) {
		d.Log.Info("a key was made that vigild signs its own commits with; it is trusted nowhere until somebody adds it to the allowed signers (vigild signer)", "path", path, "key", k.Print())
	})
	return r, nil
}

// Close lets go of the files.
func (r *Repository) Close() { r.store.Close() }

// Stats is the size of the repository.
func (r *Repository) Stats() store.Stats { return r.store.Stats() }

// Load reads the documents of a commit that is in the repository; "" is the tip of
// the branch. NotFound: there is no such commit. fault.Issues: its documents are
// not right. It blocks on the disk.
func (r *Repository) Load(ctx context.Context, commit string) (*reconcile.Set, error) {
	if set := r.last.take(commit); set != nil {
		return set, nil
	}
	s, err := r.snapshot(ctx, commit)
	if err != nil {
		return nil, err
	}
	return r.read(s)
}

// snapshot reads a commit with everything in it, out of the objects.
func (r *Repository) snapshot(ctx context.Context, commit string) (s objects.Snapshot, err error) {
	tip := r.store.Ref(r.store.Branch())
	if commit != "" {
		if !plumbing.IsHash(commit) {
			return s, fault.New(fault.NotFound, "%q is no commit that came", commit).Mend("`vigild revisions` lists those that did")
		}
		tip = plumbing.NewHash(commit)
	}
	if tip.IsZero() {
		return s, fault.New(fault.NotFound, "nothing was ever pushed to %s", r.store.Branch())
	}
	v := r.store.View()
	defer v.Close()
	return objects.ReadRevision(ctx, v, objects.Source(r.cfg.Git.Source), r.store.Branch(), tip, tip, r.cfg.Git.Tree)
}

func filesOf(s objects.Snapshot) []load.File {
	files := make([]load.File, len(s.Files))
	for i, f := range s.Files {
		files[i] = load.File{Path: f.Path, Data: f.Data}
	}
	return files
}

// read turns the files of a snapshot into what they want of this host.
func (r *Repository) read(s objects.Snapshot) (*reconcile.Set, error) { return r.readFiles(filesOf(s)) }

func (r *Repository) readFiles(files []load.File) (*reconcile.Set, error) {
	set, issues := load.Load(files, r.cfg.Host, r.cfg.Trust, load.Deps{Box: r.deps.Box, Render: r.deps.Render, Validate: r.deps.Validate, Health: r.deps.Health})
	return set, issues.Err()
}

// Mark points refs/vigil/NAME (applied, good) at a commit, for those who fetch; ""
// takes it away. It blocks on the disk.
func (r *Repository) Mark(_ context.Context, name, commit string) error {
	ref := "refs/vigil/" + name
	var h plumbing.Hash
	if commit != "" {
		h = plumbing.NewHash(commit)
	}
	if r.store.Ref(ref) == h {
		return nil
	}
	return r.store.Mark(ref, h)
}

func (r *Repository) now() time.Time { return r.deps.Clock().Time() }
