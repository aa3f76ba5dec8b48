package launch

import (
	"time"

	"golang.org/x/sys/unix"
)

// fell kills what the program started where there is no cgroup: its group, its
// session, its descendants, and whatever carries its mark in the environment,
// however often it forked. It goes round until two rounds in a row find nothing,
// since a tree may grow while it is being felled: what is forked after a round has
// listed the processes is in the next one, even if its parent is gone by then. One
// that changes its session, outlives its parent and wipes its environment can hide
// from this; from a cgroup it cannot.
func fell(c *Child, mark string, deadline time.Time) {
	for quiet := 0; quiet < 2 && !time.Now().After(deadline); quiet++ {
		kin := map[int]bool{c.Pid: true}
		_ = Walk(func(p Process) bool {
			if p.Pid == c.Pid || p.Start < c.Start || p.State == 'Z' {
				return true // older than the program, or dead already
			}
			switch {
			case p.Session == c.Pid || p.Group == c.Pid || kin[p.Parent] || Marked(p.Pid, mark):
				kin[p.Pid] = true
				quiet = -1
				strike(p)
			case p.becoming():
				quiet = -1
			}
			return true
		})
		_ = c.Signal(unix.SIGKILL)
	}
}

// strike kills exactly the process that was seen.
func strike(p Process) {
	c, err := Adopt(p.Pid, p.Start)
	if err != nil {
		return
	}
	_ = c.Signal(unix.SIGKILL)
	c.Release()
}

// FellSession kills what is left of the session that a dead process led, which
// was not our child: only members that are no older than it was. Blocks for one
// or two walks through /proc.
func FellSession(leader int, start uint64) {
	for range 3 {
		found := false
		_ = Walk(func(p Process) bool {
			if p.Session == leader && p.Pid != leader && p.Start >= start && p.State != 'Z' {
				found = true
				strike(p)
			}
			return true
		})
		if !found {
			return
		}
	}
}
