package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/engine"
	"vigil/engine/audit"
	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/ledger"
	"vigil/internal/daemon/archive"
)

// rig is a real ledger, on a clock of the test's own, and a folder.
type rig struct {
	*testing.T
	l      *ledger.Ledger
	now    time.Time
	folder string
	chain  archive.Chain
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), folder: filepath.Join(t.TempDir(), "audit")}
	c := ledger.Defaults()
	c.Dir, c.BallastMB = t.TempDir(), 0
	var err error
	if r.l, err = ledger.Open(c, ledger.Deps{Clock: r.clock, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.l.Close() })
	r.chain = r.l
	return r
}

func (r *rig) clock() clock.Stamp { return clock.Stamp{Wall: r.now.UnixMicro(), Boot: 1, BootID: "b"} }

// tell writes n records of the present moment.
func (r *rig) tell(n int) {
	r.Helper()
	var as []audit.Record
	for i := range n {
		as = append(as, audit.Record{At: r.clock(), Actor: "vigild", Verb: "test", Object: fmt.Sprint("thing:", i), Reason: "said"})
	}
	if _, err := r.l.Commit(context.Background(), &engine.Decision{At: r.clock(), Audit: as}); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) round(c archive.Config) (int64, error) {
	r.Helper()
	c.Folder, c.Every = r.folder, document.Duration(time.Hour)
	a, err := archive.New(c, archive.Deps{Chain: r.chain, Clock: r.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.Fatal(err)
	}
	return a.Round(context.Background())
}

// whole verifies that the files, in the order of their names, and then the
// ledger are one chain from its very beginning, and returns its length.
func (r *rig) whole() int64 {
	r.Helper()
	files, err := os.ReadDir(r.folder) // in the order of their names
	if err != nil {
		r.Fatal(err)
	}
	v := audit.NewVerifier(audit.Head{})
	for _, file := range files {
		n := filepath.Join(r.folder, file.Name())
		f, err := os.Open(n)
		if err != nil {
			r.Fatal(err)
		}
		if err := audit.VerifyExport(f, v, audit.Head{}); err != nil {
			r.Fatalf("%s: %v", n, err)
		}
		f.Close()
		if st, err := os.Stat(n); err != nil || st.Mode().Perm() != 0o600 {
			r.Errorf("%s: %v %v", n, st.Mode(), err)
		}
	}
	rs, err := r.l.Audit(context.Background(), 0, "", 10_000)
	if err != nil {
		r.Fatal(err)
	}
	for _, x := range rs {
		if err := v.Next(x); err != nil {
			r.Fatal(err)
		}
	}
	if _, err := r.l.AuditVerify(context.Background(), nil); err != nil {
		r.Error(err)
	}
	return v.Count()
}

func (r *rig) stored() int64 {
	r.Helper()
	rs, err := r.l.Audit(context.Background(), 0, "", 10_000)
	if err != nil {
		r.Fatal(err)
	}
	return int64(len(rs))
}

// TestArchiveByAge: what is old is in a file and gone, what is young stays, and
// the two are one chain; a second look finds nothing to do.
func TestArchiveByAge(t *testing.T) {
	r := newRig(t)
	r.tell(700)
	r.now = r.now.Add(48 * time.Hour)
	r.tell(5)
	old := document.Duration(24 * time.Hour)
	if n, err := r.round(archive.Config{Keep: old}); err != nil || n < 700 || r.stored() > 10 {
		t.Errorf("%d went, %d stay, %v", n, r.stored(), err)
	}
	all := r.whole()
	if n, err := r.round(archive.Config{Keep: old}); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	r.now = r.now.Add(48 * time.Hour) // everything is old: the newest stays all the same
	if _, err := r.round(archive.Config{Keep: old}); err != nil || r.stored() == 0 {
		t.Errorf("%d stay, %v", r.stored(), err)
	}
	if n := r.whole(); n <= all {
		t.Errorf("%d records, there were %d", n, all)
	}
	left, err := os.ReadDir(r.folder)
	for _, e := range left {
		if filepath.Ext(e.Name()) != ".ndjson" {
			t.Errorf("%s lies there", e.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestArchiveBySize: the newest so many bytes stay; with both, what either keeps.
func TestArchiveBySize(t *testing.T) {
	r := newRig(t)
	for range 8 {
		r.tell(1000)
	}
	if n, err := r.round(archive.Config{KeepMB: 1, Keep: document.Duration(time.Hour)}); err != nil || n != 0 {
		t.Errorf("young ones went: %d %v", n, err)
	}
	if n, err := r.round(archive.Config{KeepMB: 1}); err != nil || n == 0 {
		t.Fatalf("%d %v", n, err)
	}
	size := 0
	rs, err := r.l.Audit(context.Background(), 0, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rs {
		size += len(audit.MarshalLine(x))
	}
	if size < 1<<20 || size > 1<<20+10_000 {
		t.Errorf("%d bytes stay", size)
	}
	r.whole()
}

// failing is a ledger that does not prune.
type failing struct{ *ledger.Ledger }

func (failing) Prune(context.Context, string, audit.Head) error {
	return errors.New("the power is gone")
}

// TestArchiveAfterACrash: a file that was finished and not pruned by is pruned by
// in the next round; a part of one is written anew.
func TestArchiveAfterACrash(t *testing.T) {
	for _, folder := range []string{"audit", "a[u]dit*"} {
		t.Run(folder, func(t *testing.T) { afterACrash(t, folder) })
	}
}

func afterACrash(t *testing.T, folder string) {
	r := newRig(t)
	r.folder = filepath.Join(filepath.Dir(r.folder), folder)
	r.tell(100)
	r.now = r.now.Add(48 * time.Hour)
	r.tell(3)
	old := archive.Config{Keep: document.Duration(24 * time.Hour)}
	r.chain = failing{r.l}
	if n, err := r.round(old); err == nil || n != 0 {
		t.Fatalf("%d %v", n, err)
	}
	before := r.stored()
	if err := os.WriteFile(filepath.Join(r.folder, "audit.ndjson.part"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.tell(2)
	r.now = r.now.Add(48 * time.Hour) // by now more may go than is in the file
	r.tell(2)
	r.chain = r.l
	if n, err := r.round(old); err != nil || n < 100 || r.stored() >= before {
		t.Errorf("%d went, %v", n, err)
	}
	r.whole()
}

// TestArchivePrunesNothingThatIsNotInAFile: whatever is in the way.
func TestArchivePrunesNothingThatIsNotInAFile(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"no folder above":   func(r *rig) { r.folder = filepath.Join(r.folder, "a", "b") },
		"a file in its way": func(r *rig) { write(r, r.folder, "x") },
		"a link in its way": func(r *rig) {
			mkdir(r)
			if err := os.Symlink("/dev/null", filepath.Join(r.folder, "audit.ndjson.part")); err != nil {
				r.Fatal(err)
			}
		},
		"another chain's export": func(r *rig) {
			mkdir(r)
			write(r, filepath.Join(r.folder, "audit-000000000001-000000000050.ndjson"), "{}\n")
		},
		"an export of a ledger that was put back since": func(r *rig) {
			mkdir(r)
			other := newRig(r.T)
			other.now = other.now.Add(time.Second)
			other.tell(50)
			f, err := os.Create(filepath.Join(r.folder, "audit-000000000001-000000000050.ndjson"))
			if err == nil {
				_, err = other.l.Export(context.Background(), 1, f)
			}
			if err != nil {
				r.Fatal(err)
			}
			f.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.tell(100)
			r.now = r.now.Add(48 * time.Hour)
			r.tell(1)
			spoil(r)
			before := r.stored()
			n, err := r.round(archive.Config{Keep: document.Duration(24 * time.Hour)})
			if err == nil || n != 0 || r.stored() != before {
				t.Errorf("%d went, %v", n, err)
			}
		})
	}
}

func mkdir(r *rig) {
	r.Helper()
	if err := os.Mkdir(r.folder, 0o700); err != nil {
		r.Fatal(err)
	}
}

func write(r *rig, path, text string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

func TestArchiveConfig(t *testing.T) {
	day := document.Duration(24 * time.Hour)
	for name, c := range map[string]struct {
		set func(*archive.Config)
		ok  bool
	}{
		"off":             {func(*archive.Config) {}, true},
		"on":              {func(c *archive.Config) { c.Folder, c.Keep = "/a", day }, true},
		"relative":        {func(c *archive.Config) { c.Folder, c.Keep = "a", day }, false},
		"nothing may go":  {func(c *archive.Config) { c.Folder = "/a" }, false},
		"no folder":       {func(c *archive.Config) { c.Keep = day }, false},
		"a millisecond":   {func(c *archive.Config) { c.Folder, c.Keep = "/a", document.Duration(time.Millisecond) }, false},
		"looks all along": {func(c *archive.Config) { c.Every = 0 }, false},
		"negative MiB":    {func(c *archive.Config) { c.Folder, c.KeepMB = "/a", -1 }, false},
	} {
		conf := archive.Defaults()
		c.set(&conf)
		if err := conf.Validate(); (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.Unprocessable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
