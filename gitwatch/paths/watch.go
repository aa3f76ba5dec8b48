// Package paths is file events as nudges, and plain folders as a source of
// documents.
//
// A nudge says "look now" and nothing else. [Watcher] is for sources: events are
// debounced, folders are watched rather than files (editors replace files), and a
// rescan at intervals makes good every event that was lost, so a host without
// inotify is slower and not wrong. What is true is what [Read] finds; its revision
// is a hash of the content. [Spots] is for what is managed: it names at once which
// of many paths may have changed, says so when events were lost, and leaves the
// rounds to its caller.
//
// It refuses to know what the files mean. [Watcher.Run] and [Spots.Run] block
// until ctx ends and have closed everything they opened when they return.
package paths

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"vigil/engine/fault"
)

// Config says how eager a watcher is.
type Config struct {
	Debounce time.Duration // quiet time after an event before the nudge
	Patience time.Duration // the longest that a stream of events may delay it
	Rescan   time.Duration // a nudge without any event
	MaxDirs  int           // folders watched at most; the rest is left to rescans
}

// Defaults nudge within a quarter second of an event and twice a minute
// without one.
func Defaults() Config {
	return Config{Debounce: 100 * time.Millisecond, Patience: 2 * time.Second, Rescan: 30 * time.Second, MaxDirs: 512}
}

// Validate checks the bounds.
func (c Config) Validate() error {
	if c.Debounce <= 0 || c.Patience < c.Debounce || c.Rescan <= 0 || c.MaxDirs <= 0 {
		return fault.New(fault.Unprocessable, "debounce, patience and rescan must be positive and patience at least debounce")
	}
	return nil
}

// Deps is what a watcher needs.
type Deps struct {
	// Paths are files and folders; those that do not exist yet are looked for at
	// each rescan. A file is watched through its folder.
	Paths []string
	// Nudge is called from Run's goroutine, never twice at once; it may block,
	// and what happens meanwhile becomes one further nudge.
	Nudge func(ctx context.Context)
	Log   *slog.Logger
}

// Watcher nudges when something under its paths may have changed.
type Watcher struct {
	cfg  Config
	deps Deps
}

// New makes a watcher; nothing is opened before Run.
func New(cfg Config, deps Deps) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Watcher{cfg, deps}, nil
}

// Run nudges until ctx ends. It returns nil then.
func (w *Watcher) Run(ctx context.Context) error {
	events := make(<-chan fsnotify.Event)
	errs := make(<-chan error)
	fsw, err := fsnotify.NewWatcher()
	if err != nil {
		w.deps.Log.Warn("no file events, rescans only", "err", err)
	} else {
		defer fsw.Close()
		events, errs = fsw.Events, fsw.Errors
	}
	said := false
	cover := func() {
		missed := w.cover(fsw)
		if len(missed) > 0 && !said {
			unwatched(w.deps.Log, missed, len(fsw.WatchList()))
		}
		said = len(missed) > 0
	}
	cover()
	rescan := time.NewTicker(w.cfg.Rescan)
	defer rescan.Stop()
	var (
		quiet  <-chan time.Time
		latest time.Time
	)
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			if !w.concerns(ev) {
				continue
			}
			if latest.IsZero() {
				latest = time.Now().Add(w.cfg.Patience)
			}
			quiet = time.After(min(w.cfg.Debounce, max(0, time.Until(latest))))
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			// An overflow means that events were lost: look.
			w.deps.Log.Debug("file events were lost", "err", err)
			quiet = time.After(w.cfg.Debounce)
		case <-quiet:
			quiet, latest = nil, time.Time{}
			cover()
			w.deps.Nudge(ctx)
		case <-rescan.C:
			cover()
			w.deps.Nudge(ctx)
		}
	}
}

// cover watches every folder that should be watched and exists; missed are those
// that are beyond a limit, of ours or of the kernel.
func (w *Watcher) cover(fsw *fsnotify.Watcher) (missed []string) {
	if fsw == nil {
		return nil
	}
	n := 0
	add := func(dir string) {
		if n++; n > w.cfg.MaxDirs || errors.Is(fsw.Add(dir), syscall.ENOSPC) { // any other error: it is not there
			missed = append(missed, dir)
		}
	}
	for _, p := range w.deps.Paths {
		add(filepath.Dir(p))
		depth := strings.Count(filepath.Clean(p), string(filepath.Separator))
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if !d.IsDir() {
				return nil
			}
			if path != p && strings.HasPrefix(d.Name(), ".") || strings.Count(path, string(filepath.Separator))-depth > maxDepth || n > w.cfg.MaxDirs {
				return fs.SkipDir
			}
			add(path)
			return nil
		})
	}
	slices.Sort(missed)
	return slices.Compact(missed)
}

// unwatched tells of folders that cannot be watched.
func unwatched(log *slog.Logger, names []string, watched int) {
	log.Warn("changes in some folders are found by rounds alone, since no more can be watched",
		"folders", len(names), "first", names[:min(len(names), shownNames)], "watched", watched, "mend", "raise fs.inotify.max_user_watches")
}

// concerns leaves out events about neighbours of a watched path.
func (w *Watcher) concerns(ev fsnotify.Event) bool {
	if ev.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Clean(ev.Name)
	for _, p := range w.deps.Paths {
		p = filepath.Clean(p)
		if name == p || strings.HasPrefix(name, p+string(filepath.Separator)) {
			return true
		}
		// The folder of a watched file was swapped (a mounted ConfigMap does so).
		if filepath.Dir(p) == filepath.Dir(name) && strings.HasPrefix(filepath.Base(name), "..") {
			return true
		}
	}
	return false
}
