package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMountinfoOfProcess1: its list is taken where it has our root, and ours
// where its root is another or is not shown to us.
func TestMountinfoOfProcess1(t *testing.T) {
	proc := t.TempDir()
	link := func(pid, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(proc, pid, "root"))
		if err := os.Symlink(to, filepath.Join(proc, pid, "root")); err != nil {
			t.Fatal(err)
		}
	}
	a, b := t.TempDir(), t.TempDir()
	for _, tc := range []struct {
		first, self, want string
		others            bool
	}{{a, a, "1", true}, {b, a, "self", false}, {"/no/such", a, "self", false}, {a, "/no/such", "self", false}} {
		link("1", tc.first)
		link("self", tc.self)
		if got, others := mountinfo(proc); got != filepath.Join(proc, tc.want, "mountinfo") || others != tc.others {
			t.Errorf("%+v: %s, %v", tc, got, others)
		}
	}
}
