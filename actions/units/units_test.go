package units_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/actions/launch"
	"vigil/actions/units"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // what others may write is refused, and the folders of a test are no exception
	goleak.VerifyTestMain(m)
}

func manager(t testing.TB, c units.Config) *units.Manager {
	t.Helper()
	l, err := launch.New(launch.Config{CgroupRoot: "off"}, launch.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := units.New(c, units.Deps{Launcher: l})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"web": "web.service", "web.service": "web.service", "a.timer": "a.timer", "getty@tty1": "getty@tty1.service", "a.b": "a.b.service",
		`dev-sda\x2d1.device`: `dev-sda\x2d1.device`, "": "", "a/b": "", "../a": "", "-a": "", ".a": "", "a b": "", "a\nb": "", "getty@": "", "getty@.service": "", "a..b": "",
		strings.Repeat("a", 300): "", "ä": "",
	} {
		if got, err := units.Canonical(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// TestSystemd_VerbsWaitForTheJob: each verb is the call it should be, and its end
// is the job's own result.
func TestSystemd_VerbsWaitForTheJob(t *testing.T) {
	p := unitstest.Start(t)
	m := manager(t, units.Config{Bus: p.Address})
	for _, tc := range []struct {
		verb, call, result string
		ok                 bool
	}{
		{"restart", "RestartUnit", "done", true}, {"start", "StartUnit", "done", true}, {"stop", "StopUnit", "done", true}, {"reload", "ReloadUnit", "done", true},
		{"try-restart", "TryRestartUnit", "skipped", true}, {"restart", "RestartUnit", "failed", false}, {"start", "StartUnit", "dependency", false},
		{"start", "StartUnit", "timeout", false}, {"stop", "StopUnit", "canceled", false}, {"reset-failed", "", "done", true},
	} {
		unit := "web@1.service"
		p.Unit(unit, "loaded", "failed", 5)
		p.Result(tc.call, unit, tc.result)
		var before string
		d, err := m.Do(t.Context(), tc.verb, unit, func(_, invocation string) error { before = invocation; return nil })
		if err != nil || d.OK != tc.ok || d.Result != tc.result || d.Init != "systemd" || d.Unseen {
			t.Errorf("%s with %s: %+v, %v", tc.verb, tc.result, d, err)
		}
		if before != strings.Repeat("05", 16) || d.Before != before {
			t.Errorf("%s: invocation before %q", tc.verb, before)
		}
		if changed := d.After != d.Before; changed != (tc.result == "done" && tc.verb != "reload" && tc.verb != "reset-failed") {
			t.Errorf("%s: from %s to %s", tc.verb, d.Before, d.After)
		}
	}
	if !slices.Contains(p.Asked(), "RestartUnit web@1.service replace") || !slices.Contains(p.Asked(), "ResetFailedUnit web@1.service") {
		t.Errorf("asked %q", p.Asked())
	}
}

// TestSystemd_NothingIsDone: masked, missing and broken units, a refusal of
// systemd, a record that cannot be written, a socket that is not there.
func TestSystemd_NothingIsDone(t *testing.T) {
	p := unitstest.Start(t)
	m := manager(t, units.Config{Bus: p.Address})
	for unit, load := range map[string]string{"masked.service": "masked", "broken.service": "bad-setting", "denied.service": "loaded", "note.service": "loaded"} {
		p.Unit(unit, load, "active", 1)
	}
	p.Result("RestartUnit", "denied.service", "org.freedesktop.DBus.Error.AccessDenied")
	for unit, kind := range map[string]fault.Kind{"masked.service": fault.Conflict, "broken.service": fault.Conflict, "none.service": fault.NotFound, "denied.service": fault.Forbidden} {
		if d, err := m.Do(t.Context(), "restart", unit, nil); fault.KindOf(err) != kind || d.OK {
			t.Errorf("%s: %+v, %v", unit, d, err)
		}
	}
	full := errors.New("disk full")
	if _, err := m.Do(t.Context(), "restart", "note.service", func(string, string) error { return full }); !errors.Is(err, full) {
		t.Errorf("a record that cannot be written: %v", err)
	}
	if !slices.Equal(p.Asked(), []string{"RestartUnit denied.service replace"}) {
		t.Errorf("asked %q", p.Asked())
	}
	if _, err := manager(t, units.Config{Bus: "unix:path=/no/such/private"}).Do(t.Context(), "restart", "a.service", nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no socket: %v", err)
	}
}

// TestSystemd_AJobThatDoesNotEndIsUnseen: the caller's time is kept, and the act
// is not called failed, since it goes on in PID 1.
func TestSystemd_AJobThatDoesNotEndIsUnseen(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("slow.service", "loaded", "active", 1)
	within := func(d time.Duration) (units.Done, error) {
		ctx, stop := context.WithTimeout(t.Context(), d)
		defer stop()
		return manager(t, units.Config{Bus: p.Address}).Do(ctx, "restart", "slow.service", nil)
	}
	d, err := within(200 * time.Millisecond)
	for longer := time.Second; err != nil && longer < time.Minute; longer *= 4 { // its time was over before it could ask
		d, err = within(longer)
	}
	if err != nil || !d.Unseen || !d.TimedOut || d.OK {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestSystemd_Describe(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 7)
	m := manager(t, units.Config{Bus: p.Address})
	active, id, err := m.Now(t.Context(), "web.service")
	if err != nil || active != "active" || id != strings.Repeat("07", 16) {
		t.Errorf("%s %s %v", active, id, err)
	}
	d, err := m.Describe(t.Context(), "web.service")
	if err != nil || d["ActiveState"] != "active" || d["LoadState"] != "loaded" {
		t.Errorf("%v %v", d, err)
	}
}

// TestInit_IsFoundByProbing: OpenRC, runit and init scripts, in this order, each
// with its own command.
func TestInit_IsFoundByProbing(t *testing.T) {
	for _, tc := range []struct{ name, there, program, verb, says, init string }{
		{"openrc", "sbin/x", "sbin/rc-service", "restart", "web restart", "openrc"},
		{"openrc of a merged /usr", "usr/sbin/x", "usr/sbin/rc-service", "restart", "web restart", "openrc"},
		{"runit", "etc/service/web", "usr/bin/sv", "start", "-v start web", "runit"},
		{"sysv", "etc/init.d/x", "etc/init.d/web", "reload", "reload", "sysv"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			for _, f := range []string{tc.there, tc.program} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, f), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			m := manager(t, units.Config{Root: root})
			d, err := m.Do(t.Context(), tc.verb, "web.service", nil)
			if err != nil || !d.OK || d.Init != tc.init || strings.TrimSpace(d.Output) != tc.says {
				t.Errorf("%+v, %v", d, err)
			}
			if _, err := m.Do(t.Context(), "reset-failed", "web.service", nil); fault.KindOf(err) != fault.Unsupported {
				t.Errorf("a verb it does not know: %v", err)
			}
			if _, err := m.Do(t.Context(), "start", "web.timer", nil); fault.KindOf(err) != fault.Unsupported {
				t.Errorf("a timer: %v", err)
			}
			if _, _, err := m.Now(t.Context(), "web.service"); fault.KindOf(err) != fault.Unsupported {
				t.Errorf("a probe without systemd: %v", err)
			}
		})
	}
	if _, err := manager(t, units.Config{Root: t.TempDir()}).Do(t.Context(), "start", "web.service", nil); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fmt.Sprint(err), "nothing here can") {
		t.Errorf("no init system: %v", err)
	}
}

// TestLeaving: the machine is going down while systemd says so, and not where nobody
// can be asked.
func TestLeaving(t *testing.T) {
	p := unitstest.Start(t)
	m := manager(t, units.Config{Bus: p.Address})
	for _, state := range []string{"running", "stopping", "degraded"} {
		p.System(state)
		if got := m.Leaving(t.Context()); got != (state == "stopping") {
			t.Errorf("%s: %v", state, got)
		}
	}
	p.System("stopping")
	if manager(t, units.Config{Bus: p.Address + "-none"}).Leaving(t.Context()) {
		t.Error("nobody answers")
	}
}
