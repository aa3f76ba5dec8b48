package launch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// grove is the folder of cgroup v2 under which every program gets a cgroup of
// its own, so that nothing it forks can leave before the kill.
type grove struct {
	parent string // the cgroup vigild may make folders in
	dir    string // ours: named after this very process; "" until it is needed
	next   atomic.Uint64
	killer bool // cgroup.kill exists (Linux 5.14)

	spare atomic.Pointer[plot] // made while nobody waited for it
}

// prefix names a vigild's folder: vigil-PID-START.
const prefix = "vigil-"

// plant makes this process's folder under parent, "" for the own cgroup as
// /proc tells it. An error means that there is no writable cgroup v2.
func plant(parent string) (*grove, error) {
	if parent == "" {
		var err error
		if parent, err = ownCgroup(); err != nil {
			return nil, err
		}
	}
	me, err := Look(os.Getpid())
	if err != nil {
		return nil, err
	}
	g := &grove{parent: parent, dir: filepath.Join(parent, fmt.Sprintf("%s%d-%d", prefix, me.Pid, me.Start))}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(g.dir, "cgroup.procs")); err != nil {
		_ = os.Remove(g.dir)
		return nil, fmt.Errorf("%s is not in a cgroup v2 hierarchy", parent)
	}
	_, err = os.Stat(filepath.Join(g.dir, "cgroup.kill"))
	g.killer = err == nil
	return g, nil
}

// ownCgroup finds where cgroup v2 is mounted and where in it this process is.
func ownCgroup() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	own := ""
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = p
		}
	}
	if own == "" {
		return "", errors.New("this process is in no cgroup v2")
	}
	m, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer m.Close()
	for s := bufio.NewScanner(m); s.Scan(); {
		left, right, ok := strings.Cut(s.Text(), " - ")
		f := strings.Fields(left)
		if !ok || len(f) < 5 || !strings.HasPrefix(right, "cgroup2 ") {
			continue
		}
		// f[3] is the root of the mount inside the hierarchy, f[4] where it lies.
		if rel, err := filepath.Rel(f[3], own); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.Join(f[4], rel), nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted")
}

// plot is the cgroup of one program.
type plot struct {
	dir    string
	fd     int
	killer bool
}

// plot is a cgroup for one program, open for the clone: the spare one, or a new one.
// Unavailable: what begins here would be frozen. It would not come to its first
// instruction, and the whole of vigild stands still until a child does.
func (g *grove) plot() (*plot, error) {
	if p := g.spare.Swap(nil); p != nil {
		if p.ready() {
			return p, nil
		}
		p.close() // it was empty, and somebody removed or froze it
	}
	p, err := g.make()
	if err == nil && !p.ready() {
		p.close()
		return nil, fault.New(fault.Unavailable, "the cgroups of programs are frozen").At(g.dir).Mend("echo 0 > %s/cgroup.freeze, or of the folder above that was frozen", g.dir)
	}
	return p, err
}

// ready says that it is there and that a program would run in it.
func (p *plot) ready() bool {
	b, err := os.ReadFile(p.dir + "/cgroup.events")
	return err == nil && !bytes.Contains(b, []byte("frozen 1"))
}

// stock sees to it that the next program finds a cgroup made. It is called once a
// program runs; what cannot be made now is made when it is needed.
func (g *grove) stock() {
	if g.spare.Load() != nil {
		return
	}
	if p, err := g.make(); err == nil && !g.spare.CompareAndSwap(nil, p) {
		p.close()
	}
}

func (g *grove) make() (*plot, error) {
	dir := g.dir + "/" + strconv.FormatUint(g.next.Add(1), 10)
	if err := unix.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Rmdir(dir)
		return nil, err
	}
	return &plot{dir: dir, fd: fd, killer: g.killer}, nil
}

// kill ends everything in the cgroup at once; without cgroup.kill it goes round
// until the list is empty or the deadline has passed.
func (p *plot) kill(deadline time.Time) {
	if p.killer && os.WriteFile(p.dir+"/cgroup.kill", []byte("1"), 0) == nil {
		return
	}
	for time.Now().Before(deadline) {
		pids := p.members()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// members lists the pids in the cgroup, zombies left out.
func (p *plot) members() []int {
	b, err := os.ReadFile(p.dir + "/cgroup.procs")
	if err != nil {
		return nil
	}
	var pids []int
	for line := range bytes.Lines(b) {
		pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
		if err != nil {
			continue
		}
		if q, err := Look(pid); err == nil && q.State != 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}

// populated reports whether anything but zombies lives in it: one small read.
func (p *plot) populated() bool {
	b, err := os.ReadFile(p.dir + "/cgroup.events")
	return err == nil && bytes.Contains(b, []byte("populated 1"))
}

// evict moves what lives in p to a cgroup of its own kind, beside those of the
// vigilds: there nobody ends it.
func (g *grove) evict(p *plot) error {
	to := filepath.Join(g.parent, "vigil-left")
	if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, pid := range p.members() {
		err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// close gives the cgroup back. It is false while something still lives in it.
func (p *plot) close() bool {
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
		p.fd = -1
	}
	err := unix.Rmdir(p.dir)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// abandoned lists the folders of vigilds that are no longer alive.
func (g *grove) abandoned() []string {
	entries, _ := os.ReadDir(g.parent) // and no pattern: systemd writes backslashes into names of cgroups
	var out []string
	for _, e := range entries {
		var pid int
		var start uint64
		name, ours := strings.CutPrefix(e.Name(), prefix)
		if n, _ := fmt.Sscanf(name, "%d-%d", &pid, &start); ours && n == 2 && !Alive(pid, start) {
			out = append(out, filepath.Join(g.parent, e.Name()))
		}
	}
	return out
}
