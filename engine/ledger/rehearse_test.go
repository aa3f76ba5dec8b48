package ledger

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/clock"
)

// TestRehearsalLeavesNothing: it runs to its end, and nothing of it is there, not
// even an id that is skipped.
func TestRehearsalLeavesNothing(t *testing.T) {
	c := Defaults()
	c.Dir, c.BallastMB = t.TempDir(), 0
	l, err := Open(c, Deps{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx := context.Background()
	before, err := l.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	head, commits := *l.head.Load(), l.file.Stats().Commits
	for range 3 {
		if err := l.rehearse(ctx); err != nil {
			t.Fatal(err)
		}
	}
	after, err := l.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, after); d != "" || head != *l.head.Load() {
		t.Errorf("a rehearsal left something: %s", d)
	}
	if rs, err := l.Audit(ctx, 0, "", 10); err != nil || len(rs) != 0 {
		t.Errorf("audit %+v, %v", rs, err)
	}
	if n := l.file.Stats().Commits; n != commits {
		t.Errorf("%d commits of rehearsals", n-commits)
	}
}
