package mounts

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/check/host/kernel"
	"vigil/engine/series"
)

// TestReadOnlyIsTheHosts: with the list of another process, what that list says
// counts and not how our own sandbox sees the mount; with our own list both do.
func TestReadOnlyIsTheHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mountinfo")
	list := "27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 8:1 / /mnt ro - ext4 /dev/sda1 rw\n31 27 8:2 / /srv rw - ext4 /dev/sdb1 ro\n"
	if err := os.WriteFile(path, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, others := range []bool{true, false} {
		a := New(Config{
			Mountinfo: path, Others: others, Root: "/", Wait: time.Second, SkipMounts: kernel.NewFilter(""), SkipTypes: kernel.NewFilter(""),
			Statfs: func(_ string, st *unix.Statfs_t) error {
				*st = unix.Statfs_t{Blocks: 1, Flags: unix.ST_RDONLY}
				return nil
			},
		})
		got := map[string]float64{}
		r := &kernel.Round{Reader: kernel.NewReader(), Emit: func(ls series.Labels, v float64) {
			if ls.Name() == "node_filesystem_readonly" {
				got[ls.Get("mountpoint")] = v
			}
		}}
		if err := a.Collect(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		root := 1.0
		if others {
			root = 0
		}
		if got["/"] != root || got["/mnt"] != 1 || got["/srv"] != 1 {
			t.Errorf("others %v: %v", others, got)
		}
	}
}
