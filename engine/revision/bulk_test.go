package revision_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"vigil/engine/audit"
)

// TestRevision_ManyNewFiles: what many new files of one commit cost. Each is an act
// of its own, told in the audit from start to end; but what becomes of them is
// written in common transactions, and nothing is put on the disk but the files.
func TestRevision_ManyNewFiles(t *testing.T) {
	const n = 400
	r := newRig(t).start()
	var docs []string
	for i := range n {
		docs = append(docs, r.file(fmt.Sprintf("f%03d", i), fmt.Sprintf("content %d\n", i)))
	}
	before := r.ledger.Stats(t.Context())
	r.good("a1", docs...)
	after := r.ledger.Stats(t.Context())
	jobs, commits := float64(after.Jobs-before.Jobs)/n, float64(after.Commits-before.Commits)/n
	t.Logf("%.2f decisions and %.2f transactions for each file", jobs, commits)
	if jobs > 4 || commits > 0.7 {
		t.Errorf("%.2f decisions and %.2f transactions for each file, want at most 4 and 0.7", jobs, commits)
	}
	if es, _ := os.ReadDir(filepath.Join(r.dir, "content")); len(es) > 0 {
		t.Errorf("%d contents are kept beside files that were not there before", len(es))
	}
	told := map[string]int{}
	for from := int64(0); ; {
		rs := must[[]audit.Record](t)(r.ledger.Audit(t.Context(), from, "", 1000))
		for _, x := range rs {
			told[x.Verb]++
			from = x.Seq
		}
		if len(rs) == 0 {
			break
		}
	}
	for _, verb := range []string{"attempt.start", "attempt.end", "verify.ok"} {
		if told[verb] != n {
			t.Errorf("%d acts are told by %s, want %d", told[verb], verb, n)
		}
	}
	for i := range n {
		if name := fmt.Sprintf("f%03d", i); r.is(name) != fmt.Sprintf("content %d\n", i) {
			t.Fatalf("%s is %q", name, r.is(name))
		}
	}
}
