package catalogue

import (
	"context"
	"errors"

	"vigil/actions/detach"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// isolated is an exec entry that runs as a unit of its own: it goes on when
// vigild ends, and is found again.
type isolated struct{ execute }

func (a isolated) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	vs, err := a.values(r)
	if err != nil {
		return remedy.Result{}, err
	}
	if a.c.deps.Detacher == nil {
		return remedy.Result{}, fault.New(fault.Unsupported, "%s is to run as a unit of its own, and here nothing can", a.name)
	}
	leave, err := a.c.admit(ctx, a.name, a.e)
	if err != nil {
		return remedy.Result{}, left(ctx, err)
	}
	defer leave()
	e, err := a.c.deps.Detacher.Run(ctx, r.Attempt, a.program(a.e.Argv, r, vs))
	if err != nil {
		return remedy.Result{}, err
	}
	return a.end(ctx, e), nil
}

// left keeps an act that waited for its turn from being told as one that went on.
func left(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), remedy.ErrLeft) {
		return fault.Wrap(fault.Cancelled, errors.New("vigild stops"), "nothing was started")
	}
	return err
}

// Rejoin finds the unit of an attempt again, whatever the entry says today but for
// its isolation.
func (a isolated) Rejoin(r remedy.Request) (func(context.Context) (remedy.Result, bool, error), error) {
	if a.c.deps.Detacher == nil {
		return nil, fault.New(fault.Unsupported, "%s ran as a unit of its own, and here nothing can", a.name)
	}
	leave := a.c.force(a.name, a.e)
	return func(ctx context.Context) (remedy.Result, bool, error) {
		defer leave()
		e, err := a.c.deps.Detacher.Rejoin(ctx, r.Attempt, a.e.KillAfter)
		if err != nil {
			return remedy.Result{}, false, err
		}
		if !e.Begun {
			return remedy.Result{}, false, nil
		}
		return a.end(ctx, e), true, nil
	}, nil
}

// force takes the entry's mutex and a turn without waiting: who rejoins an act
// does so before anything new begins.
func (c *Catalogue) force(name string, e Entry) (leave func()) {
	size := 0
	if e.Mutex != "" {
		size = 1
	}
	one := c.deps.Crowd.force("mutex "+e.Mutex, size)
	two := c.deps.Crowd.force("action "+name, e.Concurrency)
	return func() { two(); one() }
}

func (a isolated) end(ctx context.Context, e detach.End) remedy.Result {
	if e.Unseen != "" {
		return remedy.Result{Unseen: true, Error: a.e.Argv[0] + ": " + e.Unseen}
	}
	return a.result(ctx, e.Outcome)
}

// probedIsolated has a probe too, for an end that nobody wrote down.
type probedIsolated struct{ isolated }

// Done runs the probe.
func (a probedIsolated) Done(ctx context.Context, r remedy.Request) (bool, error) {
	return probedExec{a.execute}.Done(ctx, r)
}
