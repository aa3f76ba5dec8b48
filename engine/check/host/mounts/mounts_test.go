package mounts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

func none(string, *unix.Statfs_t) error { return nil }

// FuzzMountinfo: whatever the file holds, the list is bounded and each point is
// there once.
func FuzzMountinfo(f *testing.F) {
	f.Add([]byte("27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 8:1 / /a\\040b ro shared:1 master:2 - xfs /dev/sda1 ro\n"))
	f.Add([]byte("27 1 254:0 / / rw"))
	f.Add([]byte(" - - - \\777\\ \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := New(Config{Root: "/", SkipMounts: kernel.NewFilter(""), SkipTypes: kernel.NewFilter(""), Statfs: none})
		seen := map[string]bool{}
		for _, m := range a.parse(b) {
			if seen[m.point] {
				t.Fatalf("%q is there twice", m.point)
			}
			seen[m.point] = true
		}
		if len(seen) > maxMounts {
			t.Fatalf("%d mounts", len(seen))
		}
	})
}

// TestMountsAreReadAnewWhenTheyChange: a mount that comes is told in the next
// round, one that goes is not.
func TestMountsAreReadAnewWhenTheyChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mountinfo")
	a := New(Config{Mountinfo: path, Root: "/", Wait: time.Second, SkipMounts: kernel.NewFilter(""), SkipTypes: kernel.NewFilter(""), Statfs: none})
	told := func(text string) (n int) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		r := &kernel.Round{Reader: kernel.NewReader(), Emit: func(ls series.Labels, _ float64) {
			if ls.Name() == "node_filesystem_size_bytes" {
				n++
			}
		}}
		if err := a.Collect(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		return n
	}
	root := "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
	usb := "30 27 8:1 / /mnt/usb rw - vfat /dev/sda1 rw\n"
	for i, c := range []struct {
		text string
		want int
	}{{root, 1}, {root + usb, 2}, {root + usb, 2}, {root, 1}} {
		if n := told(c.text); n != c.want {
			t.Errorf("round %d tells %d mounts, want %d", i, n, c.want)
		}
	}
}

// TestManyStuck: with every mount hanging a round ends in time, and no more than
// maxStuck calls are left in the kernel.
func TestManyStuck(t *testing.T) {
	release := make(chan struct{})
	var mu sync.Mutex
	calls := 0
	a := newAsker(func(string, *unix.Statfs_t) error {
		mu.Lock()
		calls++
		mu.Unlock()
		<-release
		return nil
	})
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprint("/m", i))
	}
	began := time.Now()
	for range 10 {
		for i, x := range a.ask(context.Background(), paths, 40*time.Millisecond) {
			if x.err == nil {
				t.Fatalf("%s answered", paths[i])
			}
		}
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("ten rounds of 40 ms took %v", d)
	}
	mu.Lock()
	if calls > maxStuck+1 {
		t.Errorf("%d calls hang, at most %d may", calls, maxStuck)
	}
	mu.Unlock()
	close(release)
	for end := time.Now().Add(time.Minute); a.stuckCount() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("calls that returned still count as stuck")
		}
	}
}
