// Package act is one act: how it is asked for and how it is run, so that a broken
// action takes nothing else along.
//
// It refuses to decide whether, when, or what follows. It keeps and starts nothing;
// [Do] blocks for as long as the act does; concurrent.
package act

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Timeout is that of an act for which nobody named one.
const Timeout = time.Minute

// Prepare finds the action and asks it what the request would do; it sees that there
// is a timeout, and a subject that can be locked.
func Prepare(in remedy.Actions, q *remedy.Request) (remedy.Action, remedy.Spec, error) {
	action, known := in.Action(q.Action)
	if !known {
		return nil, remedy.Spec{}, Unknown(in, q.Action)
	}
	spec, err := action.Resolve(*q)
	if err != nil {
		return nil, remedy.Spec{}, err
	}
	if spec.Subject == "" {
		return nil, remedy.Spec{}, fault.New(fault.Internal, "action %s names no subject, so nothing could be locked", q.Action)
	}
	if q.Timeout <= 0 {
		q.Timeout = spec.Timeout
	}
	if q.Timeout <= 0 {
		q.Timeout = Timeout
	}
	return action, spec, nil
}

// Unknown says that there is no action of a name, and if there was one, why not any
// more.
func Unknown(in remedy.Actions, name string) error {
	if why := Former(in, name); why != "" {
		return fault.New(fault.Unprocessable, "there is no action %q here: %s", name, why)
	}
	return fault.New(fault.Unprocessable, "there is no action %q here", name)
}

// Former is why there is no action of a name that there was, "" where the actions
// know of none.
func Former(in remedy.Actions, name string) string {
	if f, ok := in.(interface{ Former(name string) string }); ok {
		return f.Former(name)
	}
	return ""
}

// Do is Action.Run with its panic caught: a broken action must not take the daemon
// along, and nobody saw how its act ended.
func Do(ctx context.Context, action remedy.Action, q remedy.Request) (res remedy.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			res, err = remedy.Result{Error: fmt.Sprintf("the action panicked: %v", p), Unseen: true, Output: string(stack[:min(len(stack), 4<<10)])}, nil
		}
	}()
	return action.Run(ctx, q)
}

// Word is how an act ended, for counting: ok, failed, timeout, unseen, start_failed
// (err is what kept it from beginning).
func Word(r remedy.Result, err error) string {
	switch {
	case err != nil:
		return "start_failed"
	case r.TimedOut:
		return "timeout"
	case r.Unseen:
		return "unseen"
	case !r.OK:
		return "failed"
	}
	return "ok"
}
