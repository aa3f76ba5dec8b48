package launch

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Child is one running process that is held by pidfd, so that a signal can
// never reach another process that came by the same pid. Methods may be called
// concurrently; Release is called once.
type Child struct {
	Pid   int
	Start uint64
	ours  bool     // our own child: it is ours to reap
	fd    *os.File // pidfd in the runtime's poller; nil where the kernel has none
}

// Adopt takes hold of a process that somebody else started. NotFound means that
// the pair (pid, start) is gone, though the pid may live on as another process.
func Adopt(pid int, start uint64) (*Child, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "process %d", pid)
	}
	c := &Child{Pid: pid, Start: start, fd: os.NewFile(uintptr(fd), "pidfd")}
	// Looked at after the pidfd was opened: what it holds cannot be reused now.
	if !Alive(pid, start) {
		c.Release()
		return nil, fault.New(fault.NotFound, "process %d is no longer the one that started at tick %d", pid, start)
	}
	return c, nil
}

func hold(pid, fd int) *Child {
	c := &Child{Pid: pid, ours: true}
	if p, err := Look(pid); err == nil { // a zombie of ours still has its stat
		c.Start = p.Start
	}
	if fd >= 0 {
		if unix.SetNonblock(fd, true) == nil {
			c.fd = os.NewFile(uintptr(fd), "pidfd")
		} else {
			_ = unix.Close(fd)
		}
	}
	return c
}

// Dead blocks until the process has ended; it is not reaped by that. The error
// is os.ErrClosed after Release, os.ErrDeadlineExceeded after Until.
func (c *Child) Dead() error {
	if c.fd == nil {
		return c.deadWithoutPidfd()
	}
	raw, err := c.fd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n > 0
	})
}

// deadWithoutPidfd serves kernels before 5.4: WNOWAIT leaves the zombie there.
func (c *Child) deadWithoutPidfd() error {
	for {
		err := unix.Waitid(unix.P_PID, c.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Until bounds the Dead calls in progress and to come; the zero time lifts it.
func (c *Child) Until(t time.Time) error {
	if c.fd == nil {
		return nil
	}
	return c.fd.SetReadDeadline(t)
}

// Reap collects how a dead child of ours ended. For a process that somebody
// else reaps, known is false.
func (c *Child) Reap() (exit int, signal string, known bool) {
	if !c.ours {
		return 0, "", false
	}
	var ws syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(c.Pid, &ws, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid != c.Pid {
			return 0, "", false
		}
		break
	}
	if ws.Signaled() {
		return -1, unix.SignalName(ws.Signal()), true
	}
	return ws.ExitStatus(), "", true
}

// Signal sends a signal to exactly this process. NotFound: it has ended.
func (c *Child) Signal(sig syscall.Signal) error {
	err := error(unix.ENOSYS)
	if c.fd != nil {
		raw, bad := c.fd.SyscallConn()
		if bad != nil {
			return bad
		}
		if bad := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); bad != nil {
			return bad
		}
	} else if c.ours || Alive(c.Pid, c.Start) {
		err = unix.Kill(c.Pid, sig)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ESRCH):
		return fault.Wrap(fault.NotFound, err, "process %d", c.Pid)
	case errors.Is(err, unix.EPERM):
		return fault.Wrap(fault.Forbidden, err, "signal %s to process %d", unix.SignalName(sig), c.Pid)
	}
	return fault.Wrap(fault.Internal, err, "signal %s to process %d", unix.SignalName(sig), c.Pid)
}

// SignalGroup sends a signal to the group that the child leads. It may be called
// only while the child is alive or an unreaped zombie of ours: until then the
// kernel keeps the number.
func (c *Child) SignalGroup(sig syscall.Signal) { _ = unix.Kill(-c.Pid, sig) }

// Release lets go of the process without touching it; Dead returns.
func (c *Child) Release() {
	if c.fd != nil {
		_ = c.fd.Close()
	}
}

// Ours reports whether the process is our own child.
func (c *Child) Ours() bool { return c.ours }
