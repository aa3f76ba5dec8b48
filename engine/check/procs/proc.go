package procs

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the kernel's USER_HZ, 100 on all that Go builds for.
const tick = 10 * time.Millisecond

// Proc is a process as its stat file tells.
type Proc struct {
	PID, Parent int
	Name        string
	State       byte // R S D Z T ...
	Threads     int
	CPU         time.Duration // user and system
	CPUChildren time.Duration // of children that have been waited for
	Started     time.Duration // after the host's boot
	RSS         int64         // bytes
}

// Usage is what costs more to read.
type Usage struct {
	FDs, FDLimit          float64 // NaN-free; HasFDs says whether they could be read
	HasFDs                bool
	ReadBytes, WriteBytes float64
	HasIO                 bool
	PSS                   float64
	HasPSS                bool
}

func readSome(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.New(path + " is not a plain file")
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// readStat reads proc(5)'s stat; false when the process is not there.
func readStat(proc string, pid int) (p Proc, ok bool) {
	if pid <= 0 {
		return p, false
	}
	b, err := readSome(proc+"/"+strconv.Itoa(pid)+"/stat", 4096)
	if err != nil {
		return p, false
	}
	// The name stands in brackets and may hold brackets itself.
	from, to := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if from < 0 || to < from {
		return p, false
	}
	f := strings.Fields(string(b[to+1:]))
	if len(f) < 22 {
		return p, false
	}
	num := func(field int) int64 { n, _ := strconv.ParseInt(f[field-3], 10, 64); return n }
	return Proc{
		PID: pid, Name: string(b[from+1 : to]), State: f[0][0], Parent: int(num(4)),
		CPU:         time.Duration(num(14)+num(15)) * tick,
		CPUChildren: time.Duration(num(16)+num(17)) * tick,
		Threads:     int(num(20)),
		Started:     time.Duration(num(22)) * tick,
		RSS:         num(24) * int64(os.Getpagesize()),
	}, true
}

// Uptime is the time since the host's boot.
func Uptime(proc string) (time.Duration, error) {
	b, err := readSome(proc+"/uptime", 128)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	s, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, errors.New(proc + "/uptime is not readable")
	}
	return time.Duration(s * float64(time.Second)), nil
}

// Children counts the processes whose parent is one of these.
func Children(proc string, of []Proc) (n int, err error) {
	parents := map[int]bool{}
	for _, p := range of {
		parents[p.PID] = true
	}
	dir, err := os.Open(proc)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readStat(proc, pid); ok && parents[p.Parent] {
			n++
		}
	}
	return n, nil
}

// Use reads what a process uses; what may not be read (another user's, without
// the right) is left out. PSS walks the page tables and is read when asked for.
func Use(proc string, pid int, pss bool) (u Usage) {
	dir := proc + "/" + strconv.Itoa(pid)
	if d, err := os.Open(dir + "/fd"); err == nil {
		if names, err := d.Readdirnames(-1); err == nil {
			u.FDs, u.HasFDs = float64(len(names)), true
			u.FDLimit = lineNumber(dir+"/limits", "Max open files", 0)
		}
		d.Close()
	}
	if b, err := readSome(dir+"/io", 1024); err == nil {
		u.ReadBytes, _ = number(b, "read_bytes:", 0)
		u.WriteBytes, u.HasIO = number(b, "write_bytes:", 0)
	}
	if pss {
		if b, err := readSome(dir+"/smaps_rollup", 8192); err == nil {
			u.PSS, u.HasPSS = number(b, "Pss:", 0)
			u.PSS *= 1024
		}
	}
	return u
}

func lineNumber(path, key string, at int) float64 {
	b, err := readSome(path, 8192)
	if err != nil {
		return 0
	}
	v, _ := number(b, key, at)
	return v
}

// number is the word at index at after a line's key.
func number(b []byte, key string, at int) (float64, bool) {
	for l := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(l, []byte(key))
		if !ok {
			continue
		}
		f := strings.Fields(string(rest))
		if at >= len(f) {
			return 0, false
		}
		v, err := strconv.ParseFloat(f[at], 64)
		return v, err == nil
	}
	return 0, false
}

func effectiveUID(dir string) (int, bool) {
	b, err := readSome(dir+"/status", 8192)
	if err != nil {
		return 0, false
	}
	v, ok := number(b, "Uid:", 1) // real, effective, saved, file system
	return int(v), ok
}

func sortByPID(ps []Proc) {
	slices.SortFunc(ps, func(a, b Proc) int { return cmp.Compare(a.PID, b.PID) })
}
