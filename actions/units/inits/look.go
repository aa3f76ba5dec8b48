package inits

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vigil/engine/fault"
)

// standing is how a service stands with an init system other than systemd.
type standing struct {
	missing bool      // nothing describes it
	active  string    // active, activating, deactivating, inactive, failed
	boot    string    // enabled, disabled; "" it cannot be told
	since   time.Time // when it started; zero is not known
}

// asking bounds a program that is asked how a service stands.
const asking = 10 * time.Second

// service is the name that an init system other than systemd has for a unit.
func service(unit string) (string, error) {
	name, ok := strings.CutSuffix(unit, ".service")
	if !ok {
		return "", fault.New(fault.Unsupported, "%s is a thing of systemd, and systemd does not run here", unit)
	}
	return name, nil
}

// stands looks at a service by the init system that keeps it.
func (m *Inits) stands(ctx context.Context, unit string) (name string, s script, is standing, err error) {
	if name, err = service(unit); err != nil {
		return name, s, is, err
	}
	s, found := m.keeper(name)
	switch {
	case s.name == "":
		return name, s, is, fault.New(fault.Unsupported, "nothing here tells how %s stands: neither systemd, OpenRC, runit nor init scripts were found", unit)
	case found == "":
		return name, s, standing{missing: true}, nil
	}
	ctx, stop := context.WithTimeout(ctx, asking)
	defer stop()
	is, err = s.look(m, ctx, name)
	return name, s, is, err
}

// State tells how a service stands by systemd's names for it, with the name of the
// init system as Init and, as Untold, the fields of a document of kind Service that
// it has no word for. unit is canonical. Reads only. Errors: Unsupported (nothing
// here tells), Unavailable, Forbidden.
func (m *Inits) State(ctx context.Context, unit string) (map[string]any, error) {
	_, s, is, err := m.stands(ctx, unit)
	if err != nil {
		return nil, err
	}
	p := map[string]any{"Init": s.name, "LoadState": "loaded", "ActiveState": is.active, "UnitFileState": is.boot, "NeedDaemonReload": false, "Untold": s.untold}
	switch {
	case is.missing:
		p["LoadState"], p["ActiveState"] = "not-found", "inactive"
	case is.boot == "":
		p["Untold"] = append(s.untold, "enabled")
	}
	if !is.since.IsZero() {
		p["ActiveEnterTimestamp"] = uint64(is.since.UnixMicro())
	}
	return p, nil
}

// Files enables or disables a service, and tells whether that changed something.
// unit is canonical; the error of before, if not nil, prevents the change. Errors:
// Unsupported (another verb, or nothing here can), NotFound, Conflict, Unavailable.
func (m *Inits) Files(ctx context.Context, verb, unit string, before func(string) error) (bool, error) {
	if verb != "enable" && verb != "disable" {
		return false, fault.New(fault.Unsupported, "there is no systemd here to %s %s", verb, unit)
	}
	name, s, is, err := m.stands(ctx, unit)
	if err != nil {
		return false, err
	}
	if is.missing {
		return false, fault.New(fault.NotFound, "%s keeps no service %s", s.name, name)
	}
	if before != nil {
		if err := before(unit); err != nil {
			return false, err
		}
	}
	if is.boot == verb+"d" {
		return false, nil
	}
	if err := s.boot(m, ctx, name, verb == "enable"); err != nil {
		return false, err
	}
	if _, _, is, err = m.stands(ctx, unit); err == nil && is.boot != verb+"d" {
		err = fault.New(fault.Conflict, "%s was asked to %s %s, and it is not %sd", s.name, verb, name, verb)
	}
	return true, err
}

// beside is where a program is, by its name: in /sbin or in /usr/sbin; "" in neither.
func (m *Inits) beside(name string) string {
	for _, p := range []string{"/sbin/" + name, "/usr/sbin/" + name} {
		if m.is(p) {
			return p
		}
	}
	return ""
}

// ask runs a program that has to end well.
func (m *Inits) ask(ctx context.Context, argv ...string) error {
	what := strings.Join(argv, " ")
	o, err := m.program(ctx, argv...)
	switch {
	case err != nil:
		return err
	case o.TimedOut || o.Cancelled:
		return fault.New(fault.Unavailable, "%s did not end in time", what)
	case o.Exit != 0:
		return fault.New(fault.Conflict, "%s ended with %d: %.300s", what, o.Exit, strings.TrimSpace(o.Output))
	}
	return nil
}

// under is where a path of the machine is.
func (m *Inits) under(path string) string { return filepath.Join("/", m.root, path) }

// names lists a folder, sorted; none where there is none.
func (m *Inits) names(dir string) ([]string, error) {
	es, err := os.ReadDir(m.under(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unseen(err, dir)
	}
	var out []string
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out, nil
}

// text is the first bytes of a small file.
func (m *Inits) text(path string, limit int64) ([]byte, error) {
	f, err := os.Open(m.under(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

func unseen(err error, path string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fault.Wrap(fault.Forbidden, err, "%s cannot be looked at", path)
	}
	return fault.Wrap(fault.Unavailable, err, "%s cannot be looked at", path)
}

// enabled is the word for whether a service starts with the machine.
func enabled(levels []string) string {
	if slices.Contains(levels, "shutdown") && len(levels) == 1 || len(levels) == 0 {
		return "disabled"
	}
	return "enabled"
}
