// Package launch is where programs start: the one launcher of the house.
//
// A program is an argv array, never a shell line. It runs in a session of its
// own with a fixed environment, as one user without supplementary groups, in a
// cgroup of its own where cgroup v2 is writable, and its whole tree is killed
// when the timeout has passed or the caller gives up. Its executable and every
// folder above it must belong to root or to vigild. Of its output the first and
// the last part are kept, clean.
//
// It refuses PATH searches, inherited environments, files that others can
// write, and programs without an end. New starts nothing; Run owns all it
// starts but for what the program itself left running when it ended well.
package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Config says where the launcher makes its cgroups.
type Config struct {
	CgroupRoot string // a cgroup v2 folder; "" is vigild's own; "off" is none
}

// Deps is what the launcher needs.
type Deps struct {
	Log *slog.Logger
}

// Launcher starts programs. Concurrent.
type Launcher struct {
	log  *slog.Logger
	root string
	id   string // makes the marks of two launchers differ
	seq  atomic.Uint64

	once  sync.Once
	grove *grove // nil: no cgroups here

	mu    sync.Mutex
	stuck []*Child // killed, and yet not gone
}

// New makes a launcher. Descriptors that vigild itself was started with are
// marked to be closed in whatever is started, so that none passes over.
func New(c Config, d Deps) (*Launcher, error) {
	if c.CgroupRoot != "" && c.CgroupRoot != "off" && !filepath.IsAbs(c.CgroupRoot) {
		return nil, fault.New(fault.Unprocessable, "cgroup root %q is not an absolute path", c.CgroupRoot)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	me, err := Look(os.Getpid())
	if err != nil {
		return nil, err
	}
	// Kernels before 5.11 lack it; there only Go's own descriptors are marked.
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	return &Launcher{log: d.Log, root: c.CgroupRoot, id: fmt.Sprintf("%d-%d", me.Pid, me.Start)}, nil
}

// Run runs one program to its end and blocks until it, and at a timeout or a
// cancel its whole tree, is gone. An error means that it was not started:
// Forbidden, NotFound or Unprocessable say why it never will be, Unavailable
// that it may be later. A program that failed is an Outcome.
func (l *Launcher) Run(ctx context.Context, p Program) (Outcome, error) {
	p = p.withDefaults()
	if err := ctx.Err(); err != nil {
		return Outcome{}, fault.Wrap(fault.Cancelled, err, "%s was not started", name(p))
	}
	in, err := input(p.Stdin)
	if err != nil {
		return Outcome{}, fault.Wrap(fault.Unavailable, err, "%s was not started: its input", name(p))
	}
	defer in.Close()
	sinks, err := newSinks(p)
	if err != nil {
		return Outcome{}, fault.Wrap(fault.Unavailable, err, "%s was not started: its output", name(p))
	}
	defer sinks.close()

	began := time.Now()
	mark := l.mark()
	c, plot, err := l.start(p, append([]*os.File{in}, sinks.write...), append(p.Env[:len(p.Env):len(p.Env)], mark))
	if err != nil {
		return Outcome{}, err
	}
	sinks.drain()
	l.reapStuck(nil)
	if plot != nil {
		l.grove.stock()
	}
	if len(p.Limits) > 0 {
		if err := limit(c.Pid, p.Limits); err != nil {
			l.kill(c, plot, mark)
			_ = c.Dead()
			c.Reap()
			c.Release()
			l.giveBack(plot)
			return Outcome{}, err
		}
	}
	out, stuck := l.await(ctx, c, plot, p, mark)
	if stuck {
		l.log.Error("a killed program does not end, it hangs in the kernel", "program", p.Argv[0], "pid", c.Pid)
		l.reapStuck(c)
	} else {
		c.Release()
	}
	if plot != nil && plot.populated() {
		out.Left = len(plot.members())
	}
	l.giveBack(plot)
	sinks.finish(&out, p)
	out.Took = time.Since(began)
	return out, nil
}

func name(p Program) string {
	if len(p.Argv) == 0 {
		return "a program without argv"
	}
	return p.Argv[0]
}

// mark is a variable by which a descendant is known for one of ours.
func (l *Launcher) mark() string {
	return fmt.Sprintf("VIGIL_LAUNCH=%s-%d", l.id, l.seq.Add(1))
}

// Start starts a program that outlives the call, as its own session, with the
// given three files; timeout and output of p are not looked at. The caller owns
// the child: it must Dead, Reap and Release it.
func (l *Launcher) Start(p Program, files []*os.File) (*Child, error) {
	p = p.withDefaults()
	path, held, cred, err := l.prepare(p)
	if err != nil {
		return nil, err
	}
	if held != nil {
		defer held.Close()
	}
	c, err := l.fork(p, path, held, cred, files, p.Env, nil)
	if err != nil {
		return nil, err
	}
	if err := limit(c.Pid, p.Limits); err != nil {
		c.SignalGroup(unix.SIGKILL)
		_ = c.Dead()
		c.Reap()
		c.Release()
		return nil, err
	}
	return c, nil
}

func (l *Launcher) start(p Program, files []*os.File, env []string) (*Child, *plot, error) {
	path, held, cred, err := l.prepare(p)
	if err != nil {
		return nil, nil, err
	}
	if held != nil {
		defer held.Close()
	}
	if len(files) == 2 {
		files = append(files, files[1]) // one pipe for stdout and stderr
	}
	l.once.Do(l.plant)
	var own *plot
	if l.grove != nil {
		if own, err = l.grove.plot(); fault.KindOf(err) == fault.Unavailable {
			return nil, nil, err
		} else if err != nil {
			l.log.Warn("no cgroup for a program", "program", p.Argv[0], "err", err)
			own = nil
		}
	}
	c, err := l.fork(p, path, held, cred, files, env, own)
	if err != nil && own != nil {
		own.close()
		own = nil
		if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOEXEC) {
			c, err = l.fork(p, path, held, cred, files, env, nil) // a kernel that cannot clone into a cgroup
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return c, own, nil
}

func (l *Launcher) prepare(p Program) (path string, held *os.File, cred *syscall.Credential, err error) {
	if len(p.Argv) == 0 {
		return "", nil, nil, fault.New(fault.Unprocessable, "a program needs an argv of at least one element")
	}
	for i, a := range p.Argv {
		if bytes.IndexByte([]byte(a), 0) >= 0 {
			return "", nil, nil, fault.New(fault.Unprocessable, "argv[%d] of %s holds a zero byte", i, p.Argv[0])
		}
	}
	if err := CheckLimits(p.Limits); err != nil {
		return "", nil, nil, err
	}
	if cred, err = credential(p.User, p.Group); err != nil {
		return "", nil, nil, err
	}
	if path, held, err = executable(p); err != nil {
		return "", nil, nil, err
	}
	return path, held, cred, nil
}

// fork is the one place in the house where a process begins.
func (l *Launcher) fork(p Program, path string, held *os.File, cred *syscall.Credential, files []*os.File, env []string, own *plot) (*Child, error) {
	if held != nil {
		path = fmt.Sprintf("/proc/self/fd/%d", held.Fd())
	}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	pidfd := -1
	attr := &syscall.SysProcAttr{Setsid: true, Credential: cred, PidFD: &pidfd}
	if own != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, own.fd
	}
	pid, err := syscall.ForkExec(path, p.Argv, &syscall.ProcAttr{Dir: p.Dir, Env: env, Files: fds, Sys: attr})
	if err != nil {
		if pidfd >= 0 {
			_ = unix.Close(pidfd)
		}
		return nil, notStarted(p, err)
	}
	return hold(pid, pidfd), nil
}

func notStarted(p Program, err error) error {
	k := fault.Unavailable
	switch {
	case errors.Is(err, unix.ENOENT):
		k = fault.NotFound
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		k = fault.Forbidden
	case errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.E2BIG), errors.Is(err, unix.ENOTDIR):
		k = fault.Unprocessable
	}
	f := &fault.Error{Kind: k, Msg: fmt.Sprintf("%s was not started (in %s)", p.Argv[0], p.Dir), Err: err}
	switch {
	case errors.Is(err, unix.ENOENT):
		f.Hint = "the folder, or the interpreter after #!, does not exist"
	case errors.Is(err, unix.ENOEXEC):
		f.Hint = "not a program for this machine, or a script without a #! line"
	}
	return f
}

