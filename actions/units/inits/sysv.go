package inits

import (
	"context"
	"path"
	"strings"

	"vigil/engine/fault"
)

// lookSysV asks the script itself: nothing else knows. The numbers are those that
// the Linux Standard Base gives to the verb status.
func (m *Inits) lookSysV(ctx context.Context, service string) (is standing, err error) {
	at := "/etc/init.d/" + service
	b, err := m.text(at, 1<<20)
	if err != nil {
		return standing{}, unseen(err, at)
	}
	// A script that does not know the verb answers with any number, often with that of
	// a service which is stopped. Those made by init-d-script have it from there.
	if !strings.Contains(string(b), "status") && !strings.Contains(string(b), "init-d-script") {
		return standing{}, fault.New(fault.Unsupported, "%s has no verb status, and nothing else tells how %s stands", at, service)
	}
	o, err := m.program(ctx, at, "status")
	if err != nil {
		return standing{}, err
	}
	switch {
	case o.TimedOut || o.Cancelled:
		return standing{}, fault.New(fault.Unavailable, "%s status did not end in time", at)
	case o.Exit == 0:
		is.active = "active"
	case o.Exit == 1 || o.Exit == 2: // dead, with its pid file or its lock left behind
		is.active = "failed"
	case o.Exit == 3:
		is.active = "inactive"
	default:
		return standing{}, fault.New(fault.Unavailable, "%s status ended with %d: %.300s", at, o.Exit, strings.TrimSpace(o.Output))
	}
	starts, _, known, err := m.rc(service)
	if known {
		is.boot = enabled(starts)
	}
	return is, err
}

// rc are the runlevels that a service starts with and those that it is named in at
// all; known is that there are any to be looked at.
func (m *Inits) rc(service string) (starts, named []string, known bool, err error) {
	for _, of := range []string{"/etc", "/etc/rc.d"} {
		for _, level := range []string{"S", "2", "3", "4", "5"} {
			dir := path.Join(of, "rc"+level+".d")
			all, err := m.names(dir)
			if err != nil {
				return nil, nil, false, err
			}
			known = known || m.is(dir)
			for _, n := range all {
				if len(n) < 3 || strings.TrimLeft(n[1:], "0123456789") != service {
					continue
				}
				named = append(named, level)
				if n[0] == 'S' {
					starts = append(starts, level)
				}
			}
		}
	}
	return starts, named, known, nil
}

// bootSysV has the links made by the program that the distribution has for it,
// which knows the order they have to be in.
func (m *Inits) bootSysV(ctx context.Context, service string, on bool) error {
	_, named, _, err := m.rc(service)
	debian, redhat := m.beside("update-rc.d"), m.beside("chkconfig")
	switch {
	case err != nil:
		return err
	case debian != "":
		verb := "disable"
		if on && len(named) == 0 {
			verb = "defaults"
		} else if on {
			verb = "enable"
		}
		return m.ask(ctx, debian, service, verb)
	case redhat != "":
		return m.ask(ctx, redhat, service, map[bool]string{true: "on", false: "off"}[on])
	}
	return fault.New(fault.Unsupported, "neither update-rc.d nor chkconfig is here to change what starts with the machine")
}
