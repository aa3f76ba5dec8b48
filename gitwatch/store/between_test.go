package store_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/gittest"
)

// TestBetween_AClockThatIsBehindHidesNothing: the base says it is older than what
// lies under it, so more of that is taken for new, and taken back, than the walk
// may find. Commits that it never came to must not pass for none: with verify_all
// they would count as verified.
func TestBetween_AClockThatIsBehindHidesNothing(t *testing.T) {
	d := gittest.Repo(t)
	tree := d.Git("write-tree")
	commit := func(at int, parents ...string) string {
		as := d.In(d.Path)
		as.Env = append(as.Env, fmt.Sprintf("GIT_COMMITTER_DATE=@%d +0000", 1_600_000_000+at), fmt.Sprintf("GIT_AUTHOR_DATE=@%d +0000", 1_600_000_000+at))
		args := []string{"commit-tree", tree, "-m", "c"}
		for _, p := range parents {
			args = append(args, "-p", p)
		}
		return as.Git(args...)
	}
	root := commit(1)
	old := commit(105, commit(104, commit(103, root)))
	base := commit(60, old)
	side := commit(30, commit(20, commit(10, root)))
	tip := commit(200, old, side)
	d.Git("update-ref", "refs/heads/main", tip)
	d.Git("update-ref", "refs/heads/base", base)
	s := open(t, t.TempDir())
	q, err := s.Receive(context.Background(), bytes.NewReader(packOf(t, d, "main", "base")))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Drop()
	for _, limit := range []int{1, 2, 3, 4, 100} {
		cs, more, err := q.View().Between(context.Background(), plumbing.NewHash(tip), plumbing.NewHash(base), limit)
		if err != nil {
			t.Fatal(err)
		}
		if all := len(cs) >= 4; !more && !all {
			t.Errorf("limit %d: %d of at least 4 new commits, and none are said to be left", limit, len(cs))
		}
		if limit == 100 && (more || len(cs) != 4) {
			t.Errorf("%d commits, more %v", len(cs), more)
		}
	}
}
