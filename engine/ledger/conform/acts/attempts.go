package acts

import (
	"context"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/fault"
	"vigil/engine/ledger/conform/stand"
	"vigil/engine/remedy"
)

// attemptsComeBackWhole: request, result and capture as they were written.
func attemptsComeBackWhole(r *stand.Rig) {
	m := r.Queue(stand.Order("web1", "s"))
	mv, err := r.Take(m)
	if err != nil {
		r.Fatal(err)
	}
	as, rs, err := r.Unfinished(context.Background())
	if err != nil || len(rs) != 1 {
		r.Fatalf("%v %v", rs, err)
	}
	if d := cmp.Diff([]remedy.Attempt{*mv.Open}, as); d != "" {
		r.Fatal(d)
	}
	end := stand.Finish(mv.Next, *mv.Open, r.Now())
	exit := 7
	end.Close.Result = remedy.Result{Exit: &exit, TimedOut: true, Error: "x\x00\xff", Output: "a\x00b", Data: map[string]any{"id": "1", "n": 2.0}}
	if err := r.Apply(context.Background(), 2, end); err != nil {
		r.Fatal(err)
	}
	got, err := r.Attempts(context.Background(), m.ID)
	if err != nil {
		r.Fatal(err)
	}
	end.Close.Result.Error = "x\x00\ufffd" // JSON has no stray bytes
	if d := cmp.Diff([]remedy.Attempt{*end.Close}, got); d != "" {
		r.Fatal(d)
	}
}

// unfinishedIsWhatACrashLeft: a started record outlives a crash, is found with its
// remediation, and its subject is locked until somebody ends it.
func unfinishedIsWhatACrashLeft(r *stand.Rig) {
	ctx := context.Background()
	r.Act("s0")
	mv, err := r.Take(r.Queue(stand.Order("web1", "s1")))
	if err != nil {
		r.Fatal(err)
	}
	waits := r.Queue(stand.Order("web1", "s1"))
	verifying, err := r.Take(r.Queue(stand.Order("web1", "s2")))
	if err != nil {
		r.Fatal(err)
	}
	end := stand.Finish(verifying.Next, *verifying.Open, r.Now())
	end.Next.State = remedy.Verifying
	if err := r.Apply(ctx, verifying.Next.Version, end); err != nil {
		r.Fatal(err)
	}
	r.Crash()
	r.Start()
	as, rs, err := r.Unfinished(ctx)
	if err != nil || len(as) != 1 || len(rs) != 2 || as[0].ID() != mv.Open.ID() || rs[0].ID != mv.Next.ID || rs[1].ID != verifying.Next.ID {
		r.Fatalf("%+v, %+v, %v", as, rs, err)
	}
	_, err = r.Take(waits)
	r.WantKind(err, fault.Conflict)
	if err := r.Apply(ctx, rs[0].Version, stand.Finish(rs[0], as[0], r.Now())); err != nil {
		r.Fatal(err)
	}
	if _, err := r.Take(waits); err != nil {
		r.Fatalf("the subject is still locked: %v", err)
	}
}
