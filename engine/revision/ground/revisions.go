package ground

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"vigil/engine"
	"vigil/engine/fault"
)

// Telling says things about a revision to whoever waits for it.
func (g *Ground) Telling(n int64) func(string) { return g.board.Say(n) }

// Finish tells those who wait for a revision how it ended, nil well.
func (g *Ground) Finish(row *engine.Revision, err error) { g.board.End(row.N, err) }

// Await follows a revision to its end: say gets each line, the error is nil when
// it is good. It blocks until then or until ctx ends, which takes nothing back.
func (g *Ground) Await(ctx context.Context, n int64, say func(string)) error {
	known, err := g.board.Follow(ctx, n, say)
	row, is := g.revision(n)
	switch {
	case known && err != nil && ctx.Err() == nil && is:
		return fmt.Errorf("revision %s: %w", Short(row.Commit), err)
	case known:
		return err
	case is && row.State == engine.RevisionGood:
		say(Short(row.Commit) + " is good already, from before the last start: what differs from it is healed as drift")
		return nil
	case !is:
		return fault.New(fault.NotFound, "there is no revision %d", n)
	}
	return fault.New(fault.Conflict, "revision %s is %s: %s", Short(row.Commit), row.State, row.Why)
}

// revision is a copy of a row as it stands.
func (g *Ground) revision(n int64) (row engine.Revision, is bool) {
	g.Mu.RLock()
	defer g.Mu.RUnlock()
	if r := g.Rows[n]; r != nil {
		return *r, true
	}
	return row, false
}

// Put writes a new state of a revision. The row that will stand is returned: until
// the next Put of the round more of it may be changed.
func (g *Ground) Put(r *Round, row *engine.Revision, to engine.RevisionState, why string) *engine.Revision {
	next := *row
	next.State, next.Why = to, why
	switch to {
	case engine.RevisionApplying:
		next.Starts++
		if next.Began.IsZero() {
			next.Began = r.D.At
		}
	case engine.RevisionChecking:
		next.Applied = r.D.At
	}
	if !to.Open() {
		next.Ended = r.D.At
	}
	at := len(r.D.Desired.Revisions)
	r.D.Desired.Revisions = append(r.D.Desired.Revisions, next)
	r.Tell(row.Pusher, "revision."+string(to), "revision:"+row.Commit, why, map[string]any{"n": row.N, "commit": row.Commit, "subject": row.Subject, "signer": row.Signer})
	r.After = append(r.After, func() { *row = r.D.Desired.Revisions[at] })
	return &r.D.Desired.Revisions[at]
}

// LastGood is the newest revision that is good, nil none.
func (g *Ground) LastGood() *engine.Revision {
	var out *engine.Revision
	for _, row := range g.Rows {
		if row.State == engine.RevisionGood && (out == nil || row.N > out.N) {
			out = row
		}
	}
	return out
}

// Clip bounds a text that is kept.
func Clip(s string) string {
	const most = 2000
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + " ..."
	}
	return s
}

// Enter writes a new row, the newest from now on, and returns its number.
func (g *Ground) Enter(ctx context.Context, rev engine.Revision, why string) (int64, error) {
	rev.N, rev.State, rev.Why, rev.Seen = g.Newest+1, engine.RevisionSeen, why, g.Clock()
	r := g.Begin()
	r.D.Desired.Revisions = []engine.Revision{rev}
	r.Tell(rev.Pusher, "revision.seen", "revision:"+rev.Commit, cmp.Or(rev.Reason, rev.Subject), map[string]any{
		"n": rev.N, "commit": rev.Commit, "tree": rev.Tree, "author": rev.Author, "signer": rev.Signer, "source": rev.Source, "ref": rev.Ref})
	if _, err := g.Commit(ctx, &r.D); err != nil {
		return 0, err
	}
	g.Mu.Lock()
	g.Rows[rev.N], g.Newest = &rev, rev.N
	g.board.Say(rev.N)
	g.Mu.Unlock()
	g.Poke() // the wait for an older one ends
	return rev.N, nil
}
