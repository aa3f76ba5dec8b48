package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A killed vigild may leave its lock for a moment with a program that it was
// just starting: the next one waits for that, and for nobody who lives.
func TestLockOfAGhostIsWaitedFor(t *testing.T) {
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		pid  int
		free bool
		want string
	}{
		{"its process is gone, and the program begins", gone.Process.Pid, true, ""},
		{"its process lives", os.Getpid(), false, fmt.Sprintf("another vigild (pid %d)", os.Getpid())},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ghost, err := os.Create(filepath.Join(dir, "vigil.lock"))
			if err != nil {
				t.Fatal(err)
			}
			defer ghost.Close()
			if _, err := fmt.Fprintf(ghost, "%d\n", tt.pid); err != nil {
				t.Fatal(err)
			}
			if err := unix.Flock(int(ghost.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
			if tt.free {
				timer := time.AfterFunc(50*time.Millisecond, func() { ghost.Close() })
				defer timer.Stop()
			}
			f, err := lockDir(dir)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
