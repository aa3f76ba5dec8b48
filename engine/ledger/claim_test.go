package ledger_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

// TestTwoWorkersCannotBothPassOneLimit: many workers claim at once, each with a
// gate that admits three acts an hour; three get through, whatever the order.
func TestTwoWorkersCannotBothPassOneLimit(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	const limit, workers = 3, 24
	var ms []remedy.Remediation
	for i := range workers {
		ms = append(ms, r.queue(order("web1", "s"+string(rune('a'+i)))))
	}
	var admitted, held atomic.Int64
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			_, err := r.Claim(context.Background(), remedy.Claim{
				ID: m.ID, Version: m.Version, Now: r.now(),
				Query: remedy.Query{Subject: m.Subject, Policy: m.Policy, Kind: "exec", PolicyPer: int64(time.Hour)},
				Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
					if len(h.ByPolicy) >= limit {
						held.Add(1)
						m.State, m.Gate = remedy.Held, "limit"
						return remedy.Move{Next: m}
					}
					admitted.Add(1)
					return start(m, r.Epoch(), r.now())
				},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if admitted.Load() != limit || held.Load() != workers-limit {
		t.Fatalf("%d were admitted, %d held", admitted.Load(), held.Load())
	}
	if as, _, err := r.Unfinished(context.Background()); err != nil || len(as) != limit {
		t.Fatalf("%d attempts are open, %v", len(as), err)
	}
}

// TestOneOpenAttemptPerSubject: the database refuses a second one even if the
// gates would let it through.
func TestOneOpenAttemptPerSubject(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	a, b := r.queue(order("web1", "systemd:web.service")), r.queue(order("web2", "systemd:web.service"))
	mv, err := r.claim(a)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.claim(b)
	wantKind(t, err, fault.Conflict)
	if r.remediation(b.ID).State != remedy.Queued {
		t.Fatal("the refused claim left something")
	}
	if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.claim(b); err != nil {
		t.Fatal(err)
	}
	// An attempt is closed once, and its number is given once.
	wantKind(t, r.Apply(context.Background(), 3, finish(mv.Next, *mv.Open, r.now())), fault.Conflict)
	again := r.remediation(a.ID)
	again.Attempt = 0
	_, err = r.Claim(context.Background(), remedy.Claim{ID: a.ID, Version: again.Version, Now: r.now(), Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move {
		m.Attempt, m.Subject = 0, "other"
		return start(m, r.Epoch(), r.now())
	}})
	wantKind(t, err, fault.Conflict)
}

// TestClaimComparesVersions: a remediation or a firing that moved since the
// facts were gathered is a conflict, and Decide does not run.
func TestClaimComparesVersions(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	f := firing("hot", "web1", 0)
	r.commit(&engine.Decision{Firings: []engine.FiringRow{f}})
	m := order("web1", "s")
	m.Fingerprint = f.Fingerprint
	m = r.queue(m)
	for name, c := range map[string]remedy.Claim{
		"remediation": {ID: m.ID, Version: 2},
		"firing":      {ID: m.ID, Version: 1, Policy: "hot", Fingerprint: f.Fingerprint, FiringVersion: 2},
		"no firing":   {ID: m.ID, Version: 1, Policy: "cold", Fingerprint: f.Fingerprint, FiringVersion: 1},
	} {
		c.Decide = func(remedy.Remediation, remedy.History) remedy.Move {
			t.Errorf("%s: it was decided on stale facts", name)
			return remedy.Move{}
		}
		_, err := r.Claim(context.Background(), c)
		wantKind(t, err, fault.Conflict)
	}
	_, err := r.Claim(context.Background(), remedy.Claim{ID: 99, Version: 1})
	wantKind(t, err, fault.NotFound)
	mv, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Policy: "hot", Fingerprint: f.Fingerprint, FiringVersion: 1, Now: r.now(),
		Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return start(m, r.Epoch(), r.now()) }})
	if err != nil || mv.Next.Version != 2 || r.remediation(m.ID).Version != 2 {
		t.Fatalf("%v, version %d", err, mv.Next.Version)
	}
	// Decide that fails must not take the ledger with it.
	_, err = r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 2, Decide: func(remedy.Remediation, remedy.History) remedy.Move { panic("a bug in a gate") }})
	wantKind(t, err, fault.Internal)
	r.commit(queued())
}

