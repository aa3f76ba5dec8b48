package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"vigil/engine"
	"vigil/engine/remedy"
	"vigil/internal/daemon"
)

// kindsOf names the points that a decision is: one of the loop, or where in its
// life a revision is.
func kindsOf(d *engine.Decision) (kinds []string) {
	if len(d.Firings) > 0 {
		kinds = append(kinds, "decision")
	}
	for _, p := range d.Policies {
		if p.Owner == "git" {
			kinds = append(kinds, "adopt")
			break
		}
	}
	for _, r := range d.Remediations {
		if r.Source == remedy.FromReconcile {
			kinds = append(kinds, map[bool]string{true: "back", false: "step"}[r.Labels["back"] == "yes"])
			break
		}
	}
	if d.Desired == nil {
		return kinds
	}
	for _, r := range d.Desired.Revisions {
		if k := lives[r.State]; k != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

var lives = map[engine.RevisionState]string{
	engine.RevisionSeen: "land", engine.RevisionApplying: "apply", engine.RevisionChecking: "check",
	engine.RevisionGood: "good", engine.RevisionUndoing: "undo", engine.RevisionBad: "bad",
}

// plantDesired is plant for the keeper of the desired state; false: no such bug.
func plantDesired(name string, s *daemon.Seams) bool {
	journalSeam, actionsSeam := s.Journal, s.Actions
	change := func(f func(*engine.DesiredDecision)) {
		s.Journal = func(v engine.Journal) engine.Journal { return wrong{journalSeam(v), f} }
	}
	switch name {
	case "no-way-back": // a step is done whose way back is not on disk
		change(func(d *engine.DesiredDecision) { d.Undo = nil })
	case "unsettled": // the journal is never done with
		change(func(d *engine.DesiredDecision) { d.Settled = 0 })
	case "goodwill": // a revision that failed counts as good
		change(func(d *engine.DesiredDecision) {
			for i := range d.Revisions {
				if d.Revisions[i].State == engine.RevisionBad {
					d.Revisions[i].State = engine.RevisionGood
				}
			}
		})
	case "torn": // a file is written in place, in two halves
		n := &atomic.Int64{}
		s.Actions = func(v remedy.Actions) remedy.Actions { return clumsy{actionsSeam(v), n} }
	case "apart": // the actions of a revision are not written with its policies and checks
		change(func(d *engine.DesiredDecision) { d.Entries = nil })
	case "twins": // a process that a document declares is started twice
		s.Actions = func(v remedy.Actions) remedy.Actions { return midwife{actionsSeam(v)} }
	default:
		return false
	}
	return true
}

// wrong changes what is written of the desired state, and tells the keeper that
// all of it was.
type wrong struct {
	engine.Journal
	how func(*engine.DesiredDecision)
}

func (w wrong) Commit(ctx context.Context, d *engine.Decision) (engine.Receipt, error) {
	if d.Desired == nil {
		return w.Journal.Commit(ctx, d)
	}
	other, part := *d, *d.Desired
	part.Revisions = slices.Clone(part.Revisions)
	w.how(&part)
	other.Desired = &part
	return w.Journal.Commit(ctx, &other)
}

// clumsy is a file action that writes half of a file to its place first.
type clumsy struct {
	remedy.Actions
	n *atomic.Int64
}

func (c clumsy) Action(name string) (remedy.Action, bool) {
	a, ok := c.Actions.Action(name)
	un, undoes := a.(remedy.Undoer)
	if !ok || name != "file" || !undoes {
		return a, ok
	}
	return struct {
		torn
		remedy.Undoer
	}{torn{a, c.n}, un}, true
}

// midwife is a declare action that starts what it keeps once more.
type midwife struct{ remedy.Actions }

func (m midwife) Action(name string) (remedy.Action, bool) {
	a, ok := m.Actions.Action(name)
	un, undoes := a.(remedy.Undoer)
	if !ok || name != "declare" || !undoes {
		return a, ok
	}
	return struct {
		twin
		remedy.Undoer
	}{twin{a}, un}, true
}

type twin struct{ remedy.Action }

func (t twin) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	res, err := t.Action.Run(ctx, r)
	pid, _ := res.Data["pid"].(int)
	if env, bad := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); bad == nil {
		again := exec.Command("/bin/sleep", "100000")
		again.Env, again.SysProcAttr = strings.Split(strings.Trim(string(env), "\x00"), "\x00"), &syscall.SysProcAttr{Setsid: true}
		_ = again.Start()
	}
	return res, err
}

type torn struct {
	remedy.Action
	n *atomic.Int64
}

func (t torn) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	path, _ := r.With["path"].(string)
	if was, err := os.ReadFile(path); err == nil && len(was) > 1 && t.n.Add(1)%3 == 0 {
		if err := os.WriteFile(filepath.Clean(path), was[:len(was)/2], 0o600); err != nil {
			return remedy.Result{}, fmt.Errorf("the planted bug: %w", err)
		}
		select { // as long as a large file takes: on a quiet machine no kill would hit the moment
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return t.Action.Run(ctx, r)
}
