package gitwatch

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/store"
)

// watch is a watcher in a test, and what came of it.
type watch struct {
	t     *testing.T
	store *store.Store
	w     *Watcher
	lost  error // why the repository was made anew

	mu      sync.Mutex
	landed  []Revision
	files   []File
	refuse  error
	inspect int
}

func start(t *testing.T, edit func(*Config)) *watch {
	t.Helper()
	cfg := Defaults()
	cfg.DataDir, cfg.Poll = t.TempDir(), time.Hour
	edit(&cfg)
	st, lost, err := store.OpenOrRemake(cfg.StoreConfig())
	if err != nil {
		t.Fatal(err)
	}
	x := &watch{t: t, store: st, lost: lost}
	x.w, err = New(cfg, Deps{
		Store: st, Verify: NewTrust(cfg, st, time.Now).Verify, Now: time.Now,
		Inspect: func(_ context.Context, s Snapshot) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.inspect++
			x.files = s.Files
			return x.refuse
		},
		Landed: func(_ context.Context, r Revision) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.landed = append(x.landed, r)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		st.Close()
	})
	return x
}

func (x *watch) setRefuse(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refuse = err
}

func (x *watch) last() Revision {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.landed) == 0 {
		return Revision{}
	}
	return x.landed[len(x.landed)-1]
}

// lands waits until a commit is the newest that landed.
func (x *watch) lands(commit string) {
	x.t.Helper()
	gittest.Until(x.t, "commit "+commit+" lands", func() bool { return x.last().Commit == commit })
}

// stalls waits until the watcher names an error that holds want.
func (x *watch) stalls(want string) {
	x.t.Helper()
	gittest.Until(x.t, "an error with "+want, func() bool {
		x.w.Nudge()
		err := x.w.State().Err
		return err != nil && contains(err.Error(), want)
	})
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

var errBroken = errors.New("base/motd.yaml:3:1: no such field")

// bare is a bare repository with a clone to push from.
func bare(t *testing.T) (path string, work *gittest.Dir) {
	t.Helper()
	d := gittest.New(t)
	d.Git("init", "-q", "--bare", "-b", "main", "bare.git")
	d.Git("init", "-q", "-b", "main", "work")
	work = d.In("work")
	path = filepath.Join(d.Path, "bare.git")
	work.Git("remote", "add", "origin", path)
	return path, work
}
