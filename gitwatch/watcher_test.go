package gitwatch

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"go.uber.org/goleak"

	"vigil/engine/fault"
	"vigil/gitwatch/gittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const motd = "-- base/motd.yaml --\nkind: File\n"

// TestPathIsNoticedByEvents: no poll is due for an hour, so what is noticed was
// noticed by events; with a working tree, a bare repository, and after refs were
// packed.
func TestPathIsNoticedByEvents(t *testing.T) {
	t.Run("working tree", func(t *testing.T) {
		d := gittest.Repo(t)
		first := d.Commit("first", motd)
		x := start(t, func(c *Config) { c.Source, c.Path = fromPath, d.Path })
		x.lands(first)
		r := x.last()
		if r.Subject != "first" || r.Author != "Ada <ada@example.com>" || r.Source != "path" || r.Ref != "refs/heads/main" || len(x.files) != 1 || x.files[0].Path != "base/motd.yaml" {
			t.Errorf("%+v %+v", r, x.files)
		}
		// What lies in the working tree and in the index counts for nothing.
		d.Write("-- base/other.yaml --\nkind: File\n")
		d.Git("add", "-A")
		began := time.Now()
		second := d.Commit("second", "")
		x.lands(second)
		t.Logf("noticed, read and landed %v after git commit began", time.Since(began).Round(time.Millisecond))
		if x.store.Ref("refs/heads/main").String() != second {
			t.Error("the store is elsewhere")
		}
	})
	t.Run("bare, then packed refs", func(t *testing.T) {
		path, work := bare(t)
		x := start(t, func(c *Config) { c.Source, c.Path = fromPath, path })
		x.stalls("is not there")
		first := work.Commit("first", motd)
		work.Git("push", "-q", "origin", "main")
		x.lands(first)
		work.In(path).Git("pack-refs", "--all")
		second := work.Commit("second", "-- x.yaml --\nx\n")
		work.Git("push", "-q", "origin", "main")
		x.lands(second)
		work.In(path).Git("gc", "-q", "--prune=now")
		third := work.Commit("third", "-- x.yaml --\ny\n")
		work.Git("push", "-q", "origin", "main")
		x.lands(third)
	})
	t.Run("linked working tree", func(t *testing.T) {
		d := gittest.Repo(t)
		first := d.Commit("first", motd)
		linked := filepath.Join(t.TempDir(), "linked")
		d.Git("worktree", "add", "-q", "-b", "other", linked)
		x := start(t, func(c *Config) { c.Source, c.Path = fromPath, linked })
		x.lands(first)
		x.lands(d.Commit("second", "-- x.yaml --\nx\n"))
	})
}

