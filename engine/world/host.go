package world

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pressure is PSI as the kernel writes it, and the load.
func (w *World) pressure(context.Context, string) (any, error) {
	out := map[string]string{}
	for _, n := range []string{"cpu", "memory", "io"} {
		if b := w.read("pressure/"+n, 4096); b != nil {
			out[n] = strings.TrimSpace(string(b))
		}
	}
	out["load"] = strings.TrimSpace(string(w.read("loadavg", 256)))
	return out, nil
}

// memory is the lines of meminfo that tell where it went, in bytes.
func (w *World) memory(context.Context, string) (any, error) {
	b := w.read("meminfo", 64<<10)
	if b == nil {
		return nil, errors.New("meminfo cannot be read")
	}
	want := []string{"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Shmem", "Slab", "SUnreclaim", "CommitLimit", "Committed_AS", "HugePages_Total"}
	out := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if !ok || len(f) == 0 || !slices.Contains(want, name) {
			continue
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			continue
		}
		if len(f) > 1 && f[1] == "kB" {
			n *= 1024
		}
		out[name] = n
	}
	return out, nil
}

// tcpStates are the names of the kernel's numbers.
func tcpStates() []string {
	return []string{"", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait", "last_ack", "listen", "closing", "new_syn_recv"}
}

// sockets counts TCP sockets by state and lists what listens, with its backlog.
func (w *World) sockets(ctx context.Context, _ string) (any, error) {
	states := map[string]int{}
	listen := []string{}
	names := tcpStates()
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(filepath.Join(w.proc, file))
		if err != nil {
			continue
		}
		s := bufio.NewScanner(f)
		for n := 0; s.Scan() && n < 200_000; n++ {
			if n%1000 == 0 && ctx.Err() != nil {
				break
			}
			c := strings.Fields(s.Text())
			if len(c) < 5 || c[0] == "sl" {
				continue
			}
			st, err := strconv.ParseUint(c[3], 16, 8)
			if err != nil || int(st) >= len(names) {
				continue
			}
			states[names[st]]++
			if names[st] == "listen" && len(listen) < 200 {
				_, port, _ := strings.Cut(c[1], ":")
				p, _ := strconv.ParseUint(port, 16, 16)
				_, queue, _ := strings.Cut(c[4], ":")
				q, _ := strconv.ParseUint(queue, 16, 32)
				listen = append(listen, fmt.Sprintf("%s port %d, %d waiting", strings.TrimPrefix(file, "net/"), p, q))
			}
		}
		f.Close()
	}
	return map[string]any{"tcp": states, "listening": listen, "summary": strings.TrimSpace(string(w.read("net/sockstat", 4096)))}, nil
}

type disk struct {
	Device string `json:"device"`
	Type   string `json:"type"`
	Size   uint64 `json:"size_bytes"`
	Avail  uint64 `json:"avail_bytes"`
	Inodes uint64 `json:"inodes_free"`
	RO     bool   `json:"read_only,omitempty"`
}

// disks looks at local file systems alone: asking a dead server would hang.
func (w *World) disks(ctx context.Context, _ string) (any, error) {
	b := w.read("self/mounts", 1<<20)
	if b == nil {
		return nil, errors.New("mounts cannot be read")
	}
	local := []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "tmpfs", "zfs", "overlay", "bcachefs", "jfs", "reiserfs", "ntfs3", "exfat"}
	out := map[string]disk{}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 4 || !slices.Contains(local, f[2]) || len(out) >= 100 {
			continue
		}
		if ctx.Err() != nil {
			return out, nil
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(f[1])
		var st unix.Statfs_t
		if unix.Statfs(at, &st) != nil {
			continue
		}
		size := uint64(st.Bsize)
		out[at] = disk{f[0], f[2], st.Blocks * size, st.Bavail * size, st.Ffree, strings.HasPrefix(f[3]+",", "ro,")}
	}
	return out, nil
}
