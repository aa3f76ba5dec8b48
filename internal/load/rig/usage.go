package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Quantiles gives p50, p99 and p999 in milliseconds, nearest rank. It sorts d.
func Quantiles(d []time.Duration) (p50, p99, p999 float64) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(permille int) float64 {
		return float64(d[max((len(d)*permille+999)/1000, 1)-1]) / 1e6
	}
	return at(500), at(990), at(999)
}

// Usage is what a process has used since it began.
type Usage struct {
	CPU     time.Duration // of its threads that live, to the nanosecond; see ReadUsage
	PeakKiB int64         // the most that was resident
	NowKiB  int64         // resident now
	Reaped  time.Duration // of children that ended and were waited for, in steps of 10 ms
}

// ReadUsage reads what a process has used, from /proc (proc(5); USER_HZ is 100 on
// Linux). Where the kernel counts the time of threads to the nanosecond, CPU is
// that of the threads that live: a Go process ends none in ordinary work.
func ReadUsage(pid int) (u Usage, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 15 {
		return u, fmt.Errorf("short stat of process %d", pid)
	}
	for i := 11; i < 15; i++ {
		n, err := strconv.ParseInt(string(f[i]), 10, 64)
		if err != nil {
			return u, err
		}
		if d := time.Duration(n) * 10 * time.Millisecond; i < 13 {
			u.CPU += d
		} else {
			u.Reaped += d
		}
	}
	if fine := threads(pid); fine > 0 {
		u.CPU = fine
	}
	if b, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil {
		return u, err
	}
	for line := range bytes.Lines(b) {
		for name, into := range map[string]*int64{"VmHWM:": &u.PeakKiB, "VmRSS:": &u.NowKiB} {
			if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
				if *into, err = strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64); err != nil {
					return u, err
				}
			}
		}
	}
	return u, nil
}

// threads sums the time on a processor of the threads of a process, 0 where the
// kernel does not tell.
func threads(pid int) (sum time.Duration) {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		if f := bytes.Fields(b); len(f) > 0 {
			n, _ := strconv.ParseInt(string(f[0]), 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}
