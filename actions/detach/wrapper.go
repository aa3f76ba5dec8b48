package detach

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// Attempt is the wrapper: it runs the program of one attempt's folder and blocks
// until its end is on disk. When ctx ends, the program is ended with all it
// started. Conflict: the attempt has begun already, or never may.
func Attempt(ctx context.Context, dir string) error {
	var what task
	switch err := load(dir, programFile, &what); {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Conflict, err, "nothing is to be run in %s", dir)
	case err != nil:
		return fault.Wrap(fault.Corrupt, err, "what is to be run in %s", dir)
	}
	l, err := launch.New(launch.Config{}, launch.Deps{})
	if err != nil {
		return err
	}
	defer l.Close()
	me, err := launch.Look(os.Getpid())
	if err != nil {
		return fault.Wrap(fault.Internal, err, "this very process")
	}
	_, won, err := stake(dir, claim{Pid: me.Pid, Start: me.Start, Boot: what.Boot})
	if err != nil {
		return err
	}
	if !won {
		return fault.New(fault.Conflict, "attempt %s has begun already", filepath.Base(dir))
	}
	// It may hold what an environment passes on, and nobody reads it again.
	_ = os.Remove(filepath.Join(dir, programFile))

	p := what.Program
	p.KillRest = true // what it leaves running would end with its unit anyway
	var e end
	o, err := l.Run(ctx, p)
	e.Outcome = o
	if err != nil {
		e.Kind, e.Error = fault.KindOf(err), err.Error()
	}
	b, err := json.Marshal(e)
	if err == nil {
		err = place(dir, endFile, b, true)
	}
	return fault.Wrap(fault.Unavailable, err, "the end of attempt %s", filepath.Base(dir))
}
