package main

import (
	"bufio"
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
	"syscall"
	"time"

	"vigil/internal/load/rig"
)

// chainRun measures from a cause to the first instruction of what heals it, on a
// vigild of its own.
type chainRun struct {
	vigild string
	trials int
	gap    time.Duration // between two deaths
	runsv  string        // measure this in place of vigild
	plain  bool          // the child is a shell with its date
}

type chainReport struct {
	Trials int     `json:"trials"`
	Missed int     `json:"missed"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	// SyncsPerAct is how many times the disk was asked to keep something, by the
	// ledger and the log, for each act from the sample to the finished attempt.
	SyncsPerAct float64 `json:"syncs_per_act,omitempty"`
}

func report(lat []time.Duration, trials int) chainReport {
	r := chainReport{Trials: trials, Missed: trials - len(lat)}
	r.P50, r.P99, _ = rig.Quantiles(lat)
	for _, d := range lat {
		r.Max = max(r.Max, float64(d)/1e6)
	}
	return r
}

// limits keep the gates from holding what is measured.
const limits = `
[remedy]
cooldown = "0s"
capture = false
workers = 4
` + rig.Gates

const breachPolicy = `apiVersion: vigil/v1
kind: Policy
metadata: {name: load-breach}
spec:
  match: load_breach
  fire: value > 0
  accept: open
  remedy:
    ladder: [{action: stamp, timeout: 10s, settle: 0s}]
    verify: {within: 1s}
    capture: false
    cost: 0
    cooldown: 0s
    limit: {max: 10000, per: 1h}
`

// breach pushes one breaching sample a trial over HTTP, and the started program
// tells when it began.
func (c chainRun) breach() (any, error) {
	child, dir, err := c.child()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	births := filepath.Join(dir, "births")
	d, err := c.start(limits+fmt.Sprintf(`
[actions.stamp]
kind = "exec"
argv = %s
class = "convergent"
cost = 0
timeout = "10s"
`, list(child.Argv(births, false))), map[string]string{"load.yaml": breachPolicy})
	if err != nil {
		return nil, err
	}
	defer d.Stop()
	to, err := d.pusher()
	if err != nil {
		return nil, err
	}
	defer to.conn.Close()
	var lat []time.Duration
	syncs := d.syncs()
	for n := range c.trials {
		at, err := to.push("load_breach", 1, strconv.Itoa(n))
		if err != nil {
			return nil, err
		}
		began, err := waitBorn(child, births, n+1, 15*time.Second)
		if err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			fmt.Fprintln(os.Stderr, d.state(int64(n+1)))
			break
		}
		lat = append(lat, began.At.Sub(at))
		// It helped: else three trials on, the breaker would open, rightly.
		if _, err := to.push("load_breach", 0, strconv.Itoa(n)); err != nil {
			return nil, err
		}
		if err := d.over(int64(n+1), 15*time.Second); err != nil {
			return nil, err
		}
	}
	r := report(lat, c.trials)
	if after := d.syncs(); after > syncs && len(lat) > 0 {
		r.SyncsPerAct = (after - syncs) / float64(len(lat))
	}
	return r, nil
}

// kill sends SIGKILL to a supervised process and waits until its successor has
// told when it began. A process that dies again and again is held back by its
// backoff, rightly; so each vigild sees two deaths, and then another takes over.
func (c chainRun) kill() (any, error) {
	var lat []time.Duration
	for n := 0; n < c.trials; n += 2 {
		two, err := c.twoDeaths(min(2, c.trials-n))
		if err != nil {
			return nil, err
		}
		lat = append(lat, two...)
	}
	return report(lat, c.trials), nil
}

func (c chainRun) twoDeaths(trials int) (lat []time.Duration, err error) {
	child, dir, err := c.child()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	births := filepath.Join(dir, "births")
	argv := child.Argv(births, true)
	ready := func() error { return nil }
	if c.runsv != "" {
		stop, err := c.runit(dir, argv)
		if err != nil {
			return nil, err
		}
		defer stop()
	} else {
		d, err := c.start(limits+fmt.Sprintf("[[process]]\nname = \"victim\"\nargv = %s\n", list(argv)), nil)
		if err != nil {
			return nil, err
		}
		defer d.Stop()
		// The successor is up for vigild too before it dies in its turn.
		ready = func() error { return d.isUp(15 * time.Second) }
	}
	last, err := waitBorn(child, births, 1, 15*time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Kill(last.PID, syscall.SIGKILL) }()
	for n := range trials {
		time.Sleep(c.gap)
		if err := ready(); err != nil {
			return nil, err
		}
		at := time.Now()
		if err := syscall.Kill(last.PID, syscall.SIGKILL); err != nil {
			return nil, err
		}
		next, err := waitBorn(child, births, n+2, 15*time.Second)
		if err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			break
		}
		last = next
		lat = append(lat, next.At.Sub(at))
	}
	return lat, nil
}

// child is the program that tells its birth, in a folder of its own.
func (c chainRun) child() (child rig.Child, dir string, err error) {
	if dir, err = os.MkdirTemp("", "vigil-load-child-"); err != nil {
		return child, "", err
	}
	if child, err = rig.NewChild(dir, c.plain); err != nil {
		_ = os.RemoveAll(dir)
	}
	return child, dir, err
}

// list is words as TOML and JSON write them.
func list(words []string) string {
	b, _ := json.Marshal(words)
	return string(b)
}

// runit keeps the same victim with runsv, for a figure beside ours. Its run file
// is a script, as is the custom; the shell that replaces itself is in the figure.
func (c chainRun) runit(dir string, argv []string) (stop func(), err error) {
	if err := os.WriteFile(filepath.Join(dir, "run"), []byte("#!/bin/sh\nexec "+strings.Join(argv, " ")+"\n"), 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.runsv, dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}, nil
}

// waitBorn waits until so many births are told, and is the last of them. The time
// that counts is the child's own word: asking for it at once would take the
// processor from what is measured.
func waitBorn(child rig.Child, births string, n int, most time.Duration) (rig.Birth, error) {
	time.Sleep(40 * time.Millisecond)
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got, err := child.Births(births)
		if err != nil {
			return rig.Birth{}, err
		}
		if len(got) >= n {
			return got[n-1], nil
		}
	}
	return rig.Birth{}, fmt.Errorf("no child was born within %s", most)
}

// daemon is a vigild of our own, with what a chain asks of it.
type daemon struct{ *rig.Daemon }

func (c chainRun) start(config string, policies map[string]string) (daemon, error) {
	d, err := rig.Start(c.vigild, config, policies)
	return daemon{d}, err
}

// pusher sends samples over one connection. The request is one write made ready
// before the clock starts: a client's own goroutines are not what is measured.
type pusher struct {
	conn net.Conn
	from *bufio.Reader
	host string
}

func (d daemon) pusher() (*pusher, error) {
	host := strings.TrimPrefix(d.Base, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &pusher{conn, bufio.NewReader(conn), host}, nil
}

// push sends one sample, and returns when it began to.
func (p *pusher) push(name string, v float64, trial string) (at time.Time, err error) {
	body := fmt.Sprintf(`{"name":%q,"value":%g,"tags":{"trial":%q}}`, name, v, trial)
	request := fmt.Appendf(nil, "POST /api/v1/ingest HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", p.host, len(body), body)
	at = time.Now()
	if _, err := p.conn.Write(request); err != nil {
		return at, err
	}
	resp, err := http.ReadResponse(p.from, nil)
	if err != nil {
		return at, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("push: HTTP %d: %s", resp.StatusCode, answer)
	}
	return at, err
}

// over waits until an action is verified and its firing has cleared: the writes
// of the trial before would else stand in the way of the next.
func (d daemon) over(action int64, most time.Duration) error {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var a struct {
			Status string `json:"status"`
		}
		if err := d.Get("/api/v1/actions/"+strconv.FormatInt(action, 10), &a); err != nil {
			return err
		}
		if a.Status == "completed" || a.Status == "failed" || a.Status == "cancelled" {
			time.Sleep(20 * time.Millisecond)
			return nil
		}
	}
	return fmt.Errorf("action %d is not over after %s:\n%s", action, most, d.state(action))
}

func (d daemon) isUp(most time.Duration) error {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var fs struct {
			Firings []struct {
				Policy string `json:"policy"`
			} `json:"firings"`
		}
		if err := d.Get("/api/v1/firings", &fs); err != nil {
			return err
		}
		if len(fs.Firings) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the process is still not up after %s", most)
}

// state is what is known of an action, for a trial that went wrong.
func (d daemon) state(action int64) string {
	var v json.RawMessage
	if err := d.Get("/api/v1/actions/"+strconv.FormatInt(action, 10), &v); err != nil {
		return err.Error()
	}
	return string(v)
}

// syncs reads from the metrics page how often the disk was asked to keep
// something; 0 where it is not told.
func (d daemon) syncs() float64 {
	return d.Metric(func(name string) bool {
		return strings.Contains(name, "syncs_total") || name == "vigil_ledger_commits_total"
	})
}

// policies waits until so many are in force.
func (d daemon) policies(n int, most time.Duration) error {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if int(d.Metric(func(name string) bool { return name == "vigil_policies" })) >= n {
			return nil
		}
	}
	return fmt.Errorf("%d policies are not in force after %s:\n%s", n, most, d.Log())
}
