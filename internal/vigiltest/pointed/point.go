package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"vigil/engine"
	"vigil/engine/remedy"
	"vigil/engine/series"
	"vigil/internal/daemon"
)

// names is every point, in the order of one sample's journey.
var names = []string{
	"append.before", "append.after", // the samples of a request, on disk
	"commit.before", "commit.after", // a decision, or a person's change, in the ledger
	"decision.before", "decision.after", // of those, what changes a firing
	"claim.before", "claim.after", // the attempt's started record
	"act.before", "act.after", // the effect
	"finish.before", "finish.after", // the attempt's end
	"pack", "index", "folder", "ref", "sweep", "sync packed-refs", "rename packed-refs", // a push on its way into the repository
	"land.before", "land.after", // a revision is written down
	"adopt.before", "adopt.after", // its policies are
	"apply.before", "apply.after", // it begins
	"step.before", "step.after", // steps are queued, their ways back with them
	"check.before", "check.after", // its steps are done
	"good.before", "good.after",
	"undo.before", "undo.after", // it failed
	"back.before", "back.after", // a step of it is taken back
	"bad.before", "bad.after", // all is taken back
}

// point is where this process dies.
type point struct {
	name string
	left atomic.Int64
}

func newPoint(text string) (*point, error) {
	name, count, _ := strings.Cut(text, ":")
	p := &point{name: name}
	if name == "" {
		return p, nil
	}
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("no point is called %q: %s", name, strings.Join(names, ", "))
	}
	n, err := strconv.ParseInt(count, 10, 32)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("VIGIL_CRASH_POINT is NAME:N, N from 1, not %q", text)
	}
	p.left.Store(n)
	return p, nil
}

// pass kills the process when it is time; nothing runs after that.
func (p *point) pass(name string) {
	if name != p.name || p.left.Add(-1) != 0 {
		return
	}
	if name == "decision.before" {
		time.Sleep(100 * time.Millisecond) // the answer to the sample goes out on its own
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}

func (p *point) seams() daemon.Seams {
	return daemon.Seams{
		Samples: func(s engine.Samples) engine.Samples { return samples{s, p} },
		Journal: func(j engine.Journal) engine.Journal { return journal{j, p} },
		Ledger:  func(l remedy.Ledger) remedy.Ledger { return ledger{l, p} },
		Actions: func(a remedy.Actions) remedy.Actions { return actions{a, p} },
		Step:    p.pass,
	}
}

type samples struct {
	engine.Samples
	p *point
}

func (s samples) Append(ctx context.Context, b *series.Batch) error {
	s.p.pass("append.before")
	err := s.Samples.Append(ctx, b)
	s.p.pass("append.after")
	return err
}

type journal struct {
	engine.Journal
	p *point
}

func (j journal) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	kinds := kindsOf(d)
	j.p.pass("commit.before")
	for _, k := range kinds {
		j.p.pass(k + ".before")
	}
	r, err := j.Journal.Commit(ctx, d)
	for _, k := range kinds {
		j.p.pass(k + ".after")
	}
	j.p.pass("commit.after")
	return r, err
}

type ledger struct {
	remedy.Ledger
	p *point
}

func (l ledger) Claim(ctx context.Context, c remedy.Claim) (remedy.Move, error) {
	l.p.pass("claim.before")
	m, err := l.Ledger.Claim(ctx, c)
	if err == nil && m.Open != nil {
		l.p.pass("claim.after")
	}
	return m, err
}

func (l ledger) Apply(ctx context.Context, version int64, m remedy.Move) error {
	if m.Close == nil {
		return l.Ledger.Apply(ctx, version, m)
	}
	l.p.pass("finish.before")
	err := l.Ledger.Apply(ctx, version, m)
	l.p.pass("finish.after")
	return err
}

type actions struct {
	remedy.Actions
	p *point
}

func (a actions) Action(name string) (remedy.Action, bool) {
	act, ok := a.Actions.Action(name)
	if !ok {
		return nil, false
	}
	un, undoes := act.(remedy.Undoer)
	if sw, sweeps := act.(remedy.Sweeper); sweeps && undoes {
		return struct {
			action
			remedy.Undoer
			remedy.Sweeper
		}{action{act, a.p}, un, sw}, true
	}
	if undoes {
		return struct {
			action
			remedy.Undoer
		}{action{act, a.p}, un}, true
	}
	pr, probed := act.(remedy.Prober)
	if re, rejoins := act.(remedy.Rejoiner); rejoins && probed {
		return struct {
			action
			remedy.Prober
			remedy.Rejoiner
		}{action{act, a.p}, pr, re}, true
	} else if rejoins {
		return struct {
			action
			remedy.Rejoiner
		}{action{act, a.p}, re}, true
	}
	if probed {
		return struct {
			action
			remedy.Prober
		}{action{act, a.p}, pr}, true
	}
	return action{act, a.p}, true
}

type action struct {
	remedy.Action
	p *point
}

func (a action) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	a.p.pass("act.before")
	res, err := a.Action.Run(ctx, r)
	a.p.pass("act.after")
	return res, err
}
