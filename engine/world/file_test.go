package world

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/load"
)

func put(t testing.TB, p, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFile_TellsWhatIsThere, and never goes through a link.
func TestFile_TellsWhatIsThere(t *testing.T) {
	w, dir := build(t, Deps{}), t.TempDir()
	f := put(t, filepath.Join(dir, "f"), "text", 0o640)
	sum := sha256.Sum256([]byte("text"))
	got, err := w.File(t.Context(), f, reconcile.LookContent)
	if err != nil || got.Type != "file" || got.Mode != 0o640 || got.SHA256 != hex.EncodeToString(sum[:]) || string(got.Content) != "text" || got.Size != 4 || got.Changed.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if os.Geteuid() == 0 && (got.Owner != "root" || got.Group != "root") {
		t.Errorf("owned by %q %q", got.Owner, got.Group)
	}
	link, inner := filepath.Join(dir, "link"), filepath.Join(dir, "inner")
	for from, to := range map[string]string{link: f, inner: dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, kind string
		fault      fault.Kind
	}{
		{dir, "directory", fault.OK}, {link, "link", fault.OK}, {fifo, "other", fault.OK}, {"/dev/null", "other", fault.OK},
		{filepath.Join(dir, "none"), "", fault.OK}, {filepath.Join(f, "below"), "", fault.OK},
		{filepath.Join(inner, "f"), "", fault.Forbidden}, {"relative", "", fault.Unprocessable}, {"/a\x00b", "", fault.Unprocessable},
	} {
		for _, way := range []string{"openat2", "walk"} {
			var got reconcile.File
			var err error
			if way == "openat2" {
				got, err = w.File(t.Context(), tt.path, reconcile.LookHash)
			} else if filepath.IsAbs(tt.path) && !strings.Contains(tt.path, "\x00") {
				var fd int
				if fd, err = walk(tt.path, unix.O_PATH); fd >= 0 {
					var st unix.Stat_t
					if err := unix.Fstat(fd, &st); err != nil {
						t.Fatal(err)
					}
					got.Type = typeOf(st.Mode)
					unix.Close(fd)
				}
			} else {
				continue
			}
			if got.Type != tt.kind || fault.KindOf(err) != tt.fault || got.SHA256 != "" {
				t.Errorf("%s by %s: %+v, %v", tt.path, way, got, err)
			}
		}
	}
	big := put(t, filepath.Join(dir, "big"), strings.Repeat("x", reconcile.MaxContent+1), 0o600)
	if _, err := w.File(t.Context(), big, reconcile.LookContent); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a large file: %v", err)
	}
	if got, err := w.File(t.Context(), big, reconcile.LookHash); err != nil || got.SHA256 == "" || got.Content != nil {
		t.Errorf("a large file is hashed: %+v %v", got, err)
	}
}

