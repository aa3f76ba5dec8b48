package actions

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/launch"
	"vigil/actions/param"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// sendSignal sends one signal to one process, or to all of a name when that is
// asked for. It holds what it found by pidfd, so a reused pid is never hit.
type sendSignal struct{}

func newSignal(*Set, Config) (remedy.Action, error) { return sendSignal{}, nil }

type selector struct {
	pid, start         int64
	pidfile, exe, name string
	all                bool
	sig                syscall.Signal
	wait               time.Duration
}

// Resolve: one of pid with start (ticks since boot), pidfile, exe (absolute
// path), name (as in comm); signal (default SIGTERM), all (true: every match),
// wait (duration: until they have ended).
func (a sendSignal) Resolve(r remedy.Request) (remedy.Spec, error) {
	_, spec, err := a.read(r)
	return spec, err
}

func (a sendSignal) read(r remedy.Request) (s selector, spec remedy.Spec, err error) {
	p := param.Read(r.With)
	s = selector{pid: p.Whole("pid"), start: p.Whole("start"), pidfile: p.Text("pidfile", false), exe: p.Text("exe", false), name: p.Text("name", false)}
	s.all = p.Choice("all", "false", "true", "false") == "true"
	s.wait = p.Span("wait", 0, time.Hour)
	sig := strings.ToUpper(p.Text("signal", false))
	if sig == "" {
		sig = "SIGTERM"
	}
	if !strings.HasPrefix(sig, "SIG") {
		sig = "SIG" + sig
	}
	if s.sig = unix.SignalNum(sig); s.sig == 0 {
		p.Bad("signal", "there is no signal %q", sig)
	}
	n, subject := 0, ""
	for _, x := range []struct {
		set bool
		key string
	}{{s.pid >= 0, fmt.Sprintf("pid:%d@%d", s.pid, s.start)}, {s.pidfile != "", "pidfile:" + filepath.Clean(s.pidfile)}, {s.exe != "", "exe:" + filepath.Clean(s.exe)}, {s.name != "", "name:" + s.name}} {
		if x.set {
			n++
			subject = x.key
		}
	}
	switch {
	case n != 1:
		p.Bad("name", "exactly one of pid, pidfile, exe and name says which process is meant; %d are set", n)
	case s.pid >= 0 && s.start < 0:
		p.Bad("start", "a pid alone may belong to another process by now; give its start too (field 22 of /proc/PID/stat)")
	case s.pid == 0 || s.pid == 1 || s.pid == int64(os.Getpid()) || s.pid > 1<<22:
		p.Bad("pid", "%d is not a process that may be signalled", s.pid)
	case s.pidfile != "" && !filepath.IsAbs(s.pidfile):
		p.Bad("pidfile", "%q is not an absolute path", s.pidfile)
	case s.exe != "" && !filepath.IsAbs(s.exe):
		p.Bad("exe", "%q is not an absolute path", s.exe)
	}
	if err := p.Err(); err != nil {
		return s, remedy.Spec{}, err
	}
	spec = remedy.Spec{Subject: subject, Kind: "signal", Class: remedy.Unsafe, Cost: 2, Capture: true,
		Timeout: s.wait + 10*time.Second, Summary: "send " + sig + " to " + subject}
	if s.pid >= 0 && (s.sig == unix.SIGKILL || s.sig == unix.SIGTERM) {
		spec.Class = remedy.Convergent // the same process can only end once
	}
	return s, spec, nil
}

// maxHit is how many processes one act may signal.
const maxHit = 1000

func (a sendSignal) Run(ctx context.Context, r remedy.Request) (remedy.Result, error) {
	s, spec, err := a.read(r)
	if err != nil {
		return remedy.Result{}, err
	}
	ctx, stop := bounded(ctx, r, spec)
	defer stop()
	found, err := s.find()
	defer func() {
		for _, c := range found {
			c.Release()
		}
	}()
	if err != nil {
		return remedy.Result{}, err
	}
	pids := []int{}
	for _, c := range found {
		if err := c.Signal(s.sig); err == nil {
			pids = append(pids, c.Pid)
		} else if fault.KindOf(err) != fault.NotFound { // ended by itself meanwhile
			if len(pids) == 0 {
				return remedy.Result{}, err
			}
			return remedy.Result{Error: err.Error(), Data: map[string]any{"pids": pids}}, nil
		}
	}
	res := remedy.Result{OK: true, Data: map[string]any{"pids": pids}}
	if s.wait > 0 {
		end := time.Now().Add(s.wait)
		for _, c := range found {
			if err := gone(ctx, c, end); err != nil {
				res.OK, res.TimedOut = false, ctx.Err() != nil
				res.Error = fmt.Sprintf("process %d has not ended within %s", c.Pid, s.wait)
				break
			}
		}
	}
	return res, nil
}

