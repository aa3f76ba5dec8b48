// Package hall is the engine as one thing: evaluation, policies, holds, direct
// actions, judgement and stories over one store and one ledger.
//
// It only puts the rooms of the engine together; each verb lives in its own.
// Constructors start nothing; Run loads what the ledger holds and blocks until
// evaluation has stopped.
package hall

import (
	"context"
	"fmt"
	"time"

	"vigil/engine"
	"vigil/engine/clock"
	"vigil/engine/direct"
	"vigil/engine/evaluate"
	"vigil/engine/explain"
	"vigil/engine/holds"
	"vigil/engine/judge"
	"vigil/engine/policies"
)

// Engine is all of it. Methods may be called concurrently; those that need what
// the ledger holds are Unavailable until Ready.
type Engine struct {
	*evaluate.Evaluator
	*policies.Keeper
	*holds.Book
	*direct.Desk
	*judge.Judge
	*explain.Teller

	journal engine.Journal
	clock   clock.Clock
}

// New makes an engine; nothing runs until Run.
func New(cfg engine.Config, d engine.Deps) (*Engine, error) {
	ev, err := evaluate.New(cfg, d)
	if err != nil {
		return nil, err
	}
	book := holds.New(d.Journal, d.Clock, d.Subject, ev.Nudge)
	j := judge.New(ev, book, d.Clock)
	teller, err := explain.New(cfg.Remedy, ev, d.Reader, j, d.Actions, d.Clock)
	if err != nil {
		return nil, err
	}
	desk, err := direct.New(cfg.Remedy, d.Journal, d.Reader, j, d.Actions, d.Clock, ev.Nudge)
	if err != nil {
		return nil, err
	}
	return &Engine{
		Evaluator: ev,
		Keeper:    policies.New(ev, d.Actions, cfg.WindowMemory, d.Clock),
		Book:      book,
		Desk:      desk,
		Judge:     j,
		Teller:    teller,
		journal:   d.Journal, clock: d.Clock,
	}, nil
}

// Run loads and evaluates until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	snap, err := e.journal.Load(ctx)
	if err != nil {
		return err
	}
	e.Book.Load(snap.Holds, safeMode(snap, e.clock()))
	return e.Evaluator.Run(ctx, snap)
}

// safeMode is the pause after three unclean starts within ten minutes, for the
// healer may be what brings the host down; and after the ledger was lost, for
// what a person had stopped, and what was done too often already, went with it.
// The zero Hold is none.
func safeMode(snap *engine.Snapshot, now clock.Stamp) engine.Hold {
	n := 0
	for _, s := range snap.UncleanStarts {
		if d, _ := now.Sub(s); d >= 0 && d <= 10*time.Minute {
			n++
		}
	}
	why := ""
	switch {
	case snap.Replaced != "":
		why = "safe mode: the ledger was lost: " + snap.Replaced
	case n >= 3:
		why = fmt.Sprintf("safe mode: %d unclean starts within 10 minutes", n)
	default:
		return engine.Hold{}
	}
	return engine.Hold{
		ID: "safe-mode", Kind: engine.HoldPause, Owner: "builtin", Actor: "vigild", From: now, Until: now.Add(30 * time.Minute), Created: now,
		Reason: why,
	}
}
