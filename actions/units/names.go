package units

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// names are the aliases that systemd told of, each with the unit's own name, so
// that what is locked, limited and left alone is the unit, however it is called.
type names struct {
	mu  sync.RWMutex
	own map[string]string
}

// maxNames bounds them.
const maxNames = 10000

// Name is the name by which systemd itself calls a unit, as far as it has told: the
// aliases that stand as files while [Manager.Watch] runs, and whatever a call met.
// Else it is the name given. It reads memory alone; concurrent.
func (m *Manager) Name(unit string) string {
	m.names.mu.RLock()
	defer m.names.mu.RUnlock()
	if own, ok := m.names.own[unit]; ok {
		return own
	}
	return unit
}

// prefix is that of the subjects that are units.
const prefix = "systemd:"

// Subject is a subject by the unit's own name, if it is a unit's; see Name.
func (m *Manager) Subject(subject string) string {
	if unit, ok := strings.CutPrefix(subject, prefix); ok {
		return prefix + m.Name(unit)
	}
	return subject
}

// learn takes in what a unit is called.
func (n *names) learn(unit, own string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if unit == own || own == "" {
		delete(n.own, unit)
		return
	}
	if n.own == nil || len(n.own) >= maxNames {
		n.own = map[string]string{}
	}
	n.own[unit] = own
}

// aliases asks for all of them anew. What cannot be told stays as it was: the next
// act by such a name learns it.
func (w *watch) aliases(ctx context.Context) {
	ask, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	var files []struct{ Path, State string }
	if w.c.Object(service, managerPath).CallWithContext(ask, managerIface+".ListUnitFilesByPatterns", 0, []string{"alias"}, []string{}).Store(&files) != nil {
		return
	}
	own := map[string]string{}
	for _, f := range files {
		unit := path.Base(f.Path)
		if strings.Contains(unit, "@.") || len(own) >= maxNames { // a template is no unit
			continue
		}
		v, err := w.get(ask, godbus.ObjectPath(pathOf(unit)), unitIface, "Id")
		if err != nil {
			return
		}
		if id, _ := v.Value().(string); id != "" && id != unit {
			own[unit] = id
		}
	}
	w.m.names.mu.Lock()
	defer w.m.names.mu.Unlock()
	w.m.names.own = own
}
