package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"vigil/engine/audit"
	"vigil/engine/ledger"
	"vigil/engine/ledger/conn"
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
		d.Position = uint64(i + 1)
		a.remediation, a.position = r.commit(d).Remediations[0], d.Position
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
	return nil
}
