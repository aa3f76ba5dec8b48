// Package rig is what load commands share: a vigild of their own in a temporary
// folder, and what a process has used as the kernel tells it.
//
// A started vigild listens on a free port of loopback, lets everybody in, has no
// collectors and no starter policies, and is gone with its folder after Stop. It
// refuses to measure: what figures mean is the commands' business. Every wait is
// bounded. Methods may be called concurrently, Stop once.
package rig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Daemon is a vigild of our own.
type Daemon struct {
	Base string // its URL, http://127.0.0.1:PORT
	Dir  string // its folder: vigil.toml, data, policies
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
	log  text
}

// text takes the log while others read it.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

// Start runs the binary with a config of its own, to which config is added, and
// these files in its folder of policies, and waits a minute at most until it is
// ready.
func Start(vigild, config string, policies map[string]string) (*Daemon, error) {
	dir, err := os.MkdirTemp("", "vigil-load-")
	if err != nil {
		return nil, err
	}
	d, err := start(dir, vigild, config, policies)
	if err != nil {
		_ = os.RemoveAll(dir)
	}
	return d, err
}

func start(dir, vigild, config string, policies map[string]string) (*Daemon, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "vigil.toml")
	text := fmt.Sprintf("data_dir = %q\n[api]\nlisten = %q\nsocket = %q\nauth = \"open\"\n[host]\nenabled = false\n[policies]\nstarter = false\n%s",
		filepath.Join(dir, "data"), addr, filepath.Join(dir, "run", "vigil.sock"), config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	for name, text := range policies {
		if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "policies", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	d := &Daemon{Dir: dir, Base: "http://" + addr, gone: make(chan struct{})}
	d.cmd = exec.Command(vigild, "run", "--config", file)
	d.cmd.Stderr = &d.log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which Stop sees to
		_ = d.cmd.Wait()
		close(d.gone)
	}()
	over := false
	err = Until(time.Minute, "vigild is ready", func() bool {
		resp, err := http.Get(d.Base + "/readyz")
		if err != nil {
			select {
			case <-d.gone:
				over = true
			default:
			}
			return over
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if over {
		err = fmt.Errorf("vigild has ended: %s", d.cmd.ProcessState)
	}
	if err != nil {
		d.Stop()
		return nil, fmt.Errorf("%w:\n%s", err, d.Log())
	}
	return d, nil
}

// Until asks every 5 ms, and is an error when the answer was not yes in time.
func Until(most time.Duration, what string, yes func() bool) error {
	for end := time.Now().Add(most); ; time.Sleep(5 * time.Millisecond) {
		if yes() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %s it is still not so that %s", most, what)
		}
	}
}

// PID is its process.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Log is what it has logged so far.
func (d *Daemon) Log() string {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	return d.log.b.String()
}

// Stop ends it, with force after 15 seconds, and removes its folder.
func (d *Daemon) Stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.gone:
	case <-time.After(15 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.gone
	}
	_ = os.RemoveAll(d.Dir)
}

// Metric sums the lines of the metrics page whose name is wanted; labels belong to
// the name. 0 where there is no such line.
func (d *Daemon) Metric(wanted func(name string) bool) (sum float64) {
	resp, err := http.Get(d.Base + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	for line := range strings.Lines(string(b)) {
		if name, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && wanted(name) {
			f, _ := strconv.ParseFloat(v, 64)
			sum += f
		}
	}
	return sum
}

// Get reads an answer of the API.
func (d *Daemon) Get(path string, into any) error {
	resp, err := http.Get(d.Base + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("GET %s: HTTP %d: %s", path, resp.StatusCode, b)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(into)
}
