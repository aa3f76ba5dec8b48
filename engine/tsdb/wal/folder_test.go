package wal_test

import (
	"os"
	"path/filepath"
	"testing"

	"vigil/engine/tsdb/wal"
)

// TestLogWhoseFolderBecameAFile takes nothing more until the file is out of the way:
// what it went on to take would lie in a file without a name.
func TestLogWhoseFolderBecameAFile(t *testing.T) {
	cfg := small
	cfg.Dir = filepath.Join(t.TempDir(), "log")
	l, _, err := wal.Open(wal.OS{}, cfg, wal.Floor{}, func(wal.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(l, 10, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cfg.Dir, cfg.Dir+".was"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.Dir, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(); err != nil || l.Fault() == nil {
		t.Fatalf("not noticed: %v", err)
	}
	if ds, err := l.Repair(); err != nil || len(ds) != 1 || ds[0].Kind != wal.Removed {
		t.Fatal(ds, err)
	}
	if _, err := write(l, 10, 1); err == nil {
		t.Error("a record was taken")
	}
	if err := os.Remove(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Repair(); err != nil {
		t.Fatal(err)
	}
	if _, err := write(l, 10, 1); err != nil {
		t.Error("the folder is free again:", err)
	}
}
