package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// processes walks /proc once: how many processes there are, in which state, and
// how many threads they have.
type processes struct {
	dir                             string
	limit                           int
	pidMax, threadsMax              string
	state                           *kernel.Vec
	pids, threads, maxPID, maxTasks series.Labels

	dirents []byte
	pidList []int32
	path    []byte
}

func newProcesses(cfg Config) *processes {
	return &processes{
		dir: cfg.Proc, limit: cfg.ProcessLimit,
		pidMax:     cfg.Proc + "/sys/kernel/pid_max",
		threadsMax: cfg.Proc + "/sys/kernel/threads-max",
		state:      kernel.NewVec("node_processes_state", "state"),
		pids:       kernel.One("node_processes_pids"),
		threads:    kernel.One("node_processes_threads"),
		maxPID:     kernel.One("node_processes_max_processes"),
		maxTasks:   kernel.One("node_processes_max_threads"),
		dirents:    make([]byte, 8<<10),
	}
}

func (p *processes) Names() []string {
	return append(kernel.Names(p.state), kernel.LabelNames(p.pids, p.threads, p.maxPID, p.maxTasks)...)
}

// processStates are always told, also when no process is in them: a policy on
// zombies needs the zero.
var processStates = [...]byte{'R', 'S', 'D', 'Z', 'T', 'I'}

func (p *processes) Collect(ctx context.Context, r *kernel.Round) error {
	if err := p.list(); err != nil {
		return err
	}
	r.Emit(p.pids, float64(len(p.pidList)))
	var states [256]int
	threads, looked := 0.0, 0
	for _, pid := range p.pidList {
		if looked == p.limit {
			break
		}
		looked++
		p.path = append(append(p.path[:0], p.dir...), '/')
		p.path = appendInt(p.path, pid)
		p.path = append(p.path, "/stat"...)
		b, err := r.Read(string(p.path))
		if err != nil {
			continue // it has ended since
		}
		// The command may hold anything, brackets and blanks included.
		i := bytes.LastIndexByte(b, ')')
		if i < 0 || i+2 >= len(b) {
			continue
		}
		rest := b[i+2:]
		states[rest[0]]++
		for range 17 { // from state (field 3) to num_threads (field 20)
			_, rest = kernel.Field(rest)
		}
		if n, _, ok := kernel.Next(rest); ok {
			threads += n
		}
	}
	if len(p.pidList) <= p.limit {
		for _, s := range processStates {
			r.Emit(p.state.At([]byte{s}), float64(states[s]))
		}
		r.Emit(p.threads, threads)
	}
	for _, f := range []struct {
		path string
		ls   series.Labels
	}{{p.pidMax, p.maxPID}, {p.threadsMax, p.maxTasks}} {
		if b, err := r.Read(f.path); err == nil {
			if v, _, ok := kernel.Next(b); ok {
				r.Emit(f.ls, v)
			}
		}
	}
	return nil
}

// list fills pidList from the directory's numeric names, without making a
// string of each.
func (p *processes) list() error {
	p.pidList = p.pidList[:0]
	fd, err := unix.Open(p.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.dir, err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.ReadDirent(fd, p.dirents)
		if err != nil {
			return fmt.Errorf("list %s: %w", p.dir, err)
		}
		if n <= 0 {
			return nil
		}
		p.pidList = appendPIDs(p.pidList, p.dirents[:n])
	}
}

// appendPIDs reads linux_dirent64 records: inode 8, offset 8, length 2, type 1, name.
func appendPIDs(dst []int32, b []byte) []int32 {
	for len(b) >= 20 {
		n := int(binary.NativeEndian.Uint16(b[16:]))
		if n < 20 || n > len(b) {
			return dst
		}
		name := b[19:n]
		var pid int32
		ok := false
		for _, c := range name {
			if c == 0 {
				break
			}
			if c < '0' || c > '9' || pid > 1<<26 {
				ok = false
				break
			}
			pid, ok = pid*10+int32(c-'0'), true
		}
		if ok {
			dst = append(dst, pid)
		}
		b = b[n:]
	}
	return dst
}

func appendInt(dst []byte, n int32) []byte {
	var tmp [12]byte
	i := len(tmp)
	for {
		i--
		tmp[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(dst, tmp[i:]...)
		}
	}
}
