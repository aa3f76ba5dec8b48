package acts

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// twoWorkersCannotBothPassOneLimit: many workers claim at once, each with a
// gate that admits three acts an hour; three get through, whatever the order.
func twoWorkersCannotBothPassOneLimit(r *stand.Rig) {
	const limit, workers = 3, 24
	var ms []remedy.Remediation
	for i := range workers {
		ms = append(ms, r.Queue(stand.Order("web1", "s"+string(rune('a'+i)))))
	}
	var admitted, held atomic.Int64 // by what came of it: Decide may run again
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			mv, err := r.Claim(context.Background(), remedy.Claim{
				ID: m.ID, Version: m.Version, Now: r.Now(),
				Query: remedy.Query{Subject: m.Subject, Policy: m.Policy, Kind: "exec", PolicyPer: int64(time.Hour)},
				Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
					if len(h.ByPolicy) >= limit {
						m.State, m.Gate = remedy.Held, "limit"
						return remedy.Move{Next: m}
					}
					return stand.Start(m, r.Epoch(), r.Now())
				},
			})
			switch {
			case err != nil:
				r.Error(err)
			case mv.Open != nil:
				admitted.Add(1)
			default:
				held.Add(1)
			}
		})
	}
	wg.Wait()
	if admitted.Load() != limit || held.Load() != workers-limit {
		r.Fatalf("%d were admitted, %d held", admitted.Load(), held.Load())
	}
	if as, _, err := r.Unfinished(context.Background()); err != nil || len(as) != limit {
		r.Fatalf("%d attempts are open, %v", len(as), err)
	}
}

// oneOpenAttemptPerSubject: the database refuses a second one even if the
// gates would let it through.
func oneOpenAttemptPerSubject(r *stand.Rig) {
	a, b := r.Queue(stand.Order("web1", "systemd:web.service")), r.Queue(stand.Order("web2", "systemd:web.service"))
	mv, err := r.Take(a)
	if err != nil {
		r.Fatal(err)
	}
	_, err = r.Take(b)
	r.WantKind(err, fault.Conflict)
	if r.Of(b.ID).State != remedy.Queued {
		r.Fatal("the refused claim left something")
	}
	if err := r.Apply(context.Background(), 2, stand.Finish(mv.Next, *mv.Open, r.Now())); err != nil {
		r.Fatal(err)
	}
	if _, err := r.Take(b); err != nil {
		r.Fatal(err)
	}
	// An attempt is closed once, and its number is given once.
	r.WantKind(r.Apply(context.Background(), 3, stand.Finish(mv.Next, *mv.Open, r.Now())), fault.Conflict)
	again := r.Of(a.ID)
	again.Attempt = 0
	_, err = r.Claim(context.Background(), remedy.Claim{ID: a.ID, Version: again.Version, Now: r.Now(), Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move {
		m.Attempt, m.Subject = 0, "other"
		return stand.Start(m, r.Epoch(), r.Now())
	}})
	r.WantKind(err, fault.Conflict)
}

// claimComparesVersions: a remediation or a firing that moved since the
// facts were gathered is a conflict, and Decide does not run.
func claimComparesVersions(r *stand.Rig) {
	f := stand.Firing("hot", "web1", 0)
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{f}})
	m := stand.Order("web1", "s")
	m.Fingerprint = f.Fingerprint
	m = r.Queue(m)
	for name, c := range map[string]remedy.Claim{
		"remediation": {ID: m.ID, Version: 2},
		"firing":      {ID: m.ID, Version: 1, Policy: "hot", Fingerprint: f.Fingerprint, FiringVersion: 2},
		"no firing":   {ID: m.ID, Version: 1, Policy: "cold", Fingerprint: f.Fingerprint, FiringVersion: 1},
	} {
		c.Decide = func(remedy.Remediation, remedy.History) remedy.Move {
			r.Errorf("%s: it was decided on stale facts", name)
			return remedy.Move{}
		}
		_, err := r.Claim(context.Background(), c)
		r.WantKind(err, fault.Conflict)
	}
	_, err := r.Claim(context.Background(), remedy.Claim{ID: 99, Version: 1})
	r.WantKind(err, fault.NotFound)
	mv, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Policy: "hot", Fingerprint: f.Fingerprint, FiringVersion: 1, Now: r.Now(),
		Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), r.Now()) }})
	if err != nil || mv.Next.Version != 2 || r.Of(m.ID).Version != 2 {
		r.Fatalf("%v, version %d", err, mv.Next.Version)
	}
	// Decide that fails must not take the ledger with it.
	_, err = r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 2, Decide: func(remedy.Remediation, remedy.History) remedy.Move { panic("a bug in a gate") }})
	r.WantKind(err, fault.Internal)
	r.Decide(stand.Queued())
}

