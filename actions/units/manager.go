// Package units starts and stops what the host's init system keeps: systemd over
// D-Bus, waiting for the job's own result, else OpenRC, runit or an init script,
// whichever is found (the room inits).
//
// It refuses masked units, names that are not names, and guessing: where no init
// system is found it says so. A call opens its own connection and closes it
// again; nothing outlives a call but the job in PID 1, which ends by itself.
// [Manager.Watch] tells what others stopped and started, and meanwhile
// [Manager.Hear] of every change.
package units

import (
	"context"
	"os"
	"path/filepath"

	"vigil/actions/launch"
	"vigil/actions/units/inits"
	"vigil/engine/fault"
)

// Config says where the init system is.
type Config struct {
	Bus  string // D-Bus address; "" is systemd's own socket, else the system bus
	Root string // prefix of /run and /etc, for tests; "" is /
	Own  string // InvocationID of the unit that this process is, "" none
}

// Deps is what a Manager needs.
type Deps struct {
	Launcher *launch.Launcher // for init systems that are programs
}

// Manager acts on units. Concurrent.
type Manager struct {
	conf Config
	jobs jobs // asked of systemd by this process
	hand hand // stopped by others a moment ago
	ears ears // told of every change

	names names // what units are called besides

	inits *inits.Inits // where systemd does not run
}

// New makes a Manager that has looked at nothing yet.
func New(c Config, d Deps) (*Manager, error) {
	if d.Launcher == nil {
		return nil, fault.New(fault.Internal, "units need a launcher")
	}
	i, err := inits.New(inits.Config{Root: c.Root}, inits.Deps{Launcher: d.Launcher})
	if err != nil {
		return nil, err
	}
	return &Manager{conf: c, inits: i}, nil
}

// Done is how a verb ended.
type Done struct {
	OK     bool
	Init   string // systemd, openrc, runit, sysv
	Result string // systemd's job result, or the program's outcome
	Before string // InvocationID before and after; systemd alone
	After  string
	Output string
	Unseen bool // the job was given over, its end was not seen

	TimedOut bool // the caller's time was over
}

// Do carries out a verb on a unit whose name is canonical, and blocks until its
// job has ended or ctx has. before, if not nil, is called before systemd does
// anything, with the unit's own name, of which the given one may be an alias, and
// its invocation id; its error prevents the act. An error means that nothing was
// done: NotFound, Conflict (masked, or stopped by a person while the act was
// decided), Forbidden (this process runs in it), Unavailable.
func (m *Manager) Do(ctx context.Context, verb, unit string, before func(id, invocation string) error) (Done, error) {
	if m.systemd() {
		return m.doSystemd(ctx, verb, unit, before)
	}
	d, err := m.inits.Do(ctx, verb, unit)
	return Done{OK: d.OK, Init: d.Init, Result: d.Result, Output: d.Output, TimedOut: d.TimedOut}, err
}

// systemd reports whether systemd is PID 1 here (sd_booted(3)).
func (m *Manager) systemd() bool {
	return m.conf.Bus != "" || m.is("/run/systemd/system")
}

func (m *Manager) is(path string) bool {
	_, err := os.Lstat(filepath.Join("/", m.conf.Root, path))
	return err == nil
}
