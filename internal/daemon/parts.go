package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"vigil/engine/fault"
)

// part is one moving part: Run blocks until everything it started has ended.
type part struct {
	name string
	run  func(ctx context.Context) error
	// ready, when there is one, is waited for before the next part starts. It
	// returns early when ctx ends.
	ready func(ctx context.Context) error
	// bound is how long the part may take to stop before it is left behind; what
	// it could not finish is found at the next start.
	bound time.Duration
}

// ended is how a part came to an end.
type ended struct {
	name string
	err  error
}

// errLeft says that a part did not stop within its bound.
var errLeft = errors.New("did not stop in time and was left behind")

// runParts starts the parts in order and blocks until ctx ends or a part does;
// then it stops them in reverse, one after the other, each within its bound. A
// part that ends by itself is a failure, since all of them are needed. The
// first failure comes back.
func runParts(ctx context.Context, log *slog.Logger, parts []part, started func()) error {
	type running struct {
		part
		stop context.CancelFunc
		done chan error
	}
	var up []running
	first := make(chan ended, len(parts))
	var failure error

start:
	for _, p := range parts {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := running{p, stop, make(chan error, 1)}
		up = append(up, r)
		began := time.Now()
		go func() {
			err := r.run(own)
			r.done <- err
			first <- ended{r.name, err}
		}()
		if p.ready == nil {
			continue
		}
		waiting, cancel := context.WithCancel(ctx)
		isReady := make(chan error, 1)
		go func() { isReady <- p.ready(waiting) }()
		select {
		case err := <-isReady:
			cancel()
			if err != nil {
				if ctx.Err() == nil {
					failure = fmt.Errorf("%s is not ready: %w", p.name, err)
				}
				break start
			}
		case e := <-first:
			cancel()
			<-isReady
			failure = died(e)
			break start
		}
		log.Debug("part is ready", "part", p.name, "took", time.Since(began))
	}
	if failure == nil && ctx.Err() == nil {
		started()
		select {
		case <-ctx.Done():
		case e := <-first:
			failure = died(e)
		}
	}
	for _, r := range slices.Backward(up) {
		began := time.Now()
		r.stop()
		timer := time.NewTimer(r.bound)
		select {
		case err := <-r.done:
			if err != nil && !errors.Is(err, context.Canceled) && failure == nil {
				failure = fmt.Errorf("%s: %w", r.name, err)
			}
			log.Debug("part stopped", "part", r.name, "took", time.Since(began))
		case <-timer.C:
			log.Error("part left behind", "part", r.name, "after", r.bound)
			if failure == nil {
				failure = fmt.Errorf("%s: %w", r.name, errLeft)
			}
		}
		timer.Stop()
	}
	return failure
}

func died(e ended) error {
	if e.err == nil {
		return fault.New(fault.Internal, "%s ended by itself", e.name)
	}
	return fmt.Errorf("%s: %w", e.name, e.err)
}
