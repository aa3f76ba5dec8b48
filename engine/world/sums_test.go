package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"vigil/engine/reconcile"
)

// later is a World whose clock runs ahead, for which fresh files are old.
func later(t testing.TB, by time.Duration) *World {
	w := build(t, Deps{})
	w.now = func() time.Time { return time.Now().Add(by) }
	return w
}

func look(t testing.TB, w *World, path string) reconcile.File {
	t.Helper()
	f, err := w.File(t.Context(), path, reconcile.LookHash)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func hash(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// forge puts a lie in the place of every remembered sum, to see who believes it.
func (s *sums) forge() (n int) {
	for k, v := range s.at {
		v.text = "forged"
		s.at[k] = v
		n++
	}
	return n
}

// tick waits until the clock of the file system has moved on since a file changed.
func tick(t testing.TB, f string) {
	t.Helper()
	var old, now unix.Stat_t
	for p := f + ".tick"; old.Ctim == now.Ctim; {
		put(t, p, "", 0o600)
		if err := errors.Join(unix.Stat(f, &old), unix.Stat(p, &now), os.Remove(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSums_AreBelievedOnlyWhileNothingMoved: whoever touched a file in any way,
// or waited long enough, has it read again.
func TestSums_AreBelievedOnlyWhileNothingMoved(t *testing.T) {
	const ahead = time.Hour
	for _, tt := range []struct {
		name     string
		do       func(t *testing.T, f string, w *World)
		believed bool
	}{
		{"nothing", func(*testing.T, string, *World) {}, true},
		{"a minute later", func(_ *testing.T, _ string, w *World) {
			w.now = func() time.Time { return time.Now().Add(ahead + time.Minute) }
		}, true},
		{"after ten minutes", func(_ *testing.T, _ string, w *World) {
			w.now = func() time.Time { return time.Now().Add(ahead + believed) }
		}, false},
		{"a clock set back", func(_ *testing.T, _ string, w *World) { w.now = time.Now }, false},
		{"equal bytes written", func(t *testing.T, f string, _ *World) { put(t, f, "one", 0o644) }, false},
		{"other bytes, the old mtime", func(t *testing.T, f string, _ *World) {
			st, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			put(t, f, "two", 0o644)
			if err := os.Chtimes(f, st.ModTime(), st.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"another file in its place", func(t *testing.T, f string, _ *World) {
			if err := os.Rename(put(t, f+"2", "two", 0o644), f); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, f := later(t, ahead), put(t, filepath.Join(t.TempDir(), "f"), "one", 0o644)
			if got := look(t, w, f); got.SHA256 != hash("one") {
				t.Fatalf("%+v", got)
			}
			if w.sums.forge() != 1 {
				t.Fatal("not remembered")
			}
			tick(t, f)
			tt.do(t, f, w)
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			want := hash(string(b))
			if tt.believed {
				want = "forged"
			}
			if got := look(t, w, f); got.SHA256 != want || got.Size != int64(len(b)) {
				t.Errorf("%+v, expected %s", got, want)
			}
		})
	}
}

// TestSums_WhatJustChangedIsNotRemembered: its times could stay while it changes
// again. Nor what the kernel makes up.
func TestSums_WhatJustChangedIsNotRemembered(t *testing.T) {
	w, f := build(t, Deps{}), put(t, filepath.Join(t.TempDir(), "f"), "one", 0o644)
	for i := range 200 {
		text := fmt.Sprintf("%03d", i)
		put(t, f, text, 0o644)
		if got := look(t, w, f); got.SHA256 != hash(text) {
			t.Fatalf("change %d is not seen", i)
		}
	}
	if n := len(w.sums.at); n != 0 {
		t.Errorf("%d are remembered", n)
	}
	w = later(t, time.Hour)
	if look(t, w, "/proc/version"); len(w.sums.at) != 0 {
		t.Error("what the kernel makes up is remembered")
	}
}

// TestSums_WhatChangesWhileItIsReadIsNotRemembered.
func TestSums_WhatChangesWhileItIsReadIsNotRemembered(t *testing.T) {
	s, p := newSums(), put(t, filepath.Join(t.TempDir(), "f"), "one", 0o644)
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	tick(t, p)
	put(t, p, "two", 0o644)
	if s.keep(int(f.Fd()), &st, hash("one"), time.Now().Add(time.Hour)); len(s.at) != 0 {
		t.Error("remembered")
	}
}

// TestSums_AreBounded, and forgetting is never wrong.
func TestSums_AreBounded(t *testing.T) {
	w, dir := later(t, time.Hour), t.TempDir()
	w.sums.most = 10
	for range 3 {
		for i := range 25 {
			f := filepath.Join(dir, fmt.Sprint(i))
			if _, err := os.Stat(f); err != nil {
				put(t, f, fmt.Sprint(i), 0o600)
			}
			if got := look(t, w, f); got.SHA256 != hash(fmt.Sprint(i)) {
				t.Fatalf("%s: %+v", f, got)
			}
		}
	}
	if n := len(w.sums.at); n != 10 {
		t.Errorf("%d are remembered, at most 10 should be", n)
	}
}

// TestSums_NeverLie: whatever is done to some files in whatever order, the sum is
// that of the bytes that are there.
func TestSums_NeverLie(t *testing.T) {
	dir, size := t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		w, at := later(t, 0), time.Duration(0)
		w.now = func() time.Time { return time.Now().Add(at) }
		name := func() string { return filepath.Join(dir, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "file")) }
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "do") {
			case 0: // each of another size, since the clock of the files may stand still between two steps
				size++
				_ = os.WriteFile(name(), bytes.Repeat([]byte("x"), size), 0o600)
			case 1:
				_ = os.Rename(name(), name())
			case 2:
				_ = os.Remove(name())
			case 3:
				_ = os.Link(name(), name())
			case 4:
				at += time.Duration(rapid.IntRange(-3600, 3600).Draw(r, "seconds")) * time.Second
			}
			p := name()
			b, err := os.ReadFile(p)
			got := look(t, w, p)
			if err != nil && got.Type != "" || err == nil && got.SHA256 != hash(string(b)) {
				r.Fatalf("%s holds %q, and is seen as %+v", p, b, got)
			}
		}
	})
}

// BenchmarkFileUnchanged is one look at a file of 2 KiB that nobody touched: 20,000
// of them in a round of a minute may take 15 µs each to stay under half a percent
// of a core. In several folders, three below the root of the test.
func BenchmarkFileUnchanged(b *testing.B) { benchmarkFile(b, later(b, time.Hour)) }

// BenchmarkFileHash is the same file read and hashed.
func BenchmarkFileHash(b *testing.B) { benchmarkFile(b, build(b, Deps{})) }

func benchmarkFile(b *testing.B, w *World) {
	dir := b.TempDir()
	var paths []string
	for i := range 1000 {
		paths = append(paths, put(b, filepath.Join(dir, "etc", fmt.Sprint("d", i%50), fmt.Sprint("f", i)), strings.Repeat("a line of a config file\n", 85), 0o644))
		look(b, w, paths[i])
	}
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		look(b, w, paths[n%len(paths)])
		n++
	}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/float64(n)/1e3, "cpu-µs/op")
}
