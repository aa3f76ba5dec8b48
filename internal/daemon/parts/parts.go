// Package parts runs the moving parts of a process: started in order, stopped in
// reverse, each within its bound.
//
// It refuses to know what the parts do. [Run] blocks until all of them have
// ended, or were left behind and named.
package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"vigil/engine/fault"
)

// Part is one moving part: Run blocks until everything it started has ended.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
	// Ready, when there is one, is waited for before the next part starts. It
	// returns early when ctx ends.
	Ready func(ctx context.Context) error
	// Bound is how long the part may take to stop before it is left behind; what
	// it could not finish is found at the next start.
	Bound time.Duration
}

// ended is how a part came to an end.
type ended struct {
	name string
	err  error
}

// ErrLeft says that a part did not stop within its bound.
var ErrLeft = errors.New("did not stop in time and was left behind")

// Run starts the parts in order and blocks until ctx ends or a part does;
// then it stops them in reverse, one after the other, each within its bound. A
// part that ends by itself is a failure, since all of them are needed. The
// first failure comes back.
func Run(ctx context.Context, log *slog.Logger, parts []Part, started func()) error {
	type running struct {
		Part
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
			err := r.Run(own)
			r.done <- err
			first <- ended{r.Name, err}
		}()
		if p.Ready == nil {
			continue
		}
		waiting, cancel := context.WithCancel(ctx)
		isReady := make(chan error, 1)
		go func() { isReady <- p.Ready(waiting) }()
		select {
		case err := <-isReady:
			cancel()
			if err != nil {
				if ctx.Err() == nil {
					failure = fmt.Errorf("%s is not ready: %w", p.Name, err)
				}
				break start
			}
		case e := <-first:
			cancel()
			<-isReady
			failure = died(e)
			break start
		}
		log.Debug("part is ready", "part", p.Name, "took", time.Since(began))
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
		timer := time.NewTimer(r.Bound)
		select {
		case err := <-r.done:
			if err != nil && !errors.Is(err, context.Canceled) && failure == nil {
				failure = fmt.Errorf("%s: %w", r.Name, err)
			}
			log.Debug("part stopped", "part", r.Name, "took", time.Since(began))
		case <-timer.C:
			log.Error("part left behind", "part", r.Name, "after", r.Bound)
			if failure == nil {
				failure = fmt.Errorf("%s: %w", r.Name, ErrLeft)
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
