package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/ledger"
	"vigil/engine/ledger/conn"
	"vigil/engine/ledger/desired"
	"vigil/engine/ledger/powercut"
	"vigil/engine/ledger/table"
	"vigil/engine/remedy"
)

// files are those that SQLite writes; the epoch beside them is on disk before
// the record begins.
var files = []string{"ledger.db", "ledger.db-wal", "ledger.db-journal", "ledger.epoch"}

// states is how many crash states a test looks at: few in a short run, as many
// as VIGIL_CRASH_STATES asks for in a campaign.
func states(t *testing.T, few int) int {
	if s := os.Getenv("VIGIL_CRASH_STATES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("VIGIL_CRASH_STATES: %v", err)
		}
		return n
	}
	if brief() {
		return max(few/20, 12)
	}
	return few
}

func seed(t *testing.T) *rand.Rand {
	s := uint64(1)
	if env := os.Getenv("VIGIL_SEED"); env != "" {
		n, err := strconv.ParseUint(env, 10, 64)
		if err != nil {
			t.Fatalf("VIGIL_SEED: %v", err)
		}
		s = n
	}
	t.Logf("VIGIL_SEED=%d", s)
	return rand.New(rand.NewPCG(s, 7))
}

// scratch is a directory in memory where there is one: the states are rebuilt
// from notes, not from a disk.
func scratch(t testing.TB) string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		if d, err := os.MkdirTemp("/dev/shm", "vigil-ledger-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(d) })
			return d
		}
	}
	return t.TempDir()
}

// ack is what had been acknowledged when the record stood at a place.
type ack struct {
	at          int
	head        audit.Head
	remediation int64
	attempts    int64
	position    uint64
	revision    int64 // begun
	good        int64
}

// work commits, claims, finishes, prunes and makes checkpoints, and notes after
// each what it was told is durable.
func work(t *testing.T, r *rig, rec *powercut.Recorder, rounds int) (acks []ack) {
	a := ack{}
	note := func() {
		a.at, a.head = rec.Now(), r.AuditHead()
		acks = append(acks, a)
	}
	note()
	for i := range rounds {
		d := small(int64(i))
		n := int64(i + 1)
		d.Position, d.Desired = uint64(n), begin(n)
		a.remediation, a.position = r.commit(d).Remediations[0], d.Position
		a.revision = n
		note()
		m := r.remediation(a.remediation)
		mv, err := r.claim(m)
		if err != nil {
			t.Fatal(err)
		}
		a.attempts++
		note()
		if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, r.now())); err != nil {
			t.Fatal(err)
		}
		note()
		r.put(*good(n))
		a.good = n
		note()
		if i%8 == 7 {
			rs, err := r.Audit(context.Background(), a.head.Seq-20, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Prune(context.Background(), "local", rs[0].Head()); err != nil {
				t.Fatal(err)
			}
			note()
		}
	}
	return acks
}

// TestPowerCutLosesNothingAcknowledged: in every state that a power cut could
// leave (any prefix of what SQLite did, any part of what was not synced, torn at
// 512 bytes) the file is whole, the chain verifies, and all that had been
// acknowledged is there.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	rnd := seed(t)
	dir := scratch(t)
	cfg := config(dir)
	newRig(t, cfg).close()
	rec, err := powercut.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Stop()
	base, err := powercut.ReadImage(dir, files...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.VFS, cfg.LogPages = powercut.Name, 24
	r := newRig(t, cfg)
	rounds := 40
	if brief() {
		rounds = 16
	}
	acks := work(t, r, rec, rounds)
	r.close()

	x := rec.Explore(base)
	total, places := states(t, 2000), rec.Now()
	if places < 400 {
		t.Fatalf("only %d calls were recorded", places)
	}
	state, n, known := scratch(t), 0, -1
	for x.Step() {
		for known+1 < len(acks) && acks[known+1].at <= x.At() {
			known++
		}
		for range total*(x.At())/places - n {
			n++
			if err := examine(state, x.Cut(rnd), promised(acks, known), n%100 == 0, r.deps); err != nil {
				t.Fatalf("state %d, after %d of %d calls: %v", n, x.At(), places, err)
			}
		}
	}
	t.Logf("%d states at %d places, %d acknowledgements", n, places, len(acks))
}

// TestPowerCutInTheFirstStart: whatever of the new file reached the disk before
// the first acknowledgement, the next start makes a ledger of it without help.
func TestPowerCutInTheFirstStart(t *testing.T) {
	rnd, dir := seed(t), scratch(t)
	rec, err := powercut.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Stop()
	cfg := config(dir)
	cfg.VFS = powercut.Name
	r := newRig(t, cfg)
	places := rec.Now()
	r.close()
	x, state, n := rec.Explore(powercut.Image{}), filepath.Join(scratch(t), "d"), 0
	for x.Step() && x.At() <= places {
		for range max(1, states(t, 200)/places) {
			n++
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := x.Cut(rnd).Write(state); err != nil {
				t.Fatal(err)
			}
			l, err := ledger.Open(config(state), r.deps)
			if err != nil {
				t.Fatalf("state %d, after %d of %d calls: %v", n, x.At(), places, err)
			}
			_, err = l.Commit(context.Background(), queued())
			if cerr := l.Close(); err != nil || cerr != nil {
				t.Fatalf("state %d, after %d of %d calls: %v, %v", n, x.At(), places, err, cerr)
			}
		}
	}
	t.Logf("%d states at %d places", n, places)
}

