package ledger_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger/powercut"
)

// TestDiskErrorAtEveryCall: whichever call of the disk fails, once or from then
// on, with whatever error: an error is told and nothing of that write is there,
// or it is acknowledged and all of it is; and once the disk works again so does
// the ledger, without help.
func TestDiskErrorAtEveryCall(t *testing.T) {
	base := scratch(t)
	newRig(t, config(base)).close()
	im, err := powercut.ReadImage(base, files...)
	if err != nil {
		t.Fatal(err)
	}
	stride := 1
	if brief() {
		stride = 83
	}
	for name, f := range map[string]powercut.Failure{
		"EIO once":                 {Code: powercut.EIO},
		"EIO from then on":         {Code: powercut.EIO, Sticky: true},
		"no room":                  {Code: powercut.ENOSPC, Sticky: true, Kinds: []powercut.Kind{powercut.Write}},
		"half a write":             {Code: powercut.EIO, Torn: true, Kinds: []powercut.Kind{powercut.Write}},
		"no sync":                  {Code: powercut.EIO, Sticky: true, Kinds: []powercut.Kind{powercut.Sync}},
		"read-only from then on":   {Code: powercut.ERO, Sticky: true, Kinds: []powercut.Kind{powercut.Write, powercut.Truncate, powercut.Delete}},
		"no shared memory":         {Code: powercut.EIO, Kinds: []powercut.Kind{powercut.ShmMap}, Sticky: true},
		"cannot be opened anymore": {Code: powercut.EIO, Kinds: []powercut.Kind{powercut.Open, powercut.Sync}, Sticky: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hit := 0
			for n := 1; ; n += stride {
				f.At = n
				if failed := oneFault(t, im, f); failed == 0 {
					break
				}
				hit++
			}
			t.Logf("%d places", hit)
			if hit == 0 && name != "no shared memory" {
				t.Fatal("the failure never came: the sweep proves nothing")
			}
		})
	}
}

func oneFault(t *testing.T, im powercut.Image, f powercut.Failure) (failed int) {
	dir := scratch(t)
	defer os.RemoveAll(dir)
	if err := im.Write(dir); err != nil {
		t.Fatal(err)
	}
	rec, err := powercut.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Stop()
	rec.Lazy()
	cfg := config(dir)
	cfg.VFS, cfg.LogPages, cfg.Readers = powercut.Name, 24, 1
	r := newRig(t, cfg)
	rec.Fail(f)
	var told tally
	told.load(t, r, f.At)
	failed = rec.Heal()

	// The disk works again: so must the ledger, at once.
	if _, err := r.Commit(context.Background(), queued()); err != nil {
		t.Fatalf("call %d: the disk works again, but: %v", f.At, err)
	}
	if s := r.Stats(context.Background()); s.Failures > 0 && f.Code == powercut.EIO && s.Reopened == 0 {
		t.Fatalf("call %d: a writer that saw the disk fail went on writing", f.At)
	}
	told.queued++
	told.audits++
	told.compare(t, r, f.At)
	r.reopen()
	told.compare(t, r, f.At)
	r.close()
	return failed
}

// tally is what was acknowledged.
type tally struct{ queued, audits, opened, closed int64 }

// load is a small day's work during which the disk fails.
func (a *tally) load(t *testing.T, r *rig, n int) {
	ctx := context.Background()
	mine := func(err error) bool {
		switch fault.KindOf(err) {
		case fault.OK:
			return true
		case fault.Unavailable:
			return false
		}
		t.Fatalf("call %d: %v (%s)", n, err, fault.KindOf(err))
		return false
	}
	for range 6 {
		rc, err := r.Commit(ctx, queued())
		if !mine(err) {
			continue
		}
		a.queued++
		a.audits++
		m := order("web1", "systemd:web.service")
		m.ID, m.Version = rc.Remediations[0], 1
		mv, err := r.claim(m)
		if fault.KindOf(err) == fault.Conflict && a.opened > a.closed {
			continue // the attempt before could not be closed: its subject is still locked
		}
		if !mine(err) {
			continue
		}
		a.opened++
		a.audits++
		if mine(r.Apply(ctx, 2, finish(mv.Next, *mv.Open, r.now()))) {
			a.closed++
			a.audits++
		}
	}
}

