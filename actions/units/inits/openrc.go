package inits

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"vigil/engine/fault"
)

// openrcState is where OpenRC keeps what it knows: a folder for each state, and in
// it one link for each service that is in it.
const openrcState = "/run/openrc/"

// lookOpenRC reads what rc-service status would.
func (m *Inits) lookOpenRC(_ context.Context, service string) (is standing, err error) {
	if !m.is("/etc/init.d/" + service) {
		return standing{missing: true}, nil
	}
	is.active = "inactive"
	for _, s := range []struct{ folder, active string }{{"failed", "failed"}, {"starting", "activating"}, {"stopping", "deactivating"}, {"started", "active"}} {
		if m.is(openrcState + s.folder + "/" + service) {
			is.active = s.active
			break
		}
	}
	if is.active == "active" {
		if m.fell(service) {
			is.active = "failed"
		} else if i, err := os.Lstat(m.under(openrcState + "started/" + service)); err == nil {
			is.since = i.ModTime() // the link is made anew at each start
		}
	}
	levels, err := m.runlevels(service)
	if err != nil {
		return standing{}, err
	}
	is.boot = enabled(levels)
	return is, nil
}

// runlevels are those that a service of OpenRC is in, sorted.
func (m *Inits) runlevels(service string) (in []string, err error) {
	all, err := m.names("/etc/runlevels")
	for _, l := range all {
		if m.is(path.Join("/etc/runlevels", l, service)) {
			in = append(in, l)
		}
	}
	return in, err
}

// fell says that a daemon which OpenRC has for started is not there any more: its
// pid file is gone, or names no process. One without a pid file is believed.
func (m *Inits) fell(service string) bool {
	if !m.is(openrcState + "started/" + service) {
		return false
	}
	dir := openrcState + "daemons/" + service
	daemons, _ := m.names(dir)
	for _, d := range daemons {
		b, err := m.text(path.Join(dir, d), 64<<10)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			at, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "pidfile=")
			if !ok || !path.IsAbs(at) {
				continue
			}
			b, err := m.text(at, 64)
			if errors.Is(err, fs.ErrNotExist) {
				return true
			}
			f := strings.Fields(string(b))
			if err != nil || len(f) == 0 {
				continue
			}
			if pid, err := strconv.Atoi(f[0]); err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				return true
			}
		}
	}
	return false
}

// bootOpenRC puts a service into the runlevel default, or takes it out. What is in
// another runlevel is there for the boot itself, and is left to people.
func (m *Inits) bootOpenRC(ctx context.Context, service string, on bool) error {
	update := m.beside("rc-update")
	if update == "" {
		return fault.New(fault.Unsupported, "rc-update is not here to change what starts with the machine")
	}
	if on {
		return m.ask(ctx, update, "add", service, "default")
	}
	levels, err := m.runlevels(service)
	if err != nil {
		return err
	}
	for _, l := range levels {
		if l != "default" && l != "shutdown" {
			return fault.New(fault.Conflict, "%s is in the runlevel %s, and vigild takes a service out of default alone", service, l).
				Mend("rc-update del %s %s", service, l)
		}
	}
	return m.ask(ctx, update, "del", service, "default")
}
