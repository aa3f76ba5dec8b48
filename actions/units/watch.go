package units

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"vigil/engine/fault"
)

// Change is what somebody else than this process did to a unit.
type Change struct {
	Unit    string
	Stopped bool // by a job that asked for it; else it runs again, whoever started it
}

// signals is how many of systemd's signals may wait before some are lost; a job
// is two. What gets lost is an inference that is not made.
const signals = 4096

// answer bounds one question to systemd.
const answer = 5 * time.Second

const (
	managerPath  = "/org/freedesktop/systemd1"
	managerIface = "org.freedesktop.systemd1.Manager"
	jobIface     = "org.freedesktop.systemd1.Job"
	unitIface    = "org.freedesktop.systemd1.Unit"
	unitPath     = managerPath + "/unit"
	propsIface   = "org.freedesktop.DBus.Properties"
	service      = "org.freedesktop.systemd1"
)

// Watch tells of units that were stopped by a job which this process did not
// ask for, and of units that a job brought up. A death without a job is nothing
// here: nobody asked for it. Stops of a host that goes down are left out.
//
// It blocks until ctx ends (nil) or the connection breaks; up is called once it
// listens, and tell for each change, both from its own goroutine. Unsupported
// where systemd does not run.
func (m *Manager) Watch(ctx context.Context, up func(), tell func(Change)) error {
	if !m.systemd() {
		return fault.New(fault.Unsupported, "only systemd tells what was stopped")
	}
	c, bus, err := m.listen(ctx)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "systemd cannot be listened to")
	}
	defer c.Close()
	heard := make(chan *godbus.Signal, signals)
	c.Signal(heard) // the library closes it with the connection
	w := &watch{m: m, c: c, open: map[uint32]job{}, last: map[string]string{}, busy: map[string]uint32{}}
	if bus { // the private socket tells everything to everybody unasked
		err = c.AddMatchSignalContext(ctx, godbus.WithMatchSender(service), godbus.WithMatchInterface(managerIface), godbus.WithMatchObjectPath(managerPath))
		if err == nil {
			err = c.AddMatchSignalContext(ctx, godbus.WithMatchSender(service), godbus.WithMatchInterface(propsIface), godbus.WithMatchPathNamespace(unitPath))
		}
		if err == nil {
			err = c.Object(service, managerPath).CallWithContext(ctx, managerIface+".Subscribe", 0).Err
		}
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "systemd does not tell of its jobs")
	}
	w.aliases(ctx)
	up()
	m.ears.tell("")
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, ok := <-heard:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				return fault.New(fault.Unavailable, "the connection to systemd broke")
			}
			m.ears.take(s) // first: the watch asks back, and this does not wait
			w.take(ctx, s, tell)
			if whichever(s) {
				w.aliases(ctx)
			}
		}
	}
}

// watch is one connection's view of the jobs.
type watch struct {
	m    *Manager
	c    *godbus.Conn
	open map[uint32]job
	last map[string]string // ActiveState as last told, by the unit's path
	busy map[string]uint32 // the open job of a unit, by its path
}

// job is one that has begun.
type job struct {
	kind string // "" systemd had forgotten it when asked
	was  string // ActiveState when it began and when it had ended, "" not told
	last string
	ours bool
	told bool
}

// maxJobs bounds the jobs that are followed; one beyond it is judged when it ends.
const maxJobs = 10000

func (w *watch) take(ctx context.Context, s *godbus.Signal, tell func(Change)) {
	var id uint32
	var path godbus.ObjectPath
	var unit, result string
	switch s.Name {
	case managerIface + ".JobNew":
		if godbus.Store(s.Body, &id, &path, &unit) != nil || !watched(unit) {
			return
		}
		j := w.begun(ctx, id, path, unit)
		if j.kind == "stop" && !j.ours {
			j.told = w.stopped(ctx, unit, tell)
		}
		if len(w.open) < maxJobs {
			w.open[id] = j
			w.busy[pathOf(unit)] = id
		}
	case propsIface + ".PropertiesChanged":
		w.changed(s)
	case managerIface + ".JobRemoved":
		if godbus.Store(s.Body, &id, &path, &unit, &result) != nil || !watched(unit) {
			return
		}
		j := w.open[id]
		j.last = w.last[pathOf(unit)]
		delete(w.open, id)
		delete(w.busy, pathOf(unit))
		delete(w.last, pathOf(unit))
		w.ended(ctx, id, j, unit, result, tell)
	}
}

// changed notes the state that a unit was in when the signal was sent. A quick
// job is over, and its unit forgotten, before anybody can ask: then what was told
// is all there is.
func (w *watch) changed(s *godbus.Signal) {
	var iface string
	var props map[string]godbus.Variant
	if len(s.Body) < 2 || godbus.Store(s.Body[:2], &iface, &props) != nil || iface != unitIface {
		return
	}
	state, ok := props["ActiveState"].Value().(string)
	if !ok {
		return
	}
	path := string(s.Path)
	if id, ok := w.busy[path]; ok {
		if j := w.open[id]; j.was == "" {
			j.was = state
			w.open[id] = j
		}
	} else if len(w.last) >= maxJobs {
		clear(w.last)
	}
	w.last[path] = state
}

