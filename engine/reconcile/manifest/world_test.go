package manifest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"vigil/engine/reconcile"
)

// world is a machine in memory that stands still.
type world struct {
	files  map[string]reconcile.File
	units  map[string]reconcile.Unit
	sysctl map[string]string
	procs  map[string]reconcile.Process
}

func (w *world) File(_ context.Context, p string, look reconcile.Look) (reconcile.File, error) {
	f := w.files[p]
	if f.Type == "file" && look >= reconcile.LookHash {
		h := sha256.Sum256(f.Content)
		f.SHA256 = hex.EncodeToString(h[:])
	}
	if look != reconcile.LookContent {
		f.Content = nil
	}
	return f, nil
}

func (w *world) Entries(_ context.Context, p string) (out []reconcile.Entry, _ error) {
	for at, f := range w.files {
		if rest, ok := strings.CutPrefix(at, p+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, reconcile.Entry{Name: rest, Type: f.Type})
		}
	}
	return out, nil
}

func (w *world) Unit(_ context.Context, name string) (reconcile.Unit, error) {
	if u, ok := w.units[name]; ok {
		return u, nil
	}
	return reconcile.Unit{Load: "not-found", Active: "inactive"}, nil
}

func (w *world) Sysctl(_ context.Context, name string) (string, bool, error) {
	v, ok := w.sysctl[name]
	return v, ok, nil
}

func (w *world) Process(_ context.Context, name string) (reconcile.Process, error) {
	return w.procs[name], nil
}
