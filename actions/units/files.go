package units

import (
	"context"
	"slices"
	"strings"

	"vigil/engine/fault"
)

// FileVerbs lists what can be asked of a unit's files.
func FileVerbs() []string { return []string{"daemon-reload", "enable", "disable", "mask", "unmask"} }

// Files asks systemd to change what it knows of a unit's files, and to read them
// anew; it tells whether something changed. before, if not nil, is called with the
// unit's own name, of which the given one may be an alias; its error prevents the
// change. Blocks until systemd has answered. Where another init system runs, enable
// and disable go to that, and the rest is Unsupported. Errors: NotFound, Conflict,
// Forbidden, Unavailable.
func (m *Manager) Files(ctx context.Context, verb, unit string, before func(id string) error) (changed bool, err error) {
	if !m.systemd() {
		return m.inits.Files(ctx, verb, unit, before)
	}
	c, err := m.connect(ctx)
	if err != nil {
		return false, fault.Wrap(fault.Unavailable, err, "systemd cannot be reached to %s %s", verb, unit)
	}
	defer c.Close()
	if verb != "daemon-reload" {
		u, err := m.others(ctx, c, unit)
		if err == nil && before != nil {
			err = before(u.id)
		}
		if err != nil {
			return false, err
		}
	}
	names := []string{unit}
	switch verb {
	case "daemon-reload":
		changed = true
	case "enable":
		is, ch, e := c.EnableUnitFilesContext(ctx, names, false, false)
		if changed, err = len(ch) > 0, e; e == nil && !is && len(ch) == 0 {
			return false, fault.New(fault.Conflict, "%s says nowhere when it is to start, so it cannot be enabled", unit).Mend("write an [Install] section into its unit file")
		}
	case "disable":
		ch, e := c.DisableUnitFilesContext(ctx, names, false)
		changed, err = len(ch) > 0, e
	case "mask":
		ch, e := c.MaskUnitFilesContext(ctx, names, false, false)
		changed, err = len(ch) > 0, e
	case "unmask":
		ch, e := c.UnmaskUnitFilesContext(ctx, names, false)
		changed, err = len(ch) > 0, e
	default:
		return false, fault.New(fault.Unprocessable, "%q is nothing that can be asked of a unit's files", verb)
	}
	if err != nil {
		return false, refused(err, verb, unit)
	}
	if changed {
		if err := c.ReloadContext(ctx); err != nil {
			return false, refused(err, "reload its configuration after it was asked to "+verb, unit)
		}
	}
	return changed, nil
}

// Is reports whether a unit's files stand as a verb would leave them.
func (m *Manager) Is(ctx context.Context, verb, unit string) (bool, error) {
	p, err := m.State(ctx, unit)
	if err != nil {
		return false, err
	}
	state, _ := p["UnitFileState"].(string)
	masked := strings.HasPrefix(state, "masked") || p["LoadState"] == "masked"
	switch verb {
	case "enable":
		return strings.HasPrefix(state, "enabled"), nil
	case "disable":
		return !strings.HasPrefix(state, "enabled"), nil
	case "mask":
		return masked, nil
	case "unmask":
		return !masked, nil
	}
	return false, nil
}

// State is the properties of a unit that tell how it stands, by systemd's own
// names. One that does not exist has the LoadState not-found. Where another init
// system runs, it tells of a service by the same names, with its own name as Init
// and, as Untold, the fields of a document of kind Service that it has no word for.
// Reads only. Errors: Unsupported (nothing here tells), Unavailable, Forbidden.
func (m *Manager) State(ctx context.Context, unit string) (map[string]any, error) {
	if !m.systemd() {
		if name, err := Canonical(unit); err != nil || name != unit {
			return nil, fault.New(fault.Unprocessable, "%q is not the whole name of a unit", unit)
		}
		return m.inits.State(ctx, unit)
	}
	c, err := m.connect(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "systemd cannot be reached")
	}
	defer c.Close()
	p, err := c.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return nil, refused(err, "look at", unit)
	}
	for k := range p {
		if !slices.Contains([]string{"LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "ActiveEnterTimestamp"}, k) {
			delete(p, k)
		}
	}
	return p, nil
}
