package git

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
	"vigil/engine/reverse"
	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"
)

// Back is the way back into the repository: the commits that vigild itself makes.
// It is safe for concurrent use, and blocks on the disk.
type Back struct {
	s     *Source
	clone func() string
}

var _ reverse.Repository = (*Back)(nil)

// Back is made once; clone is the URL that people clone from, "" unknown.
func (s *Source) Back(clone func() string) *Back { return &Back{s, clone} }

// Files are all files of a commit.
func (b *Back) Files(ctx context.Context, commit string) ([]load.File, error) {
	snap, err := b.s.repo.snapshot(ctx, commit)
	if err != nil {
		return nil, err
	}
	return filesOf(snap), nil
}

// Read turns files into what they want of this host.
func (b *Back) Read(files []load.File) (*reconcile.Set, error) { return b.s.repo.readFiles(files) }

// Write makes a commit and points a branch at it, whatever it was before; never
// the branch that the host follows.
func (b *Back) Write(ctx context.Context, w reverse.Write) (string, error) {
	st, ref := b.s.repo.store, "refs/heads/"+w.Branch
	if ref == st.Branch() {
		return "", fault.New(fault.Conflict, "%s is what the host follows, and is changed by a push alone", ref)
	}
	c, err := st.WriteUpon(ctx, store.Update{Ref: ref, Old: st.Ref(ref)}, plumbing.NewHash(w.Parent), changes(w), b.note(w, b.sign))
	return c.ID.String(), err
}

// First makes the first commit of the branch that the host follows, and lands it.
func (b *Back) First(ctx context.Context, actor string, w reverse.Write) (commit, branch, clone string, err error) {
	st, cfg := b.s.repo.store, b.s.repo.cfg.Git
	switch known, err := b.s.ledger.Revisions(ctx, 0, 1); {
	case err != nil:
		return "", "", "", err
	case cfg.Source != string(objects.Push):
		return "", "", "", fault.New(fault.Conflict, "the commits of this host come from elsewhere ([git] source = %q)", cfg.Source).
			Mend("write the examples into your own repository: vigild init --into DIR")
	case !st.Ref(st.Branch()).IsZero():
		return "", "", "", fault.New(fault.Conflict, "the repository has commits").Mend("git clone %s", b.clone())
	case len(known) > 0: // an empty tree would say that all of it is to go
		return "", "", "", fault.New(fault.Conflict, "this host has followed commits before, and they are not in the repository any more").Mend("push them again from a clone")
	}
	signer := ""
	c, err := st.Write(ctx, st.Branch(), plumbing.ZeroHash, changes(w), b.note(w, func(raw []byte) (signed []byte, err error) {
		if signed, err = b.sign(raw); err == nil {
			signer, err = b.trusted(ctx, signed)
		}
		return signed, err
	}))
	if err != nil {
		return "", "", "", err
	}
	commit = c.ID.String()
	snap, err := b.s.repo.snapshot(ctx, commit)
	if err != nil {
		return commit, "", "", err
	}
	rev := revision(snap.Revision, receive.Options{})
	rev.Pusher, rev.Reason, rev.Signer = actor, "vigild init", signer
	if _, err := b.s.land(ctx, rev); err != nil {
		return commit, "", "", fault.Wrap(fault.Unavailable, err, "the commit is made, and is not written down yet; that is tried again")
	}
	return commit, cfg.Branch, b.clone(), nil
}

func changes(w reverse.Write) []store.Change {
	out := make([]store.Change, len(w.Files))
	for i, f := range w.Files {
		out[i] = store.Change(f)
	}
	return out
}

func (b *Back) note(w reverse.Write, sign func([]byte) ([]byte, error)) store.Note {
	return store.Note{Author: objects.Person{Name: w.Author, Mail: b.s.repo.mail(), When: w.At.Time()}, Message: w.Message, Sign: sign}
}

// Signer is who signs the commits of vigild itself, as a line of a list of allowed
// signers. The key is made when there is none.
func (b *Back) Signer() (engine.Signer, error) {
	k, err := b.s.repo.key.Get()
	if err != nil {
		return engine.Signer{}, err
	}
	mail := b.s.repo.mail()
	return engine.Signer{Mail: mail, Line: k.Line(mail), Print: k.Print()}, nil
}

func (b *Back) sign(raw []byte) ([]byte, error) {
	k, err := b.s.repo.key.Get()
	if err != nil {
		return nil, err
	}
	return k.Sign(raw)
}

// trusted says who signed a commit of vigild's own that is to be applied. It is
// held to the rules of every other: a key that nobody allowed is refused where
// signatures are required.
func (b *Back) trusted(ctx context.Context, raw []byte) (string, error) {
	c, err := objects.ParseCommit(plumbing.ComputeHash(plumbing.CommitObject, raw), raw)
	if err != nil {
		return "", err
	}
	who, err := b.s.repo.Verify(ctx, objects.Snapshot{Tip: c, Commits: []objects.Commit{c}})
	if err != nil {
		return "", fault.New(fault.Conflict, "every commit has to be signed here, and nobody has allowed vigild's own key: %v", err).
			Mend("add what vigild signer prints to the allowed signers, or sign the commit yourself: vigild init --into DIR")
	}
	return who, nil
}
