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
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
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

// The rows of the suite, by the names of this room's tests.
var (
	start, finish, record, order, firing, put, small, queued = stand.Start, stand.Finish, stand.Record, stand.Order, stand.Firing, stand.Policy, stand.Small, stand.Queued

	at, revision, resource, drift, ended, suspend, undo, all = stand.At, stand.Revision, stand.Resource, stand.Drift, stand.Ended, stand.Suspend, stand.Undo, stand.All
)

func wantKind(t testing.TB, err error, k fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != k {
		t.Fatalf("got %v (%s), want %s", err, fault.KindOf(err), k)
	}
}

// until polls for a condition that another goroutine or process brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
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
