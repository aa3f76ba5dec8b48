package actions

import (
	"context"
	"time"

	"vigil/actions/param"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// wait does nothing for a while: the first rung "look again in 30 s".
type wait struct{}

func newWait(*Set, Config) (remedy.Action, error) { return wait{}, nil }

// Resolve: for (duration, required, at most 1h).
func (wait) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, spec, err := wait{}.read(r)
	return spec, err
}

func (wait) read(r remedy.Request) (time.Duration, remedy.Spec, error) {
	p := param.Read(r.With)
	d := p.Span("for", 0, time.Hour)
	if p.OK() && d == 0 {
		p.Bad("for", "for is missing or zero; write how long, such as 30s")
	}
	if err := p.Err(); err != nil {
		return 0, remedy.Spec{}, err
	}
	if r.Timeout > 0 && r.Timeout < d {
		return 0, remedy.Spec{}, fault.New(fault.Unprocessable, "the timeout %s is shorter than the wait %s", r.Timeout, d).At("with.for")
	}
	return d, remedy.Spec{
		Subject: "wait:" + r.Policy + "/" + r.Target, Kind: "wait", Class: remedy.Convergent, Waits: true,
		Timeout: d + 5*time.Second, Summary: "wait " + d.String(),
	}, nil
}

func (wait) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	d, _, err := wait{}.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return remedy.Result{OK: true}, nil
	case <-ctx.Done():
		return ended(ctx, "the wait was cut short"), nil
	}
}

// ended is the result of an act that its context ended.
func ended(ctx context.Context, what string) remedy.Result {
	return remedy.Result{Error: what + ": " + context.Cause(ctx).Error(), TimedOut: ctx.Err() == context.DeadlineExceeded}
}
