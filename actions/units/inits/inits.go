// Package inits is the init systems beside systemd: OpenRC, runit, and the init
// scripts of SysV, whichever is found to keep a service. It tells how a service
// stands, acts on it, and switches whether it starts with the machine.
//
// Looking reads the files that OpenRC and runit keep, and asks the script of SysV,
// which alone knows. It refuses what is no service, guessing where nothing tells,
// and to take out of the boot what OpenRC has in another runlevel than default.
// Every call blocks until the program that it ran has ended; nothing outlives one
// but the service.
package inits

import (
	"os"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// Config says where the init system is.
type Config struct {
	Root string // prefix of every path, for tests; "" is /
}

// Deps is what Inits need.
type Deps struct {
	Launcher *launch.Launcher
}

// Inits are the init systems of this machine. Concurrent.
type Inits struct {
	root     string
	launcher *launch.Launcher
}

// New makes Inits that have looked at nothing yet.
func New(c Config, d Deps) (*Inits, error) {
	if d.Launcher == nil {
		return nil, fault.New(fault.Internal, "init systems need a launcher")
	}
	return &Inits{root: c.Root, launcher: d.Launcher}, nil
}

// Done is how a verb ended.
type Done struct {
	OK       bool
	Init     string // openrc, runit, sysv
	Result   string // the program's outcome
	Output   string
	TimedOut bool
}

func (m *Inits) is(path string) bool {
	_, err := os.Lstat(m.under(path))
	return err == nil
}
