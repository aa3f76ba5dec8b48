package logfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"vigil/actions/supervise/logfile"
	"vigil/engine/fault"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestAppend_FollowsNobodyElsesLink: vigild opens the log as root. Who owns a folder on
// the way must not lead it into another one by exchanging a folder for a link; a link
// of root's own is an administrator's word.
func TestAppend_FollowsNobodyElsesLink(t *testing.T) {
	at := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(at, "home"), 0o755), os.Mkdir(filepath.Join(at, "etc"), 0o755),
		os.Symlink("../etc", filepath.Join(at, "home", "logs")), os.Symlink(filepath.Join(at, "etc"), filepath.Join(at, "home", "whole")),
		os.Symlink("logs", filepath.Join(at, "home", "twice")), os.Symlink("round", filepath.Join(at, "home", "round")),
		os.Symlink("job", filepath.Join(at, "etc", "link")))
	for _, c := range []struct {
		path string
		by   int // uid of home/logs and home/whole
		kind fault.Kind
		says string
	}{
		{"home/logs/job", 0, 0, ""},
		{"home/whole/job", 0, 0, ""},
		{"home/twice/job", 0, 0, ""},
		{"home/../etc/job", 0, 0, ""},
		{"home/logs/job", 12, fault.Forbidden, "a symbolic link of uid 12"},
		{"home/whole/job", 12, fault.Forbidden, "a symbolic link of uid 12"},
		{"home/twice/job", 12, fault.Forbidden, "a symbolic link of uid 12"},
		{"etc/link", 0, fault.Forbidden, "is a symbolic link"},
		{"home/round/job", 0, fault.Unprocessable, "more than 40 links"},
		{"home/none/job", 0, fault.Unavailable, "none"},
		{"etc", 0, fault.Unprocessable, "not a regular file"},
	} {
		if c.by != 0 && os.Geteuid() != 0 {
			continue // nobody else's link can be made
		}
		if os.Geteuid() == 0 {
			must(t, os.Lchown(filepath.Join(at, "home", "logs"), c.by, c.by), os.Lchown(filepath.Join(at, "home", "whole"), c.by, c.by))
		}
		f, err := logfile.File{Path: at + "/" + c.path}.Append()
		if err == nil {
			f.Close()
		}
		_, made := os.Lstat(filepath.Join(at, "etc", "job"))
		if (err == nil) != (c.says == "") || (made == nil) != (c.says == "") || err != nil && (fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s by %d: %v, made: %v", c.path, c.by, err, made == nil)
		}
		_ = os.Remove(filepath.Join(at, "etc", "job"))
	}
}

// TestAppend_IsAFileWithOneName: a pipe does not make vigild wait, and another name of
// a file is not written to.
func TestAppend_IsAFileWithOneName(t *testing.T) {
	at := t.TempDir()
	path := func(name string) string { return filepath.Join(at, name) }
	must(t, syscall.Mkfifo(path("pipe"), 0o600), os.WriteFile(path("one"), []byte("x"), 0o600), os.Link(path("one"), path("two")))
	for name, kind := range map[string]fault.Kind{"pipe": fault.Unprocessable, "two": fault.Forbidden} {
		for _, ours := range []bool{true, false} {
			if _, err := (logfile.File{Path: path(name), Ours: ours}).Append(); fault.KindOf(err) != kind {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestShorten: the younger half stays, whatever its size without taking it into memory,
// and what is short or not there is left.
func TestShorten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logfile.File{Path: path}
	must(t, l.Shorten(10), os.WriteFile(path, []byte("0123456789"), 0o600), l.Shorten(10))
	for limit, want := range map[int64]string{10: "0123456789", 9: "6789", 1: ""} {
		must(t, os.WriteFile(path, []byte("0123456789"), 0o600), l.Shorten(limit))
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("limit %d: %q, %v", limit, b, err)
		}
	}
	const limit = 64 << 20
	must(t, os.Truncate(path, limit))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("first line\nthe end\n")
	must(t, err, f.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	must(t, l.Shorten(limit))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d MiB of memory were taken", took>>20)
	}
	st, err := os.Stat(path)
	must(t, err)
	b, err := l.Tail(12)
	if st.Size() != limit/2 || err != nil || !bytes.Equal(b, []byte("the end\n")) {
		t.Errorf("%d bytes, that end in %q, %v", st.Size(), b, err)
	}
}
