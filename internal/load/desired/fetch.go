package desired

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"vigil/internal/load/rig"
)

// clone counts the processor time of the server for a clone, without a checkout;
// beside it git daemon with the same repository.
func clone(c Config) ([]Row, error) {
	g, err := begin(c.Vigild, "")
	if err != nil {
		return nil, err
	}
	defer g.end()
	if err := g.write(c.Things, 1, true); err != nil {
		return nil, err
	}
	if _, err := g.pushWait(); err != nil {
		return nil, err
	}
	before, err := g.usage()
	if err != nil {
		return nil, err
	}
	wall, err := g.clones(c.Trials, g.Base+"/git/desired", "ours")
	if err != nil {
		return nil, err
	}
	after, err := g.usage()
	if err != nil {
		return nil, err
	}
	cpu := (after.CPU - before.CPU) / time.Duration(c.Trials)
	rows := []Row{
		{fmt.Sprintf("clone of %d files: server", c.Things), "<= 500 ms CPU", fmt.Sprintf("%.0f ms CPU", cpu.Seconds()*1000)},
		{"the same as the client sees it", "", spread(wall)},
		{"resident afterwards", "", memory(after)},
	}
	theirs, err := g.gitDaemon(c.Trials)
	if err != nil {
		return nil, err
	}
	return append(rows, theirs...), nil
}

func (g *ground) clones(n int, url, name string) (wall []time.Duration, err error) {
	for i := range n {
		to := filepath.Join(g.dir, fmt.Sprintf("%s-%d", name, i))
		at := time.Now()
		if err := g.git("clone", "-q", "--bare", url, to); err != nil {
			return nil, err
		}
		wall = append(wall, time.Since(at))
		_ = os.RemoveAll(to)
	}
	return wall, nil
}

// gitDaemon serves a clone of the same repository, packed as a push leaves it.
func (g *ground) gitDaemon(n int) ([]Row, error) {
	bare := filepath.Join(g.dir, "theirs", "desired.git")
	if err := g.git("clone", "-q", "--bare", g.Base+"/git/desired", bare); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	// Not through git, whose process would stand between: what ended is counted by
	// the one that waited for it.
	core, err := g.says("--exec-path")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(core[:len(core)-1], "git-daemon"), "--reuseaddr", "--export-all", "--listen=127.0.0.1", "--port="+port, "--base-path="+filepath.Dir(bare))
	cmd.Env = append(os.Environ(), gitEnv(g.dir)...)
	if err := cmd.Start(); err != nil {
		return []Row{{"git daemon, the same clone", "", "not installed: " + err.Error()}}, nil
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	url := "git://127.0.0.1:" + port + "/desired.git"
	if err := rig.Until(10*time.Second, "git daemon answers", func() bool { return g.git("ls-remote", url) == nil }); err != nil {
		return nil, err
	}
	used := func() (time.Duration, error) {
		// It waits for its children when the next one comes.
		if err := g.git("ls-remote", url); err != nil {
			return 0, err
		}
		u, err := rig.ReadUsage(cmd.Process.Pid)
		return u.CPU + u.Reaped, err
	}
	before, err := used()
	if err != nil {
		return nil, err
	}
	wall, err := g.clones(n, url, "daemon")
	if err != nil {
		return nil, err
	}
	after, err := used()
	if err != nil {
		return nil, err
	}
	cpu := (after - before) / time.Duration(n)
	return []Row{
		{"git daemon, the same clone: server", "", fmt.Sprintf("%.0f ms CPU", cpu.Seconds()*1000)},
		{"the same as the client sees it", "", spread(wall)},
	}, nil
}