// TestGateStateSurvivesRestart: the history of a subject, the budget, breaker
// and storm brake are the same after a restart.
func TestGateStateSurvivesRestart(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	look := func() (h remedy.History) {
		m := r.queue(order("web1", "s"))
		_, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: clock.Stamp{Wall: r.wall.Load(), Boot: r.wall.Load() * 1000, BootID: "boot-a"},
			Query: remedy.Query{Subject: "s", Policy: "hot", Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(time.Hour), KindPer: int64(time.Hour), Storm: int64(time.Hour)},
			Decide: func(m remedy.Remediation, got remedy.History) remedy.Move {
				h = got
				return remedy.Move{Next: m}
			}})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := look(); !cmp.Equal(h, remedy.History{}) {
		t.Fatalf("a history from nowhere: %+v", h)
	}
	var starts []clock.Stamp
	until := clock.Stamp{Wall: 9, Boot: 8, BootID: "boot-a"}
	for i, subject := range []string{"s", "other", "s"} {
		m := r.queue(order("web1", subject))
		mv, err := r.claim(m)
		if err != nil {
			t.Fatal(err)
		}
		starts = append(starts, mv.Open.Started)
		end := finish(mv.Next, *mv.Open, r.now())
		end.Budget = &remedy.Budget{Points: 97.5 - float64(i), At: until}
		end.Breaker = &remedy.Breaker{Failures: i + 1, Opened: 1, Until: until}
		if i == 2 {
			end.Storm, end.Budget = &until, nil // each alone leaves the other
		}
		if err := r.Apply(context.Background(), 2, end); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			want := remedy.History{
				LastEnd: end.Close.Finished, LastEndBy: m.ID,
				BySubject: []clock.Stamp{starts[0], starts[2]}, ByPolicy: starts, ByKind: starts,
				Subjects: []remedy.Touched{{Subject: "other", At: starts[1]}, {Subject: "s", At: starts[2]}},
				Budget:   remedy.Budget{Points: 96.5, At: until}, Storm: until,
				Breaker: remedy.Breaker{Failures: 3, Opened: 1, Until: until},
			}
			if d := cmp.Diff(want, look()); d != "" {
				t.Fatal(d)
			}
			r.crash()
			r.open()
			if d := cmp.Diff(want, look()); d != "" {
				t.Fatal("after the restart: " + d)
			}
		}
	}
}

// TestHistoryStopsAtTheFirstOldStart: each period lists its own starts, oldest
// first, and none that is older.
func TestHistoryStopsAtTheFirstOldStart(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	for range 40 {
		m := r.queue(order("web1", "s"))
		mv, err := r.claim(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
			t.Fatal(err)
		}
		r.wall.Add(int64(10 * time.Minute / time.Microsecond))
	}
	m := r.queue(order("web1", "s"))
	_, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: r.now(),
		Query: remedy.Query{Subject: "s", Policy: "hot", Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(2 * time.Hour), KindPer: int64(24 * time.Hour), Storm: int64(time.Minute)},
		Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
			if len(h.BySubject) != 5 || len(h.ByPolicy) != 11 || len(h.ByKind) != 40 || len(h.Subjects) != 0 {
				t.Errorf("%d, %d, %d, %d", len(h.BySubject), len(h.ByPolicy), len(h.ByKind), len(h.Subjects))
			}
			if !h.BySubject[0].Reached(h.ByPolicy[0]) || h.ByKind[0] == h.ByKind[1] {
				t.Errorf("not oldest first: %+v", h.BySubject)
			}
			return remedy.Move{Next: m}
		}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHistoryStandsFirmWhenClocksMove: within one boot a step of the wall clock
// hides no attempt and invents none; from an earlier boot an attempt counts by
// the wall clock, and also where that cannot tell.
func TestHistoryStandsFirmWhenClocksMove(t *testing.T) {
	const hour = int64(time.Hour)
	year := 365 * 24 * time.Hour
	base := clock.Stamp{Wall: 1_764_000_000_000_000, Boot: 100 * hour, BootID: "boot-a"}
	for _, tt := range []struct {
		name  string
		now   clock.Stamp
		found bool
	}{
		{"half an hour later", base.Add(30 * time.Minute), true},
		{"two hours later", base.Add(2 * time.Hour), false},
		{"wall ten years ahead", clock.Stamp{Wall: base.Add(10 * year).Wall, Boot: base.Boot + hour/2, BootID: "boot-a"}, true},
		{"wall ten years back", clock.Stamp{Wall: base.Add(-10 * year).Wall, Boot: base.Boot + 2*hour, BootID: "boot-a"}, false},
		{"1970 in the same boot", clock.Stamp{Boot: base.Boot + hour/2, BootID: "boot-a"}, true},
		{"rebooted, half an hour later", clock.Stamp{Wall: base.Add(30 * time.Minute).Wall, Boot: 5, BootID: "boot-b"}, true},
		{"rebooted, two hours later", clock.Stamp{Wall: base.Add(2 * time.Hour).Wall, Boot: 5, BootID: "boot-b"}, false},
		{"rebooted into 1970", clock.Stamp{Wall: 5, Boot: 5, BootID: "boot-b"}, true},
		{"rebooted, clock ten years ahead", clock.Stamp{Wall: base.Add(10 * year).Wall, Boot: 5, BootID: "boot-b"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, config(t.TempDir()))
			m := r.queue(order("web1", "s"))
			mv, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: base, Query: remedy.Query{Subject: "s", Kind: "exec"},
				Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return start(m, r.Epoch(), base) }})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, base.Add(time.Second))); err != nil {
				t.Fatal(err)
			}
			next := r.queue(order("web1", "s"))
			_, err = r.Claim(context.Background(), remedy.Claim{ID: next.ID, Version: 1, Now: tt.now,
				Query: remedy.Query{Subject: "s", Kind: "exec", SubjectPer: hour, KindPer: hour, Storm: hour},
				Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
					if got := len(h.BySubject) == 1; got != tt.found || len(h.ByKind) != len(h.BySubject) || len(h.Subjects) != len(h.BySubject) {
						t.Errorf("found %v, want %v: %+v", got, tt.found, h)
					}
					if h.LastEndBy != m.ID-1 {
						t.Errorf("the last end is forgotten: %+v", h)
					}
					return remedy.Move{Next: m}
				}})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestClaimComesWithItsDecision: a decision and the claim of what it queues are
