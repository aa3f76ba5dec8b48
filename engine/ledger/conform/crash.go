package conform

import (
	"context"
	"fmt"
	"slices"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// piece is a decision with a part of every sort, all known by one name: a policy, a
// firing, a remediation with its claim, a hold, a drift and two records.
func piece(r *stand.Rig, n int) (name string, d *engine.Decision) {
	name = fmt.Sprintf("p%03d", n)
	f := stand.Firing(name, name, 0)
	m := stand.Order(name, "file:/"+name)
	m.Policy = name
	return name, &engine.Decision{
		At: r.Now(), Position: uint64(n + 1), Policies: []engine.PolicyRow{stand.Policy(name, 0)}, Firings: []engine.FiringRow{f},
		Remediations: []remedy.Remediation{m}, Holds: []engine.Hold{{ID: name, Kind: engine.HoldPause}},
		Claims: map[int]remedy.Claim{0: {
			Policy: name, Fingerprint: f.Fingerprint, FiringVersion: 1, Now: r.Now(), Query: remedy.Query{Subject: m.Subject, Policy: name, Kind: "exec"},
			Decide: func(m remedy.Remediation, _ remedy.History) remedy.Move { return stand.Start(m, r.Epoch(), r.Now()) },
		}},
		Desired: &engine.DesiredDecision{Drifts: []engine.Drift{stand.Drift(int64(n+1), name, "mode")}},
		Audit:   []audit.Record{stand.Record("firing.fire", name), stand.Record("remediation.queue", name)},
	}
}

// whole reads back which pieces are there, and holds for each that all of it is.
func whole(r *stand.Rig) (there []string) {
	r.Helper()
	ctx := context.Background()
	s, w := r.Snap(), r.Wanted()
	as, _, err := r.Unfinished(ctx)
	if err != nil {
		r.Fatal(err)
	}
	parts := map[string]int{}
	for _, x := range s.Policies {
		parts[x.Name]++
		there = append(there, x.Name)
	}
	for _, x := range s.Firings {
		parts[x.Policy]++
	}
	for _, x := range s.Holds {
		parts[x.ID]++
	}
	for _, x := range s.Active {
		if x.State == remedy.Running {
			parts[x.Policy]++
		}
	}
	for _, x := range as {
		parts[x.Subject[len("file:/"):]]++
	}
	for _, x := range w.Drifts {
		parts[x.Ref[len("File/"):]]++
	}
	for name, n := range parts {
		rs, err := r.Audit(ctx, 0, name, 0)
		if n += len(rs); err != nil || n != 8 {
			r.Fatalf("%d of the 8 parts of %s are there, %v", n, name, err)
		}
	}
	if n := len(there); s.Position < uint64(n) {
		r.Fatalf("%d pieces are there, but the position is %d", n, s.Position)
	}
	r.Verified()
	return there
}

// crashLosesNothingAcknowledged: what was answered is there after a crash, whole,
// and the next decision goes on from it.
func crashLosesNothingAcknowledged(r *stand.Rig) {
	var want []string
	for n := range 6 {
		name, d := piece(r, n)
		r.Decide(d)
		want = append(want, name)
		if n%2 == 1 {
			r.Crash()
			r.Start()
		}
		if got := whole(r); !slices.Equal(got, want) {
			r.Fatalf("%v were acknowledged, %v are there", want, got)
		}
	}
}

// failureIsToldAndLeavesNothingHalf: wherever what the store lies on begins to fail,
// the writer is told Unavailable or its decision is there for good; after the
// crash that follows, nothing is there in part.
func failureIsToldAndLeavesNothingHalf(r *stand.Rig) {
	failed := 0
	for at := 1; at < 400; at += 1 + at/8 {
		one := r.Another()
		one.Place.Fail(at)
		var told []string
		broke := false
		for n := range 4 {
			name, d := piece(one, n)
			switch _, err := one.Commit(context.Background(), d); fault.KindOf(err) {
			case fault.OK:
				told = append(told, name)
			case fault.Unavailable:
				broke = true
			default:
				r.Fatalf("call %d: %v (%s)", at, err, fault.KindOf(err))
			}
		}
		one.Crash()
		one.Start()
		got := whole(one)
		for _, name := range told {
			if !slices.Contains(got, name) {
				r.Fatalf("call %d: %s was acknowledged, there are %v", at, name, got)
			}
		}
		name, d := piece(one, 9)
		one.Decide(d)
		if got := whole(one); !slices.Contains(got, name) {
			r.Fatalf("call %d: it does not go on", at)
		}
		one.Stop()
		if !broke {
			break // the day was over before it came
		}
		failed++
	}
	if failed < 2 {
		r.Fatal("the failure hardly came: this proves nothing")
	}
}

// trimmingKeepsWhatIsNotOver: what is finished goes beyond what is kept, with its
// attempts; what waits, acts or needs a person stays, and no id comes back.
func trimmingKeepsWhatIsNotOver(r *stand.Rig) {
	ctx := context.Background()
	done := r.Act("s").Remediation
	var stay []int64
	for _, s := range []remedy.State{remedy.Queued, remedy.Held, remedy.GaveUp, remedy.Indeterminate} {
		m := stand.Order("web1", "s")
		m.State = s
		stay = append(stay, r.Queue(m).ID)
	}
	open := r.Queue(stand.Order("web1", "s"))
	if _, err := r.Take(open); err != nil {
		r.Fatal(err)
	}
	stay = append(stay, open.ID)
	over := stand.Order("web1", "s")
	over.State = remedy.Refused
	last := int64(0)
	for range 3 {
		last = r.Queue(over).ID
	}
	f := stand.Firing("hot", "web1", 0)
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{f, stand.Firing("cold", "web1", 0)}, Holds: []engine.Hold{{ID: "a", Kind: engine.HoldPause}, {ID: "b", Kind: engine.HoldPause}}})
	f.Version, f.Closed = 1, "over"
	r.Decide(&engine.Decision{Firings: []engine.FiringRow{f}, Released: []string{"a"}})
	head := r.AuditHead()
	if err := r.Place.Trim(r.Store, stand.Keep{Finished: 2}); err != nil {
		r.Fatal(err)
	}
	for _, id := range append(stay, last, last-1) {
		r.Of(id)
	}
	for _, id := range []int64{done, last - 2} {
		_, err := r.Remediation(ctx, id)
		r.WantKind(err, fault.NotFound)
	}
	if s := r.Snap(); len(s.Firings) != 1 || s.Firings[0].Policy != "cold" || len(s.Holds) != 1 || s.Holds[0].ID != "b" {
		r.Fatalf("%+v, %+v", s.Firings, s.Holds)
	}
	if r.Verified() != head {
		r.Fatal("the audit was trimmed too")
	}
	r.Reopen()
	if m := r.Queue(over); m.ID != last+1 {
		r.Fatalf("the id after %d is %d", last, m.ID)
	}
}
