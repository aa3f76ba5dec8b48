package ledger_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/remedy"
)

// TestLogStaysBounded: the write-ahead log is emptied however much is written
// and while readers come and go, with nobody running the upkeep.
func TestLogStaysBounded(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, config(dir))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, _, err := r.Remediations(context.Background(), engine.RemediationFilter{Limit: 200}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	big := record("v", "o")
	big.Evidence = make([]byte, 200<<10)
	most := int64(0)
	rounds := 200 // 40 MiB
	if brief() {
		rounds = 90
	}
	for range rounds {
		r.commit(&engine.Decision{Remediations: []remedy.Remediation{order("w", "s")}, Audit: []audit.Record{big}})
		st, err := os.Stat(filepath.Join(dir, "ledger.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, st.Size())
	}
	close(done)
	wg.Wait()
	if most > 16<<20 {
		t.Fatalf("the log grew to %d MiB", most>>20)
	}
	if s := r.Stats(context.Background()); s.Checkpoints == 0 || s.BytesWritten < int64(rounds)*200<<10 || s.LogBytes > 16<<20 {
		t.Fatalf("%+v", s)
	}
}
