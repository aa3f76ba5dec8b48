package units

import (
	"strconv"
	"strings"
	"sync"

	godbus "github.com/godbus/dbus/v5"
)

// ears are those who want to know of every change of a unit.
type ears struct {
	mu   sync.Mutex
	last int
	all  map[int]func(unit string)
}

// Hear calls ear with the name of each unit of which systemd tells that it
// changed, by whomever and for whatever reason, and with "" when any may have:
// unit files changed, systemd read its files again, or it was not listened to
// for a while. That is a hint to look, and more than one may come for one change.
//
// It hears while [Manager.Watch] runs and asks systemd nothing. ear is called from
// Watch's goroutine and must return at once. stop ends it; ear may be running
// still when stop returns.
func (m *Manager) Hear(ear func(unit string)) (stop func()) {
	e := &m.ears
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[int]func(string){}
	}
	e.last++
	id := e.last
	e.all[id] = ear
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.all, id)
	}
}

// tell passes a name on.
func (e *ears) tell(unit string) {
	e.mu.Lock()
	list := make([]func(string), 0, 4)
	for _, ear := range e.all {
		list = append(list, ear)
	}
	e.mu.Unlock()
	for _, ear := range list {
		ear(unit)
	}
}

// take passes on what a signal means.
func (e *ears) take(s *godbus.Signal) {
	switch s.Name {
	case propsIface + ".PropertiesChanged":
		var iface string
		if len(s.Body) == 0 || godbus.Store(s.Body[:1], &iface) != nil || iface != unitIface {
			return // a service tells of itself as a unit too
		}
		if at, ok := strings.CutPrefix(string(s.Path), unitPath+"/"); ok {
			e.tell(unescape(at))
		}
	default:
		if whichever(s) {
			e.tell("")
		}
	}
}

// whichever says that a signal is about whatever unit: the files changed, or systemd has
// read them again.
func whichever(s *godbus.Signal) bool {
	if s.Name == managerIface+".Reloading" {
		var begins bool
		return godbus.Store(s.Body, &begins) == nil && !begins
	}
	return s.Name == managerIface+".UnitFilesChanged"
}

// unescape makes an element of a bus path a unit's name again; see escape.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
