package tsdb

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/engine/series"
	"vigil/engine/tsdb/rows"
)

// TestLogThatIsTakenAwayInUse: whatever a person does to the log's folder, it is
// told, nothing that was acknowledged is lost by a kill once it is well again, and
// samples of old and of new series are taken throughout.
func TestLogThatIsTakenAwayInUse(t *testing.T) {
	segments := func(dir string) []string {
		names, err := filepath.Glob(filepath.Join(dir, "samples.log", "seg-*"))
		if err != nil || len(names) < 2 {
			t.Fatal(names, err)
		}
		return names
	}
	for what, spoil := range map[string]func(dir string) error{
		"removed": func(dir string) (err error) {
			for _, n := range segments(dir) {
				err = errors.Join(err, os.Remove(n))
			}
			return err
		},
		"the first": func(dir string) error { return os.Remove(segments(dir)[0]) },
		"with its folder": func(dir string) error {
			return removeLog(dir)
		},
		"moved away": func(dir string) error {
			return os.Rename(filepath.Join(dir, "samples.log"), filepath.Join(dir, "elsewhere"))
		},
		"emptied by an editor": func(dir string) (err error) {
			for _, n := range segments(dir) {
				err = errors.Join(err, os.WriteFile(n+"~", nil, 0o600), os.Rename(n+"~", n))
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			want := map[string]map[int64]float64{}
			push := func(metric string, n int) {
				if want[metric] == nil {
					want[metric] = map[int64]float64{}
				}
				for i := range n {
					r.clock.pass(time.Second)
					at, v := r.clock.ms(), float64(i)
					it, err := r.push(name(metric), at, v)
					switch {
					case err == nil && it.Reason == series.Accepted:
						want[metric][at] = v
					case err == nil:
						t.Fatalf("%s: %v", metric, it.Reason)
					}
				}
			}
			push("old", 1500) // more than one segment
			if err := spoil(r.cfg.Dir); err != nil {
				t.Fatal(err)
			}
			push("old", 20)
			push("new", 20)
			// A look once more, so that a part that nobody writes to is noticed too.
			told := false
			eventually(t, "the loss is told", func() bool {
				r.clock.pass(time.Second)
				r.s.wakeCut()
				told = told || r.event("removed")
				return told
			})
			eventually(t, "it is well again", func() bool {
				r.clock.pass(time.Second)
				r.s.wakeCut()
				return r.s.Health() == nil && len(r.s.Trouble()) == 0
			})
			push("old", 20)
			push("newer", 20)
			if n := len(want["newer"]); n != 20 {
				t.Errorf("%d of 20 were taken after it", n)
			}
			r.die()
			r.start(0)
			for metric, points := range want {
				got := r.all(name(metric))
				if len(got) < len(points) {
					t.Errorf("%s: %d of %d samples", metric, len(got), len(points))
				}
				for _, p := range got {
					if v, ok := points[p.T]; ok && v != p.V {
						t.Errorf("%s at %d is %v, want %v", metric, p.T, p.V, v)
					}
				}
			}
			for _, e := range r.s.Events() {
				t.Errorf("the next start tells %v", e)
			}
		})
	}
}

// removeLog removes the log with its folder, however often the store puts a spare
// segment there meanwhile.
func removeLog(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(filepath.Join(dir, "samples.log")); err == nil {
			break
		}
	}
	return err
}

// TestSeriesIsDefinedAgainWhenItsDefinitionWasTakenAway: what is acknowledged behind
// the loss reads back, though a kill comes before the cut.
func TestSeriesIsDefinedAgainWhenItsDefinitionWasTakenAway(t *testing.T) {
	r := newRig(t)
	r.mustPush(name("a"), r.clock.ms(), 1)
	r.s.cutMu.Lock() // nothing is cut from here on
	cutAgain := sync.OnceFunc(r.s.cutMu.Unlock)
	t.Cleanup(cutAgain)
	if err := removeLog(r.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	var at int64
	eventually(t, "samples are taken again", func() bool {
		r.clock.pass(time.Second)
		at = r.clock.ms()
		_, err := r.push(name("a"), at, 2)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	r.s.stop()
	cutAgain()
	r.die()
	r.start(0)
	if got := r.all(name("a")); len(got) != 1 || got[0] != (series.Point{T: at, V: 2}) {
		t.Errorf("it reads back as %v; the start tells %v", got, r.s.Events())
	}
}

// TestDatabaseThatIsTakenAwayIsWrittenAnew: from the file that is still open, whole,
// in the place where the next start looks; and it is told. What lies there instead is
// set aside. While there is no way to do that it is said.
func TestDatabaseThatIsTakenAwayIsWrittenAnew(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"with its log": func(path string) error {
			return errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"))
		},
		"moved away": func(path string) error { return os.Rename(path, path+".was") },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"~", []byte("something else"), 0o600), os.Rename(path+"~", path))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var want []series.Point
			push := func() {
				for range 300 {
					r.clock.pass(time.Second)
					want = append(want, series.Point{T: r.clock.ms(), V: float64(len(want))})
					r.mustPush(name("a"), want[len(want)-1].T, want[len(want)-1].V)
				}
			}
			push()
			r.cut()
			r.s.Evaluated(300) // the log need not keep them
			push()
			if err := spoil(filepath.Join(r.cfg.Dir, "samples.db")); err != nil {
				t.Fatal(err)
			}
			if tr := r.s.Trouble(); len(tr) != 1 || !strings.Contains(tr[0], "samples.db was removed or replaced") {
				t.Errorf("it says %q", tr)
			}
			told := false
			eventually(t, "it is written anew, and that is told", func() bool {
				r.clock.pass(time.Second)
				r.s.wakeCut()
				told = told || r.event("rewritten")
				return told && len(r.s.Trouble()) == 0
			})
			push()
			r.cut()
			r.die()
			r.start(0)
			if got := r.all(name("a")); !slices.Equal(got, want) {
				t.Errorf("%d of %d samples are there", len(got), len(want))
			}
			for _, e := range r.s.Events() {
				t.Errorf("the next start tells %v", e)
			}
		})
	}
}

// TestLogOfAGoneDatabaseIsNotTheNextOnes: a -wal that lies there without its database
// is never read into the snapshot that takes the place.
func TestLogOfAGoneDatabaseIsNotTheNextOnes(t *testing.T) {
	r := newRig(t)
	r.mustPush(name("a"), r.clock.ms(), 1)
	snapshots := r.cfg.rows().Snapshots
	if err := os.MkdirAll(snapshots, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Snapshot(t.Context(), filepath.Join(snapshots, rows.SnapshotPrefix+"1.db")); err != nil {
		t.Fatal(err)
	}
	r.stop()
	path := filepath.Join(r.cfg.Dir, "samples.db")
	if err := errors.Join(os.Remove(path), os.WriteFile(path+"-wal", []byte("pages of what is gone"), 0o600)); err != nil {
		t.Fatal(err)
	}
	r.start(0)
	aside, err := filepath.Glob(filepath.Join(r.cfg.rows().Quarantine, "samples.db.*-wal"))
	if err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
	if got := r.all(name("a")); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
