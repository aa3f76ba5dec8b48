package mounts

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxStuck bounds the calls left hanging in the kernel, each of which holds a
// thread; beyond it no file system is asked until one of them returns.
const maxStuck = 16

var (
	errStuck = errors.New("the file system does not answer")
	errBusy  = errors.New("too many file systems do not answer")
)

// answer is what statfs said.
type answer struct {
	st  unix.Statfs_t
	err error
}

// asker calls statfs, which may hang for ever on a dead server or disk and
// cannot be interrupted. One goroutine asks all paths in turn; when it stays
// away, it is left behind with the path that holds it, and another goes on with
// the rest. A path is not asked again while a call on it hangs.
type asker struct {
	statfs func(string, *unix.Statfs_t) error

	mu    sync.Mutex
	stuck map[string]bool
}

func newAsker(statfs func(string, *unix.Statfs_t) error) *asker {
	return &asker{statfs: statfs, stuck: map[string]bool{}}
}

func (a *asker) stuckCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.stuck)
}

// walk is one goroutine's way through the paths. Its fields are guarded by the
// asker's lock.
type walk struct {
	paths []string
	out   []answer
	at    int  // the path being asked
	busy  bool // inside statfs
	left  bool // nobody waits for this goroutine any more
	done  chan struct{}
}

// ask asks for every path and waits no longer than wait in all. A path that has
// not answered by then has the error errStuck.
func (a *asker) ask(ctx context.Context, paths []string, wait time.Duration) []answer {
	out := make([]answer, len(paths))
	for i := range out {
		out[i].err = errStuck
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(max(wait/8, time.Millisecond))
	defer tick.Stop()
	for from := 0; from < len(paths); {
		if a.stuckCount() >= maxStuck {
			for ; from < len(paths); from++ {
				out[from].err = errBusy
			}
			break
		}
		w := &walk{paths: paths, out: out, at: from, done: make(chan struct{})}
		go a.run(w)
		if from = a.await(ctx, w, tick.C, deadline.C); from < 0 {
			break
		}
	}
	a.mu.Lock() // a goroutine left behind may not write any more, but may be reading
	defer a.mu.Unlock()
	return out
}

// await returns where the next goroutine should go on, or -1 when there is
// nothing left to do or no time left to do it. A path that is being asked on
// two ticks in a row hangs.
func (a *asker) await(ctx context.Context, w *walk, tick, deadline <-chan time.Time) int {
	before := -1
	for {
		over := false
		select {
		case <-w.done:
			return -1
		case <-ctx.Done():
			over = true
		case <-deadline:
			over = true
		case <-tick:
		}
		a.mu.Lock()
		if hangs := w.busy && w.at == before; hangs || over {
			w.left = true
			next := w.at
			if w.busy {
				a.stuck[w.paths[w.at]] = true
				next++
			}
			a.mu.Unlock()
			if over {
				return -1
			}
			return next
		}
		before = -1
		if w.busy {
			before = w.at
		}
		a.mu.Unlock()
	}
}

// run asks path after path until it is through or was left behind.
func (a *asker) run(w *walk) {
	defer close(w.done)
	for {
		a.mu.Lock()
		for w.at < len(w.paths) && a.stuck[w.paths[w.at]] {
			w.at++
		}
		if w.left || w.at >= len(w.paths) {
			a.mu.Unlock()
			return
		}
		i := w.at
		w.busy = true
		a.mu.Unlock()

		var got answer
		got.err = a.statfs(w.paths[i], &got.st)

		a.mu.Lock()
		w.busy = false
		if w.left {
			delete(a.stuck, w.paths[i])
			a.mu.Unlock()
			return
		}
		w.out[i] = got
		w.at++
		a.mu.Unlock()
	}
}
