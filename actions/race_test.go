package actions_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vigil/actions"
	"vigil/actions/blob"
	"vigil/actions/heal"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestHeal_ASwapRaceNeverWritesThrough: the user to whom a file and its folder
// belong exchanges both for links, 100,000 times, while the file is healed with
// new content, mode and owner, is dressed alone, and is removed. What the links
// lead to is neither written, dressed, read into what is kept for an undo, nor
// gets a neighbour.
func TestHeal_ASwapRaceNeverWritesThrough(t *testing.T) {
	const swaps = 100_000
	dir, err := os.MkdirTemp("/dev/shm", "vigil-race-") // a race needs no disk
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	const precious = "precious, and nobody's business"
	outside, home := dir+"/outside", dir+"/home"
	victim, d, f := outside+"/f", home+"/d", home+"/d/f"
	must(t, os.MkdirAll(outside, 0o755), os.MkdirAll(d, 0o755), os.WriteFile(victim, []byte(precious), 0o640), os.WriteFile(f, []byte("x"), 0o644))
	owner := fmt.Sprint(os.Geteuid())
	if os.Geteuid() == 0 { // the user's own folder: the way is open to whom the file belongs
		owner = "54321"
		for _, p := range []string{home, d, f} {
			must(t, os.Chown(p, 54321, 54321))
		}
	}
	var before, after unix.Stat_t
	must(t, unix.Stat(victim, &before))
	s := build(t, actions.Config{DataDir: filepath.Join(dir, "data"), Heal: heal.Config{Paths: []string{home}}}, actions.Deps{})
	heals := action(t, s, "file")

	done := make(chan int)
	go func() {
		n := 0
		for link, aside := d+"/.l", home+"/aside"; n < swaps; n++ {
			switch n % 4 {
			case 0: // the file for a link to the victim
				_ = unix.Symlink(victim, link)
				_ = unix.Rename(link, f)
			case 1:
				if fd, err := unix.Open(link, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644); err == nil {
					unix.Close(fd)
				}
				_ = unix.Rename(link, f)
			case 2: // the folder for a link to the one with the victim
				_ = unix.Rename(d, aside)
				_ = unix.Symlink(outside, d)
			case 3:
				_ = unix.Unlink(d)
				_ = unix.Rename(aside, d)
			}
		}
		done <- n
	}()
	wrote, tries, n := 0, 0, 0
	for ; n == 0; tries++ {
		w := with{"path": f, "content": fmt.Sprint("vigil ", tries), "permissions": "0666", "owner": owner}
		switch tries % 8 {
		case 3:
			w = with{"path": f, "permissions": "0777", "owner": owner}
		case 7:
			w = with{"path": f, "absent": "true", "owner": owner}
		}
		if res, err := heals.Run(t.Context(), request("file", w)); err == nil && res.OK && tries%8 != 7 {
			wrote++
		}
		select {
		case n = <-done:
		default:
		}
	}
	must(t, unix.Stat(victim, &after))
	if b, err := os.ReadFile(victim); err != nil || string(b) != precious {
		t.Fatalf("the victim holds %q, %v", b, err)
	}
	if before != after {
		// The reading above is what may move the time of the last access alone.
		before.Atim, after.Atim = unix.Timespec{}, unix.Timespec{}
		if before != after {
			t.Errorf("the victim was touched:\n%+v\n%+v", before, after)
		}
	}
	if b, err := s.Contents().Get(blob.Sum([]byte(precious))); err == nil {
		t.Errorf("the victim was read and kept: %q", b)
	}
	es, err := os.ReadDir(outside)
	must(t, err)
	for _, e := range es {
		if e.Name() != "f" && !strings.HasPrefix(e.Name(), ".l") {
			t.Errorf("a new file stands outside: %s", e.Name())
		}
	}
	if n < swaps || wrote < 20 {
		t.Errorf("%d swaps, %d of %d tries wrote: the race tried nothing", n, wrote, tries)
	}
	t.Logf("%d swaps, %d acts in %d tries", n, wrote, tries)
}
