package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// Process is one process as /proc shows it. Pid and Start together name it for
// as long as the host is up: the kernel reuses a pid, never the pair.
type Process struct {
	Pid     int
	Start   uint64 // clock ticks since boot
	Parent  int
	Group   int
	Session int
	State   byte   // R, S, D, Z, ...
	Name    string // comm: at most 15 bytes
}

// Look reads one process. The error is of kind NotFound when it is not there.
func Look(pid int) (Process, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, fault.Wrap(fault.NotFound, err, "process %d", pid)
	}
	p, err := parseStat(b)
	if err != nil {
		return Process{}, fault.Wrap(fault.Internal, err, "process %d", pid)
	}
	return p, nil
}

// parseStat reads proc(5) stat. The name stands in parentheses and may itself
// hold spaces and parentheses, so the last closing one counts.
func parseStat(b []byte) (Process, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Process{}, fmt.Errorf("stat line %.40q has no name in parentheses", b)
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return Process{}, fmt.Errorf("stat line has %d fields after the name, expected 20 or more", len(f))
	}
	p := Process{Name: string(b[open+1 : end]), State: f[0][0]}
	var err error
	for _, x := range []struct {
		to   *int
		from []byte
	}{{&p.Pid, bytes.TrimSpace(b[:open])}, {&p.Parent, f[1]}, {&p.Group, f[2]}, {&p.Session, f[3]}} {
		if *x.to, err = strconv.Atoi(string(x.from)); err != nil {
			return Process{}, err
		}
	}
	p.Start, err = strconv.ParseUint(string(f[19]), 10, 64)
	return p, err
}

// Alive reports whether the very process (pid, start) is there and not a zombie.
func Alive(pid int, start uint64) bool {
	p, err := Look(pid)
	return err == nil && p.Start == start && p.State != 'Z' && p.State != 'X'
}

// Walk calls visit for every process until it returns false. Processes that
// end meanwhile are left out.
func Walk(visit func(Process) bool) error {
	d, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(512)
		for _, n := range names {
			pid, bad := strconv.Atoi(n)
			if bad != nil {
				continue
			}
			if p, gone := Look(pid); gone == nil && !visit(p) {
				return nil
			}
		}
		if err != nil {
			return nil // io.EOF: the end of the folder
		}
	}
}

// Marked reports whether the process was started with the variable "NAME=value"
// in its environment. Another user's environment is not readable without
// privilege: then it is false.
func Marked(pid int, variable string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(b, []byte{0}) {
		if string(v) == variable {
			return true
		}
	}
	return false
}

// becoming says that the process has just begun another program, and shows neither
// its arguments nor its environment yet: whose it is cannot be told for a moment.
func (p Process) becoming() bool {
	const kernel = 2 // the parent of what has none of either for good
	if p.Pid == kernel || p.Parent == kernel {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/cmdline")
	return err == nil && len(b) == 0
}

// Began is when the process started, by the wall clock as it stands now; good to
// about a hundredth of a second.
func (p Process) Began() (time.Time, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}, err
	}
	const tick = time.Second / 100 // USER_HZ is 100 on every platform Go runs Linux on
	return time.Now().Add(time.Duration(p.Start)*tick - time.Duration(now.Nano())), nil
}
