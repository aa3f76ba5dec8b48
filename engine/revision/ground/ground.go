// Package ground is what the keeper of the desired state stands on: the things
// that are kept, the revisions, what is under way, and the one way to write any of
// it down.
//
// A [Thing] is one thing in the world with what is wanted, remembered and seen of
// it. A [Round] is one decision in the making: what it queues is under way, and
// what follows from it true in memory, once it is on disk. A [Flow] is the steps
// for one thing, each a remediation of source reconcile.
//
// It refuses acts of its own and I/O but through Deps. Invariants: a step's way
// back is on disk before the step is queued; memory never says what the ledger does
// not. One goroutine, the keeper's, changes anything, under Mu; others read. It
// starts nothing.
package ground

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
	"vigil/engine/revision/progress"
)

// Config is how the desired state is kept, `[git]` of the local config.
type Config struct {
	Mode   string            `toml:"mode"`    // enforce; detect reports everything and heals nothing
	Resync document.Duration `toml:"resync"`  // everything is compared at least this often
	Soak   document.Duration `toml:"soak"`    // how long a revision that started, stopped or restarted something has to stay well
	AtOnce int               `toml:"at_once"` // steps queued at a time
}

// Defaults compare every minute and let what was restarted run for five seconds.
func Defaults() Config {
	return Config{Mode: "enforce", Resync: document.Duration(time.Minute), Soak: document.Duration(5 * time.Second), AtOnce: 64}
}

// Validate names every value that makes no sense.
func (c Config) Validate() error {
	var is fault.Issues
	engine.OneOf(&is, "mode", c.Mode, "enforce", "detect")
	if d := c.Resync.Std(); d < time.Second || d > time.Hour {
		is.Add("resync", "%s is not between 1s and 1h", c.Resync)
	}
	if d := c.Soak.Std(); d < 0 || d > time.Hour {
		is.Add("soak", "%s is not between 0s and 1h", c.Soak)
	}
	if c.AtOnce < 1 || c.AtOnce > 1000 {
		is.Add("at_once", "%d is not between 1 and 1000", c.AtOnce)
	}
	return is.Err()
}

// Own are the documents of a revision that belong to vigild itself: policies,
// checks, actions, silences, maintenance.
type Own interface {
	// Check says what is wrong with them, and what adopting them would change
	// ("create Policy/disk"). It changes nothing.
	Check(ctx context.Context, ds []document.Document) (changes []string, is fault.Issues)
	// HasCheck says whether a check of that name would measure once they are adopted.
	HasCheck(ds []document.Document, name string) bool
	// Actions are those that there would be once they are adopted; nil: those that
	// there are.
	Actions(ds []document.Document) remedy.Actions
	// Adopt makes those of owner git exactly these; nil takes all away.
	Adopt(ctx context.Context, commit string, ds []document.Document) error
	// Restore takes over the checks that Adopt left in the ledger; those that cannot
	// be are named in the error, and the others stand.
	Restore(checks []engine.CheckRow) error
}

// Spot is a path that matters to somebody; Inside: and what is directly in it.
type Spot struct {
	Path   string
	Inside bool
}

// Deps is what the keeper needs of others. Functions may be nil where it says so.
type Deps struct {
	Journal engine.Journal
	Kept    engine.DesiredReader
	Reader  engine.Reader
	World   reconcile.World
	Actions remedy.Actions
	Own     Own // nil: there are none
	// Keep puts the bytes that a step writes where its action finds them.
	Keep func(b []byte) (sum string, err error)
	// Lend is Keep in memory alone, until it is given back; false: it cannot be. May
	// be nil.
	Lend func(b []byte) (sum string, giveBack func(), ok bool)
	// Load reads what a commit of the repository wants of this host. NotFound: the
	// repository does not have it. fault.Issues: its documents are not right.
	Load func(ctx context.Context, commit string) (*reconcile.Set, error)
	// Mark points a ref of the repository at a commit: "applied", "good".
	Mark func(ctx context.Context, name, commit string) error
	// Watch is told what to listen to; events come back through Touched and
	// UnitTouched. nil: resync alone finds drift.
	Watch func(spots []Spot, units []string)
	// Healthy blocks until the health of a thing is proved by what was measured
	// after that moment, or not in the time that it gives. nil: health is not asked.
	Healthy func(ctx context.Context, h reconcile.Health, after clock.Stamp) (why string, err error)
	// Paused says why no act is carried out now, and until when. May be nil.
	Paused func(now clock.Stamp) (why string, until clock.Stamp)
	// Leaving says that the machine is going down, so that what fails now is not the
	// commit's fault. May be nil.
	Leaving func(ctx context.Context) bool
	// Suspect names who may have written a path, "" nobody knows. May be nil.
	Suspect func(ctx context.Context, path string) string
	Nudge   func() // the worker looks for work
	Clock   clock.Clock
	Log     *slog.Logger
}

