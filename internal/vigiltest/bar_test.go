package vigiltest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"vigil/api/client"
	"vigil/api/contract"
	"vigil/engine/clock"
	"vigil/internal/daemon"
	"vigil/internal/load/rig"
)

// What the field keeps shipping (the end of the policy design) and only a whole
// daemon can show; the other lines have their TestBar_ in their rooms.

// quiet leaves a daemon to what a test does with it.
const quiet = `
[host]
enabled = false
[policies]
starter = false
[remedy]
cooldown = "0s"
capture = false
` + rig.Gates

// house makes a folder with these policies.
func house(t *testing.T, policies string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	put(t, filepath.Join(dir, "policies", "p.yaml"), policies)
	return dir
}

func (d *Daemon) push(name string, v float64, tags map[string]string) {
	d.t.Helper()
	if _, err := d.Client.Ingest(d.t.Context(), contract.Sample{Name: name, Value: v, Tags: tags}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Daemon) actions() []contract.Action {
	d.t.Helper()
	list, err := d.Client.Actions(d.t.Context(), client.ActionQuery{Limit: 500})
	if err != nil {
		d.t.Fatal(err)
	}
	return list.Actions
}

// inForce waits until every one of these policies is in force.
func (d *Daemon) inForce(names ...string) {
	d.t.Helper()
	for _, n := range names {
		d.Await("policy "+n, func() bool { _, err := d.Client.Policy(d.t.Context(), n); return err == nil })
	}
}

const hot = `apiVersion: vigil/v1
kind: Policy
metadata: {name: hot}
spec:
  match: heat
  fire: value > 5
  remedy:
    target: worker
    ladder: [{action: process, with: {process: worker, verb: restart}, settle: 0s}]
    verify: {expr: value < 5, within: 60s}
    cooldown: 0s
`

// A heal that triggers itself: restarting a supervised process is its death too,
// and nothing may heal that death; and acting once and never again: when it is
// hot a second time it is restarted a second time.
func TestBar_HealDoesNotTriggerItselfAndActsAgain(t *testing.T) {
	dir := house(t, hot)
	d := Start(t, dir, quiet+`
[[process]]
name = "worker"
argv = ["/bin/sleep", "1000"]
`)
	d.inForce("hot", "process-worker")
	up := func() bool {
		now := time.Now()
		r, err := d.Client.Range(t.Context(), `vigil_process_up{process="worker"}`, now.Add(-time.Hour), now.Add(time.Hour), 1, 10_000)
		if err != nil || len(r.Series) != 1 || len(r.Series[0].Points) == 0 {
			return false
		}
		p := r.Series[0].Points
		return p[len(p)-1][1] == 1.0
	}
	d.Await("the process is up", up)
	for round := 1; round <= 2; round++ {
		d.push("heat", 9, nil)
		d.Await("the restart", func() bool {
			as := d.actions()
			return len(as) >= round && as[0].State == "verifying"
		})
		d.push("heat", 1, nil)
		d.Await("the success", func() bool { as := d.actions(); return as[0].State == "succeeded" })
		d.Await("the process is up again", up)
	}
	// Whatever the restarts set off has had its turn when a sample that came after
	// them has been judged.
	d.push("heat", 2, nil)
	d.Await("evaluation of all that came", func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && s.Lag == 0
	})
	for _, a := range d.actions() {
		if a.Policy != "hot" {
			t.Errorf("the heal set off %s on %s: %s", a.Policy, a.Target, a.Reason)
		}
	}
	if n := len(d.actions()); n != 2 {
		t.Errorf("%d remediations, expected two", n)
	}
	if _, err := d.Client.CreateAction(t.Context(), contract.ActionCreate{Target: "worker", Action: "process", QueueImmediately: true,
		With: map[string]any{"process": "worker", "verb": "stop"}}); err != nil { // it would outlive the daemon
		t.Fatal(err)
	}
	d.Await("the stop", func() bool { as := d.actions(); return as[0].State == "succeeded" })
}

const many = `apiVersion: vigil/v1
kind: Policy
metadata: {name: many}
spec:
  match: broken
  fire: value > 0
  remedy:
    target: "{{ labels.id }}"
    ladder: [{action: wait, with: {for: 1ms}, settle: 0s}]
    verify: {expr: value < 1, within: 60s}
    cooldown: 0s
---
apiVersion: vigil/v1
kind: Policy
metadata: {name: slow}
spec:
  match: slow
  fire: value > 0
  for: 1h
  remedy:
    ladder: [{action: wait, with: {for: 1ms}, settle: 0s}]
`

