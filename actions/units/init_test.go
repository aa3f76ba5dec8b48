package units_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vigil/actions/units"
	"vigil/engine/fault"
)

// host is a made-up tree of a machine without systemd.
type host struct {
	t    testing.TB
	root string
}

func newHost(t testing.TB) *host { return &host{t, t.TempDir()} }

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) path(p string) string {
	h.must(os.MkdirAll(filepath.Dir(filepath.Join(h.root, p)), 0o755))
	return filepath.Join(h.root, p)
}

func (h *host) write(p, text string) { h.must(os.WriteFile(h.path(p), []byte(text), 0o755)) }
func (h *host) gone(p string)        { h.must(os.RemoveAll(h.path(p))) }
func (h *host) link(p string)        { h.must(os.Symlink("/etc/init.d/web", h.path(p))) }

// openrc is a host on which rc-service and rc-update do to the tree what those of
// OpenRC do.
func openrc(t testing.TB) *host {
	h := newHost(t)
	h.write("sbin/rc-service", fmt.Sprintf(`#!/bin/sh
cd %q/run/openrc || exit 1
case $2 in
zap) rm -f started/$1 ;;
start) [ -L started/$1 ] || { ln -s /etc/init.d/$1 started/$1; rm -rf daemons/$1; } ;;
stop) rm -f started/$1 ;;
esac
`, h.root))
	h.write("sbin/rc-update", fmt.Sprintf("#!/bin/sh\ncd %q/etc/runlevels || exit 1\ncase $1 in\nadd) ln -s /etc/init.d/$2 $3/$2 ;;\ndel) rm $3/$2 ;;\nesac\n", h.root))
	h.write("etc/init.d/web", "")
	h.write("etc/runlevels/default/other", "")
	h.write("run/openrc/started/other", "")
	return h
}

// runit is a host on which the service stands as runsv writes it: the bytes of the
// status as a real one has them.
func runit(t testing.TB) *host {
	h := newHost(t)
	h.write("etc/sv/web/run", "")
	h.must(os.MkdirAll(h.path("etc/service"), 0o755))
	return h
}

