package ledger_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/ledger"
	"vigil/engine/ledger/powercut"
	"vigil/engine/ledger/schema"
	"vigil/engine/remedy"
)

// fill writes a row of every kind that the first schema knows. What
// testdata/schema1.db.gz holds was written by exactly this, when the first
// schema was the only one.
func fill(t *testing.T, r *rig) {
	hold := engine.Hold{ID: "01H", Kind: engine.HoldSilence, Owner: "api", Actor: "token:a", Reason: "deploy", Matchers: `{host="a"}`, From: at(1), Until: at(2), Created: at(1)}
	r.commit(&engine.Decision{
		Position: 42, Firings: []engine.FiringRow{firing("hot", "web1", 0), firing("hot", "web2", 0)}, Policies: []engine.PolicyRow{put("hot", 0)},
		Remediations: []remedy.Remediation{order("web1", "s1"), order("web2", "s2"), order("web3", "s3")},
		Holds:        []engine.Hold{hold}, Audit: []audit.Record{record("firing.fire", "firing:1")},
	})
	mv, err := r.claim(r.remediation(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(context.Background(), 2, finish(mv.Next, *mv.Open, at(9))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.claim(r.remediation(2)); err != nil {
		t.Fatal(err)
	}
	if err := r.PutToken(context.Background(), "local", engine.Token{Name: "ops", Hash: [32]byte{1, 2}, Role: "viewer", Created: at(3)}); err != nil {
		t.Fatal(err)
	}
}

// contents is everything of the first schema, as it is read back.
type contents struct {
	Snapshot *engine.Snapshot
	Active   []remedy.Remediation
	Finished remedy.Remediation
	Attempts [][]remedy.Attempt
	Tokens   []engine.Token
	Audit    []audit.Record
}

func read(t *testing.T, r *rig) (c contents) {
	ctx := context.Background()
	c.Snapshot, c.Finished = r.load(), r.remediation(1)
	c.Snapshot.UncleanStarts = nil // of this directory, not of the file
	var err error
	if c.Active, _, err = r.Remediations(ctx, engine.RemediationFilter{States: []remedy.State{remedy.Queued, remedy.Held, remedy.Running, remedy.Verifying}}); err != nil {
		t.Fatal(err)
	}
	for id := range int64(3) {
		as, err := r.Attempts(ctx, id+1)
		if err != nil {
			t.Fatal(err)
		}
		c.Attempts = append(c.Attempts, as)
	}
	if c.Tokens, err = r.Tokens(ctx); err != nil {
		t.Fatal(err)
	}
	if c.Audit, err = r.Audit(ctx, 0, "", 0); err != nil {
		t.Fatal(err)
	}
	r.verify()
	return c
}

// old is a file that a vigild with the first schema wrote.
func old(t *testing.T) []byte {
	f, err := os.Open("testdata/schema1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOldLedgerIsUpgradedWhole: a file of the first schema opens, keeps every row
// and the chain, takes desired state, and its verified copy stays beside it.
func TestOldLedgerIsUpgradedWhole(t *testing.T) {
	fresh := newRig(t, config(t.TempDir()))
	fill(t, fresh)
	want := read(t, fresh)
	for _, as := range want.Attempts {
		for i := range as { // what requests have come to say since
			as[i].Request.Severity, as[i].Request.Rung, as[i].Request.Values = "", 0, nil
		}
	}

	dir := t.TempDir()
	edit(t, filepath.Join(dir, "ledger.db"), func([]byte) []byte { return old(t) })
	r := newRig(t, config(dir))
	if r.Replaced() != "" || r.Epoch() != 1 {
		t.Fatalf("epoch %d: %s", r.Epoch(), r.Replaced())
	}
	got := read(t, r)
	// The copy was made while vigild ran: its start says so in one record more.
	if n := len(got.Audit) - 1; n != len(want.Audit) || got.Audit[n].Verb != "vigild.unclean_start" {
		t.Fatalf("%d records, %d were written", n, len(want.Audit))
	}
	got.Audit = got.Audit[:len(want.Audit)]
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	d := all()
	r.put(d)
	r.reopen()
	if s := r.desired(); len(s.Resources) != 3 || len(s.Undo) != 3 {
		t.Fatalf("%+v", s)
	}
	if err := ledger.Verify(context.Background(), r.cfg, r.deps, filepath.Join(dir, fmt.Sprintf("ledger.db.before-v%d", len(schema.Migrations())))); err != nil {
		t.Fatalf("the copy of the old file: %v", err)
	}
}

// TestPowerCutInTheUpgrade: whatever of the upgrade reached the disk, the next
// start has everything that the old file held, and finishes it.
func TestPowerCutInTheUpgrade(t *testing.T) {
	rnd, dir := seed(t), scratch(t)
	edit(t, filepath.Join(dir, "ledger.db"), func([]byte) []byte { return old(t) })
	base, err := powercut.ReadImage(dir, files...)
	if err != nil {
		t.Fatal(err)
	}
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
	x, state, n := rec.Explore(base), filepath.Join(scratch(t), "d"), 0
	every := max(1, places/states(t, 200))
	for x.Step() && x.At() <= places {
		if x.At()%every != 0 {
			continue
		}
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
		s := newRig(t, config(state))
		if q := s.Stats(context.Background()).Quarantined; len(q) > 0 || s.Epoch() != 1 {
			t.Fatalf("state %d, after %d of %d calls: a whole file was quarantined: %v", n, x.At(), places, q)
		}
		if c := read(t, s); len(c.Active) != 2 || len(c.Snapshot.Firings) != 2 || len(c.Attempts[0]) != 1 || len(c.Tokens) != 1 {
			t.Fatalf("state %d, after %d of %d calls: %+v", n, x.At(), places, c)
		}
		s.put(all())
		s.close()
	}
	t.Logf("%d states at %d places", n, places)
}
