package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// quantiles gives p50, p99 and p999 in milliseconds, nearest rank.
func quantiles(d []time.Duration) (p50, p99, p999 float64) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(permille int) float64 {
		return float64(d[max((len(d)*permille+999)/1000, 1)-1]) / 1e6
	}
	return at(500), at(990), at(999)
}

type usage struct {
	cpu     time.Duration
	peakKiB int64
}

// readUsage reads what a process has used, from /proc (USER_HZ is 100 on Linux).
func readUsage(pid int) (u usage, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return u, fmt.Errorf("short stat of process %d", pid)
	}
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseInt(string(f[i]), 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	if b, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil {
		return u, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			u.peakKiB, err = strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
		}
	}
	return u, err
}