func (h *host) supervised(pid int, want, state byte, since time.Time) (ear *os.File) {
	h.t.Helper()
	if _, err := os.Lstat(h.path("etc/service/web")); err != nil {
		h.must(os.Symlink("../sv/web", h.path("etc/service/web")))
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(since.Unix())+10+1<<62)
	b = binary.BigEndian.AppendUint32(b, uint32(since.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(pid))
	h.write("etc/sv/web/supervise/status", string(append(b, 0, want, 0, state)))
	ok := h.path("etc/sv/web/supervise/ok")
	if _, err := os.Lstat(ok); err != nil {
		h.must(unix.Mkfifo(ok, 0o600))
	}
	ear, err := os.OpenFile(ok, os.O_RDONLY|unix.O_NONBLOCK, 0)
	h.must(err)
	h.t.Cleanup(func() { ear.Close() })
	return ear
}

// sysv is a host with an init script that says of itself what says is.
func sysv(t testing.TB, exit int) *host {
	h := newHost(t)
	h.write("etc/init.d/web", fmt.Sprintf("#!/bin/sh\ncase $1 in\nstatus) exit %d ;;\nesac\n", exit))
	h.must(os.MkdirAll(h.path("etc/rc3.d"), 0o755))
	return h
}

func (h *host) manager() *units.Manager { return manager(h.t, units.Config{Root: h.root}) }

// stands is how the service web is seen.
func (h *host) stands() string {
	h.t.Helper()
	p, err := h.manager().State(h.t.Context(), "web.service")
	if err != nil {
		return fault.KindOf(err).String()
	}
	return fmt.Sprint(p["Init"], " ", p["LoadState"], " ", p["ActiveState"], " ", p["UnitFileState"])
}

// TestInit_TellsHowAServiceStands: what runs, what fell and what starts at boot, by
// the files that each init system keeps; SysV alone has to be asked.
func TestInit_TellsHowAServiceStands(t *testing.T) {
	since := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	for _, tc := range []struct {
		name string
		make func() *host
		want string
	}{
		{"openrc, stopped", func() *host { return openrc(t) }, "openrc loaded inactive disabled"},
		{"openrc, started", func() *host { h := openrc(t); h.link("run/openrc/started/web"); return h }, "openrc loaded active disabled"},
		{"openrc, starting", func() *host { h := openrc(t); h.link("run/openrc/starting/web"); return h }, "openrc loaded activating disabled"},
		{"openrc, failed", func() *host { h := openrc(t); h.link("run/openrc/failed/web"); return h }, "openrc loaded failed disabled"},
		{"openrc, at boot", func() *host { h := openrc(t); h.link("etc/runlevels/boot/web"); return h }, "openrc loaded inactive enabled"},
		{"openrc, at the end alone", func() *host { h := openrc(t); h.link("etc/runlevels/shutdown/web"); return h }, "openrc loaded inactive disabled"},
		{"openrc, its daemon lives", func() *host {
			h := openrc(t)
			h.link("run/openrc/started/web")
			h.write("run/openrc/daemons/web/001", "exec=/usr/bin/web\npidfile=/run/web.pid\n")
			h.write("run/web.pid", fmt.Sprint(os.Getpid(), "\n"))
			return h
		}, "openrc loaded active disabled"},
		{"openrc, its daemon fell", func() *host {
			h := openrc(t)
			h.link("run/openrc/started/web")
			h.write("run/openrc/daemons/web/001", "exec=/usr/bin/web\npidfile=/run/web.pid\n")
			h.write("run/web.pid", "4194305\n") // beyond the kernel's highest
			return h
		}, "openrc loaded failed disabled"},
		{"openrc, no such", func() *host { h := openrc(t); h.gone("etc/init.d/web"); return h }, "openrc not-found inactive "},

		{"runit, not linked", func() *host { return runit(t) }, "runit loaded inactive disabled"},
		{"runit, runs", func() *host { h := runit(t); h.supervised(7, 'u', 1, since); return h }, "runit loaded active enabled"},
		{"runit, about to run again", func() *host { h := runit(t); h.supervised(0, 'u', 0, since); return h }, "runit loaded activating enabled"},
		{"runit, down", func() *host { h := runit(t); h.supervised(0, 'd', 0, since); return h }, "runit loaded inactive enabled"},
		{"runit, finishes", func() *host { h := runit(t); h.supervised(7, 'd', 2, since); return h }, "runit loaded deactivating enabled"},
		{"runit, down at boot", func() *host {
			h := runit(t)
			h.supervised(7, 'u', 1, since)
			h.write("etc/sv/web/down", "")
			return h
		}, "runit loaded active disabled"},
		{"runit, runsv is dead", func() *host { h := runit(t); h.supervised(7, 'u', 1, since).Close(); return h }, "runit loaded inactive enabled"},
		{"runit, torn status", func() *host {
			h := runit(t)
			h.supervised(7, 'u', 1, since)
			h.write("etc/sv/web/supervise/status", "short")
			return h
		}, "unavailable"},
		{"runit, no such", func() *host { h := runit(t); h.gone("etc/sv/web"); return h }, "runit not-found inactive "},

		{"sysv, runs", func() *host { return sysv(t, 0) }, "sysv loaded active disabled"},
		{"sysv, fell", func() *host { return sysv(t, 1) }, "sysv loaded failed disabled"},
		{"sysv, fell with a lock", func() *host { return sysv(t, 2) }, "sysv loaded failed disabled"},
		{"sysv, stopped", func() *host { return sysv(t, 3) }, "sysv loaded inactive disabled"},
		{"sysv, it does not know", func() *host { return sysv(t, 4) }, "unavailable"},
		{"sysv, at boot", func() *host { h := sysv(t, 0); h.link("etc/rc3.d/S20web"); return h }, "sysv loaded active enabled"},
		{"sysv, another's link", func() *host { h := sysv(t, 0); h.link("etc/rc3.d/S20web2"); h.link("etc/rc3.d/K20web"); return h }, "sysv loaded active disabled"},
		{"sysv, no runlevels", func() *host { h := sysv(t, 0); h.gone("etc/rc3.d"); return h }, "sysv loaded active "},
		{"sysv, a script that cannot say", func() *host { h := sysv(t, 0); h.write("etc/init.d/web", "#!/bin/sh\nexit 0\n"); return h }, "unsupported"},
		{"sysv, no such", func() *host { h := sysv(t, 0); h.gone("etc/init.d/web"); return h }, "sysv not-found inactive "},
		{"nothing", func() *host { return newHost(t) }, "unsupported"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := tc.make()
			h.t = t
			if got := h.stands(); got != tc.want {
				t.Errorf("%q, not %q", got, tc.want)
			}
			for _, unit := range []string{"web.timer", "../web.service", "a/b.service"} {
				if p, err := h.manager().State(t.Context(), unit); err == nil {
					t.Errorf("%s: %v", unit, p)
				}
			}
		})
	}
}