// claimComesWithItsDecision: a decision and the claim of what it queues are
// one: both are there, the claim told after the decision and on the firing as the
// decision left it; or, when the claim cannot be, neither is.
func claimComesWithItsDecision(r *stand.Rig) {
	claim := func(r *stand.Rig, version int64) remedy.Claim {
		return remedy.Claim{
			Policy: "web1", Fingerprint: stand.Firing("web1", "a", 0).Fingerprint, FiringVersion: version, Now: r.Now(),
			Query:  remedy.Query{Subject: "s", Policy: "web1", Kind: "exec"},
			Decide: func(m remedy.Remediation, h remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), r.Now()) },
		}
	}
	decision := func(r *stand.Rig, c remedy.Claim) *engine.Decision {
		m := stand.Order("web1", "s")
		m.Policy = "web1"
		return &engine.Decision{
			At: r.Now(), Firings: []engine.FiringRow{stand.Firing("web1", "a", 0)}, Remediations: []remedy.Remediation{stand.Order("x", "other"), m},
			Claims: map[int]remedy.Claim{1: c}, Audit: []audit.Record{stand.Record("firing.fire", "f"), stand.Record("remediation.queue", "f")},
		}
	}
	r.Case("both", func(r *stand.Rig) {
		rc := r.Decide(decision(r, claim(r, 1)))
		m, ok := rc.Claimed[1]
		if !ok || len(rc.Claimed) != 1 || m.Open == nil || m.Next.ID != rc.Remediations[1] {
			r.Fatalf("%+v", rc)
		}
		if got := r.Of(rc.Remediations[1]); got.State != remedy.Running || got.Version != m.Next.Version {
			r.Errorf("on disk it is %s at version %d, said to be at %d", got.State, got.Version, m.Next.Version)
		}
		if got := r.Of(rc.Remediations[0]); got.State != remedy.Queued {
			r.Errorf("the one that nobody claimed is %s", got.State)
		}
		var told []string
		rs, err := r.Audit(context.Background(), 0, "", 10)
		if err != nil {
			r.Fatal(err)
		}
		for _, x := range rs {
			told = append(told, x.Verb)
		}
		if diff := cmp.Diff([]string{"firing.fire", "remediation.queue", "attempt.start"}, told); diff != "" {
			r.Error(diff)
		}
		r.Verified()
		if err := r.Apply(context.Background(), m.Next.Version, stand.Finish(m.Next, *m.Open, r.Now())); err != nil {
			r.Errorf("its end: %v", err)
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
		r.Case(tt.name, func(r *stand.Rig) {
			before := r.Verified()
			c := claim(r, 1)
			tt.change(&c)
			_, err := r.Commit(context.Background(), decision(r, c))
			r.WantKind(err, tt.want)
			if s := r.Snap(); len(s.Firings) != 0 || len(s.Active) != 0 || r.Verified() != before {
				r.Errorf("something of it is there: %+v", s)
			}
		})
	}
}

// oneRemediationIsClaimedOnce: of many who claim the same one at once, one gets it;
// all others are told that it moved.
func oneRemediationIsClaimedOnce(r *stand.Rig) {
	m := r.Queue(stand.Order("web1", "s"))
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = r.Take(m) })
	}
	wg.Wait()
	got := 0
	for _, err := range errs {
		switch fault.KindOf(err) {
		case fault.OK:
			got++
		case fault.Conflict:
		default:
			r.Error(err)
		}
	}
	as, err := r.Attempts(context.Background(), m.ID)
	if err != nil || got != 1 || len(as) != 1 || r.Of(m.ID).Version != m.Version+1 {
		r.Fatalf("%d got it, %d attempts, %v", got, len(as), err)
	}
}
