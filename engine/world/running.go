package world

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// Unit looks at a unit of systemd or a service of another init system; see
// reconcile.World.
func (w *World) Unit(ctx context.Context, name string) (reconcile.Unit, error) {
	if w.deps.State == nil {
		return reconcile.Unit{}, fault.New(fault.Unsupported, "there is no init system that tells how %s stands", name)
	}
	p, err := w.deps.State(ctx, name)
	if err != nil {
		return reconcile.Unit{}, err
	}
	text := func(k string) string { s, _ := p[k].(string); return s }
	u := reconcile.Unit{Init: text("Init"), Load: text("LoadState"), Active: text("ActiveState"), FileState: text("UnitFileState")}
	u.Untold, _ = p["Untold"].([]string)
	u.NeedReload, _ = p["NeedDaemonReload"].(bool)
	if us, _ := p["ActiveEnterTimestamp"].(uint64); us > 0 && us < 1<<62 {
		u.Started = time.UnixMicro(int64(us))
	}
	return u, nil
}

// Sysctl reads a kernel parameter, named with slashes; see reconcile.World.
func (w *World) Sysctl(_ context.Context, name string) (string, bool, error) {
	if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return "", false, fault.New(fault.Unprocessable, "%q is no kernel parameter", name)
	}
	b, err := os.ReadFile(filepath.Join(w.proc, "sys", name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case errors.Is(err, fs.ErrPermission):
		return "", false, fault.Wrap(fault.Forbidden, err, "the kernel parameter %s cannot be read", name)
	case err != nil:
		return "", false, fault.Wrap(fault.Unavailable, err, "the kernel parameter %s cannot be read", name)
	}
	return strings.TrimSpace(string(b)), true, nil
}

// Process looks at a process that vigild keeps; see reconcile.World.
func (w *World) Process(_ context.Context, name string) (reconcile.Process, error) {
	if w.deps.Process == nil {
		return reconcile.Process{}, nil
	}
	return w.deps.Process(name)
}
