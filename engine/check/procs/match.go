// Package procs finds processes and reads how they are, from /proc alone.
//
// A process is known by pid and start time, since pids come again. What is read
// of a process that ends meanwhile is left out without an error. Every file is
// read up to a cap, and a match is refused when it would select everything.
//
// It refuses effects and names that are looked up over the network: users are
// read from /etc/passwd. It holds no state; safe for concurrent use.
package procs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Match says which processes are meant; all that is given must hold.
type Match struct {
	Name    string `yaml:"name"`    // the command as the kernel keeps it, at most 15 bytes
	Exe     string `yaml:"exe"`     // path of the program
	Cmdline string `yaml:"cmdline"` // regular expression over the arguments, joined by blanks
	Pidfile string `yaml:"pidfile"` // file that holds the pid
	User    string `yaml:"user"`    // name or uid, effective
	Unit    string `yaml:"unit"`    // systemd unit whose cgroup it lives in
	Parent  int    `yaml:"parent"`  // pid of its parent

	cmdline *regexp.Regexp
	uid     int // -1: any
	ready   bool
}

const maxPattern = 1 << 10

// Compile checks a match; it must be called before the match is used.
func (m *Match) Compile() error {
	m.uid = -1
	if m.Name == "" && m.Exe == "" && m.Cmdline == "" && m.Pidfile == "" && m.Unit == "" && m.Parent == 0 {
		return errors.New("nothing says which process is meant: give one of name, exe, cmdline, pidfile, unit, parent")
	}
	if len(m.Cmdline) > maxPattern {
		return fmt.Errorf("cmdline is longer than %d bytes", maxPattern)
	}
	for _, p := range []struct{ key, path string }{{"exe", m.Exe}, {"pidfile", m.Pidfile}} {
		if p.path != "" && !filepath.IsAbs(p.path) {
			return fmt.Errorf("%s: %q is not an absolute path", p.key, p.path)
		}
	}
	if m.Parent < 0 {
		return fmt.Errorf("parent: %d is no pid", m.Parent)
	}
	if m.Cmdline != "" {
		re, err := regexp.Compile(m.Cmdline)
		if err != nil {
			return fmt.Errorf("cmdline: %v", err)
		}
		m.cmdline = re
	}
	if m.User != "" {
		id := m.User
		if _, err := strconv.Atoi(id); err != nil {
			u, err := user.Lookup(id)
			if err != nil {
				return fmt.Errorf("user: there is no %q on this host", m.User)
			}
			id = u.Uid
		}
		uid, err := strconv.Atoi(id)
		if err != nil || uid < 0 {
			return fmt.Errorf("user: %q is no uid", m.User)
		}
		m.uid = uid
	}
	m.ready = true
	return nil
}

// Find reads /proc and returns the processes that match, zombies included,
// sorted by pid.
func Find(proc string, m *Match) ([]Proc, error) {
	if !m.ready {
		return nil, errors.New("the match was not compiled")
	}
	if m.Pidfile != "" {
		pid, err := readPidfile(m.Pidfile)
		if err != nil {
			return nil, err
		}
		if p, ok := readStat(proc, pid); ok && m.holds(proc, p) {
			return []Proc{p}, nil
		}
		return nil, nil
	}
	dir, err := os.Open(proc)
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return nil, err
	}
	var out []Proc
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if p, ok := readStat(proc, pid); ok && m.holds(proc, p) {
			out = append(out, p)
		}
	}
	sortByPID(out)
	return out, nil
}

// readPidfile reads a pid. What else a file holds never gets into an error: a
// document may name any path. A file that is not there is no process.
func readPidfile(path string) (int, error) {
	b, err := readSome(path, 64)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("pidfile: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("pidfile: %s does not hold a pid", path)
	}
	return pid, nil
}

// holds asks the cheap questions first: most processes fail at the first.
func (m *Match) holds(proc string, p Proc) bool {
	dir := proc + "/" + strconv.Itoa(p.PID)
	if m.Name != "" && p.Name != m.Name || m.Parent != 0 && p.Parent != m.Parent {
		return false
	}
	if m.Exe != "" {
		exe, err := os.Readlink(dir + "/exe")
		// A program that was replaced by an update is still the one meant.
		if err != nil || strings.TrimSuffix(exe, " (deleted)") != m.Exe {
			return false
		}
	}
	if m.cmdline != nil {
		b, err := readSome(dir+"/cmdline", 16<<10)
		if err != nil || len(b) == 0 {
			return false
		}
		if !m.cmdline.Match(bytes.TrimRight(bytes.ReplaceAll(b, []byte{0}, []byte{' '}), " ")) {
			return false
		}
	}
	if m.uid >= 0 {
		if uid, ok := effectiveUID(dir); !ok || uid != m.uid {
			return false
		}
	}
	if m.Unit != "" {
		b, err := readSome(dir+"/cgroup", 16<<10)
		if err != nil || !inUnit(b, m.Unit) {
			return false
		}
	}
	return true
}

// inUnit says whether a cgroup file names the unit as one element of a path.
func inUnit(b []byte, unit string) bool {
	for l := range bytes.Lines(b) {
		_, path, _ := bytes.Cut(l, []byte(":"))
		for e := range bytes.SplitSeq(bytes.TrimSpace(path), []byte("/")) {
			if string(e) == unit {
				return true
			}
		}
	}
	return false
}

// Age is how long ago the newest process that matches began; found is false when
// there is none.
func Age(proc string, m *Match) (age time.Duration, found bool, err error) {
	ps, err := Find(proc, m)
	if err != nil || len(ps) == 0 {
		return 0, false, err
	}
	up, err := Uptime(proc)
	if err != nil {
		return 0, false, err
	}
	age = up
	for _, p := range ps {
		age = min(age, max(0, up-p.Started))
	}
	return age, true, nil
}
