package store_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"vigil/gitwatch/gittest"
	"vigil/gitwatch/pack"
	"vigil/gitwatch/store"
)

const main = "refs/heads/main"

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Config{Dir: dir, Branch: "main", Caps: pack.Defaults()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// packOf is a pack of everything that git has under the revisions.
func packOf(t testing.TB, d *gittest.Dir, revisions ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "p")
	args := append([]string{"bundle", "create", "-q", out}, revisions...)
	d.Git(args...)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("\n\n"))
	return b[i+2:]
}

// land pushes what git has under a revision as the next value of main.
func land(t testing.TB, s *store.Store, d *gittest.Dir, tip string) {
	t.Helper()
	was := s.Ref(main)
	revisions := []string{"HEAD"}
	if !was.IsZero() {
		revisions = append(revisions, "^"+was.String())
	}
	q, err := s.Receive(context.Background(), bytes.NewReader(packOf(t, d, revisions...)))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Drop()
	h := plumbing.NewHash(tip)
	if err := q.Check(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	if err := q.Land(store.Update{Ref: main, Old: was, New: h}); err != nil {
		t.Fatal(err)
	}
}