// TestInit_TellsSinceWhen: config, which wants a service to have started after a
// file changed, needs that; where it cannot be told the field is named.
func TestInit_TellsSinceWhen(t *testing.T) {
	began := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	look := func(h *host) (uint64, []string) {
		p, err := h.manager().State(t.Context(), "web.service")
		h.must(err)
		us, _ := p["ActiveEnterTimestamp"].(uint64)
		no, _ := p["Untold"].([]string)
		return us, no
	}
	h := openrc(t)
	h.link("run/openrc/started/web")
	ts := unix.NsecToTimeval(began.UnixNano())
	h.must(unix.Lutimes(h.path("run/openrc/started/web"), []unix.Timeval{ts, ts}))
	if us, no := look(h); us != uint64(began.UnixMicro()) || slices.Contains(no, "config") || !slices.Contains(no, "masked") {
		t.Errorf("openrc: %d, %v", us, no)
	}
	h = runit(t)
	h.supervised(7, 'u', 1, began)
	if us, no := look(h); us != uint64(began.UnixMicro()) || slices.Contains(no, "config") || !slices.Contains(no, "file") {
		t.Errorf("runit: %d, %v", us, no)
	}
	h = sysv(t, 0)
	if us, no := look(h); us != 0 || !slices.Contains(no, "config") || slices.Contains(no, "enabled") {
		t.Errorf("sysv: %d, %v", us, no)
	}
	h.gone("etc/rc3.d")
	if _, no := look(h); !slices.Contains(no, "enabled") {
		t.Errorf("sysv without runlevels: %v", no)
	}
}

// TestInit_EnablesAndDisables: what starts at boot is switched by each init system's
// own means, told to have changed once, and seen by the next look.
func TestInit_EnablesAndDisables(t *testing.T) {
	service := runit(t)
	service.supervised(7, 'u', 1, time.Now())
	bare := runit(t)
	rc := sysv(t, 0)
	rc.write("usr/sbin/update-rc.d", fmt.Sprintf("#!/bin/sh\ncd %q/etc/rc3.d || exit 1\ncase $2 in\ndefaults) ln -s ../init.d/$1 S01$1 ;;\nenable) mv K01$1 S01$1 ;;\ndisable) mv S01$1 K01$1 ;;\nesac\n", rc.root))
	chk := sysv(t, 0)
	chk.write("sbin/chkconfig", fmt.Sprintf("#!/bin/sh\ncd %q/etc/rc3.d || exit 1\ncase $2 in\non) ln -s ../init.d/$1 S01$1 ;;\noff) rm S01$1 ;;\nesac\n", chk.root))
	for name, h := range map[string]*host{"openrc": openrc(t), "runit": service, "runit, not linked": bare, "update-rc.d": rc, "chkconfig": chk} {
		for _, verb := range []string{"disable", "enable", "disable", "enable"} {
			was := strings.HasSuffix(h.stands(), verb+"d")
			changed, err := h.manager().Files(t.Context(), verb, "web.service", nil)
			if err != nil || changed == was || !strings.HasSuffix(h.stands(), verb+"d") {
				t.Errorf("%s: %s: changed %v, %v: %s", name, verb, changed, err, h.stands())
			}
			if changed, err = h.manager().Files(t.Context(), verb, "web.service", nil); err != nil || changed {
				t.Errorf("%s: %s again: changed %v, %v", name, verb, changed, err)
			}
			if is, err := h.manager().Is(t.Context(), verb, "web.service"); err != nil || !is {
				t.Errorf("%s: is it %sd? %v, %v", name, verb, is, err)
			}
		}
		for _, verb := range []string{"mask", "unmask", "daemon-reload"} {
			if _, err := h.manager().Files(t.Context(), verb, "web.service", nil); fault.KindOf(err) != fault.Unsupported {
				t.Errorf("%s: %s: %v", name, verb, err)
			}
		}
		no := fault.New(fault.Forbidden, "no")
		if _, err := h.manager().Files(t.Context(), "disable", "web.service", func(string) error { return no }); err != no || strings.HasSuffix(h.stands(), "disabled") {
			t.Errorf("%s: against the gate: %v", name, err)
		}
	}
	early := openrc(t)
	early.link("etc/runlevels/boot/web")
	if _, err := early.manager().Files(t.Context(), "disable", "web.service", nil); fault.KindOf(err) != fault.Conflict || early.stands() != "openrc loaded inactive enabled" {
		t.Errorf("one that the boot needs: %v", err)
	}
	deaf := sysv(t, 0)
	if _, err := deaf.manager().Files(t.Context(), "enable", "web.service", nil); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("nothing there that could: %v", err)
	}
	gone := openrc(t)
	gone.gone("etc/init.d/web")
	if _, err := gone.manager().Files(t.Context(), "enable", "web.service", nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such service: %v", err)
	}
}

// TestInit_WhatFellIsStarted: OpenRC takes a service whose daemon fell for started,
// and does nothing when asked to start it.
func TestInit_WhatFellIsStarted(t *testing.T) {
	h := openrc(t)
	h.link("run/openrc/started/web")
	h.write("run/openrc/daemons/web/001", "pidfile=/run/web.pid\n")
	if got := h.stands(); got != "openrc loaded failed disabled" {
		t.Fatal(got)
	}
	if d, err := h.manager().Do(t.Context(), "start", "web.service", nil); err != nil || !d.OK {
		t.Fatalf("%+v, %v", d, err)
	}
	if got := h.stands(); got != "openrc loaded active disabled" {
		t.Error(got)
	}
}