func TestEntries_AreSortedAndTyped(t *testing.T) {
	w, dir := build(t, Deps{}), t.TempDir()
	put(t, filepath.Join(dir, "b"), "", 0o600)
	put(t, filepath.Join(dir, "a", "x"), "", 0o600)
	if err := os.Symlink("b", filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	got, err := w.Entries(t.Context(), dir)
	want := []reconcile.Entry{{Name: "a", Type: "directory"}, {Name: "b", Type: "file"}, {Name: "c", Type: "link"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := w.Entries(t.Context(), filepath.Join(dir, "c")); fault.KindOf(err) != fault.Forbidden && len(got) > 0 {
		t.Errorf("through a link: %v, %v", got, err)
	}
	if got, err := w.Entries(t.Context(), filepath.Join(dir, "none")); err != nil || got != nil {
		t.Errorf("nothing there: %v, %v", got, err)
	}
}

// TestFile_EditsOfEveryKindAreSeen: by rename, sed -i, chmod, a link in its place.
func TestFile_EditsOfEveryKindAreSeen(t *testing.T) {
	w, dir := build(t, Deps{}), t.TempDir()
	f := put(t, filepath.Join(dir, "f"), "one", 0o644)
	it := loaded(t, fmt.Sprintf("{path: %s, content: one, permissions: '0644'}", f))
	differs := func() []reconcile.Difference {
		t.Helper()
		seen, err := it.Observe(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return it.Differences(reconcile.State{"exists": "yes", "sha256": it.Hash, "permissions": "0644"}, seen)
	}
	if ds := differs(); len(ds) != 0 {
		t.Fatalf("at first: %v", ds)
	}
	for _, tt := range []struct {
		name, field string
		do          func() error
	}{
		{"rename over it", "sha256", func() error { return os.Rename(put(t, f+".new", "two", 0o644), f) }},
		{"write in place", "sha256", func() error { return os.WriteFile(f, []byte("onE"), 0o644) }},
		{"chmod", "permissions", func() error { return os.Chmod(f, 0o600) }},
		{"a link in its place", "exists", func() error { return os.Symlink("/etc/passwd", f) }},
		{"a folder in its place", "exists", func() error { return os.Mkdir(f, 0o755) }},
		{"deleted", "exists", func() error { return nil }},
	} {
		if err := os.RemoveAll(f); err != nil {
			t.Fatal(err)
		}
		if tt.field != "exists" {
			put(t, f, "one", 0o644)
		}
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if ds := differs(); len(ds) != 1 || ds[0].Field != tt.field {
			t.Errorf("%s: %v", tt.name, ds)
		}
	}
}

func loaded(t testing.TB, specs ...string) *reconcile.Item {
	t.Helper()
	s := set(t, specs...)
	return s.Items[0]
}

func set(t testing.TB, specs ...string) *reconcile.Set {
	t.Helper()
	var files []load.File
	for i, spec := range specs {
		files = append(files, load.File{Path: fmt.Sprintf("%d.yaml", i), Data: fmt.Appendf(nil, "{apiVersion: %s, kind: File, metadata: {name: f%d}, spec: %s}\n", document.Version, i, spec)})
	}
	s, is := load.Load(files, load.Host{}, reconcile.Trust{Kinds: []string{"File"}, Paths: []string{"/"}}, load.Deps{})
	if len(is) > 0 {
		t.Fatal(is)
	}
	return s
}

func TestRunning_IsAskedThroughItsDeps(t *testing.T) {
	w := build(t, Deps{})
	if _, err := w.Unit(t.Context(), "web.service"); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("no systemd: %v", err)
	}
	other := build(t, Deps{State: func(context.Context, string) (map[string]any, error) {
		return map[string]any{"Init": "runit", "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "ActiveEnterTimestamp": uint64(7e6), "Untold": []string{"masked"}}, nil
	}})
	want := reconcile.Unit{Init: "runit", Load: "loaded", Active: "active", FileState: "enabled", Started: time.Unix(7, 0), Untold: []string{"masked"}}
	if u, err := other.Unit(t.Context(), "web.service"); err != nil || !reflect.DeepEqual(u, want) {
		t.Errorf("another init system: %+v, %v", u, err)
	}
	if v, ok, err := w.Sysctl(t.Context(), "kernel/ostype"); err != nil || !ok || v != "Linux" {
		t.Errorf("%q %v %v", v, ok, err)
	}
	if _, ok, err := w.Sysctl(t.Context(), "kernel/none"); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
	if _, _, err := w.Sysctl(t.Context(), "../../etc/passwd"); fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("a way out: %v", err)
	}
	if p, err := w.Process(t.Context(), "x"); err != nil || p.Known {
		t.Errorf("%+v %v", p, err)
	}
}

// BenchmarkAudit1000 is the full look at 1,000 files (content, permissions, owner)
// with nothing to do, after a first one.
func BenchmarkAudit1000(b *testing.B) {
	w, dir := later(b, time.Hour), b.TempDir()
	text := strings.Repeat("a line of a config file\n", 85) // 2 KiB
	var specs []string
	var last []reconcile.State
	for i := range 1000 {
		p := put(b, filepath.Join(dir, fmt.Sprintf("d%d", i%10), fmt.Sprintf("f%d", i)), text, 0o644)
		specs = append(specs, fmt.Sprintf("{path: %s, content: %q, permissions: '0644', owner: root, group: root}", p, text))
	}
	s := set(b, specs...)
	for _, it := range s.Items {
		seen, err := it.Observe(b.Context(), w)
		if err != nil {
			b.Fatal(err)
		}
		last = append(last, reconcile.Written(seen.State, nil))
	}
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	n := 0
	for b.Loop() {
		n++
		for i, it := range s.Items {
			seen, err := it.Observe(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			if ds := it.Differences(last[i], seen); len(ds) > 0 {
				b.Fatal(ds)
			}
		}
	}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/float64(n)/1e6, "cpu-ms/op")
}
