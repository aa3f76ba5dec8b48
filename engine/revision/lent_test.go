package revision_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHeal_LendsItsBytes: a heal of drift writes one file beside the one that it
// mends, the copy of what stood there; what is wanted is in the commit and is not
// written to the disk twice.
func TestHeal_LendsItsBytes(t *testing.T) {
	r := newRig(t).start()
	r.write("a", "right\n")
	r.good("1", r.file("a", "right\n"))
	if es, _ := os.ReadDir(filepath.Join(r.dir, "content")); len(es) != 0 {
		t.Fatalf("%d contents are kept before anything was done", len(es))
	}
	r.touch("a", "by hand\n")
	r.until("the file is right again", func() bool { return r.is("a") == "right\n" && len(r.Drift()) == 0 })
	es, err := os.ReadDir(filepath.Join(r.dir, "content"))
	if err != nil || len(es) != 1 {
		t.Fatalf("%d contents are kept (%v), expected what stood there before alone", len(es), err)
	}
	if b, _ := os.ReadFile(filepath.Join(r.dir, "content", es[0].Name())); string(b) != "by hand\n" {
		t.Errorf("kept is %q", b)
	}
}

// TestRevision_LendsItsBytes: new files of a revision are written once, in their
// place; nothing stood there before, so nothing is kept beside it.
func TestRevision_LendsItsBytes(t *testing.T) {
	r := newRig(t).start()
	r.good("1", r.file("a", "one\n"), r.file("b", "two\n"))
	if es, _ := os.ReadDir(filepath.Join(r.dir, "content")); len(es) != 0 {
		t.Errorf("%d contents are kept, expected none", len(es))
	}
	r.good("2", r.file("a", "three\n"), r.file("b", "two\n"))
	es, err := os.ReadDir(filepath.Join(r.dir, "content"))
	if err != nil || len(es) != 1 {
		t.Fatalf("%d contents are kept (%v), expected what stood there before alone", len(es), err)
	}
	if b, _ := os.ReadFile(filepath.Join(r.dir, "content", es[0].Name())); string(b) != "one\n" {
		t.Errorf("kept is %q", b)
	}
}
