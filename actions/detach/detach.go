// Package detach runs programs that outlive vigild: each as a transient unit of
// systemd, named after its attempt, around a small wrapper of vigild's own.
//
// The wrapper ([Attempt]) starts the program through the same launcher as
// everything else, keeps its output within the same cap, and has its end on disk
// before it exits. All it needs is in one folder an attempt, in the data
// directory: what to run, who runs it (claim), how it ended (end).
//
// It refuses a second run: whoever makes the file claim first decides. The
// wrapper makes it before the program's first instruction; who comes to ask after
// a crash and finds none makes it too, and then the program never begins.
//
// New starts nothing. A run that is left goes on by itself, bounded by its own
// timeout and by PID 1.
package detach

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
	"vigil/actions/units"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Config says where the folders of attempts lie and what the wrapper is.
type Config struct {
	Dir  string   // "" is nowhere: nothing can be detached then
	Self []string // command line of the wrapper; the folder of the attempt is added
}

// Deps is what a Detacher needs.
type Deps struct {
	Units *units.Manager
}

// Detacher starts detached programs and finds them again. Concurrent.
type Detacher struct {
	conf Config
	deps Deps
}

// New makes a Detacher.
func New(c Config, d Deps) (*Detacher, error) {
	if d.Units == nil {
		return nil, fault.New(fault.Internal, "detach needs units")
	}
	return &Detacher{c, d}, nil
}

// Times around a detached run.
const (
	begins = 10 * time.Second // from the unit's start to the claim of its wrapper
	spare  = 15 * time.Second // for the wrapper's own work, beside the program's timeout
	ends   = 5 * time.Second  // from the wrapper's SIGTERM to its end, beside KillAfter
	look   = 5 * time.Millisecond
)

var attemptID = regexp.MustCompile(`^[0-9]{1,20}(-[0-9]{1,20}){0,3}$`)

// folder of an attempt. Its name is part of a unit's name and of a path.
func (d *Detacher) folder(attempt string) (string, error) {
	switch {
	case d.conf.Dir == "":
		return "", fault.New(fault.Unsupported, "without a data directory no program can outlive vigild")
	case !attemptID.MatchString(attempt):
		return "", fault.New(fault.Unprocessable, "%.80q is not the id of an attempt", attempt)
	}
	return filepath.Join(d.conf.Dir, attempt), nil
}

// End is how a detached program ended.
type End struct {
	launch.Outcome
	Begun  bool   // false: it had not begun, and now it never will
	Unseen string // why its end is not known, "" it is
}

// Run runs one program as the unit of an attempt and blocks until its end, or
// until ctx does: then it is ended as at its timeout, or, when the cause of ctx's
// end is remedy.ErrLeft, left to itself, and the error is that. Other errors mean that it
// was not started and never will be under this attempt.
func (d *Detacher) Run(ctx context.Context, attempt string, p launch.Program) (End, error) {
	dir, err := d.folder(attempt)
	if err != nil {
		return End{}, err
	}
	if len(d.conf.Self) == 0 || len(p.Argv) == 0 {
		return End{}, fault.New(fault.Internal, "detach: it is not known which program is to be run, or which one vigild is")
	}
	d.tidy(time.Now())
	if err := prepare(dir, p); err != nil {
		return End{}, fault.Wrap(fault.Unavailable, err, "the folder of attempt %s", attempt)
	}
	stop, limit := p.KillAfter, p.Timeout
	if stop <= 0 {
		stop = launch.DefaultKillAfter
	}
	if limit <= 0 {
		limit = launch.DefaultTimeout
	}
	start := d.deps.Units.Transient(ctx, units.Transient{
		Name: "vigil-attempt-" + attempt + ".service", Description: "vigil attempt " + attempt + ": " + launch.Clean([]byte(p.Argv[0])),
		Argv: append(d.conf.Self[:len(d.conf.Self):len(d.conf.Self)], dir), Limit: limit + stop + spare, Stop: stop + ends,
	})
	patience := begins
	if start != nil {
		patience = 0 // it may have begun all the same: the claim tells
	}
	e, err := wait(ctx, dir, patience, stop)
	if err != nil || e.Begun {
		return e, err
	}
	_ = os.RemoveAll(dir) // nobody will ask for it
	if start != nil {
		return End{}, start
	}
	return End{}, fault.New(fault.Unavailable, "the unit of attempt %s started and its program did not", attempt).
		Mend("journalctl -u vigil-attempt-%s says why", attempt)
}

// Rejoin waits for the end of an attempt's program that an earlier vigild
// started; ctx and errors as in Run. killAfter is that of its Program.
func (d *Detacher) Rejoin(ctx context.Context, attempt string, killAfter time.Duration) (End, error) {
	dir, err := d.folder(attempt)
	if err != nil {
		return End{}, err
	}
	if killAfter <= 0 {
		killAfter = launch.DefaultKillAfter
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { // the claim needs a place even where nothing was prepared
		return End{Begun: true, Unseen: err.Error()}, nil
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now) // asked for again: tidy leaves it
	return wait(ctx, dir, 0, killAfter)
}

// wait waits for a claim as long as patience lasts and then makes it itself;
// then for the end of who made it.
func wait(ctx context.Context, dir string, patience, stop time.Duration) (End, error) {
	c, err := claimed(ctx, dir, patience)
	switch {
	case errors.Is(err, remedy.ErrLeft):
		return End{}, err
	case err != nil:
		return End{Begun: true, Unseen: err.Error()}, nil
	case c.Void:
		return End{}, nil
	}
	w, err := c.hold()
	if err != nil {
		return End{Begun: true, Unseen: err.Error()}, nil
	}
	if w != nil {
		defer w.Release()
		if err := attend(ctx, w, stop); err != nil {
			return End{}, err
		}
	}
	return ended(dir)
}

// attend blocks until the wrapper has exited. When ctx ends it is asked to end
// its program, and killed when it does not; PID 1 ends what is left of its unit.
func attend(ctx context.Context, w *launch.Child, stop time.Duration) error {
	dead := make(chan struct{})
	go func() {
		_ = w.Dead()
		close(dead)
	}()
	defer func() {
		_ = w.Until(time.Unix(1, 0))
		<-dead
	}()
	select {
	case <-dead:
		return nil
	case <-ctx.Done():
	}
	if errors.Is(context.Cause(ctx), remedy.ErrLeft) {
		return remedy.ErrLeft
	}
	_ = w.Signal(unix.SIGTERM)
	t := time.NewTimer(stop + ends)
	defer t.Stop()
	select {
	case <-dead:
		return nil
	case <-t.C:
	}
	_ = w.Signal(unix.SIGKILL)
	t.Reset(ends)
	select {
	case <-dead:
	case <-t.C:
	}
	return nil
}
