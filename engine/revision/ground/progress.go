package ground

import (
	"context"
	"fmt"
	"sync"

	"vigil/engine"
	"vigil/engine/fault"
)

// progress is what a revision said of itself in this run.
type progress struct {
	mu    sync.Mutex
	lines []string
	over  bool
	err   error
	moved chan struct{} // closed and replaced at each change
}

// maxLines bounds what is kept for those who watch; later lines are counted.
const maxLines = 2000

func (p *progress) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.moved)
	p.moved = make(chan struct{})
}

// telling says things about a revision to whoever waits for it.
func (g *Ground) Telling(n int64) func(string) {
	g.Mu.Lock()
	p := g.progress[n]
	if p == nil {
		p = &progress{moved: make(chan struct{})}
		g.progress[n] = p
	}
	g.Mu.Unlock()
	return func(line string) {
		p.change(func() {
			if len(p.lines) < maxLines {
				p.lines = append(p.lines, line)
			}
		})
	}
}

// finish tells those who wait for a revision how it ended, and forgets older ones.
func (g *Ground) Finish(row *engine.Revision, err error) {
	g.Telling(row.N)
	g.Mu.Lock()
	p := g.progress[row.N]
	for n := range g.progress {
		if n < row.N-keepProgress {
			delete(g.progress, n)
		}
	}
	g.Mu.Unlock()
	p.change(func() { p.over, p.err = true, err })
}

const keepProgress = 8

// Await follows a revision to its end: say gets each line, the error is nil when
// it is good. It blocks until then or until ctx ends, which takes nothing back.
func (g *Ground) Await(ctx context.Context, n int64, say func(string)) error {
	g.Mu.RLock()
	p, row := g.progress[n], g.Rows[n]
	g.Mu.RUnlock()
	if p == nil {
		switch {
		case row == nil:
			return fault.New(fault.NotFound, "there is no revision %d", n)
		case row.State == engine.RevisionGood:
			return nil
		}
		return fault.New(fault.Conflict, "revision %s is %s: %s", Short(row.Commit), row.State, row.Why)
	}
	for told := 0; ; {
		p.mu.Lock()
		lines, over, err, moved := p.lines[told:], p.over, p.err, p.moved
		told = len(p.lines)
		p.mu.Unlock()
		for _, l := range lines {
			say(l)
		}
		if over {
			if err != nil {
				return fmt.Errorf("revision %s: %w", Short(row.Commit), err)
			}
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// put writes a new state of a revision.
func (g *Ground) Put(r *Round, row *engine.Revision, to engine.RevisionState, why string) {
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
	r.D.Desired.Revisions = append(r.D.Desired.Revisions, next)
	r.Tell(row.Pusher, "revision."+string(to), "revision:"+row.Commit, why, map[string]any{"n": row.N, "commit": row.Commit, "subject": row.Subject, "signer": row.Signer})
	r.After = append(r.After, func() { *row = next })
}

// lastGood is the newest revision that is good, nil none.
func (g *Ground) LastGood() *engine.Revision {
	var out *engine.Revision
	for _, row := range g.Rows {
		if row.State == engine.RevisionGood && (out == nil || row.N > out.N) {
			out = row
		}
	}
	return out
}

// clip bounds a text that is kept.
func Clip(s string) string {
	const most = 2000
	if len(s) > most {
		return s[:most] + " ..."
	}
	return s
}

// enter writes a new row.
func (g *Ground) Enter(ctx context.Context, rev engine.Revision, why string) (int64, error) {
	rev.N, rev.State, rev.Why, rev.Seen = g.Newest+1, engine.RevisionSeen, why, g.Clock()
	d := &engine.Decision{Desired: &engine.DesiredDecision{Revisions: []engine.Revision{rev}}}
	r := &Round{D: *d}
	r.Tell(rev.Pusher, "revision.seen", "revision:"+rev.Commit, orElse(rev.Reason, rev.Subject), map[string]any{
		"n": rev.N, "commit": rev.Commit, "tree": rev.Tree, "author": rev.Author, "signer": rev.Signer, "source": rev.Source, "ref": rev.Ref})
	if _, err := g.Commit(ctx, &r.D); err != nil {
		return 0, err
	}
	g.Mu.Lock()
	g.Rows[rev.N], g.Newest = &rev, rev.N
	g.progress[rev.N] = &progress{moved: make(chan struct{})}
	g.Mu.Unlock()
	g.Poke() // the wait for an older one ends
	return rev.N, nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
