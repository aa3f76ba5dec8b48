package ledger_test

import (
	"context"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
)

// TestWhatLaterRecordsReferToOutlivesAPrune: a configuration is told once while it
// stays the same. Whatever is pruned, each record that is left finds the one that was
// in force for it, and the newest that is told is the one in force.
func TestWhatLaterRecordsReferToOutlivesAPrune(t *testing.T) {
	rnd, ctx := seed(t), context.Background()
	r := newRig(t, config(t.TempDir()))
	force := map[int64]string{} // what was in force for a record that refers to it
	now, told, pruned := `"a"`, 0, 0
	if err := r.stand(now); err != nil {
		t.Fatal(err)
	}
	for range 250 {
		switch rnd.IntN(5) {
		case 0:
			was, before := now, r.AuditHead().Seq
			now = []string{`"a"`, `"b"`, `"c"`}[rnd.IntN(3)]
			if err := r.stand(now); err != nil || (was == now) != (r.AuditHead().Seq == before) {
				t.Fatalf("%v: %s after %s takes %d records", err, now, was, r.AuditHead().Seq-before)
			}
			told++
		case 1, 2, 3:
			r.commit(&engine.Decision{Audit: []audit.Record{record("v", "x")}})
			force[r.AuditHead().Seq] = now
		case 4:
			rs := r.all()
			if len(rs) < 2 {
				continue
			}
			if err := r.Prune(ctx, "local", rs[rnd.IntN(min(len(rs)-1, 12))].Head()); err != nil {
				t.Fatal(err)
			}
			pruned++
		}
		found, last := map[string]bool{}, ""
		rs := r.all()
		for _, x := range rs {
			if x.Object == "config:remedy" {
				last = string(x.Evidence)
				found[last] = true
			}
		}
		for _, x := range rs {
			if want := force[x.Seq]; want != "" && !found[want] {
				t.Fatalf("record %d was written under %s, which nothing tells any more", x.Seq, want)
			}
		}
		if last != now {
			t.Fatalf("%s is in force, the newest that is told is %s", now, last)
		}
	}
	if r.verify(); told < 20 || pruned < 20 {
		t.Errorf("told %d times and pruned %d times: this shows nothing", told, pruned)
	}
}

func (r *rig) all() []audit.Record {
	r.Helper()
	rs, err := r.Audit(context.Background(), 0, "", 1000)
	if err != nil {
		r.Fatal(err)
	}
	return rs
}

func (r *rig) stand(evidence string) error {
	x := record("config.gates", "config:remedy")
	x.Evidence = []byte(evidence)
	return r.Stand(context.Background(), x)
}
