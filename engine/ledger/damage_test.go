package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/engine/ledger/conn"
	"vigil/engine/remedy"
)

// edit changes a file in place; a missing one is made.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func last(t *testing.T, r *rig) audit.Record {
	t.Helper()
	rs, err := r.Audit(context.Background(), r.AuditHead().Seq-1, "", 1)
	if err != nil || len(rs) != 1 {
		t.Fatalf("%v %v", rs, err)
	}
	return rs[0]
}

// TestDamageIsQuarantinedAndRecorded: whatever was done to the file, the ledger
// starts: the damaged file is kept aside whole, the newest good snapshot stands
// in its place (or nothing does), the epoch is new, what was under way is
// indeterminate, and the chain says what happened and goes on.
func TestDamageIsQuarantinedAndRecorded(t *testing.T) {
	keep := func(b []byte) []byte { return b }
	for _, tt := range []struct {
		name      string
		file      func([]byte) []byte
		snapshots int
		spoil     int // snapshots that are damaged too, the newest first
		remove    bool
	}{
		{name: "header", file: func(b []byte) []byte { copy(b, "not a database at all"); return b }, snapshots: 2},
		{name: "a page of noise", file: func(b []byte) []byte { copy(b[8192:12288], bytes.Repeat([]byte{0xa5}, 4096)); return b }, snapshots: 2},
		{name: "zeroed in the middle", file: func(b []byte) []byte { clear(b[4096 : len(b)/2]); return b }, snapshots: 1},
		{name: "cut short", file: func(b []byte) []byte { return b[:len(b)/3] }, snapshots: 2},
		{name: "foreign", file: func(b []byte) []byte { copy(b[68:72], "NOPE"); return b }, snapshots: 2},
		{name: "newest snapshot damaged too", file: func(b []byte) []byte { return b[:5000] }, snapshots: 2, spoil: 1},
		{name: "all snapshots damaged too", file: func(b []byte) []byte { return b[:5000] }, snapshots: 2, spoil: 2},
		{name: "no snapshot", file: func(b []byte) []byte { return b[:5000] }},
		{name: "emptied", file: func([]byte) []byte { return nil }, snapshots: 1},
		{name: "removed", file: keep, snapshots: 1, remove: true},
		{name: "removed, no snapshot", file: keep, remove: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := newRig(t, config(dir))
			m := r.queue(order("web1", "s"))
			if _, err := r.claim(m); err != nil {
				t.Fatal(err)
			}
			direct := order("web2", "s2")
			direct.Source = remedy.FromAPI
			direct = r.queue(direct)
			var copies []string
			for range tt.snapshots {
				p, err := r.Snapshot(context.Background(), "")
				if err != nil {
					t.Fatal(err)
				}
				copies = append(copies, p)
			}
			kept := r.AuditHead()
			r.commit(&engine.Decision{Audit: []audit.Record{record("lost", "x")}})
			r.close()
			path := filepath.Join(dir, "ledger.db")
			edit(t, path, tt.file)
			if tt.remove {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			for i := range tt.spoil {
				edit(t, copies[len(copies)-1-i], func(b []byte) []byte { return b[:3000] })
			}

			r.open()
			if r.Epoch() != 2 {
				t.Fatalf("epoch %d: an attempt's id could come back", r.Epoch())
			}
			if r.Replaced() == "" || r.load().Replaced == "" {
				t.Fatal("the engine is not told that the ledger was lost")
			}
			gap := last(t, r)
			if gap.Verb != "ledger.gap" || gap.Object != "ledger" {
				t.Fatalf("the last record is %s", gap.Verb)
			}
			restored := tt.snapshots > tt.spoil
			if restored {
				if gap.Seq <= kept.Seq {
					t.Fatalf("the gap is record %d, the snapshot went to %d", gap.Seq, kept.Seq)
				}
				if got := r.remediation(m.ID); got.State != remedy.Indeterminate || got.Until.IsZero() {
					t.Fatalf("what was under way is %s", got.State)
				}
				if got := r.remediation(direct.ID); got.State != remedy.Indeterminate {
					t.Fatalf("a direct action that may have been done since is %s", got.State)
				}
				if as, err := r.Attempts(context.Background(), m.ID); err != nil || !as[0].Result.Unseen || as[0].Finished.IsZero() {
					t.Fatalf("%+v %v", as, err)
				}
			} else if gap.Seq != 1 {
				t.Fatalf("the gap is record %d of an empty ledger", gap.Seq)
			}
			if q := r.Stats(context.Background()).Quarantined; !tt.remove && (len(q) != 1 || !strings.Contains(string(gap.Evidence), q[0])) {
				t.Fatalf("quarantined: %v, told: %s", q, gap.Evidence)
			}
			r.verify()
			r.commit(queued())
			r.reopen() // it is told once
			if r.Replaced() != "" {
				t.Fatal("it is lost for ever")
			}
			if n := len(gaps(t, r)); n != 1 || r.Epoch() != 2 {
				t.Fatalf("%d gaps, epoch %d", n, r.Epoch())
			}
			r.verify()
		})
	}
}

