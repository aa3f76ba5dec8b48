package ledger_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/policy"
	"vigil/engine/remedy"
	"vigil/engine/series"
)

// rig is a ledger with a clock that only moves when it is told to, or by a
// millisecond when it is read.
type rig struct {
	testing.TB
	*ledger.Ledger
	cfg  ledger.Config
	deps ledger.Deps
	wall *atomic.Int64
}

func systemDeps() ledger.Deps {
	return ledger.Deps{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)}
}

func config(dir string) ledger.Config {
	c := ledger.Defaults()
	c.Dir, c.BallastMB = dir, 0
	return c
}

func newRig(t testing.TB, cfg ledger.Config) *rig {
	r := &rig{TB: t, cfg: cfg, wall: new(atomic.Int64)}
	r.wall.Store(1_764_000_000_000_000)
	r.deps = ledger.Deps{Log: slog.New(slog.DiscardHandler), Clock: func() clock.Stamp {
		w := r.wall.Add(1000)
		return clock.Stamp{Wall: w, Boot: w * 1000, BootID: "boot-a"}
	}}
	r.open()
	t.Cleanup(func() {
		if r.Ledger != nil {
			r.close()
		}
	})
	return r
}

func (r *rig) open() {
	r.Helper()
	l, err := ledger.Open(r.cfg, r.deps)
	if err != nil {
		r.Fatalf("open: %v", err)
	}
	r.Ledger = l
}

func (r *rig) close() {
	r.Helper()
	if err := r.Ledger.Close(); err != nil {
		r.Fatalf("close: %v", err)
	}
	r.Ledger = nil
}

func (r *rig) reopen() { r.Helper(); r.close(); r.open() }

func (r *rig) now() clock.Stamp { return r.deps.Clock() }

func (r *rig) commit(d *engine.Decision) engine.Receipt {
	r.Helper()
	if d.At.IsZero() {
		d.At = r.now()
	}
	rc, err := r.Commit(context.Background(), d)
	if err != nil {
		r.Fatalf("commit: %v", err)
	}
	return rc
}

func (r *rig) load() *engine.Snapshot {
	r.Helper()
	s, err := r.Load(context.Background())
	if err != nil {
		r.Fatalf("load: %v", err)
	}
	return s
}

func (r *rig) remediation(id int64) remedy.Remediation {
	r.Helper()
	m, err := r.Remediation(context.Background(), id)
	if err != nil {
		r.Fatalf("remediation %d: %v", id, err)
	}
	return m
}

func (r *rig) verify() audit.Head {
	r.Helper()
	h, err := r.AuditVerify(context.Background(), nil)
	if err != nil {
		r.Fatalf("the chain does not verify: %v", err)
	}
	return h
}

// queue commits one queued remediation and returns it.
func (r *rig) queue(m remedy.Remediation) remedy.Remediation {
	r.Helper()
	rc := r.commit(&engine.Decision{Remediations: []remedy.Remediation{m}, Audit: []audit.Record{record("remediation.queue", m.Target)}})
	return r.remediation(rc.Remediations[0])
}

// claim opens an attempt of m on its subject whatever the history says.
func (r *rig) claim(m remedy.Remediation) (remedy.Move, error) {
	return r.Claim(context.Background(), remedy.Claim{
		ID: m.ID, Version: m.Version, Now: r.now(),
		Query:  remedy.Query{Subject: m.Subject, Policy: m.Policy, Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(time.Hour), KindPer: int64(time.Hour), Storm: int64(time.Minute)},
		Decide: func(now remedy.Remediation, _ remedy.History) remedy.Move { return start(now, r.Epoch(), r.now()) },
	})
}