// Events of one second: a hundred targets break and mend and break in one
// request. The audit has every one of it, and each target is acted on.
func TestBar_EventsOfOneSecondAreAllSeen(t *testing.T) {
	d := Start(t, house(t, many), quiet)
	d.inForce("many")
	var batch []contract.Sample
	now := time.Now().UnixMilli()
	for i := range 100 {
		for k, v := range []float64{0, 1, 0, 1} {
			batch = append(batch, contract.Sample{Name: "broken", Value: v, Tags: map[string]string{"id": fmt.Sprint("t", i)}, Timestamp: stamp(now - 10 + int64(k))})
		}
	}
	if _, err := d.Client.Ingest(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	acts := map[string]int{}
	d.Await("an act on each of a hundred", func() bool {
		acts = map[string]int{}
		for _, a := range d.actions() {
			acts[a.Target] += a.Attempts
			if a.State == "queued" || a.State == "running" {
				return false
			}
		}
		return len(acts) == 100
	})
	for target, n := range acts {
		if n < 1 || n > 2 { // it fired twice, and both firings may have their act
			t.Errorf("%s was acted on %d times", target, n)
		}
	}
	fired := 0
	for after := ""; ; {
		page, err := d.Client.Audit(t.Context(), after, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			if r.Verb == "firing.fire" {
				fired++
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if fired != 200 {
		t.Errorf("%d firings in the audit, every target fired twice", fired)
	}
}

// TestClockOfYears: the daemon is started in 1970, and its wall clock jumps by
// ten years, forth and twenty back, while the host has been up all the time. No
// jump fires what waits an hour, ends a pause of an hour, or keeps a breach from
// being acted on; nothing that was taken is lost.
func TestClockOfYears(t *testing.T) {
	var shift atomic.Int64 // µs
	system := clock.System()
	begin := system()
	shift.Store(-begin.Wall + (24 * time.Hour).Microseconds()) // 2 January 1970
	seams := daemon.Seams{Clock: func() clock.Stamp {
		s := system()
		s.Wall += shift.Load()
		return s
	}}
	dir := house(t, many)
	d := StartBetween(t, dir, quiet, seams)
	d.inForce("many", "slow")
	year := (365 * 24 * time.Hour).Microseconds()
	acted := 0
	breach := func(when string) {
		t.Helper()
		acted++
		id := fmt.Sprint("c", acted)
		d.push("broken", 1, map[string]string{"id": id})
		d.Await("an act "+when, func() bool {
			for _, a := range d.actions() {
				if a.Target == id && a.Attempts == 1 {
					return true
				}
			}
			return false
		})
	}
	calm := func(when string) {
		t.Helper()
		for _, a := range d.actions() {
			if a.Policy == "slow" {
				t.Errorf("%s: what waits an hour has fired", when)
			}
		}
		fs, err := d.Client.Firings(t.Context(), "", "slow")
		if err != nil || len(fs.Firings) != 1 || fs.Firings[0].State != "pending" {
			t.Errorf("%s: the pending firing is %+v %v", when, fs.Firings, err)
		}
	}
	d.push("slow", 1, nil)
	d.Await("pending", func() bool {
		fs, err := d.Client.Firings(t.Context(), "", "slow")
		return err == nil && len(fs.Firings) == 1
	})
	breach("in 1970")
	calm("in 1970")
	for _, jump := range []struct {
		name  string
		years int64
	}{{"fifty-six years on", 56}, {"ten years on", 10}, {"twenty years back", -20}} {
		shift.Add(jump.years * year)
		d.push("slow", 1, nil)
		breach(jump.name)
		calm(jump.name)
	}
	if _, err := d.Client.Pause(t.Context(), "1h", "the clock"); err != nil {
		t.Fatal(err)
	}
	for _, years := range []int64{10, -20, 10} {
		shift.Add(years * year)
		d.push("slow", 1, nil)
		holds, err := d.Client.Holds(t.Context(), "pause")
		if err != nil || len(holds.Holds) != 1 {
			t.Errorf("%d years: the pause is gone: %+v %v", years, holds.Holds, err)
		}
	}
	if v, err := d.Client.AuditVerify(t.Context()); err != nil || !v.OK {
		t.Errorf("the chain: %+v %v", v, err)
	}
	d.Stop()
	d = StartBetween(t, dir, quiet, seams) // and it starts again
	breachless := 0
	for _, a := range d.actions() {
		if a.Policy == "many" && a.Attempts == 0 {
			breachless++
		}
	}
	if breachless > 0 || len(d.actions()) != acted {
		t.Errorf("after the restart %d remediations, %d without an act, of %d", len(d.actions()), breachless, acted)
	}
}