// gone blocks until the process has ended, the time has come, or ctx has ended.
func gone(ctx context.Context, c *launch.Child, end time.Time) error {
	if err := c.Until(end); err != nil {
		return err
	}
	cut := context.AfterFunc(ctx, func() { _ = c.Until(time.Unix(1, 0)) })
	defer cut()
	return c.Dead()
}

// find takes hold of the processes that are meant; vigild and PID 1 never are.
func (s selector) find() ([]*launch.Child, error) {
	switch {
	case s.pid >= 0:
		c, err := launch.Adopt(int(s.pid), uint64(s.start))
		if err != nil {
			return nil, err
		}
		return []*launch.Child{c}, nil
	case s.pidfile != "":
		return s.fromPidfile()
	}
	var found []*launch.Child
	self := os.Getpid()
	err := launch.Walk(func(p launch.Process) bool {
		if p.Pid <= 1 || p.Pid == self || p.State == 'Z' || s.name != "" && p.Name != s.name {
			return true
		}
		if s.exe != "" {
			to, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Pid))
			if err != nil || strings.TrimSuffix(to, " (deleted)") != filepath.Clean(s.exe) {
				return true
			}
		}
		if c, err := launch.Adopt(p.Pid, p.Start); err == nil {
			found = append(found, c)
		}
		return len(found) <= maxHit
	})
	switch {
	case err != nil:
		return found, fault.Wrap(fault.Unavailable, err, "the processes cannot be listed")
	case len(found) == 0:
		return found, fault.New(fault.NotFound, "there is no process %s%s", s.name, s.exe)
	case len(found) > 1 && !s.all:
		return found, fault.New(fault.Conflict, "%d processes are %s%s, and only one is meant", len(found), s.name, s.exe).Mend("say all: true, or use a pidfile")
	case len(found) > maxHit:
		return found, fault.New(fault.Conflict, "more than %d processes are %s%s", maxHit, s.name, s.exe)
	}
	return found, nil
}

// fromPidfile believes a pidfile only if the process is not younger than the
// file: a later one came by the number after a reuse.
func (s selector) fromPidfile() ([]*launch.Child, error) {
	f, err := os.OpenFile(s.pidfile, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the pidfile")
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil, fault.New(fault.Unprocessable, "%s is not a regular file", s.pidfile)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the pidfile")
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil || pid <= 1 || pid == os.Getpid() {
		// Of what else may stand there nothing is told: the asker names the file,
		// and vigild may be able to read what the asker may not.
		return nil, fault.New(fault.Unprocessable, "%s names no process that may be signalled", s.pidfile)
	}
	p, err := launch.Look(pid)
	if err != nil {
		return nil, err
	}
	if err := s.vouched(st, pid); err != nil {
		return nil, err
	}
	if began, err := p.Began(); err == nil && began.After(st.ModTime().Add(2*time.Second)) {
		return nil, fault.New(fault.Conflict, "%s is older than process %d, which must be another one", s.pidfile, pid)
	}
	c, err := launch.Adopt(p.Pid, p.Start)
	if err != nil {
		return nil, err
	}
	return []*launch.Child{c}, nil
}

// vouched refuses a pidfile by which somebody could point at a process that they
// could not signal themselves: one that all may write, or that belongs to neither
// root, nor vigild, nor the owner of the process.
func (s selector) vouched(file os.FileInfo, pid int) error {
	owner := file.Sys().(*syscall.Stat_t).Uid
	if file.Mode().Perm()&0o002 != 0 {
		return fault.New(fault.Forbidden, "everybody may write %s, so it is not believed", s.pidfile).Mend("chmod o-w %s", s.pidfile)
	}
	if owner == 0 || int(owner) == os.Geteuid() {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+strconv.Itoa(pid), &st); err != nil {
		return fault.Wrap(fault.NotFound, err, "process %d", pid)
	}
	if st.Uid != owner {
		return fault.New(fault.Forbidden, "%s belongs to uid %d and names a process of uid %d", s.pidfile, owner, st.Uid)
	}
	return nil
}
