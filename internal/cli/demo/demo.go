// Package demo is `vigild demo`: a daemon and a small web service in a temporary
// folder; the service is killed, hung and flooded, and healed each time, with
// the measured times. It needs no root and leaves nothing behind.
package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/fault"
	"vigil/internal/cli/session"
	"vigil/internal/daemon"
	"vigil/internal/daemon/config"
)

type DemoCmd struct {
	Keep bool `help:"Keep the temporary folder."`
}

// Help says what will happen.
func (DemoCmd) Help() string {
	return "Starts a daemon and a small web service in a temporary folder, kills the service, hangs it, floods its queue, and shows how each is\ndetected, decided, acted on and verified, with the measured times. Needs no root and touches nothing else."
}

// The policies of the demo, as somebody would write them.
const demoPolicies = `apiVersion: vigil/v1
kind: Check
metadata: {name: shop}
spec: {kind: http, url: "http://%[1]s/health", every: 1s, timeout: 500ms, jitter: 0s}
---
apiVersion: vigil/v1
kind: Policy
metadata: {name: shop-hangs}
spec:
  description: the shop runs but does not answer
  severity: critical
  match: vigil_check_up{check="shop"}
  fire: value < 1
  times: {x: 2, of: 2}
  depends_on: [process-shop]
  remedy:
    target: shop
    ladder:
      - {action: process, with: {process: shop, verb: restart}, settle: 0s}
    verify: {expr: value > 0, within: 10s}
    cooldown: 0s
    capture: false
---
apiVersion: vigil/v1
kind: Policy
metadata: {name: shop-flooded}
spec:
  description: orders pile up
  match: shop_queue_depth{service="shop"}
  fire: avg("1s") > 100
  clear: value < 10
  accept: open
  remedy:
    target: shop
    ladder:
      - {action: drain-queue, settle: 0s}
    verify: {expr: value < 10, within: 10s}
    cooldown: 0s
`

const demoConfig = `[[process]]
name = "shop"
argv = [%[1]q, "__demo-service", %[2]q]
stop_timeout = "300ms"
ready.tcp = %[2]q

[actions.drain-queue]
kind = "http"
url = "http://%[2]s/drain"
allow = ["127.0.0.1"]
class = "convergent"
timeout = "2s"

[policies]
starter = false

[api]
listen = "off"
`

// step is one thing that was broken and healed.
type step struct {
	What        string  `json:"what"`
	Policy      string  `json:"policy"`
	Remediation int64   `json:"remediation"`
	Detected    float64 `json:"detected_ms"` // from the fault to the decision
	Acted       float64 `json:"acted_ms"`    // to the start of the act
	Healed      float64 `json:"healed_ms"`   // to the service's next answer
	Verified    float64 `json:"verified_ms"` // to the word that it worked
}

// demo is one run.
type demo struct {
	s      *session.Session
	addr   string
	client *client.Client
	steps  []step
}

// Run shows it all within 30 seconds.
func (c *DemoCmd) Run(ctx context.Context, s *session.Session) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "vigil-demo-")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "no temporary folder")
	}
	if !c.Keep {
		defer os.RemoveAll(dir)
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	if err := write(dir, addr); err != nil {
		return err
	}
	d := &demo{s: s, addr: addr}
	stop, err := d.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() {
		if serr := stop(); err == nil {
			err = serr
		}
	}()
	if err := d.show(ctx); err != nil {
		return err
	}
	if s.Output == "json" {
		return s.Print(d.steps, nil)
	}
	return nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "no free port")
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func write(dir, addr string) error {
	exe, err := os.Executable()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "this program's own path")
	}
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "vigil.toml"), fmt.Appendf(nil, demoConfig, exe, addr), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "policies", "shop.yaml"), fmt.Appendf(nil, demoPolicies, addr), 0o600)
}

// start runs a daemon inside this process; the returned function stops it and
// the service, and waits.
func (d *demo) start(ctx context.Context, dir string) (stop func() error, err error) {
	socket := filepath.Join(dir, "s", "vigil.sock")
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan daemon.Running, 1)
	log := io.Discard
	if v, _ := d.s.Lookup("VIGIL_LOG_LEVEL"); v != "" {
		log = d.s.Err
	}
	dm, err := daemon.New(daemon.Options{
		From: config.From{
			File:   filepath.Join(dir, "vigil.toml"),
			Places: config.Places{Config: filepath.Join(dir, "vigil.toml"), Data: filepath.Join(dir, "data"), Socket: socket},
		},
		Log: log, Version: session.Version(), Ready: func(r daemon.Running) { ready <- r },
	})
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- dm.Run(run) }()
	stop = func() error {
		pid := d.pid(run)
		if pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // the service outlives its daemon by design
		}
		cancel()
		return <-done
	}
	select {
	case err := <-done:
		cancel()
		return nil, err
	case <-ctx.Done():
		return nil, fmt.Errorf("the daemon was not ready in time: %w", stop())
	case r := <-ready:
		d.say("vigild is ready after %s, in %s", r.Took.Round(time.Millisecond), r.DataDir)
	}
	if d.client, err = client.New(client.Config{Socket: socket}); err != nil {
		return nil, fmt.Errorf("%w %w", err, stop())
	}
	return stop, nil
}

func (d *demo) say(format string, args ...any) {
	if d.s.Output != "json" {
		fmt.Fprintf(d.s.Out, format+"\n", args...)
	}
}

