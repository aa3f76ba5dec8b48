package vigiltest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vigil/api/client"
	"vigil/internal/load/rig"
)

// campaignConfig keeps gates and paces from holding what a campaign does on
// purpose, and keeps the log small so that packing and trimming happen between
// the kills.
const campaignConfig = `
[host]
enabled = false
[policies]
starter = false
[self]
every = "1h"
[snapshots]
every = "0s"
[ledger]
ballast_mb = 1
upkeep = "1s"
[store]
segment_bytes = "256KiB"
log_bytes = "1MiB"
snapshot_every = "0s"
[remedy]
cooldown = "0s"
capture = false
look_again = "1s"
` + rig.Gates + `
[remedy.breaker]
failures = 1000
open = "1s"
cap = "1s"
`

// laneConfig has one unsafe act: tee appends its own context, which names the
// attempt, in one write to the file of effects.
const laneConfig = campaignConfig + `
[actions.effect]
kind = "exec"
argv = ["/usr/bin/tee", "-a", %q]
timeout = "20s"
`

const breachPolicy = `apiVersion: vigil/v1
kind: Policy
metadata: {name: breach}
spec:
  match: breach
  fire: value > 0
  remedy:
    target: "{{ labels.id }}"
    ladder: [{action: effect, settle: 0s}]
    verify: {expr: value < 1, within: 60s}
    cooldown: 0s
    limit: {max: 10000, per: 1h}
`

// lane is one data directory that lives through many daemons, each of which is
// killed.
type lane struct {
	t      testing.TB
	dir    string
	env    []string
	client *client.Client
	raw    *http.Client
	rand   *rand.Rand
	rests  time.Duration // within which all comes to rest; with a planted bug it may never

	cmd  *exec.Cmd
	log  *logged
	done chan struct{}
}

func newLane(t testing.TB, seed uint64) *lane {
	t.Helper()
	dir, err := os.MkdirTemp("", "vc") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	l := prepared(t, dir, seed)
	put(t, filepath.Join(dir, "vigil.toml"), fmt.Sprintf(laneConfig, l.effects()))
	put(t, filepath.Join(dir, "policies", "breach.yaml"), breachPolicy)
	return l
}

// prepared is a lane in a folder without a config yet.
func prepared(t testing.TB, dir string, seed uint64) *lane {
	t.Helper()
	var err error
	l := &lane{t: t, dir: dir, rand: rand.New(rand.NewPCG(seed, 1)), rests: Patience}
	t.Cleanup(func() {
		l.kill()
		endKept(dir)
		if t.Failed() {
			t.Logf("%s is left as it was; the last daemon said\n%s", dir, l.log)
			return
		}
		_ = os.RemoveAll(dir)
	})
	sock := filepath.Join(dir, "s", "v.sock")
	l.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "VIGIL_CONFIG=" + filepath.Join(dir, "vigil.toml"),
		"VIGIL_DATA_DIR=" + filepath.Join(dir, "data"), "VIGIL_API_SOCKET=" + sock, "VIGIL_API_LISTEN=off",
	}
	if l.client, err = client.New(client.Config{Socket: sock}); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 8, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", sock)
	}}
	l.raw = &http.Client{Transport: tr, Timeout: Patience}
	t.Cleanup(func() { tr.CloseIdleConnections(); l.client.Close() })
	return l
}

// configure adds to the table of the one act.
func (l *lane) configure(more string) {
	l.t.Helper()
	put(l.t, filepath.Join(l.dir, "vigil.toml"), fmt.Sprintf(laneConfig, l.effects())+more)
}

func (l *lane) effects() string { return filepath.Join(l.dir, "effects") }

// start begins a daemon; it may die at any time.
func (l *lane) start(binary string, env ...string) {
	l.t.Helper()
	l.log = &logged{}
	cmd := exec.Command(binary, "run")
	cmd.Dir, cmd.Env = l.dir, append(env, l.env...)
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.cmd, l.done = cmd, make(chan struct{})
	done := l.done
	go func() { _ = cmd.Wait(); close(done) }()
}

func (l *lane) dead() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// ready waits until the daemon serves; false when it died before.
func (l *lane) ready() bool {
	l.t.Helper()
	ok := false
	if !quickly(func() bool { ok = strings.Contains(l.log.String(), "msg=ready"); return ok || l.dead() }) {
		l.t.Fatalf("vigild is not ready:\n%s", l.log)
	}
	return ok
}

// mustBeReady starts the real binary, which has no reason to die.
func (l *lane) mustBeReady(binary string, env ...string) {
	l.t.Helper()
	l.start(binary, env...)
	if !l.ready() {
		l.t.Fatalf("vigild ended by itself:\n%s", l.log)
	}
}

// quickly is Until with a shorter tick.
func quickly(ok func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(Patience)
	for !ok() {
		select {
		case <-end:
			return ok()
		case <-tick.C:
		}
	}
	return true
}

// kill is SIGKILL, and waits for the end.
func (l *lane) kill() {
	if l.cmd == nil {
		return
	}
	_ = l.cmd.Process.Signal(syscall.SIGKILL)
	<-l.done
	l.cmd = nil
	if l.raw != nil {
		l.raw.CloseIdleConnections()
		l.client.Close()
	}
}

// stop is SIGTERM; a daemon that lives must end well.
func (l *lane) stop() {
	l.t.Helper()
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	if !Until(l.dead) {
		l.t.Fatalf("vigild does not stop:\n%s", l.log)
	}
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		l.t.Errorf("exit code %d:\n%s", code, l.log)
	}
	l.cmd = nil
}

// ask sends one request, once. err says that nothing is known of it; a status
// is an answer.
func (l *lane) ask(ctx context.Context, method, path string, body any) (status int, text []byte, err error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, r)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := l.raw.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, text, nil
}

// effect is one act as the outside saw it.
type effect struct {
	Attempt string            `json:"attempt"`
	Policy  string            `json:"policy"`
	Target  string            `json:"target"`
	Labels  map[string]string `json:"labels"`
}

// readEffects reads every effect that ever was, in order.
func (l *lane) readEffects() []effect {
	l.t.Helper()
	text, err := os.ReadFile(l.effects())
	if err != nil && !os.IsNotExist(err) {
		l.t.Fatal(err)
	}
	var out []effect
	for line := range strings.Lines(string(text)) {
		var e effect
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			l.t.Fatalf("an effect is %q: %v", line, err)
		}
		out = append(out, e)
	}
	return out
}