// one: both are there, the claim told after the decision and on the firing as the
// decision left it; or, when the claim cannot be, neither is.
func TestClaimComesWithItsDecision(t *testing.T) {
	claim := func(r *rig, version int64) remedy.Claim {
		return remedy.Claim{
			Policy: "web1", Fingerprint: firing("web1", "a", 0).Fingerprint, FiringVersion: version, Now: r.now(),
			Query:  remedy.Query{Subject: "s", Policy: "web1", Kind: "exec"},
			Decide: func(m remedy.Remediation, h remedy.History) remedy.Move { return start(m, r.Epoch(), r.now()) },
		}
	}
	decision := func(r *rig, c remedy.Claim) *engine.Decision {
		m := order("web1", "s")
		m.Policy = "web1"
		return &engine.Decision{
			At: r.now(), Firings: []engine.FiringRow{firing("web1", "a", 0)}, Remediations: []remedy.Remediation{order("x", "other"), m},
			Claims: map[int]remedy.Claim{1: c}, Audit: []audit.Record{record("firing.fire", "f"), record("remediation.queue", "f")},
		}
	}
	t.Run("both", func(t *testing.T) {
		r := newRig(t, config(t.TempDir()))
		rc := r.commit(decision(r, claim(r, 1)))
		m, ok := rc.Claimed[1]
		if !ok || len(rc.Claimed) != 1 || m.Open == nil || m.Next.ID != rc.Remediations[1] {
			t.Fatalf("%+v", rc)
		}
		if got := r.remediation(rc.Remediations[1]); got.State != remedy.Running || got.Version != m.Next.Version {
			t.Errorf("on disk it is %s at version %d, said to be at %d", got.State, got.Version, m.Next.Version)
		}
		if got := r.remediation(rc.Remediations[0]); got.State != remedy.Queued {
			t.Errorf("the one that nobody claimed is %s", got.State)
		}
		var told []string
		rs, err := r.Ledger.Audit(context.Background(), 0, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range rs {
			told = append(told, x.Verb)
		}
		if diff := cmp.Diff([]string{"firing.fire", "remediation.queue", "attempt.start"}, told); diff != "" {
			t.Error(diff)
		}
		r.verify()
		if err := r.Apply(context.Background(), m.Next.Version, finish(m.Next, *m.Open, r.now())); err != nil {
			t.Errorf("its end: %v", err)
		}
	})
	for _, tt := range []struct {
		name   string
		change func(*remedy.Claim)
		want   fault.Kind
	}{
		{"another firing", func(c *remedy.Claim) { c.FiringVersion = 2 }, fault.Conflict},
		{"an act without an attempt", func(c *remedy.Claim) {
			c.Decide = func(m remedy.Remediation, _ remedy.History) remedy.Move {
				m.State = remedy.Running
				return remedy.Move{Next: m}
			}
		}, fault.Internal},
		{"a decision that fails", func(c *remedy.Claim) {
			c.Decide = func(remedy.Remediation, remedy.History) remedy.Move { panic("planted") }
		}, fault.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, config(t.TempDir()))
			before := r.verify()
			c := claim(r, 1)
			tt.change(&c)
			_, err := r.Commit(context.Background(), decision(r, c))
			wantKind(t, err, tt.want)
			if s := r.load(); len(s.Firings) != 0 || len(s.Active) != 0 || r.verify() != before {
				t.Errorf("something of it is there: %+v", s)
			}
		})
	}
}
