package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/fault"
)

// TestAuditRowsAreNeverChangedOrRemoved: the database itself refuses, whoever
// asks; and a record that does not follow the head is refused too.
func TestAuditRowsAreNeverChangedOrRemoved(t *testing.T) {
	r := newRig(t, config(t.TempDir()))
	for range 3 {
		r.commit(queued())
	}
	for _, sql := range []string{
		"UPDATE audit SET reason = 'nothing' WHERE seq = 2",
		"UPDATE audit SET seq = 9 WHERE seq = 3",
		"DELETE FROM audit WHERE seq = 1",
		"DELETE FROM audit WHERE seq = 2",
		"DELETE FROM audit",
		"REPLACE INTO audit SELECT seq, prev, hash, at, 'me', verb, object, reason, evidence FROM audit WHERE seq = 2",
		"INSERT INTO audit SELECT 4, prev, hash, at, actor, verb, object, reason, evidence FROM audit WHERE seq = 2",
		"INSERT INTO audit SELECT 7, hash, hash, at, actor, verb, object, reason, evidence FROM audit WHERE seq = 3",
	} {
		if _, err := r.Raw(sql); err == nil {
			t.Errorf("%s: it was done", sql)
		}
	}
	if h := r.verify(); h.Seq != 3 {
		t.Fatalf("the chain ends at %d", h.Seq)
	}
}

// TestTamperingIsFoundAndNamed: somebody who may drop the triggers changes,
// removes, swaps or adds rows; the verifier names the first bad record.
func TestTamperingIsFoundAndNamed(t *testing.T) {
	rnd := seed(t)
	r := newRig(t, config(t.TempDir()))
	const n = 40
	for i := range n {
		r.commit(&engine.Decision{Audit: []audit.Record{record("v", fmt.Sprint("object:", i))}})
	}
	for _, tr := range []string{"audit_is_not_changed", "audit_is_not_removed", "audit_follows_its_head"} {
		if _, err := r.Raw("DROP TRIGGER " + tr); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Raw("CREATE TABLE kept AS SELECT * FROM audit"); err != nil {
		t.Fatal(err)
	}
	raw := func(sql string, args ...any) {
		if _, err := r.Raw(sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for i := range states(t, 300) {
		at := rnd.Int64N(n) + 1
		named := at
		switch rnd.IntN(7) {
		case 6: // what is no moment cannot even be read
			raw("UPDATE audit SET at = 'soon' WHERE seq = ?", at)
		case 0:
			raw("UPDATE audit SET "+[]string{"actor", "verb", "object", "reason"}[rnd.IntN(4)]+" = 'x' WHERE seq = ?", at)
		case 1:
			raw("UPDATE audit SET evidence = zeroblob(3) WHERE seq = ?", at)
		case 2:
			raw("UPDATE audit SET hash = randomblob(32) WHERE seq = ?", at)
		case 3:
			raw("DELETE FROM audit WHERE seq = ?", at)
		case 4: // two change places
			other := at%n + 1
			named = min(at, other)
			raw("UPDATE audit SET seq = -1 WHERE seq = ?", at)
			raw("UPDATE audit SET seq = ? WHERE seq = ?", at, other)
			raw("UPDATE audit SET seq = ? WHERE seq = -1", other)
		case 5:
			raw("UPDATE audit SET at = '1 2 boot-a' WHERE seq = ?", at)
		}
		_, err := r.AuditVerify(context.Background(), nil)
		var b *audit.Broken
		if !errors.As(err, &b) || b.Seq < named || b.Seq > named+1 {
			t.Fatalf("tampering %d with record %d was answered with %v", i, named, err)
		}
		raw("DELETE FROM audit")
		raw("INSERT INTO audit SELECT * FROM kept")
	}
	raw("DELETE FROM audit WHERE seq > 35") // a cut tail, as the state remembers the head
	if _, err := r.AuditVerify(context.Background(), nil); fault.KindOf(err) != fault.Corrupt {
		t.Fatalf("a cut tail passes: %v", err)
	}
	raw("INSERT INTO audit SELECT * FROM kept WHERE seq > 35")
}