// show breaks the service three times and tells the story of one of them.
func (d *demo) show(ctx context.Context) error {
	pid, err := d.await(ctx, 0)
	if err != nil {
		return err
	}
	d.say("a web service, `shop`, runs at http://%s as pid %d", d.addr, pid)
	faults := []struct {
		what, policy string
		do           func(pid int) error
	}{
		{"killed with SIGKILL", "process-shop", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }},
		{"hung with SIGSTOP", "shop-hangs", func(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }},
	}
	for _, f := range faults {
		began := time.Now()
		if err := f.do(pid); err != nil {
			return fault.Wrap(fault.Internal, err, "breaking the service")
		}
		d.say("\n%s: pid %d", d.s.Paint(session.Bold, f.what), pid)
		next, err := d.await(ctx, pid)
		if err != nil {
			return err
		}
		healed := time.Since(began)
		if err := d.follow(ctx, f.what, f.policy, began, healed); err != nil {
			return err
		}
		d.say("  pid %d became pid %d", pid, next)
		pid = next
	}
	if err := d.flood(ctx); err != nil {
		return err
	}
	d.say("\n%s", d.s.Paint(session.Bold, "$ vigild why "+strconv.FormatInt(d.steps[1].Remediation, 10)))
	if d.s.Output == "json" {
		return nil
	}
	st, err := d.client.Why(ctx, d.steps[1].Remediation)
	if err != nil {
		return err
	}
	return d.s.Story(st, false)
}

// flood fills the service's queue and pushes its depth as a metric, as any
// program could, until vigild has had it drained.
func (d *demo) flood(ctx context.Context) error {
	const what = "flooded with 5,000 orders"
	began := time.Now()
	if _, err := d.get(ctx, "/flood?n=5000"); err != nil {
		return err
	}
	d.say("\n%s", d.s.Paint(session.Bold, what))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var healed time.Duration
	for {
		text, err := d.get(ctx, "/queue")
		if err != nil {
			return err
		}
		depth, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "the service's answer")
		}
		if _, err := d.client.Ingest(ctx, contract.Sample{Name: "shop_queue_depth", Value: depth, Tags: map[string]string{"service": "shop"}}); err != nil {
			return err
		}
		if healed == 0 && depth == 0 {
			healed = time.Since(began)
		}
		if healed > 0 {
			if a, ok, err := d.ended(ctx, "shop-flooded"); err != nil || ok {
				if err != nil {
					return err
				}
				return d.tell(ctx, what, a, began, healed)
			}
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Timeout, "the queue was not drained in time")
		case <-tick.C:
		}
	}
}

// follow waits until the newest remediation of a policy has ended.
func (d *demo) follow(ctx context.Context, what, policy string, began time.Time, healed time.Duration) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a, ok, err := d.ended(ctx, policy)
		if err != nil {
			return err
		}
		if ok && a.CreatedAt.After(began.Add(-time.Second)) {
			return d.tell(ctx, what, a, began, healed)
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Timeout, "policy %s had not healed the service in time", policy)
		case <-tick.C:
		}
	}
}

// ended finds the newest remediation of a policy, if it has ended.
func (d *demo) ended(ctx context.Context, policy string) (contract.Action, bool, error) {
	list, err := d.client.Actions(ctx, client.ActionQuery{Limit: 50})
	if err != nil {
		return contract.Action{}, false, err
	}
	for _, a := range list.Actions {
		if a.Policy == policy {
			if a.State == "succeeded" {
				return a, true, nil
			}
			if a.Status == "failed" {
				return a, false, fault.New(fault.Internal, "remediation %d %s: %s", a.ID, a.State, a.Reason)
			}
			return a, false, nil
		}
	}
	return contract.Action{}, false, nil
}

// tell shows when what happened.
func (d *demo) tell(ctx context.Context, what string, a contract.Action, began time.Time, healed time.Duration) error {
	tries, err := d.client.Attempts(ctx, a.ID)
	if err != nil {
		return err
	}
	st := step{What: what, Policy: a.Policy, Remediation: a.ID, Detected: ms(a.CreatedAt.Sub(began)), Healed: ms(healed)}
	if n := len(tries.Attempts); n > 0 {
		st.Acted = ms(tries.Attempts[n-1].StartedAt.Sub(began))
	}
	if a.CompletedAt != nil {
		st.Verified = ms(a.CompletedAt.Sub(began))
	}
	d.steps = append(d.steps, st)
	d.say("  detected and decided after %8.1f ms  (policy %s, remediation %d)", st.Detected, st.Policy, st.Remediation)
	d.say("  acted                after %8.1f ms", st.Acted)
	d.say("  serving again        after %8.1f ms", st.Healed)
	d.say("  verified             after %8.1f ms", st.Verified)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// await asks the service until it answers as another pid than old.
func (d *demo) await(ctx context.Context, old int) (int, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if pid := d.pid(ctx); pid > 0 && pid != old {
			return pid, nil
		}
		select {
		case <-ctx.Done():
			return 0, fault.New(fault.Timeout, "the service did not come back in time")
		case <-tick.C:
		}
	}
}

func (d *demo) pid(ctx context.Context) int {
	text, err := d.get(ctx, "/pid")
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// quick asks the service without keeping connections to one that is dead.
var quick = &http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}

func (d *demo) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.addr+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := quick.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return strings.TrimSpace(string(b)), err
}
