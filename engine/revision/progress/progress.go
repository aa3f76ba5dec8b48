// Package progress is what revisions say of themselves while they are carried out,
// for whoever waits for them.
//
// A [Board] has a bounded number of lines for each of the newest revisions, and
// forgets older ones; nothing of it is on disk, since the ledger says how each
// ended. It refuses to make anybody who says something wait for a reader. It starts
// nothing; methods may be called concurrently.
package progress

import (
	"context"
	"sync"
)

// Bounds of what is kept for those who watch.
const (
	maxLines = 2000
	kept     = 8 // revisions before the newest that ended
)

// Board is all of it; the zero Board is empty.
type Board struct {
	mu   sync.Mutex
	said map[int64]*told
}

// told is what one revision said.
type told struct {
	mu    sync.Mutex
	lines []string
	over  bool
	err   error
	moved chan struct{} // closed and replaced at each change
}

func (t *told) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.moved)
	t.moved = make(chan struct{})
}

// of is what a revision said; it is begun when it is not there.
func (b *Board) of(n int64) *told {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.said == nil {
		b.said = map[int64]*told{}
	}
	if b.said[n] == nil {
		b.said[n] = &told{moved: make(chan struct{})}
	}
	return b.said[n]
}

// Say gives what says a line about a revision.
func (b *Board) Say(n int64) func(line string) {
	t := b.of(n)
	return func(line string) {
		t.change(func() {
			if len(t.lines) < maxLines {
				t.lines = append(t.lines, line)
			}
		})
	}
}

// End says how a revision ended, nil well, and forgets old ones.
func (b *Board) End(n int64, err error) {
	t := b.of(n)
	t.change(func() { t.over, t.err = true, err })
	b.mu.Lock()
	defer b.mu.Unlock()
	for m := range b.said {
		if m < n-kept {
			delete(b.said, m)
		}
	}
}

// Follow hands on every line of a revision until its end, which it returns. known
// is false for one of which nothing was said in this run. It blocks until ctx ends.
func (b *Board) Follow(ctx context.Context, n int64, say func(string)) (known bool, err error) {
	b.mu.Lock()
	t := b.said[n]
	b.mu.Unlock()
	if t == nil {
		return false, nil
	}
	for seen := 0; ; {
		t.mu.Lock()
		lines, over, err, moved := t.lines[seen:], t.over, t.err, t.moved
		seen = len(t.lines)
		t.mu.Unlock()
		for _, l := range lines {
			say(l)
		}
		if over {
			return true, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}
