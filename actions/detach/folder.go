package detach

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// The files in an attempt's folder.
const (
	programFile = "program" // what to run; gone when it has begun
	claimFile   = "claim"   // who runs it
	endFile     = "end"     // how it ended
)

// task is what to run. The boot id is vigild's word: in a sandbox or a container
// the wrapper may read another one.
type task struct {
	Program launch.Program `json:"program"`
	Boot    string         `json:"boot"`
}

// claim is who runs the program of an attempt: a process, or nobody ever.
type claim struct {
	Void  bool   `json:"void,omitempty"`
	Pid   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"` // of the process, field 22 of its stat
	Boot  string `json:"boot,omitempty"`
}

// end is how a program ended, or why it was not started.
type end struct {
	Outcome launch.Outcome `json:"outcome"`
	Kind    fault.Kind     `json:"kind,omitempty"` // OK: it was started
	Error   string         `json:"error,omitempty"`
}

// maxFile bounds what is read of a file here: an argv and an input of any
// reasonable size, or an output within its cap, each byte escaped.
const maxFile = 8 << 20

// prepare writes what is to be run. An attempt is prepared once.
func prepare(dir string, p launch.Program) error {
	b, err := json.Marshal(task{p, bootID()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return place(dir, programFile, b, true)
}

// place writes a file whole and has it on disk, name and all, when it returns
// nil. Without over an existing file stays and the error is fs.ErrExist.
func place(dir, name string, b []byte, over bool) error {
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	to := filepath.Join(dir, name)
	if over {
		err = os.Rename(f.Name(), to)
	} else {
		err = os.Link(f.Name(), to)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func load(dir, name string, into any) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// claimed is the claim of an attempt, once there is one. After patience it is
// made here, for nobody. The error is remedy.ErrLeft if that is ctx's cause.
func claimed(ctx context.Context, dir string, patience time.Duration) (c claim, err error) {
	until := time.Now().Add(patience)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		err := load(dir, claimFile, &c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return c, fault.Wrap(fault.Unavailable, err, "the claim of attempt %s", filepath.Base(dir))
		}
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), remedy.ErrLeft) {
			return c, remedy.ErrLeft
		}
		if ctx.Err() != nil || !time.Now().Before(until) {
			c, won, err := stake(dir, claim{Void: true})
			if won || err != nil {
				return c, err
			}
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// stake makes the claim, unless there is one already.
func stake(dir string, c claim) (claim, bool, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return c, false, err
	}
	switch err := place(dir, claimFile, b, false); {
	case err == nil:
		return c, true, nil
	case errors.Is(err, fs.ErrExist):
		return c, false, nil
	default:
		return c, false, fault.Wrap(fault.Unavailable, err, "the claim of attempt %s", filepath.Base(dir))
	}
}

// hold takes hold of who runs the program; nil when that process has ended.
func (c claim) hold() (*launch.Child, error) {
	if c.Boot != bootID() {
		return nil, nil
	}
	w, err := launch.Adopt(c.Pid, c.Start)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return w, err
}

func bootID() string { return clock.System()().BootID }

// ended reads how the program ended, after its wrapper has.
func ended(dir string) (End, error) {
	var e end
	switch err := load(dir, endFile, &e); {
	case errors.Is(err, fs.ErrNotExist):
		return End{Begun: true, Unseen: "its unit was ended before it could say how the program ended"}, nil
	case err != nil:
		return End{Begun: true, Unseen: err.Error()}, nil
	case e.Kind != fault.OK:
		return End{}, fault.New(e.Kind, "%s", e.Error)
	}
	return End{Outcome: e.Outcome, Begun: true}, nil
}

// kept is how long the folder of an attempt stays after its last change: by then
// its end is long in the ledger, or nobody ever asked.
const kept = time.Hour

// tidy removes the folders of attempts that are over and were not asked for
// lately. It is called when something new begins, which is after whatever a crash
// left was taken up.
func (d *Detacher) tidy(now time.Time) {
	names, err := os.ReadDir(d.conf.Dir)
	if err != nil {
		return // nothing was detached yet
	}
	for _, n := range names {
		dir := filepath.Join(d.conf.Dir, n.Name())
		st, err := os.Stat(dir)
		if err != nil || !attemptID.MatchString(n.Name()) || now.Sub(st.ModTime()) < kept {
			continue
		}
		var c claim
		if load(dir, claimFile, &c) == nil && !c.Void && c.Boot == bootID() && launch.Alive(c.Pid, c.Start) {
			continue
		}
		_ = os.RemoveAll(dir)
	}
}
