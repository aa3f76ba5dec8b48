// Package shard evaluates some of the policies, one batch after another.
//
// A [Shard] owns instances: it takes in all points of one timestamp, evaluates
// each touched instance once, advances its firing, and makes one decision of
// what moved in a round, which is committed in one transaction before the worker
// is nudged. Timers wake what time alone can move.
//
// It refuses to know how series find their instances (the evaluator's index
// does) and where anything is stored. Its lock, Mu, covers its entries and
// instances and is never held over disk. What was decided is never dropped: a
// decision that cannot be written is tried again, and evaluation waits. Run
// blocks until ctx ends.
package shard

import (
	"log/slog"
	"sync/atomic"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
)

// Core is what all shards share.
type Core struct {
	Journal engine.Journal
	Reader  engine.Reader
	Clock   clock.Clock
	Log     *slog.Logger
	Track   *Tracker
	Count   *Counters
	Opened  *atomic.Bool // loaded: what comes now is fresh
	Open    bool         // every caller is trusted

	Cooldown time.Duration // per subject, where a remedy names none

	// Find finds a policy's entry without a lock, nil if there is none.
	Find func(name string) *Entry
	// Deps is who depends on whom, read without a lock.
	Deps func() map[string]*Dep
	// Nudge tells the worker to look; it never blocks.
	Nudge func()
	// Stored is told the evaluated position after each commit.
	Stored func(position uint64)
}

// Counters count what shards do. Compared is instances and series that were held
// against each other to join them.
type Counters struct {
	Compared, Evaluations, Late, Refused, Decisions, CommitErrors atomic.Uint64
}

// Dep is a policy as others depend on it.
type Dep struct {
	On      []string
	Causing *atomic.Int32 // see Entry
}

// cause names the deepest policy that fires, or flaps, among those an entry depends on.
func (c *Core) cause(en *Entry) string {
	if len(en.P.Doc.DependsOn) == 0 {
		return ""
	}
	return deepest(c.Deps(), en.P.Doc.DependsOn, map[string]bool{})
}

// deepest looks at each policy once, however many depend on it: the paths through
// a few layers of policies are more than could ever be walked. What was seen and
// gave nothing gives nothing again.
func deepest(deps map[string]*Dep, names []string, seen map[string]bool) string {
	for _, n := range names {
		d := deps[n]
		if d == nil || seen[n] {
			continue
		}
		seen[n] = true
		if deeper := deepest(deps, d.On, seen); deeper != "" {
			return deeper
		}
		if d.Causing.Load() > 0 {
			return n
		}
	}
	return ""
}