func (a *tally) compare(t *testing.T, r *rig, n int) {
	t.Helper()
	h := r.verify()
	if h.Seq != a.audits {
		t.Fatalf("call %d: %d audit records were acknowledged, %d are there", n, a.audits, h.Seq)
	}
	for what, want := range map[string]int64{
		"SELECT count(*) FROM remediations":                        a.queued,
		"SELECT count(*) FROM attempts":                            a.opened,
		"SELECT count(*) FROM attempts WHERE finished IS NOT NULL": a.closed,
		"SELECT count(*) FROM results":                             a.closed,
	} {
		got, err := r.RawInt(what)
		if err != nil || got != want {
			t.Fatalf("call %d: %s gives %d (%v), acknowledged were %d", n, what, got, err, want)
		}
	}
}

// TestFullDiskKeepsActsAndAudit: with no room left the ballast is given up, so
// that attempts, decisions and audit go on; the rest is refused; and when there
// is room again the ballast is made again.
func TestFullDiskKeepsActsAndAudit(t *testing.T) {
	dir := t.TempDir()
	rec, err := powercut.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Stop()
	cfg := config(dir)
	cfg.BallastMB, cfg.VFS = 1, powercut.Name
	r := newRig(t, cfg)
	ballast := filepath.Join(dir, "ledger.ballast")
	there := func() bool { _, err := os.Stat(ballast); return err == nil }
	if !there() || !r.Stats(context.Background()).BallastThere {
		t.Fatal("there is no ballast")
	}
	r.commit(&engine.Decision{Policies: []engine.PolicyRow{put("hot", 0)}})
	// The disk is full for as long as the ballast fills it.
	rec.Fail(powercut.Failure{At: 1, Sticky: true, Code: powercut.ENOSPC, Kinds: []powercut.Kind{powercut.Write}, While: there})

	m := r.queue(order("web1", "s"))
	if there() {
		t.Fatal("the ballast is still there")
	}
	mv, err := r.claim(m)
	if err != nil {
		t.Fatalf("a claim on a full disk: %v", err)
	}
	if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
		t.Fatalf("a finish on a full disk: %v", err)
	}
	// What heals, and what proves it, is written piece by piece.
	whole := all()
	r.put(whole)
	gone := whole.Suspends[0]
	gone.Ended = at(9)
	for _, d := range []engine.DesiredDecision{
		{Revisions: []engine.Revision{revision(2, engine.RevisionUndoing)}}, {Drifts: []engine.Drift{ended(whole.Drifts[0], "healed")}},
		{Suspends: []engine.Suspend{gone}}, {Undo: []engine.Undo{undo(4, 2, nil)}}, {Undone: []int64{4}}, {Settled: 3},
	} {
		r.put(d)
	}
	for name, d := range map[string]*engine.Decision{
		"a policy":   {Policies: []engine.PolicyRow{put("cold", 0)}, Audit: []audit.Record{record("policy.put", "policy:cold")}},
		"a position": {Position: 99},
		"a memory":   {Desired: &engine.DesiredDecision{Resources: []engine.Resource{resource("hosts", "c1")}}},
		"its end":    {Desired: &engine.DesiredDecision{Forgotten: []string{"File/motd"}}},
	} {
		_, err := r.Commit(context.Background(), d)
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("%s on a full disk: %v", name, err)
		}
	}
	wantKind(t, r.PutToken(context.Background(), "local", engine.Token{Name: "t", Role: "viewer"}), fault.Unavailable)
	if _, err := r.Snapshot(context.Background(), ""); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("a snapshot on a full disk: %v", err)
	}

	rec.Heal()
	r.wall.Add(60_000_000)
	r.commit(&engine.Decision{Policies: []engine.PolicyRow{put("cold", 0)}})
	if st, err := os.Stat(ballast); err != nil || st.Size() != 1<<20 {
		t.Fatalf("the ballast was not made again: %v", err)
	}
	if s := r.Stats(context.Background()); s.BallastSpent < 1 || !s.BallastThere {
		t.Fatalf("%+v", s)
	}
	r.verify()
}
