package acts

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/clock"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// gateStateSurvivesRestart: the history of a subject, the budget, breaker
// and storm brake are the same after a restart.
func gateStateSurvivesRestart(r *stand.Rig) {
	look := func() (h remedy.History) {
		m := r.Queue(stand.Order("web1", "s"))
		_, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: clock.Stamp{Wall: r.Wall.Load(), Boot: r.Wall.Load() * 1000, BootID: "boot-a"},
			Query: remedy.Query{Subject: "s", Policy: "hot", Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(time.Hour), KindPer: int64(time.Hour), Storm: int64(time.Hour)},
			Decide: func(m remedy.Remediation, got remedy.History) remedy.Move {
				h = got
				return remedy.Move{Next: m}
			}})
		if err != nil {
			r.Fatal(err)
		}
		return h
	}
	if h := look(); !cmp.Equal(h, remedy.History{}) {
		r.Fatalf("a history from nowhere: %+v", h)
	}
	var starts []clock.Stamp
	until := clock.Stamp{Wall: 9, Boot: 8, BootID: "boot-a"}
	for i, subject := range []string{"s", "other", "s"} {
		m := r.Queue(stand.Order("web1", subject))
		mv, err := r.Take(m)
		if err != nil {
			r.Fatal(err)
		}
		starts = append(starts, mv.Open.Started)
		end := stand.Finish(mv.Next, *mv.Open, r.Now())
		end.Budget = &remedy.Budget{Points: 97.5 - float64(i), At: until}
		end.Breaker = &remedy.Breaker{Failures: i + 1, Opened: 1, Until: until}
		if i == 2 {
			end.Storm, end.Budget = &until, nil // each alone leaves the other
		}
		if err := r.Apply(context.Background(), 2, end); err != nil {
			r.Fatal(err)
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
				r.Fatal(d)
			}
			r.Crash()
			r.Start()
			if d := cmp.Diff(want, look()); d != "" {
				r.Fatal("after the restart: " + d)
			}
		}
	}
}

// historyStopsAtTheFirstOldStart: each period lists its own starts, oldest
// first, and none that is older.
func historyStopsAtTheFirstOldStart(r *stand.Rig) {
	for range 40 {
		m := r.Queue(stand.Order("web1", "s"))
		mv, err := r.Take(m)
		if err != nil {
			r.Fatal(err)
		}
		if err := r.Apply(context.Background(), 2, stand.Finish(mv.Next, *mv.Open, r.Now())); err != nil {
			r.Fatal(err)
		}
		r.Wall.Add(int64(10 * time.Minute / time.Microsecond))
	}
	m := r.Queue(stand.Order("web1", "s"))
	_, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: r.Now(),
		Query: remedy.Query{Subject: "s", Policy: "hot", Kind: "exec", SubjectPer: int64(time.Hour), PolicyPer: int64(2 * time.Hour), KindPer: int64(24 * time.Hour), Storm: int64(time.Minute)},
		Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
			if len(h.BySubject) != 5 || len(h.ByPolicy) != 11 || len(h.ByKind) != 40 || len(h.Subjects) != 0 {
				r.Errorf("%d, %d, %d, %d", len(h.BySubject), len(h.ByPolicy), len(h.ByKind), len(h.Subjects))
			}
			if !h.BySubject[0].Reached(h.ByPolicy[0]) || h.ByKind[0] == h.ByKind[1] {
				r.Errorf("not oldest first: %+v", h.BySubject)
			}
			return remedy.Move{Next: m}
		}})
	if err != nil {
		r.Fatal(err)
	}
}

// historyStandsFirmWhenClocksMove: within one boot a step of the wall clock
// hides no attempt and invents none; from an earlier boot an attempt counts by
// the wall clock, and also where that cannot tell.
func historyStandsFirmWhenClocksMove(r *stand.Rig) {
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
		r.Case(tt.name, func(r *stand.Rig) {
			m := r.Queue(stand.Order("web1", "s"))
			mv, err := r.Claim(context.Background(), remedy.Claim{ID: m.ID, Version: 1, Now: base, Query: remedy.Query{Subject: "s", Kind: "exec"},
				Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), base) }})
			if err != nil {
				r.Fatal(err)
			}
			if err := r.Apply(context.Background(), 2, stand.Finish(mv.Next, *mv.Open, base.Add(time.Second))); err != nil {
				r.Fatal(err)
			}
			next := r.Queue(stand.Order("web1", "s"))
			_, err = r.Claim(context.Background(), remedy.Claim{ID: next.ID, Version: 1, Now: tt.now,
				Query: remedy.Query{Subject: "s", Kind: "exec", SubjectPer: hour, KindPer: hour, Storm: hour},
				Decide: func(m remedy.Remediation, h remedy.History) remedy.Move {
					if got := len(h.BySubject) == 1; got != tt.found || len(h.ByKind) != len(h.BySubject) || len(h.Subjects) != len(h.BySubject) {
						r.Errorf("found %v, want %v: %+v", got, tt.found, h)
					}
					if h.LastEndBy != m.ID-1 {
						r.Errorf("the last end is forgotten: %+v", h)
					}
					return remedy.Move{Next: m}
				}})
			if err != nil {
				r.Fatal(err)
			}
		})
	}
}
