package objects

import (
	"context"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Source is how a revision came.
type Source string

// The sources.
const (
	Push   Source = "push"   // git push to this daemon
	Path   Source = "path"   // a repository on this machine
	Remote Source = "remote" // a repository that is polled
)

// Revision is one commit as evidence: immutable, and all the same whichever way
// it came.
type Revision struct {
	Commit    string // 40 hex digits
	Tree      string
	Author    string // Name <mail>, printable
	Committer string
	Signer    string    // who signed, as the allowed signers name them; "" when nobody is known to
	When      time.Time // the committer's clock, UTC; no more than a claim
	Subject   string    // first line of the message, printable
	Source    Source
	Ref       string // refs/heads/main
	Confirmed bool   // its message says that many removals are meant; see [ConfirmPrune]
}

// ConfirmPrune is the trailer with which a commit says what a push says with
// -o confirm-prune, when its value is yes. It is part of what is signed, and speaks
// for the commit that it stands in and no other.
const ConfirmPrune = "Confirm-Prune"

// Short is what a person calls the commit.
func (r Revision) Short() string { return r.Commit[:min(10, len(r.Commit))] }

// Snapshot is a revision with everything in it.
type Snapshot struct {
	Revision Revision
	Tip      Commit   // the commit itself
	Previous string   // the commit that Ref was at before; "" for none
	Files    []File   // in order of their paths
	Commits  []Commit // new since Previous, newest first, at most maxCommits
	More     bool     // there are more new commits than are listed
}

// maxCommits bounds how many new commits are listed, and so verified one by one.
const maxCommits = 1000

// ReadRevision reads the commit tip as it would be adopted. Everything wrong with its
// tree is named with its path. It blocks on the disk until ctx ends.
func ReadRevision(ctx context.Context, v *View, src Source, ref string, tip, previous plumbing.Hash, caps TreeCaps) (Snapshot, error) {
	c, err := v.Commit(tip)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Tip: c, Revision: Revision{
		Commit: tip.String(), Tree: c.Tree.String(), Author: c.Author.String(), Committer: c.Committer.String(),
		When: c.Committer.When, Subject: c.Subject, Source: src, Ref: ref,
		Confirmed: strings.EqualFold(c.Trailer(ConfirmPrune), "yes"),
	}}
	if !previous.IsZero() {
		s.Previous = previous.String()
	}
	if s.Files, err = v.Files(ctx, c.Tree, caps); err != nil {
		return Snapshot{}, err
	}
	s.Commits, s.More, err = v.Between(ctx, tip, previous, maxCommits)
	return s, err
}