func (l *Launcher) plant() {
	if l.root == "off" {
		return
	}
	g, err := plant(l.root)
	if err != nil {
		l.log.Info("programs run without a cgroup", "why", err)
		return
	}
	l.grove = g
}

// await waits for the program, and ends its tree when it may not go on. stuck
// is true when it has not ended though it was killed: then it hangs in the kernel.
func (l *Launcher) await(ctx context.Context, c *Child, own *plot, p Program, mark string) (out Outcome, stuck bool) {
	dead := make(chan struct{})
	go func() {
		_ = c.Dead()
		close(dead)
	}()
	limit := time.NewTimer(p.Timeout)
	defer limit.Stop()
	select {
	case <-dead:
		if p.KillRest {
			l.kill(c, own, mark)
		}
	case <-ctx.Done():
		out.Cancelled = true
		l.end(c, own, p, mark, dead)
	case <-limit.C:
		out.TimedOut = true
		l.end(c, own, p, mark, dead)
	}
	last := time.NewTimer(lastWait)
	defer last.Stop()
	select {
	case <-dead:
	case <-last.C:
		_ = c.Until(time.Unix(1, 0)) // ends the goroutine above
		out.Exit = -1
		return out, true
	}
	if exit, sig, known := c.Reap(); known {
		out.Exit, out.Signal = exit, sig
	} else {
		out.Exit = -1
	}
	return out, false
}

