package vigiltest

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// failingDisk mounts an ext4 of its own on dir and gives what makes the kernel
// take it for broken, which turns it read-only under whoever writes, and what
// mends it and mounts it again. It takes root, a loop device and mkfs.ext4; where
// one is missing it says so and returns false.
func failingDisk(t *testing.T, dir string) (fail, mend func(), ok bool) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mount := func() error { return command("mount", "-o", "loop,errors=remount-ro", image, dir) }
	if err := command("mkfs.ext4", "-q", image); err != nil {
		t.Logf("not shown here: %v", err)
		return nil, nil, false
	}
	if err := mount(); err != nil {
		t.Logf("not shown here: %v", err)
		return nil, nil, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fail = func() {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "findmnt", "-n", "-o", "SOURCE", dir).Output()
		if err == nil {
			err = os.WriteFile("/sys/fs/ext4/"+filepath.Base(strings.TrimSpace(string(out)))+"/trigger_fs_error", []byte("1"), 0o200)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err == nil {
			t.Fatal("the disk can be written still")
		}
	}
	mend = func() {
		t.Helper()
		if err := command("umount", dir); err != nil {
			t.Fatal(err)
		}
		_ = command("e2fsck", "-y", image) // its exit says that it mended something
		if err := mount(); err != nil {
			t.Fatal(err)
		}
	}
	return fail, mend, true
}

// TestReadOnlyDisk: the disk of the data turns read-only while the daemon works.
// It goes on living, takes no sample that it could lose, says so, still answers
// what it has; and when the disk was mended, the next start has everything that
// was acknowledged.
func TestReadOnlyDisk(t *testing.T) {
	l, m := newLane(t, 8), newModel()
	fail, mend, ok := failingDisk(t, filepath.Join(l.dir, "data"))
	if !ok {
		return
	}
	c := &checker{lane: l, m: m}
	verdict := func(when string) {
		t.Helper()
		if bad := c.check(t.Context()); len(bad) > 0 {
			t.Fatalf("%s:\n%s\n%s", when, strings.Join(bad[:min(20, len(bad))], "\n"), l.log)
		}
	}
	load := func(run int) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		traffic{l, m, run}.flow(ctx)
	}
	l.mustBeReady(Binary)
	load(0)
	verdict("before")
	fail()
	load(1)
	if l.dead() {
		t.Fatalf("it ended:\n%s", l.log)
	}
	status, _, err := l.ask(t.Context(), "POST", "/api/v1/ingest", []pushed{{"load", 1, map[string]string{"w": "ro"}, stamp(time.Now().UnixMilli())}})
	if err != nil || status < 500 {
		t.Errorf("a sample on a read-only disk: %d %v", status, err)
	}
	var said []byte
	if !Until(func() bool {
		code, text, err := l.ask(t.Context(), "GET", "/readyz", nil)
		said = text
		return err == nil && (code == http.StatusServiceUnavailable || strings.Contains(string(text), "degraded"))
	}) {
		t.Errorf("/readyz is content: %s", said)
	}
	t.Logf("/readyz: %.300s", said)
	if status, _, err := l.ask(t.Context(), "GET", "/api/v1/policies", nil); err != nil || status != http.StatusOK {
		t.Errorf("what it has is not told: %d %v", status, err)
	}
	l.kill()
	mend()
	l.mustBeReady(Binary)
	verdict("after the disk was mended")
	load(2)
	verdict("and it goes on")
	l.stop()
}
