package stand

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// Rig is an open store in a place of its own, with a clock that only moves when it
// is told to, or by a millisecond when it is read.
type Rig struct {
	testing.TB
	Store
	Place Place
	Wall  *atomic.Int64 // µs

	bed Bed
}

// New opens a store in a new place; it is stopped when the test ends.
func New(t testing.TB, bed Bed) *Rig {
	r := &Rig{TB: t, Place: bed.New(t), Wall: new(atomic.Int64), bed: bed}
	r.Wall.Store(1_764_000_000_000_000)
	r.Start()
	t.Cleanup(func() {
		if r.Store != nil {
			_ = r.Store.Close() // a check that did not stop it had nothing to say about that
		}
	})
	return r
}

// Another is a store in another place.
func (r *Rig) Another() *Rig { r.Helper(); return New(r.TB, r.bed) }

// Case tries something on a store in another place, by a name of its own.
func (r *Rig) Case(name string, do func(*Rig)) {
	r.Helper()
	if t, ok := r.TB.(*testing.T); ok {
		t.Run(name, func(t *testing.T) { do(New(t, r.bed)) })
		return
	}
	do(r.Another())
}

// Start opens what lies in the place.
func (r *Rig) Start() {
	r.Helper()
	s, err := r.Place.Open(r.Now)
	if err != nil {
		r.Fatalf("open: %v", err)
	}
	r.Store = s
}

// Stop marks a clean stop.
func (r *Rig) Stop() {
	r.Helper()
	if err := r.Store.Close(); err != nil {
		r.Fatalf("close: %v", err)
	}
	r.Store = nil
}

// Crash drops the store as a killed process would.
func (r *Rig) Crash() {
	r.Helper()
	if err := r.Place.Crash(r.Store); err != nil {
		r.Fatalf("crash: %v", err)
	}
	r.Store = nil
}

// Reopen stops and starts.
func (r *Rig) Reopen() { r.Helper(); r.Stop(); r.Start() }

// Now moves the clock by a millisecond and reads it.
func (r *Rig) Now() clock.Stamp {
	w := r.Wall.Add(1000)
	return clock.Stamp{Wall: w, Boot: w * 1000, BootID: "boot-a"}
}

// Decide commits what must be committed.
func (r *Rig) Decide(d *engine.Decision) engine.Receipt {
	r.Helper()
	if d.At.IsZero() {
		d.At = r.Now()
	}
	rc, err := r.Commit(context.Background(), d)
	if err != nil {
		r.Fatalf("commit: %v", err)
	}
	return rc
}

// Want commits a decision about desired state.
func (r *Rig) Want(d engine.DesiredDecision) {
	r.Helper()
	r.Decide(&engine.Decision{Desired: &d})
}

// Snap is what the engine starts from.
func (r *Rig) Snap() *Snapshot {
	r.Helper()
	s, err := r.Load(context.Background())
	if err != nil {
		r.Fatalf("load: %v", err)
	}
	rs, _, err := r.Remediations(context.Background(), engine.RemediationFilter{
		States: []remedy.State{remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying}, Limit: 1000,
	})
	if err != nil {
		r.Fatalf("remediations: %v", err)
	}
	slices.Reverse(rs)
	return &Snapshot{s, rs}
}

// Snapshot is what the engine starts from, and the remediations that wait or are
// carried out, read right after it; the oldest first.
type Snapshot struct {
	*engine.Snapshot
	Active []remedy.Remediation
}

// Wanted is what the keeper starts from.
func (r *Rig) Wanted() *engine.DesiredSnapshot {
	r.Helper()
	s, err := r.Desired(context.Background())
	if err != nil {
		r.Fatalf("desired: %v", err)
	}
	return s
}

// Of reads one remediation.
func (r *Rig) Of(id int64) remedy.Remediation {
	r.Helper()
	m, err := r.Remediation(context.Background(), id)
	if err != nil {
		r.Fatalf("remediation %d: %v", id, err)
	}
	return m
}

// Verified is the head of a chain that verifies.
func (r *Rig) Verified() audit.Head {
	r.Helper()
	h, err := r.AuditVerify(context.Background(), nil)
	if err != nil {
		r.Fatalf("the chain does not verify: %v", err)
	}
	return h
}

// Queue commits one remediation and returns it.
func (r *Rig) Queue(m remedy.Remediation) remedy.Remediation {
	r.Helper()
	rc := r.Decide(&engine.Decision{Remediations: []remedy.Remediation{m}, Audit: []audit.Record{Record("remediation.queue", m.Target)}})
	return r.Of(rc.Remediations[0])
}

// Take opens an attempt of m on its subject whatever the history says.
func (r *Rig) Take(m remedy.Remediation) (remedy.Move, error) {
	return r.Claim(context.Background(), remedy.Claim{
		ID: m.ID, Version: m.Version, Now: r.Now(),
		Query:  remedy.Query{Subject: m.Subject, Policy: m.Policy, Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(time.Hour), KindPer: int64(time.Hour), Storm: int64(time.Minute)},
		Decide: func(now remedy.Remediation, _ remedy.History) remedy.Move { return Start(now, r.Epoch(), r.Now()) },
	})
}

// Act queues a remediation of the subject, opens its attempt and ends it.
func (r *Rig) Act(subject string) remedy.Attempt {
	r.Helper()
	mv, err := r.Take(r.Queue(Order("web1", subject)))
	if err != nil {
		r.Fatalf("claim: %v", err)
	}
	end := Finish(mv.Next, *mv.Open, r.Now())
	if err := r.Apply(context.Background(), mv.Next.Version, end); err != nil {
		r.Fatalf("the end of an act: %v", err)
	}
	return *end.Close
}

// WantKind asks for an error of a kind.
func (r *Rig) WantKind(err error, k fault.Kind) {
	r.Helper()
	if fault.KindOf(err) != k {
		r.Fatalf("got %v (%s), want %s", err, fault.KindOf(err), k)
	}
}

// Agrees commits what a model takes, or holds for a conflict.
func (r *Rig) Agrees(rt *rapid.T, d *engine.Decision, ok bool) {
	_, err := r.Commit(context.Background(), d)
	if (err == nil) != ok || err != nil && fault.KindOf(err) != fault.Conflict {
		rt.Fatalf("the model says %v, the store %v", ok, err)
	}
}

// Histories goes through what may happen to a store, each time to a new one: as
// many steps as are drawn, at most many, or few where that is slow.
func (r *Rig) Histories(few, many int, begin func(*rapid.T, *Rig) (step func())) {
	if r.bed.Brief {
		many = few
	}
	rapid.Check(r.TB, func(rt *rapid.T) {
		one := r.Another()
		defer func() {
			if one.Store != nil {
				one.Crash()
			}
		}()
		step := begin(rt, one)
		for range rapid.IntRange(1, many).Draw(rt, "steps") {
			step()
		}
	})
}
