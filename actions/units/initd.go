package units

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
}

// scripts lists the init systems beside systemd, in the order they are tried.
func scripts() []script {
	return []script{
		{"openrc", []string{"/sbin/rc-service", "/usr/sbin/rc-service"},
			func(found, s, v string) []string { return []string{found, s, v} }, []string{"start", "stop", "restart", "reload"}},
		{"runit", []string{"/etc/service/%s", "/var/service/%s", "/run/runit/service/%s", "/etc/sv/%s"},
			func(_, s, v string) []string { return []string{"/usr/bin/sv", "-v", v, s} }, []string{"start", "stop", "restart", "reload", "try-restart"}},
		{"sysv", []string{"/etc/init.d/%s"},
			func(_, s, v string) []string { return []string{"/etc/init.d/" + s, v} }, []string{"start", "stop", "restart", "reload", "try-restart"}},
	}
}

func (m *Manager) doInit(ctx context.Context, verb, unit string) (Done, error) {
	service, ok := strings.CutSuffix(unit, ".service")
	if !ok {
		return Done{}, fault.New(fault.Unsupported, "%s is a thing of systemd, and systemd does not run here", unit)
	}
	for _, s := range scripts() {
		i := slices.IndexFunc(s.there, func(p string) bool { return m.is(strings.ReplaceAll(p, "%s", service)) })
		if i < 0 {
			continue
		}
		if !slices.Contains(s.verbs, verb) {
			return Done{}, fault.New(fault.Unsupported, "%s does not know how to %s %s", s.name, verb, service).
				Mend("one of %s", strings.Join(s.verbs, ", "))
		}
		return m.run(ctx, s.name, s.argv(s.there[i], service, verb))
	}
	return Done{}, fault.New(fault.Unavailable, "nothing here can %s %s: systemd does not run, and neither OpenRC, runit nor /etc/init.d/%s was found", verb, service, service)
}

func (m *Manager) run(ctx context.Context, name string, argv []string) (Done, error) {
	argv[0] = filepath.Join("/", m.conf.Root, argv[0])
	p := launch.Program{Argv: argv, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}}
	if end, ok := ctx.Deadline(); ok {
		p.Timeout = max(time.Until(end), time.Millisecond)
	}
	// What it starts stays: that is what it is for.
	o, err := m.deps.Launcher.Run(ctx, p)
	if err != nil {
		return Done{Init: name}, err
	}
	d := Done{Init: name, OK: o.Exit == 0 && !o.TimedOut && !o.Cancelled, Output: o.Output, Result: fmt.Sprintf("exit %d", o.Exit)}
	if o.TimedOut || o.Cancelled {
		d.Result, d.TimedOut = "killed at the timeout", true
	}
	return d, nil
}