// end asks the tree to stop, waits for the program at most KillAfter, and then
// kills what is there, the program or what it left behind.
func (l *Launcher) end(c *Child, own *plot, p Program, mark string, dead <-chan struct{}) {
	c.SignalGroup(unix.SIGTERM)
	t := time.NewTimer(p.KillAfter)
	defer t.Stop()
	select {
	case <-dead:
	case <-t.C:
	}
	l.kill(c, own, mark)
}

// reapStuck collects programs that hung in the kernel and have come back since.
// put adds one more, nil none.
func (l *Launcher) reapStuck(put *Child) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := l.stuck[:0]
	for _, c := range l.stuck {
		if c.Dead() != nil { // Until has made this a question, not a wait
			keep = append(keep, c)
			continue
		}
		c.Reap()
		c.Release()
	}
	if l.stuck = keep; put != nil {
		l.stuck = append(l.stuck, put)
	}
}

// lastWait is how long a killed program may take to be gone.
const lastWait = 500 * time.Millisecond

// felling bounds how long the killing of one tree may go on.
const felling = 1500 * time.Millisecond

func (l *Launcher) kill(c *Child, own *plot, mark string) {
	c.SignalGroup(unix.SIGKILL)
	if own != nil {
		own.kill(time.Now().Add(felling))
		return
	}
	fell(c, mark, time.Now().Add(felling))
}

// giveBack removes the program's cgroup. What the program left running when it
// ended well moves to a cgroup that no sweep touches.
func (l *Launcher) giveBack(own *plot) {
	if own == nil {
		return
	}
	for until := time.Now().Add(felling); !own.close() && time.Now().Before(until); {
		if !own.populated() {
			continue // zombies alone: the kernel is about to let go
		}
		if err := l.grove.evict(own); err != nil {
			l.log.Warn("a program's cgroup could not be given back", "cgroup", own.dir, "err", err)
			return
		}
	}
}
