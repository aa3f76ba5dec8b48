package config

import (
	"os"
	"path/filepath"
	"testing"

	"vigil/engine/fault"
)

// TestMakeDataDir_IsNobodyElses: made closed, closed when it was open to others,
// refused when it is somebody else's.
func TestMakeDataDir_IsNobodyElses(t *testing.T) {
	l := &Loaded{Config: Config{DataDir: filepath.Join(t.TempDir(), "a", "data")}}
	mode := func() os.FileMode {
		t.Helper()
		fi, err := os.Stat(l.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	for _, tc := range []struct{ before, after os.FileMode }{{0, 0o700}, {0o777, 0o750}, {0o755, 0o750}, {0o750, 0o750}, {0o700, 0o700}} {
		if tc.before != 0 {
			if err := os.Chmod(l.DataDir, tc.before); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.MakeDataDir(); err != nil || mode() != tc.after {
			t.Errorf("%o became %o, want %o (%v)", tc.before, mode(), tc.after, err)
		}
	}
	if os.Geteuid() != 0 {
		l.DataDir = "/" // root's, whoever runs this
	} else if err := os.Chown(l.DataDir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := l.MakeDataDir(); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a folder of another user: %v", err)
	}
}