// start is the move that opens the next attempt.
func start(m remedy.Remediation, epoch int64, now clock.Stamp) remedy.Move {
	m.State, m.Attempt, m.Started = remedy.Running, m.Attempt+1, now
	a := &remedy.Attempt{
		Epoch: epoch, Remediation: m.ID, N: m.Attempt, Action: "purge", Subject: m.Subject, Class: remedy.Unsafe, Started: now,
		Request: remedy.Request{Action: "purge", With: map[string]any{"site": "a", "n": 1.5, "force": true}, Severity: "critical", Rung: 1, Values: map[string]string{"value": "0.97"}, Timeout: time.Minute},
	}
	a.Request.Attempt = a.ID()
	return remedy.Move{Next: m, Open: a, Audit: []audit.Record{record("attempt.start", a.ID())}}
}

// finish is the move that closes an attempt and succeeds.
func finish(m remedy.Remediation, a remedy.Attempt, now clock.Stamp) remedy.Move {
	a.Finished, a.Result, a.Capture = now, remedy.Result{OK: true, Output: "done"}, []byte(`{"top":[]}`)
	m.State, m.Finished, m.AttemptEnd = remedy.Succeeded, now, now
	return remedy.Move{Next: m, Close: &a, Audit: []audit.Record{record("attempt.finish", a.ID())}}
}

func record(verb, object string) audit.Record {
	return audit.Record{
		At: clock.Stamp{Wall: 5, Boot: 6, BootID: "boot-a"}, Actor: "policy:p", Verb: verb, Object: object,
		Reason: "because", Evidence: []byte(`{"value":0.97}`),
	}
}

func order(target, subject string) remedy.Remediation {
	d := document.Duration(30 * time.Second)
	return remedy.Remediation{
		Source: remedy.FromPolicy, Policy: "hot", Fingerprint: 1<<63 + 7, Labels: map[string]string{"host": target}, Target: target,
		Severity: "warning", Priority: "medium", Actor: "policy:hot", State: remedy.Queued, Subject: subject,
		Created: clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 1, BootID: "boot-a"},
		Plan:    remedy.Plan{Ladder: []remedy.Rung{{Action: "purge", With: map[string]any{"site": "a"}, Timeout: &d, Tries: 2}}, Mode: "act"},
	}
}

func firing(policyName, host string, version int64) engine.FiringRow {
	ls := series.New(series.Label{Name: "__name__", Value: "cpu"}, series.Label{Name: "host", Value: host})
	s := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 77, BootID: "boot-a"}
	return engine.FiringRow{
		Policy: policyName, Fingerprint: ls.Fingerprint(), Labels: ls, Target: host, Version: version, Evaluation: 9,
		State: policy.Firing{State: policy.StateFiring, Since: s, Fired: s, Recent: []bool{true, false}, Changes: []clock.Stamp{s}, Value: 0.97, Seen: 123},
	}
}

func put(name string, version int64) engine.PolicyRow {
	return engine.PolicyRow{Name: name, Owner: "api", Place: "api", Enabled: true, Text: []byte(`{"name":"` + name + `"}`), Version: version,
		Created: clock.Stamp{Wall: 1, Boot: 2, BootID: "b"}, Updated: clock.Stamp{Wall: 3, Boot: 4, BootID: "b"}}
}

// small is a decision of everyday size: firing, remediation, two records.
func small(version int64) *engine.Decision {
	d := queued()
	d.Position = uint64(version + 1)
	d.Firings = []engine.FiringRow{firing("hot", "web1", version)}
	d.Audit = append(d.Audit, record("firing.fire", "firing:hot"))
	return d
}

func queued() *engine.Decision {
	return &engine.Decision{
		At:           clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 1, BootID: "boot-a"},
		Remediations: []remedy.Remediation{order("web1", "systemd:web.service")},
		Audit:        []audit.Record{record("remediation.queue", "remediation:1")},
	}
}

func wantKind(t testing.TB, err error, k fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != k {
		t.Fatalf("got %v (%s), want %s", err, fault.KindOf(err), k)
	}
}

// until polls for a condition that another goroutine or process brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("in 20s it did not come about that %s", what)
		}
		<-tick.C
	}
}

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}
