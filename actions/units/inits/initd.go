package inits

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vigil/actions/launch"
	"vigil/engine/fault"
)

// script is one init system that is a program.
type script struct {
	name  string
	there []string                                   // paths of which one shows that it keeps the service; %s is its name
	argv  func(found, service, verb string) []string // found is the one of there that is; the path is looked for under the root
	verbs []string
	// look tells how a service stands, from files where there are any. Reads only.
	look func(m *Inits, ctx context.Context, service string) (standing, error)
	// boot switches whether a service starts with the machine.
	boot func(m *Inits, ctx context.Context, service string, on bool) error
	// untold are the fields of a document of kind Service that it has no word for.
	untold []string
}

// scripts lists the init systems beside systemd, in the order they are tried.
func scripts() []script {
	return []script{
		{"openrc", []string{"/sbin/rc-service", "/usr/sbin/rc-service"},
			func(found, s, v string) []string { return []string{found, s, v} }, []string{"start", "stop", "restart", "reload"},
			(*Inits).lookOpenRC, (*Inits).bootOpenRC, []string{"masked", "file", "dropIns"}},
		{"runit", []string{"/etc/service/%s", "/var/service/%s", "/run/runit/service/%s", "/etc/sv/%s"},
			func(_, s, v string) []string { return []string{"/usr/bin/sv", "-v", v, s} }, []string{"start", "stop", "restart", "reload", "try-restart"},
			(*Inits).lookRunit, (*Inits).bootRunit, []string{"masked", "file", "dropIns"}},
		{"sysv", []string{"/etc/init.d/%s"},
			func(_, s, v string) []string { return []string{"/etc/init.d/" + s, v} }, []string{"start", "stop", "restart", "reload", "try-restart"},
			(*Inits).lookSysV, (*Inits).bootSysV, []string{"masked", "file", "dropIns", "config"}},
	}
}

// keeper is the init system that keeps a service, and what showed it; of found "",
// one that is here and does not keep it, or none.
func (m *Inits) keeper(service string) (s script, found string) {
	for _, s := range scripts() {
		for _, p := range s.there {
			if p = strings.ReplaceAll(p, "%s", service); m.is(p) {
				return s, p
			}
		}
	}
	for _, s := range scripts() {
		if slices.ContainsFunc(s.there, func(p string) bool { return m.is(strings.TrimSuffix(p, "/%s")) }) {
			return s, ""
		}
	}
	return script{}, ""
}

// Do carries out a verb on the service of a canonical unit. An error means that
// nothing was done: Unsupported (no service, or no such verb), Unavailable.
func (m *Inits) Do(ctx context.Context, verb, unit string) (Done, error) {
	service, err := service(unit)
	if err != nil {
		return Done{}, err
	}
	s, found := m.keeper(service)
	if found == "" {
		return Done{}, fault.New(fault.Unavailable, "nothing here can %s %s: systemd does not run, and neither OpenRC, runit nor /etc/init.d/%s was found", verb, service, service)
	}
	if !slices.Contains(s.verbs, verb) {
		return Done{}, fault.New(fault.Unsupported, "%s does not know how to %s %s", s.name, verb, service).
			Mend("one of %s", strings.Join(s.verbs, ", "))
	}
	if s.name == "openrc" && verb == "start" && m.fell(service) {
		// OpenRC takes it for started, and would do nothing.
		if d, err := m.run(ctx, s.name, s.argv(found, service, "zap")); err != nil || !d.OK {
			return d, err
		}
	}
	return m.run(ctx, s.name, s.argv(found, service, verb))
}

func (m *Inits) run(ctx context.Context, name string, argv []string) (Done, error) {
	// What it starts stays: that is what it is for.
	o, err := m.program(ctx, argv...)
	if err != nil {
		return Done{Init: name}, err
	}
	d := Done{Init: name, OK: o.Exit == 0 && !o.TimedOut && !o.Cancelled, Output: o.Output, Result: fmt.Sprintf("exit %d", o.Exit)}
	if o.TimedOut || o.Cancelled {
		d.Result, d.TimedOut = "killed at the timeout", true
	}
	return d, nil
}

// program runs one of an init system's programs to its end.
func (m *Inits) program(ctx context.Context, argv ...string) (launch.Outcome, error) {
	argv[0] = filepath.Join("/", m.root, argv[0])
	p := launch.Program{Argv: argv, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}}
	if end, ok := ctx.Deadline(); ok {
		p.Timeout = max(time.Until(end), time.Millisecond)
	}
	return m.launcher.Run(ctx, p)
}