// Ground is all of it. See the package comment.
type Ground struct {
	Cfg Config
	Deps
	key  []byte // of this run, see Keyed
	Wake chan struct{}
	Up   chan struct{} // closed once what the ledger holds is loaded
	Down chan struct{} // closed once Run has ended

	Mu        sync.RWMutex // over all below; only Run's goroutine writes, but for the inbox
	Rows      map[int64]*engine.Revision
	Newest    int64 // N of the newest row
	Standing  int64 // N of the row whose set is what is wanted now; 0 none
	Set       *reconcile.Set
	Stalled   string // why that set could not be read
	Things    map[string]*Thing
	Order     []*Thing // by level, then Ref
	byPath    map[string][]*Thing
	byUnit    map[string][]*Thing
	Suspends  map[string]engine.Suspend
	Flows     map[int64]*Flow // remediations under way, by id
	LastDrift int64           // last ids given out
	LastUndo  int64
	Heals     uint64 // since the start
	Failures  uint64
	Looks     uint64

	Missing string         // commit of the newest revision while the repository does not have it; Run's alone
	Busy    bool           // a revision is carried out or taken back; Run's alone
	Proofs  sync.WaitGroup // health that is asked about
	inbox   inbox
	board   progress.Board

	// LookAgain compares things and heals them; who makes the keeper sets it.
	LookAgain func(ctx context.Context, ts []*Thing)
}

// New makes a ground with nothing on it yet.
func New(cfg Config, d Deps) (*Ground, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	for name, missing := range map[string]bool{"Journal": d.Journal == nil, "Kept": d.Kept == nil, "Reader": d.Reader == nil, "World": d.World == nil,
		"Actions": d.Actions == nil, "Keep": d.Keep == nil, "Load": d.Load == nil, "Clock": d.Clock == nil, "Log": d.Log == nil} {
		if missing {
			return nil, fault.New(fault.Internal, "revision: Deps.%s is missing", name)
		}
	}
	if d.Own == nil {
		d.Own = nobody{}
	}
	if d.Mark == nil {
		d.Mark = func(context.Context, string, string) error { return nil }
	}
	if d.Watch == nil {
		d.Watch = func([]Spot, []string) {}
	}
	if d.Nudge == nil {
		d.Nudge = func() {}
	}
	key := make([]byte, 32)
	rand.Read(key)
	return &Ground{
		Cfg: cfg, Deps: d, key: key, Wake: make(chan struct{}, 1), Up: make(chan struct{}), Down: make(chan struct{}),
		Rows: map[int64]*engine.Revision{}, Things: map[string]*Thing{}, byPath: map[string][]*Thing{}, byUnit: map[string][]*Thing{},
		Suspends: map[string]engine.Suspend{}, Flows: map[int64]*Flow{},
		inbox: inbox{dirty: map[string]bool{}, ended: map[int64]remedy.Remediation{}},
	}, nil
}

// nobody is Own where there are no such documents.
type nobody struct{}

func (nobody) Check(context.Context, []document.Document) ([]string, fault.Issues) { return nil, nil }
func (nobody) Adopt(context.Context, string, []document.Document) error            { return nil }
func (nobody) Actions([]document.Document) remedy.Actions                          { return nil }
func (nobody) HasCheck([]document.Document, string) bool                           { return true }
func (nobody) Restore([]engine.CheckRow) error                                     { return nil }