// watched leaves out what comes and goes with logins and hardware: nobody says
// anything by it.
func watched(unit string) bool {
	for _, p := range []string{"user@", "user-runtime-dir@", "session-"} {
		if strings.HasPrefix(unit, p) {
			return false
		}
	}
	switch unit[strings.LastIndexByte(unit, '.')+1:] {
	case "service", "socket", "timer", "mount", "automount", "path", "swap", "target":
		return true
	}
	return false
}

// begun asks what kind of job it is. Quick ones are over before the question is
// there.
func (w *watch) begun(ctx context.Context, id uint32, path godbus.ObjectPath, unit string) (j job) {
	ask, done := context.WithTimeout(ctx, answer)
	defer done()
	j.ours = w.m.jobs.ours(ask, unit, id, time.Now())
	if v, err := w.get(ask, path, jobIface, "JobType"); err == nil {
		j.kind, _ = v.Value().(string)
	}
	j.was = w.last[pathOf(unit)] // told just before the job
	return j
}

// ended looks at a job's end: a unit that runs now was started, and one that
// does not, after a job whose kind was not seen, was stopped if it ran when the
// job began.
func (w *watch) ended(ctx context.Context, id uint32, j job, unit, result string, tell func(Change)) {
	if j.told || j.kind == "stop" {
		return
	}
	ask, done := context.WithTimeout(ctx, answer)
	defer done()
	u, err := w.state(ask, unit)
	switch {
	case err != nil || result != "done":
	case running(u.active):
		if j.kind != "reload" {
			w.m.hand.started(unit)
			tell(Change{Unit: unit})
		}
	case j.kind == "" && running(j.was) && !running(j.last) && j.last != "" && !w.m.jobs.ours(ask, unit, id, time.Now()):
		w.stopped(ctx, unit, tell)
	}
}

// stopped tells of a stop unless the whole host is going down, or the unit is one
// that exists only while it runs, or is vigild itself.
func (w *watch) stopped(ctx context.Context, unit string, tell func(Change)) bool {
	ask, done := context.WithTimeout(ctx, answer)
	defer done()
	if v, err := w.get(ask, managerPath, managerIface, "SystemState"); err == nil && v.Value() == "stopping" {
		return false
	}
	if u, err := w.state(ask, unit); err != nil || u.load != "loaded" && u.load != "masked" || u.transient || u.invocation == w.m.conf.Own && u.invocation != "" {
		return false
	}
	w.m.hand.stopped(unit, time.Now())
	tell(Change{Unit: unit, Stopped: true})
	return true
}

// get reads one property; errors are systemd's own.
func (w *watch) get(ctx context.Context, path godbus.ObjectPath, iface, name string) (v godbus.Variant, err error) {
	err = w.c.Object(service, path).CallWithContext(ctx, propsIface+".Get", 0, iface, name).Store(&v)
	return v, err
}

// stand is how a unit stands, as far as the watch asks.
type stand struct {
	load, active string
	invocation   string
	transient    bool
}

func (w *watch) state(ctx context.Context, unit string) (s stand, err error) {
	var p map[string]godbus.Variant
	err = w.c.Object(service, godbus.ObjectPath(pathOf(unit))).CallWithContext(ctx, propsIface+".GetAll", 0, unitIface).Store(&p)
	s.load, _ = p["LoadState"].Value().(string)
	s.active, _ = p["ActiveState"].Value().(string)
	s.transient, _ = p["Transient"].Value().(bool)
	if id, ok := p["InvocationID"].Value().([]byte); ok {
		s.invocation = hex.EncodeToString(id)
	}
	return s, err
}

// running says that a unit in this state is up or coming up, or going down.
func running(active string) bool {
	switch active {
	case "active", "activating", "reloading", "deactivating":
		return true
	}
	return false
}

// pathOf is where a unit is on the bus.
func pathOf(unit string) string { return unitPath + "/" + escape(unit) }

// escape makes a unit's name an element of a bus path, as systemd does it.
func escape(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && i > 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("_" + string(hex[c>>4]) + string(hex[c&15]))
	}
	return b.String()
}

// Running says whether a unit is up or coming up. Reads only.
func (m *Manager) Running(ctx context.Context, unit string) (bool, error) {
	active, _, err := m.Now(ctx, unit)
	if err != nil {
		return false, err
	}
	switch active {
	case "active", "activating", "reloading":
		return true, nil
	case "":
		return false, errors.New("systemd gave no state")
	}
	return false, nil
}
