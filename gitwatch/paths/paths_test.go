package paths

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/engine/fault"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, cfg Config, paths ...string) <-chan struct{} {
	t.Helper()
	nudges := make(chan struct{}, 100)
	w, err := New(cfg, Deps{Paths: paths, Log: slog.New(slog.DiscardHandler), Nudge: func(context.Context) { nudges <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return nudges
}

func await(t *testing.T, nudges <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-nudges:
	case <-time.After(time.Minute):
		t.Fatalf("no nudge after %s", what)
	}
}

// A change is written again and again until it is noticed, because the watch
// begins at a moment that the test cannot see.
func touchUntil(t *testing.T, nudges <-chan struct{}, what string, change func(i int)) {
	t.Helper()
	for i := range 600 {
		change(i)
		select {
		case <-nudges:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("no nudge after %s", what)
}

func eager() Config {
	c := Defaults()
	c.Debounce, c.Rescan = 5*time.Millisecond, time.Hour
	return c
}

func TestWatcherNudgesOnEveryKindOfChange(t *testing.T) {
	dir := t.TempDir()
	nudges := start(t, eager(), filepath.Join(dir, "policies"), filepath.Join(dir, "vigil.toml"))
	touchUntil(t, nudges, "the folder appeared", func(i int) {
		os.RemoveAll(filepath.Join(dir, "policies"))
		put(t, filepath.Join(dir, "policies", "a.yaml"), string(rune('a'+i)))
	})
	touchUntil(t, nudges, "a file in a new folder", func(i int) { put(t, filepath.Join(dir, "policies", "deep", "b.yaml"), string(rune('a'+i))) })
	touchUntil(t, nudges, "a file was replaced", func(i int) {
		put(t, filepath.Join(dir, ".new"), string(rune('a'+i)))
		if err := os.Rename(filepath.Join(dir, ".new"), filepath.Join(dir, "vigil.toml")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWatcherLeavesNeighboursAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	put(t, file, "1")
	nudges := start(t, eager(), file)
	touchUntil(t, nudges, "a write", func(i int) { put(t, file, string(rune('a'+i))) })
	for try := 0; ; try++ { // what the writes above still bring may come late, but once
		put(t, filepath.Join(dir, "other.toml"), string(rune('a'+try)))
		select {
		case <-nudges:
			if try == 20 {
				t.Fatal("a neighbour's change is a nudge each time")
			}
		case <-time.After(150 * time.Millisecond):
			return
		}
	}
}

// A lost event costs time and nothing else.
func TestWatcherRescansWithoutEvents(t *testing.T) {
	cfg := Defaults()
	cfg.Rescan = 10 * time.Millisecond
	await(t, start(t, cfg, filepath.Join(t.TempDir(), "not", "there")), "a rescan")
}

func TestReadRevisionIsTheContent(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "b.yaml"), "two")
	put(t, filepath.Join(dir, "a", "a.yml"), "one")
	put(t, filepath.Join(dir, "note.txt"), "no document")
	put(t, filepath.Join(dir, ".hidden.yaml"), "no")
	read := func() Content {
		t.Helper()
		c, err := Read([]string{dir}, ".yaml", ".yml")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := read()
	if len(one.Files) != 2 || string(one.Files[0].Data) != "one" || one.Files[1].Path != filepath.Join(dir, "b.yaml") {
		t.Fatalf("files %v", one.Files)
	}
	put(t, filepath.Join(dir, "note.txt"), "still none")
	if read().Revision != one.Revision {
		t.Error("a file that is no document changed the revision")
	}
	put(t, filepath.Join(dir, "b.yaml"), "TWO")
	two := read()
	if two.Revision == one.Revision {
		t.Error("a changed byte left the revision alone")
	}
	put(t, filepath.Join(dir, "b.yaml"), "two")
	if read().Revision != one.Revision {
		t.Error("equal content has another revision")
	}
}

func TestReadRefuses(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	put(t, outside, "secret")
	tests := []struct {
		name string
		make func(dir string) error
		kind fault.Kind
	}{
		{"a file that anybody may write", func(d string) error {
			put(t, filepath.Join(d, "x.yaml"), "x")
			return os.Chmod(filepath.Join(d, "x.yaml"), 0o666)
		}, fault.Forbidden},
		{"a folder that anybody may write", func(d string) error {
			put(t, filepath.Join(d, "in", "x.yaml"), "x")
			return os.Chmod(filepath.Join(d, "in"), 0o777)
		}, fault.Forbidden},
		{"a link that leaves the folder", func(d string) error { return os.Symlink(outside, filepath.Join(d, "x.yaml")) }, fault.Unavailable},
		{"a huge file", func(d string) error {
			put(t, filepath.Join(d, "x.yaml"), string(make([]byte, MaxFile+1)))
			return nil
		}, fault.TooLarge},
		{"no folder", func(d string) error { return os.Remove(d) }, fault.NotFound},
		{"a folder named as a document", func(d string) error { return os.Symlink(".", filepath.Join(d, "x.yaml")) }, fault.Unprocessable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			c, err := Read([]string{dir}, ".yaml")
			if got := fault.KindOf(err); got != tt.kind {
				t.Errorf("kind %v (%v), want %v", got, err, tt.kind)
			}
			if len(c.Files) != 0 {
				t.Error("half a folder was given back")
			}
		})
	}
}

func TestReadFollowsLinksInside(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "..data", "x.yaml"), "mounted")
	if err := os.Symlink(filepath.Join("..data", "x.yaml"), filepath.Join(dir, "x.yaml")); err != nil {
		t.Fatal(err)
	}
	c, err := Read([]string{dir}, ".yaml")
	if err != nil || len(c.Files) != 1 || string(c.Files[0].Data) != "mounted" {
		t.Errorf("%v %v", c, err)
	}
}