// TestSourceThatIsLostTakesNothingAway: history rewritten, an orphan root, the
// branch gone, the repository gone and corrupt: what was applied stays, and the
// state says why.
func TestSourceThatIsLostTakesNothingAway(t *testing.T) {
	path, work := bare(t)
	first := work.Commit("first", motd)
	second := work.Commit("second", "-- x.yaml --\nx\n")
	work.Git("push", "-q", "origin", "main")
	x := start(t, func(c *Config) { c.Source, c.Path = fromPath, path })
	x.lands(second)
	stays := func() {
		t.Helper()
		if x.store.Ref("refs/heads/main").String() != second || x.last().Commit != second {
			t.Fatal("what was applied is gone")
		}
	}

	work.Git("push", "-q", "-f", "origin", first+":main")
	x.stalls("does not come after")
	stays()

	work.Git("checkout", "-q", "--orphan", "fresh")
	work.Commit("orphan", "-- y.yaml --\ny\n")
	work.Git("push", "-q", "-f", "origin", "fresh:main")
	x.stalls("history was rewritten")
	stays()

	work.In(path).Git("update-ref", "-d", "refs/heads/main")
	x.stalls("is not there")
	stays()

	work.Git("checkout", "-q", "main")
	third := work.Commit("third", "-- x.yaml --\nz\n")
	work.Git("push", "-q", "origin", "main")
	x.lands(third)
	second = third

	// What the hint says is the way out: the new tree, after the old commit.
	work.Git("checkout", "-q", "-B", "rewritten", first)
	work.Commit("rewritten", "-- w.yaml --\nw\n")
	work.Git("push", "-q", "-f", "origin", "rewritten:main")
	x.stalls("git merge -s ours " + third[:10])
	stays()
	work.Git("merge", "-q", "-s", "ours", "-m", "mended", third)
	work.Git("push", "-q", "origin", "rewritten:main")
	second = strings.TrimSpace(work.Git("rev-parse", "HEAD"))
	x.lands(second)
	work.Git("checkout", "-q", "main")
	work.Git("merge", "-q", "--ff-only", "rewritten")

	fourth := work.Commit("fourth", "-- z.yaml --\nlost\n")
	work.Git("-c", "transfer.unpackLimit=1000", "push", "-q", "origin", "main")
	x.lands(fourth)
	second = fourth
	fifth := work.Commit("fifth", "-- z.yaml --\nlost again\n")
	blob := work.Git("rev-parse", fifth+":z.yaml")
	work.In(path).Git("config", "receive.denyNonFastForwards", "false")
	if err := os.MkdirAll(filepath.Join(path, "hooks"), 0o755); err != nil {
		t.Fatal(err)
	}
	x.setRefuse(errBroken) // hold it back until the object is gone
	work.Git("push", "-q", "origin", "main")
	x.stalls("no such field")
	if err := os.Remove(filepath.Join(path, "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	x.stalls("missing there") // a look that began before has ended by now
	x.setRefuse(nil)
	x.stalls("missing there")
	stays()

	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	x.stalls("no such file")
	stays()
}

// TestRefusedRevisionIsNotAdopted: the store's branch moves only after the
// verdict, and a later nudge looks again.
func TestRefusedRevisionIsNotAdopted(t *testing.T) {
	d := gittest.Repo(t)
	first := d.Commit("first", motd)
	x := start(t, func(c *Config) { c.Source, c.Path = fromPath, d.Path })
	x.lands(first)
	x.setRefuse(errBroken)
	second := d.Commit("second", "-- base/motd.yaml --\nkind: File\nxx: 1\n")
	x.stalls("no such field")
	if x.store.Ref("refs/heads/main").String() != first {
		t.Error("a refused revision moved the branch")
	}
	x.setRefuse(nil)
	x.w.Nudge()
	x.lands(second)
	gittest.Until(t, "no error after it landed", func() bool { return x.w.State().Err == nil })
}

// TestHostileTreeIsRefusedByPath: a link in a watched repository.
func TestHostileTreeIsRefusedByPath(t *testing.T) {
	d := gittest.Repo(t)
	first := d.Commit("first", motd)
	x := start(t, func(c *Config) { c.Source, c.Path = fromPath, d.Path })
	x.lands(first)
	if err := os.Symlink("/etc/passwd", filepath.Join(d.Path, "base", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	d.Commit("second", "")
	x.stalls("base/link.yaml: this is a symbolic link")
}

// TestLargeObjectIsNotRead: a file that somebody committed by mistake stalls the watched
// repository, loose or packed, and costs no memory at each look.
func TestLargeObjectIsNotRead(t *testing.T) {
	d := gittest.Repo(t)
	first := d.Commit("first", motd)
	x := start(t, func(c *Config) { c.Source, c.Path, c.Pack.Object = fromPath, d.Path, 1<<20 })
	x.lands(first)
	const size = 96 << 20
	large := filepath.Join(d.Path, "base", "disk.img")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, size); err != nil {
		t.Fatal(err)
	}
	d.Commit("second", "")
	blob := plumbing.NewHash(d.Git("rev-parse", "HEAD:base/disk.img"))
	for _, how := range []string{"loose", "packed"} {
		if how == "packed" {
			d.Git("gc", "-q")
		}
		l, err := openLocal(d.Path, x.w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err = l.Object(blob)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > size/4 || fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%s: %d MiB were taken, %v", how, took>>20, err)
		}
	}
	x.stalls("has 100663296 bytes, at most 1048576 are taken")
}

// TestPathOthersCanWriteNeedsSignatures: without signatures whoever writes there
// would say what this host should be.
func TestPathOthersCanWriteNeedsSignatures(t *testing.T) {
	d := gittest.Repo(t)
	d.Commit("first", motd)
	if err := os.Chmod(filepath.Join(d.Path, ".git"), 0o777); err != nil {
		t.Fatal(err)
	}
	x := start(t, func(c *Config) { c.Source, c.Path = fromPath, d.Path })
	x.stalls("anybody may write this repository")
}

// TestOverflowOfEventsLosesNoRevision: more files come and go beside the refs
// than the kernel's queue of events holds, and the next commit is seen.
func TestOverflowOfEventsLosesNoRevision(t *testing.T) {
	d := gittest.Repo(t)
	x := start(t, func(c *Config) { c.Source, c.Path = fromPath, d.Path })
	x.lands(d.Commit("first", motd))
	for i := range 10_000 {
		path := filepath.Join(d.Path, ".git", "flood"+strconv.Itoa(i%50))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	x.lands(d.Commit("second", "-- x.yaml --\nx\n"))
}
