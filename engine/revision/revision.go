// Package revision is the keeper of the desired state: it takes revisions in,
// carries them out in their turn (room carry), and afterwards holds the host to
// them.
//
// Between revisions every thing is compared when something happens to it and at
// every resync; drift is written down, and healed at its pace. All it does is
// remediations of source reconcile: it queues them through the journal and waits
// for the worker. It refuses acts of its own, and to touch anything that it did not
// compare first. Invariants: what was last written is remembered once it was seen
// so; a bad commit is not tried again until the branch moves on; events only make
// it sooner.
//
// One goroutine, that of Run, changes what is kept; when Run returns it has ended,
// and what it waited for is left to the next start. Other methods may be called
// concurrently.
package revision

import (
	"vigil/engine/revision/carry"
	"vigil/engine/revision/ground"
)

// Config is how the desired state is kept, part of `[git]` of the local config.
type Config = ground.Config

// Deps is what the keeper needs of others.
type Deps = ground.Deps

// Own are the documents of a revision that belong to vigild itself.
type Own = ground.Own

// Spot is a path that matters, as Deps.Watch is told.
type Spot = ground.Spot

// Defaults compare every minute and let what was restarted run for five seconds.
func Defaults() Config { return ground.Defaults() }

// Keeper keeps the desired state. See the package comment.
type Keeper struct {
	*ground.Ground
	carrier *carry.Carrier
}

// New makes a keeper that keeps nothing yet.
func New(cfg Config, d Deps) (*Keeper, error) {
	g, err := ground.New(cfg, d)
	if err != nil {
		return nil, err
	}
	k := &Keeper{Ground: g, carrier: &carry.Carrier{Ground: g}}
	g.LookAgain = k.look
	return k, nil
}
