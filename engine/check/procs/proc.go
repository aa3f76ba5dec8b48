package procs

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"math"
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

// readStat reads proc(5)'s stat; false when the process is not there. Every
// look through the table reads one per process, so it takes the short way: no
// file object, no buffer of its own.
func readStat(proc string, pid int) (p Proc, ok bool) {
	if pid <= 0 {
		return p, false
	}
	fd, err := unix.Open(proc+"/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return p, false
	}
	var buf [2048]byte
	n, err := unix.Read(fd, buf[:])
	unix.Close(fd)
	if err != nil || n <= 0 {
		return p, false
	}
	return parseStat(pid, buf[:n])
}

func parseStat(pid int, b []byte) (p Proc, ok bool) {
	// The name stands in brackets and may hold brackets itself.
	from, to := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if from < 0 || to < from || to+3 > len(b) {
		return p, false
	}
	p = Proc{PID: pid, Name: string(b[from+1 : to]), State: b[to+2]}
	field, rest := 3, b[to+3:]
	for len(rest) > 0 && field < 24 {
		var v int64
		if v, rest, ok = integer(rest); !ok {
			return p, false
		}
		switch field++; field { // the fields are numbered as in proc(5)
		case 4:
			p.Parent = int(v)
		case 14, 15:
			p.CPU += time.Duration(v) * tick
		case 16, 17:
			p.CPUChildren += time.Duration(v) * tick
		case 20:
			p.Threads = int(v)
		case 22:
			p.Started = time.Duration(v) * tick
		case 24:
			p.RSS = v * int64(os.Getpagesize())
		}
	}
	return p, field == 24
}

// integer cuts a number off, which may be negative; one too large for int64
// (vsize and rsslim may be) comes as the largest.
func integer(b []byte) (v int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i] == ' ' {
		i++
	}
	neg := i < len(b) && b[i] == '-'
	if neg {
		i++
	}
	from := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if v > (math.MaxInt64-9)/10 {
			v = math.MaxInt64 / 10
			continue
		}
		v = v*10 + int64(b[i]-'0')
	}
	if neg {
		v = -v
	}
	return v, b[i:], i > from
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
