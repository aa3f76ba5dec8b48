package main

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"vigil/engine"
	"vigil/engine/remedy"
	"vigil/engine/series"
	"vigil/internal/daemon"
)

// plant puts a bug between the rooms: what a campaign that found nothing wrong
// with it could not find in the rooms either.
func plant(name string, s *daemon.Seams) error {
	samplesSeam, journalSeam, actionsSeam := s.Samples, s.Journal, s.Actions
	switch name {
	case "":
	case "sample": // every eighth request with samples is answered and not kept
		s.Samples = func(v engine.Samples) engine.Samples { return &forgetful{Samples: samplesSeam(v)} }
	case "commit": // every fourth change by a person is answered and not kept
		s.Journal = func(v engine.Journal) engine.Journal { return &careless{Journal: journalSeam(v)} }
	case "twice": // an act is done, and done again
		s.Actions = func(v remedy.Actions) remedy.Actions { return doing{actionsSeam(v), twice} }
	case "unrecorded": // an act is done under an attempt that nobody opened
		s.Actions = func(v remedy.Actions) remedy.Actions { return doing{actionsSeam(v), unrecorded} }
	case "replay": // what was not decided before the crash is not looked at again
		s.Samples = func(v engine.Samples) engine.Samples { return hasty{samplesSeam(v)} }
	default:
		if plantDesired(name, s) {
			return nil
		}
		return fmt.Errorf("no bug is called %q", name)
	}
	return nil
}

type forgetful struct {
	engine.Samples
	n atomic.Int64
}

func (f *forgetful) Append(ctx context.Context, b *series.Batch) error {
	if f.n.Add(1)%8 == 0 {
		return nil
	}
	return f.Samples.Append(ctx, b)
}

type careless struct {
	engine.Journal
	n atomic.Int64
}

func (c *careless) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if len(d.Policies) > 0 && c.n.Add(1)%4 == 0 {
		return engine.Receipt{At: d.At.Time()}, nil
	}
	return c.Journal.Commit(ctx, d)
}

// doing changes how an act is done.
type doing struct {
	remedy.Actions
	how func(context.Context, remedy.Action, remedy.Request) (remedy.Result, error)
}

func (d doing) Action(name string) (remedy.Action, bool) {
	a, ok := d.Actions.Action(name)
	return done{a, d.how}, ok
}

type done struct {
	remedy.Action
	how func(context.Context, remedy.Action, remedy.Request) (remedy.Result, error)
}

func (d done) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	return d.how(ctx, d.Action, r)
}

func twice(ctx context.Context, a remedy.Action, r remedy.Request) (remedy.Result, error) {
	if _, err := a.Run(ctx, r); err != nil {
		return remedy.Result{}, err
	}
	return a.Run(ctx, r)
}

func unrecorded(ctx context.Context, a remedy.Action, r remedy.Request) (remedy.Result, error) {
	r.Attempt = "7-7-7"
	return a.Run(ctx, r)
}

type hasty struct{ engine.Samples }

func (h hasty) Start(ctx context.Context, _ uint64, hooks engine.Hooks) error {
	return h.Samples.Start(ctx, math.MaxUint64, hooks)
}
