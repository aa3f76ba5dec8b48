package blob

import (
	"os"
	"path/filepath"
	"testing"

	"vigil/engine/fault"
)

// TestLend: what is lent is found and is not on the disk, until the last of its
// borrowers gives it back; how much is lent is bounded; Put beside it is durable.
func TestLend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "content")
	s := New(dir)
	sum, one, ok := s.Lend([]byte("a"))
	_, two, again := s.Lend([]byte("a"))
	if !ok || !again || sum != Sum([]byte("a")) {
		t.Fatal(sum, ok, again)
	}
	for range 2 { // giving back twice is once
		one()
	}
	if b, err := s.Get(sum); err != nil || string(b) != "a" {
		t.Errorf("lent: %q, %v", b, err)
	}
	if es, _ := os.ReadDir(dir); len(es) != 0 {
		t.Errorf("on the disk: %v", es)
	}
	if _, err := s.Put([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if b, err := New(dir).Get(sum); err != nil || string(b) != "a" {
		t.Errorf("put beside a loan: %q, %v", b, err)
	}
	two()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(sum); fault.KindOf(err) != fault.NotFound {
		t.Errorf("given back: %v", err)
	}
	if _, _, ok := s.Lend(make([]byte, MaxLent+1)); ok {
		t.Error("more is lent than may be")
	}
	if _, _, ok := s.Lend(make([]byte, MaxLent)); !ok || s.lent.bytes != MaxLent {
		t.Errorf("what was given back still counts: %d", s.lent.bytes)
	}
}
