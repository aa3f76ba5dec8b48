package git

import (
	"errors"
	"testing"

	"vigil/gitwatch/objects"
	"vigil/gitwatch/receive"
	"vigil/gitwatch/store"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestInspected_IsReadOnce: the set that was judged is the very one that the keeper
// loads, once; not of a dry run, not of a revision that was refused or could not be
// written down.
func TestInspected_IsReadOnce(t *testing.T) {
	r := open(t, nil)
	k := &keeper{}
	s, err := New(r, k, k)
	if err != nil {
		t.Fatal(err)
	}
	id := r.commit(t, tree("a"))
	judge := func(o receive.Options) error {
		t.Helper()
		v := r.store.View()
		defer v.Close()
		snap, err := objects.ReadRevision(t.Context(), v, objects.Push, store.Applied, plumbing.NewHash(id), plumbing.NewHash(id), r.cfg.Git.Tree)
		if err != nil {
			t.Fatal(err)
		}
		return s.inspect(t.Context(), snap, o, func(string) {})
	}
	kept := func() bool { return r.last.set != nil }
	if err := judge(receive.Options{DryRun: true}); err != nil || kept() {
		t.Errorf("after a dry run: %v, kept %v", err, kept())
	}
	k.refuse = errors.New("no")
	if err := judge(receive.Options{}); err == nil || kept() {
		t.Errorf("after a refusal: %v, kept %v", err, kept())
	}
	k.refuse = nil
	if err := judge(receive.Options{}); err != nil {
		t.Fatal(err)
	}
	judged := r.last.set
	one, err := r.Load(t.Context(), id)
	if err != nil || one != judged {
		t.Errorf("what is loaded is not what was judged (%v)", err)
	}
	two, err := r.Load(t.Context(), id)
	if err != nil || two == one || len(two.Items) != 1 || kept() {
		t.Errorf("the second load: %v, the same %v", err, two == one)
	}
	if err := judge(receive.Options{}); err != nil {
		t.Fatal(err)
	}
	k.refuse = errors.New("the disk is full")
	if _, err := s.land(t.Context(), revision(objects.Revision{Commit: id}, receive.Options{})); err == nil || kept() {
		t.Errorf("after a landing that failed: %v, kept %v", err, kept())
	}
}
