// Package handsoff takes a person at their word: a unit of systemd that somebody
// stopped is left alone.
//
// A stop job that vigild did not ask for becomes a hold of the kind hands_off,
// for at most a day; it ends as soon as the unit runs again, whoever started it.
// It refuses to infer anything from a death: only a job is a word. What happens
// while vigild does not run is not seen; what runs again by then is released at
// the start. [Keeper.Run] blocks until all it began has ended.
package handsoff

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"vigil/actions/units"
	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/fault"
)

// Actor is who the holds and their audit records say it was.
const Actor = "systemd"

// reason is what a held remediation says.
const reason = "stopped by hand"

// prefix makes a unit the subject that actions on it have.
const prefix = "systemd:"

// longest is how long a stop is taken for a person's word.
const longest = 24 * time.Hour

// Book is where holds are kept.
type Book interface {
	PutHold(ctx context.Context, actor string, h engine.Hold) (engine.Hold, error)
	ReleaseHold(ctx context.Context, actor, id string) error
	Holds() []engine.Hold
}

// Deps is what a Keeper needs.
type Deps struct {
	Book  Book
	Clock clock.Clock
	Log   *slog.Logger
	Units Units
}

// Units hears of units; units.Manager says what its methods do. Unsupported ends
// the Keeper's work for good, other errors for a while.
type Units interface {
	Watch(ctx context.Context, up func(), tell func(units.Change)) error
	Running(ctx context.Context, unit string) (bool, error)
	Recorded(unit string)
}

// Keeper keeps the holds in step with what systemd tells.
type Keeper struct {
	deps  Deps
	again time.Duration // the wait before listening again
}

// New makes a Keeper that has begun nothing.
func New(d Deps) (*Keeper, error) {
	if d.Book == nil || d.Clock == nil || d.Units == nil {
		return nil, fault.New(fault.Internal, "hands-off needs a book, a clock and systemd")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{deps: d, again: 2 * time.Second}, nil
}

// Run listens until ctx ends; a connection that breaks is made again.
func (k *Keeper) Run(ctx context.Context) error {
	told := false
	for {
		err := k.deps.Units.Watch(ctx, func() { k.settle(ctx) }, func(c units.Change) {
			if c.Stopped {
				k.stopped(ctx, c.Unit)
			} else {
				k.runs(ctx, c.Unit)
			}
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case fault.KindOf(err) == fault.Unsupported:
			<-ctx.Done() // there is nothing to hear on this host
			return nil
		case !told:
			told = true
			k.deps.Log.Warn("stops by hand are not heard for now", "err", err)
		}
		wait := time.NewTimer(k.again)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// settle releases what runs again since nobody listened.
func (k *Keeper) settle(ctx context.Context) {
	for unit := range k.held() {
		runs, err := k.deps.Units.Running(ctx, unit)
		if err != nil {
			k.deps.Log.Warn("a unit that was stopped by hand could not be looked at", "unit", unit, "err", err)
			continue
		}
		if runs {
			k.runs(ctx, unit)
		}
	}
}

// held is the ids of the holds of our own, by unit.
func (k *Keeper) held() map[string][]string {
	out := map[string][]string{}
	for _, h := range k.deps.Book.Holds() {
		if unit, ok := strings.CutPrefix(h.Subject, prefix); ok && h.Kind == engine.HoldHandsOff && h.Actor == Actor {
			out[unit] = append(out[unit], h.ID)
		}
	}
	return out
}

func (k *Keeper) stopped(ctx context.Context, unit string) {
	old := k.held()[unit]
	h, err := k.deps.Book.PutHold(ctx, Actor, engine.Hold{
		Kind: engine.HoldHandsOff, Owner: Actor, Subject: prefix + unit, Reason: reason, Until: k.deps.Clock().Add(longest),
	})
	if err != nil {
		k.deps.Log.Error("a stop by hand could not be written down", "unit", unit, "err", err)
		return
	}
	k.deps.Units.Recorded(unit)
	k.deps.Log.Info("stopped by hand, left alone", "unit", unit, "hold", h.ID)
	k.release(ctx, old) // the newest word counts from now
}

func (k *Keeper) runs(ctx context.Context, unit string) {
	ids := k.held()[unit]
	if len(ids) == 0 {
		return
	}
	k.release(ctx, ids)
	k.deps.Log.Info("runs again, no longer left alone", "unit", unit)
}

func (k *Keeper) release(ctx context.Context, ids []string) {
	for _, id := range ids {
		if err := k.deps.Book.ReleaseHold(ctx, Actor, id); err != nil && fault.KindOf(err) != fault.NotFound {
			k.deps.Log.Error("a hold could not be released", "hold", id, "err", err)
		}
	}
}