// promised is what had been acknowledged; before the first word, nothing.
func promised(acks []ack, known int) ack {
	if known < 0 {
		return ack{}
	}
	return acks[known]
}

// examine opens one state and looks for what must be there.
func examine(dir string, im powercut.Image, want ack, whole bool, deps ledger.Deps) error {
	for _, pattern := range []string{"ledger.*", "snapshots", "vigil.lock"} {
		old, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, o := range old {
			if err := os.RemoveAll(o); err != nil {
				return err
			}
		}
	}
	if err := im.Write(dir); err != nil {
		return err
	}
	c, err := conn.Open(conn.DSN(filepath.Join(dir, "ledger.db"), "", "mode=rw"))
	if err != nil {
		return err
	}
	err = inspect(c, want)
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil || !whole {
		return err
	}
	l, err := ledger.Open(config(dir), deps)
	if err != nil {
		return fmt.Errorf("vigild does not start: %w", err)
	}
	defer l.Close()
	if q := l.Stats(context.Background()).Quarantined; len(q) > 0 {
		return fmt.Errorf("a whole file was quarantined: %v", q)
	}
	_, err = l.AuditVerify(context.Background(), nil)
	return err
}

func inspect(c *conn.Conn, want ack) error {
	ctx := context.Background()
	verdict := ""
	if err := c.Query(ctx, "PRAGMA integrity_check(1)", conn.Row{}, func(cs *conn.Cells) error { verdict = cs.Text(); return nil }); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("integrity: %s", verdict)
	}
	s, err := table.ReadState(ctx, c)
	if err != nil {
		return err
	}
	v, found := audit.NewVerifier(s.Pruned), want.head.Seq <= s.Pruned.Seq
	err = c.Query(ctx, "SELECT "+table.AuditColumns+" FROM audit ORDER BY seq", conn.Row{}, func(cs *conn.Cells) error {
		r := table.ReadRecord(cs)
		found = found || r.Head() == want.head
		return v.Next(r)
	})
	if err != nil {
		return err
	}
	if err := v.End(s.Head); err != nil {
		return err
	}
	rs, err := table.Remediations(ctx, c, "true ORDER BY id", conn.Row{})
	if err != nil {
		return err
	}
	as, err := table.Attempts(ctx, c, "true", conn.Row{})
	if err != nil {
		return err
	}
	switch {
	case !found && want.head != audit.Head{}:
		return fmt.Errorf("acknowledged audit record %d is lost: the chain ends at %d", want.head.Seq, s.Head.Seq)
	case s.Position < want.position:
		return fmt.Errorf("position %d was acknowledged, %d is there", want.position, s.Position)
	case int64(len(rs)) < want.remediation:
		return fmt.Errorf("remediation %d was acknowledged, %d are there", want.remediation, len(rs))
	case int64(len(as)) < want.attempts:
		return fmt.Errorf("%d attempts were acknowledged, %d are there", want.attempts, len(as))
	}
	for _, a := range as { // no act's record without its claim
		if m := rs[a.Remediation-1]; m.Attempt < a.N || a.Finished.IsZero() != (m.State == remedy.Running) {
			return fmt.Errorf("attempt %s and its remediation do not agree: %s", a.ID(), m.State)
		}
	}
	return inspectDesired(c, want)
}

// begin is the decision that begins a revision: its journal is written with it.
func begin(n int64) *engine.DesiredDecision {
	return &engine.DesiredDecision{Revisions: []engine.Revision{revision(n, engine.RevisionApplying)}, Drifts: []engine.Drift{drift(n, "motd", "mode")},
		Undo: []engine.Undo{undo(2*n-1, n, nil), undo(2*n, n, nil)}}
}

// good is the decision that ends it.
func good(n int64) *engine.DesiredDecision {
	v := revision(n, engine.RevisionGood)
	return &engine.DesiredDecision{Revisions: []engine.Revision{v}, Drifts: []engine.Drift{ended(drift(n, "motd", "mode"), "healed")},
		Resources: []engine.Resource{resource("motd", v.Commit)}, Settled: 2 * n}
}

// inspectDesired: each of the two decisions is there whole or not at all.
func inspectDesired(c *conn.Conn, want ack) error {
	s, err := desired.Read(context.Background(), c)
	if err != nil {
		return err
	}
	if len(s.Revisions) == 0 {
		if want.revision > 0 || len(s.Undo)+len(s.Drifts)+len(s.Resources) > 0 {
			return fmt.Errorf("revision %d was acknowledged, none is there: %+v", want.revision, s)
		}
		return nil
	}
	v := s.Revisions[len(s.Revisions)-1]
	left, held := 0, v.N
	if v.State == engine.RevisionApplying {
		left, held = 1, v.N-1
	}
	switch {
	case v.N < want.revision || held < want.good:
		return fmt.Errorf("revision %d and the good one %d were acknowledged, %d is there as %s", want.revision, want.good, v.N, v.State)
	case len(s.Undo) != 2*left || len(s.Drifts) != left:
		return fmt.Errorf("revision %d is %s with %d steps in the journal, %d drifts", v.N, v.State, len(s.Undo), len(s.Drifts))
	case held > 0 && (len(s.Resources) != 1 || s.Resources[0].Commit != revision(held, v.State).Commit):
		return fmt.Errorf("revision %d is %s, remembered is %+v", v.N, v.State, s.Resources)
	case s.LastRevision != v.N || s.LastUndo != 2*v.N || s.LastDrift != v.N:
		return fmt.Errorf("revision %d: a number would come back: %d, %d, %d", v.N, s.LastRevision, s.LastUndo, s.LastDrift)
	}
	return nil
}