// TestFileTakenAwayIsTold: SQLite goes on writing into a file that has no name
// any more; nothing of it would be there after the stop.
func TestFileTakenAwayIsTold(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	if tr := r.Trouble(); len(tr) > 0 {
		t.Fatal(tr)
	}
	path := filepath.Join(dir, "ledger.db")
	for _, replace := range []bool{false, true} {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		if replace {
			edit(t, path, func([]byte) []byte { return []byte("another") })
		}
		if tr := r.Trouble(); len(tr) != 1 || !strings.Contains(tr[0], "removed or replaced") {
			t.Errorf("replaced %v: %v", replace, tr)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
}

func gaps(t *testing.T, r *rig) []audit.Record {
	rs, err := r.Audit(context.Background(), 0, "ledger", 0)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// TestNewerSchemaChangesNothing: a file of a newer vigild is refused, and every
// byte of the directory stays.
func TestNewerSchemaChangesNothing(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	r.commit(queued())
	if _, err := r.Raw("PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	if err := r.Ledger.Abandon(); err != nil {
		t.Fatal(err)
	}
	r.Ledger = nil
	before := list(t, dir)
	_, err := ledger.Open(r.cfg, r.deps)
	wantKind(t, err, fault.Unsupported)
	if d := cmp.Diff(before, list(t, dir)); d != "" {
		t.Fatal(d)
	}
}

// list reads every file of a directory but the lock, which holds a pid, and
// SQLite's shared memory, which is no data.
func list(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && e.Name() != "vigil.lock" && !strings.HasSuffix(e.Name(), "-shm") && len(b) > 0 {
			out[e.Name()] = string(b)
		}
	}
	return out
}

// TestFlippedBitsAreNeverServed: one byte of the file is changed, anywhere. The
// ledger starts, and each row that it gives is one that was written, or the file
// is replaced, or the audit is said to be broken; never another.
func TestFlippedBitsAreNeverServed(t *testing.T) {
	rnd := seed(t)
	src := scratch(t)
	r := newRig(t, config(src))
	for i := range 30 {
		d := small(int64(i))
		d.Policies = []engine.PolicyRow{put("p"+string(rune('a'+i)), 0)}
		d.Desired = begin(int64(i + 1))
		if i < 29 {
			r.commit(&engine.Decision{Desired: d.Desired})
			d.Desired = good(int64(i + 1))
		}
		d.Desired.Suspends = []engine.Suspend{suspend(string(rune('a' + i)))}
		m := order("web1", "s"+string(rune('a'+i)))
		d.Remediations = append(d.Remediations, m)
		rc := r.commit(d)
		m.ID, m.Version = rc.Remediations[1], 1
		if _, err := r.claim(m); err != nil {
			t.Fatal(err)
		}
	}
	want, wanted, head := r.load(), r.desired(), r.AuditHead()
	listed, _, err := r.Remediations(context.Background(), engine.RemediationFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r.close()
	whole, err := os.ReadFile(filepath.Join(src, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	dir := scratch(t)
	served, refused, replaced := 0, 0, 0
	for i := range states(t, 400) {
		for _, e := range []string{"ledger.db", "ledger.db-wal", "ledger.epoch", "ledger.suspect", "ledger.gap"} {
			_ = os.Remove(filepath.Join(dir, e))
		}
		b := bytes.Clone(whole)
		at := rnd.IntN(len(b))
		b[at] ^= byte(1 + rnd.IntN(255))
		if err := os.WriteFile(filepath.Join(dir, "ledger.db"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(config(dir), r.deps)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Corrupt && k != fault.Unsupported {
				t.Fatalf("flip %d at %d: %v (%s)", i, at, err, k)
			}
			refused++
			continue
		}
		got, err := l.Load(context.Background())
		should, derr := l.Desired(context.Background())
		list, _, lerr := l.Remediations(context.Background(), engine.RemediationFilter{Limit: 1000})
		err = errors.Join(err, derr, lerr)
		_, verr := l.AuditVerify(context.Background(), nil)
		switch {
		case len(l.Stats(context.Background()).Quarantined) > 0:
			replaced++
			for _, q := range l.Stats(context.Background()).Quarantined {
				_ = os.Remove(filepath.Join(dir, q))
			}
		case err != nil:
			t.Fatalf("flip %d at %d: the start did not find it: %v", i, at, err)
		case verr != nil: // a record of the audit: named, and left where it is
			wantKind(t, verr, fault.Corrupt)
			refused++
		default:
			served++
			got.UncleanStarts, want.UncleanStarts = nil, nil
			if d := cmp.Diff(want, got) + cmp.Diff(wanted, should) + cmp.Diff(listed, list); d != "" || l.AuditHead() != head {
				t.Fatalf("flip %d at %d: a row is served that was never written: %s", i, at, d)
			}
		}
		_ = l.Close() // it may be unable to mark its stop
	}
	t.Logf("%d served whole, %d refused, %d replaced", served, refused, replaced)
	if refused+replaced == 0 {
		t.Fatal("nothing was ever found: the test proves nothing")
	}
}

// TestSuspicionMakesTheNextStartLook: damage that the start had no time to find
// and that was met while running makes the next start look at everything,
// whatever its budget, so the ledger is replaced and does not fail for ever.
func TestSuspicionMakesTheNextStartLook(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	r := newRig(t, cfg)
	r.queue(order("web1", "s"))
	if _, err := r.Snapshot(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Raw("UPDATE remediations SET target = 'another'"); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.cfg.CheckTime, r.deps.Log = time.Nanosecond, nil // that it ran out is logged, where somebody listens
	r.open()
	_, err := r.Remediation(context.Background(), 1)
	wantKind(t, err, fault.Corrupt)
	_, _, err = r.Remediations(context.Background(), engine.RemediationFilter{})
	wantKind(t, err, fault.Corrupt)
	r.reopen()
	if m := r.remediation(1); m.Target != "web1" || r.Epoch() != 2 {
		t.Fatalf("%+v", m)
	}
	r.reopen()
	if r.Epoch() != 2 {
		t.Fatal("it was replaced again")
	}
	r.verify()
}

// TestRestoreBumpsTheEpoch: a restored copy is a new epoch, whether vigild did it
// or a person by hand; what was under way is indeterminate; a bad copy is refused.
func TestRestoreBumpsTheEpoch(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	m := r.queue(order("web1", "s"))
	mv, err := r.claim(m)
	if err != nil {
		t.Fatal(err)
	}
	r.put(all())
	remembered := r.desired()
	copyPath, err := r.Snapshot(context.Background(), filepath.Join(dir, "elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
		t.Fatal(err)
	}
	r.put(engine.DesiredDecision{Forgotten: []string{"File/motd"}, Settled: 3})
	r.close()
	bad := filepath.Join(dir, "bad.db")
	edit(t, bad, func([]byte) []byte { return []byte("nothing") })
	before := list(t, dir)
	wantKind(t, ledger.Restore(context.Background(), r.cfg, r.deps, bad), fault.Corrupt)
	wantKind(t, ledger.Restore(context.Background(), r.cfg, r.deps, filepath.Join(dir, "none")), fault.NotFound)
	if d := cmp.Diff(before, list(t, dir)); d != "" {
		t.Fatal("a refused restore changed something: " + d)
	}
	if err := ledger.Restore(context.Background(), r.cfg, r.deps, copyPath); err != nil {
		t.Fatal(err)
	}
	r.open()
	if r.Epoch() != 2 || r.remediation(m.ID).State != remedy.Indeterminate {
		t.Fatalf("epoch %d, state %s", r.Epoch(), r.remediation(m.ID).State)
	}
	if r.Replaced() != "" {
		t.Fatal("what a person restored counts as lost")
	}
	if d := cmp.Diff(remembered, r.desired()); d != "" {
		t.Fatal("what was last written is not what the copy says: " + d)
	}
	if g := gaps(t, r); len(g) != 1 || g[0].Verb != "ledger.restore" {
		t.Fatalf("%+v", g)
	}
	if len(r.load().UncleanStarts) > 1 {
		t.Fatal("a restore counts as more than the one start that its copy did not stop")
	}
	// The new epoch's first attempt of the same remediation is another id.
	retry := r.remediation(m.ID)
	retry.Attempt = 0
	mv2, err := r.claim(retry)
	if err != nil {
		t.Fatal(err)
	}
	if mv2.Open.ID() == mv.Open.ID() {
		t.Fatalf("attempt %s came back", mv.Open.ID())
	}
	// An older file put in place by hand is noticed too.
	r.close()
	b, err := os.ReadFile(copyPath)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "ledger.db"), func([]byte) []byte { return b })
	r.open()
	if r.Epoch() != 3 || len(gaps(t, r)) != 1 {
		t.Fatalf("epoch %d, %d gaps", r.Epoch(), len(gaps(t, r)))
	}
	r.verify()
}

// TestSnapshotsAreWholeAndTwo: a snapshot opens by itself and holds what was
// committed; two are kept.
func TestSnapshotsAreWholeAndTwo(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	var paths []string
	for range 4 {
		r.commit(queued())
		p, err := r.Snapshot(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	es, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(es) != 2 || es[1].Name() != filepath.Base(paths[3]) {
		t.Fatalf("%v %v", es, err)
	}
	c, err := conn.Open(conn.DSN(paths[3], "", "mode=ro&immutable=1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Int(context.Background(), "SELECT count(*) FROM audit"); err != nil || n != 4 {
		t.Fatalf("%d records, %v", n, err)
	}
}
