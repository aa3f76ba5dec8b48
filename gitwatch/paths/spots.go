package paths

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"vigil/engine/fault"
)

// Bounds of a set of spots.
const (
	MaxSpots = 200_000
	maxNames = 64 // names in one path
)

// Spot is one path that somebody cares for: a file, a link or a folder, there
// or not.
type Spot struct {
	Path   string // absolute and clean
	Inside bool   // a folder in which every name matters that comes or goes
}

// SpotsConfig says how much is watched and how often a stream of events is read.
type SpotsConfig struct {
	MaxDirs int           // folders watched at most; a watch pins about 1 KiB in the kernel
	Batch   int           // paths told at once
	Rest    time.Duration // between two readings, once events come in a stream
	Sweep   time.Duration // between two proofs that every watch is where it should be
}

// SpotsDefaults are enough for some ten thousand folders.
func SpotsDefaults() SpotsConfig {
	return SpotsConfig{MaxDirs: 32768, Batch: 1024, Rest: time.Millisecond, Sweep: 5 * time.Minute}
}

// Validate checks the bounds.
func (c SpotsConfig) Validate() error {
	if c.MaxDirs <= 0 || c.Batch <= 0 || c.Rest <= 0 || c.Sweep <= 0 {
		return fault.New(fault.Unprocessable, "folders, batch, rest and sweep of the watched paths must be positive")
	}
	return nil
}

// SpotsDeps is what Spots needs.
type SpotsDeps struct {
	// Changed names paths of the set that may have changed, at most Batch of them;
	// all says that any may have, because events were lost or nobody listened
	// before. It is called from Run's goroutine, never twice at once, and may
	// block: what happens meanwhile is told together afterwards.
	Changed func(paths []string, all bool)
	Log     *slog.Logger
}

// SpotsStats is what a person asks first when a change was found late.
type SpotsStats struct {
	Spots     int      // paths in the set
	Dirs      int      // folders watched
	Unwatched int      // folders that should be watched and are not
	Names     []string // of those, the first few
	Events    uint64   // read from the kernel
	Told      uint64   // calls of Changed
	Lost      uint64   // overflows of the kernel's queue
	Deaf      bool     // the kernel gives no events at all
}

// Spots tells which of a changing set of paths may have changed, as soon as the
// kernel knows.
//
// Not the paths are watched but their folders, since most editors put a new file
// in the place of the old one; and all folders above those, so that a folder that
// is exchanged, removed, or not there yet is noticed. No symbolic link is followed.
// A hint is all that comes of it: a write through another hard link, on the other
// side of a network file system, or under a fresh mount brings no event, and the
// caller's own rounds have to find it. Concurrent.
type Spots struct {
	cfg  SpotsConfig
	deps SpotsDeps
	wake chan struct{}

	mu      sync.Mutex
	root    *node
	set     map[string]*node
	fd      int // inotify, -1 when nobody listens
	wds     map[int32][]*node
	lost    map[*node]bool // folders that should be watched; true once it was said
	pending []*node        // told next
	all     bool
	stats   SpotsStats
}

// NewSpots makes an empty set; nothing is opened before Run.
func NewSpots(cfg SpotsConfig, deps SpotsDeps) (*Spots, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Changed == nil {
		return nil, fault.New(fault.Internal, "nobody is told what changed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Spots{cfg: cfg, deps: deps, wake: make(chan struct{}, 1), root: &node{name: "/", wd: -1}, set: map[string]*node{},
		fd: -1, wds: map[int32][]*node{}, lost: map[*node]bool{}}, nil
}

// Set replaces the set. While Run runs, a change after Set returned is told; look
// at new paths after it, not before. The same path twice is one spot, and its
// Inside counts if one says so. It blocks for the few microseconds that a new
// folder takes. An error names the first path that cannot be watched, because it
// is not absolute and clean or beyond a bound; all others are.
func (s *Spots) Set(spots []Spot) (err error) {
	want := make(map[string]bool, len(spots))
	for _, sp := range spots {
		bad := sp.check()
		if _, ok := want[sp.Path]; bad == nil && !ok && len(want) >= MaxSpots {
			bad = fault.New(fault.TooLarge, "%d paths are watched, and %s is one more", MaxSpots, sp.Path)
		}
		if bad == nil {
			want[sp.Path] = want[sp.Path] || sp.Inside
		} else if err == nil {
			err = bad
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, n := range s.set {
		switch inside, ok := want[path]; {
		case !ok:
			s.forget(n)
		case n.inside && !inside:
			s.outside(n)
		}
	}
	added := false
	for path, inside := range want {
		if n := s.set[path]; n == nil || n.inside != inside {
			s.add(path, inside)
			added = true
		}
	}
	if added && s.fd >= 0 {
		s.cover(s.root, true)
		s.say()
	}
	return err
}

func (sp Spot) check() error {
	switch p := sp.Path; {
	case !filepath.IsAbs(p) || filepath.Clean(p) != p || strings.ContainsRune(p, 0) || len(p) > 4095:
		return fault.New(fault.Unprocessable, "%q is not an absolute, clean path", p)
	case strings.Count(p, "/") > maxNames:
		return fault.New(fault.TooLarge, "%s has more than %d names", p, maxNames)
	}
	return nil
}

// Stats tells how it stands.
func (s *Spots) Stats() SpotsStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Spots, out.Dirs, out.Unwatched, out.Deaf = len(s.set), len(s.wds), len(s.lost), s.fd < 0
	for n := range s.lost {
		out.Names = append(out.Names, n.path())
	}
	slices.Sort(out.Names)
	out.Names = out.Names[:min(len(out.Names), shownNames)]
	return out
}

// shownNames is how many folders are named to a person.
const shownNames = 20

// say tells once of each folder that is not watched, several in one line.
func (s *Spots) say() {
	var names []string
	for n, said := range s.lost {
		if !said {
			s.lost[n] = true
			names = append(names, n.path())
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		unwatched(s.deps.Log, names, len(s.wds))
	}
}

// mark notes a spot for the next call.
func (s *Spots) mark(n *node) {
	if n.spot && !n.dirty && !s.all {
		n.dirty = true
		s.pending = append(s.pending, n)
	}
}

// everything makes the next call one for all.
func (s *Spots) everything() {
	for _, n := range s.pending {
		n.dirty = false
	}
	s.pending, s.all = nil, true
}

// tell makes one call of Changed, if there is anything to tell; what does not
// fit wakes the next one.
func (s *Spots) tell() {
	s.mu.Lock()
	all, n := s.all, min(len(s.pending), s.cfg.Batch)
	s.all = false
	var paths []string
	for _, n := range s.pending[:n] {
		n.dirty = false
		if n.spot { // not taken out of the set meanwhile
			paths = append(paths, n.path())
		}
	}
	if s.pending = s.pending[n:]; len(s.pending) > 0 {
		s.nudge()
	} else {
		s.pending = nil
	}
	if all || len(paths) > 0 {
		s.stats.Told++
	}
	s.mu.Unlock()
	if all || len(paths) > 0 {
		s.deps.Changed(paths, all)
	}
}

// nudge wakes who tells.
func (s *Spots) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
