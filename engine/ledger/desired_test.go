package ledger_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/fault"
)

// TestDesiredRowsAreWhatWasWritten: a changed value in any of the tables is found
// by the start, which puts the newest snapshot in the file's place.
func TestDesiredRowsAreWhatWasWritten(t *testing.T) {
	for _, change := range []string{
		"UPDATE numbers SET undo = undo - 1", "UPDATE revisions SET why = 'another' WHERE n = 2", "UPDATE resources SET hash = 'another' WHERE ref = 'File/motd'",
		"UPDATE drifts SET wanted = 'another' WHERE id = 2", "UPDATE suspends SET actor = 'another' WHERE id = '01A'", "UPDATE undo SET action = 'another' WHERE n = 1",
	} {
		t.Run(strings.Fields(change)[1], func(t *testing.T) {
			r := newRig(t, config(t.TempDir()))
			r.put(all())
			want := r.desired()
			if _, err := r.Snapshot(context.Background(), ""); err != nil {
				t.Fatal(err)
			}
			if n, err := r.Raw(change); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			_, err := r.Desired(context.Background())
			wantKind(t, err, fault.Corrupt)
			r.reopen()
			if d := cmp.Diff(want, r.desired()); d != "" || r.Epoch() != 2 {
				t.Fatalf("epoch %d: %s", r.Epoch(), d)
			}
			if err := os.Remove(filepath.Join(r.cfg.Dir, "ledger.suspect")); err == nil {
				t.Fatal("it is still suspected")
			}
		})
	}
}
