package actions_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/heal"
	"vigil/actions/units"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/remedy"
)

// TestService_OverDBus holds the service kind to the suite on systemd's protocol.
func TestService_OverDBus(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	p.Unit("slow.service", "loaded", "active", 1)
	p.Unit("masked.service", "masked", "inactive", 0)
	p.Result("RestartUnit", "web.service", "done")
	s := build(t, actions.Config{Bus: p.Address}, actions.Deps{})
	slow, masked := request("service", with{"unit": "slow"}), request("service", with{"unit": "masked.service"})
	slow.Timeout = 200 * time.Millisecond
	a := action(t, s, "service")
	actiontest.Run(t, actiontest.Case{
		Action: a, Good: request("service", with{"unit": "web", "verb": "restart"}), Needs: []string{"unit"},
		Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "service", Class: remedy.Probed, Cost: 2, Capture: true},
		Slow: &slow, Refused: &masked,
	})
	res, err := a.Run(t.Context(), slow)
	for err != nil && slow.Timeout < time.Minute { // its time was over before it could ask
		slow.Timeout *= 4
		res, err = a.Run(t.Context(), slow)
	}
	if err != nil || !res.Unseen || !res.TimedOut || res.OK {
		t.Errorf("a job that does not end: %+v, %v", res, err)
	}
	p.Result("RestartUnit", "web.service", "failed")
	if res, err = a.Run(t.Context(), request("service", with{"unit": "web"})); err != nil || res.OK || !strings.Contains(res.Error, "failed") {
		t.Errorf("a failed job: %+v, %v", res, err)
	}
}

// TestService_RestartIsProbedByInvocation: after a crash the answer is no when
// the act had not begun or the unit is the same run as before, yes when it is
// another run.
func TestService_RestartIsProbedByInvocation(t *testing.T) {
	p := unitstest.Start(t)
	dir := t.TempDir()
	s := build(t, actions.Config{Bus: p.Address, DataDir: dir}, actions.Deps{})
	a := action(t, s, "service").(remedy.Prober)
	r := request("service", with{"unit": "web", "verb": "restart"})
	done := func() bool {
		t.Helper()
		ok, err := a.Done(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	p.Unit("web.service", "loaded", "active", 1)
	if done() {
		t.Error("done before it began")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // its caller leaves once PID 1 was asked
		for len(p.Asked()) == 0 && ctx.Err() == nil {
			<-time.After(time.Millisecond)
		}
		stop()
	}()
	if res, err := action(t, s, "service").Run(ctx, r); err != nil || !res.Unseen {
		t.Fatalf("%+v, %v", res, err)
	}
	if done() {
		t.Error("done, though the unit is the same run")
	}
	p.Unit("web.service", "loaded", "active", 2)
	if !done() {
		t.Error("not done, though the unit is another run")
	}
	p.Unit("web.service", "loaded", "failed", 3)
	if done() {
		t.Error("done, though the unit failed")
	}
	next := r
	next.Attempt = "1-7-2"
	p.Unit("web.service", "loaded", "active", 4)
	if ok, err := a.Done(t.Context(), next); ok || err != nil {
		t.Errorf("another attempt, which had not begun: %v, %v", ok, err)
	}
	record := filepath.Join(dir, "probe", "web.service")
	if err := os.WriteFile(record, []byte(`{"attempt":"1-`), 0o600); err != nil {
		t.Fatal(err)
	}
	if done() {
		t.Error("done by a torn record")
	}
	r.With = with{"unit": "web", "verb": "start"}
	if _, err := a.Done(t.Context(), r); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("a start is repeated, not probed: %v", err)
	}
}

// TestService_NoRecordNoAct: when the state from before cannot be written, the
// unit is not touched.
func TestService_NoRecordNoAct(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	p.Result("RestartUnit", "web.service", "done")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	s := build(t, actions.Config{Bus: p.Address, DataDir: dir}, actions.Deps{})
	_, err := action(t, s, "service").Run(t.Context(), request("service", with{"unit": "web"}))
	if fault.KindOf(err) != fault.Unavailable || errors.Is(err, context.Canceled) || len(p.Asked()) != 0 {
		t.Errorf("%v, asked %q", err, p.Asked())
	}
}

// TestService_NotTheWholeMachine: what a policy or a document may ask of units ends
// before those that stop the machine, and before vigild itself.
func TestService_NotTheWholeMachine(t *testing.T) {
	a := action(t, build(t, actions.Config{}, actions.Deps{}), "service")
	for unit, refused := range map[string]bool{
		"poweroff.target": true, "systemd-reboot.service": true, "debug-shell": true, "rescue.target": true, "vigild": true, "vigild.service": true, "vigil": true,
		"web": false, "poweroff-button.service": false, "multi-user.target": false, "basic.target": false, "dbus.socket": false,
	} {
		for _, verb := range []string{"start", "stop", "restart"} {
			// To stop what opens a shell is no danger, and a document may ask for it.
			no := refused && (verb != "stop" || strings.HasPrefix(unit, "vigil")) || verb != "start" && reconcile.Foundation(unit)
			if _, err := a.Resolve(request("service", with{"unit": unit, "verb": verb})); (err != nil) != no {
				t.Errorf("%s %s: %v", verb, unit, err)
			}
		}
	}
}

// TestService_AnAliasIsJudgedByTheUnitBehindIt: what may not be asked of a unit may
// not be asked by another name of it either, nor of the unit that vigild runs in,
// whatever that is called.
func TestService_AnAliasIsJudgedByTheUnitBehindIt(t *testing.T) {
	t.Setenv("INVOCATION_ID", strings.Repeat("07", 16))
	p := unitstest.Start(t)
	p.Unit("vigild.service", "loaded", "active", 1)
	p.Unit("debug-shell.service", "loaded", "inactive", 2)
	p.Unit("dbus.service", "loaded", "active", 3)
	p.Unit("web.service", "loaded", "active", 4)
	p.Unit("keeper.service", "loaded", "active", 7)
	for alias, unit := range map[string]string{"guard.service": "vigild.service", "sh.service": "debug-shell.service", "bus.service": "dbus.service", "www.service": "web.service"} {
		p.Alias(alias, unit)
	}
	p.Result("RestartUnit", "web.service", "done")
	p.Result("StopUnit", "debug-shell.service", "done")
	s := build(t, actions.Config{Bus: p.Address, Heal: heal.Config{Units: true}}, actions.Deps{})
	for _, tt := range []struct {
		kind, verb, unit string
		asked            string // of systemd, "" nothing
	}{
		{"service", "restart", "guard", ""},
		{"service", "stop", "guard", ""},
		{"service", "start", "sh", ""},
		{"service", "stop", "sh", "StopUnit debug-shell.service replace"},
		{"service", "restart", "keeper", ""},
		{"service", "restart", "www", "RestartUnit web.service replace"},
		{"unit", "mask", "guard", ""},
		{"unit", "enable", "sh", ""},
		{"unit", "mask", "bus", ""},
		{"unit", "disable", "keeper", ""},
		{"unit", "mask", "www", "MaskUnitFiles www.service"},
	} {
		before := len(p.Asked())
		_, err := action(t, s, tt.kind).Run(t.Context(), request(tt.kind, with{"unit": tt.unit, "verb": tt.verb}))
		asked := p.Asked()[before:]
		switch {
		case tt.asked == "" && (fault.KindOf(err) != fault.Forbidden || len(asked) > 0):
			t.Errorf("%s %s: %v, asked %q", tt.verb, tt.unit, err, asked)
		case tt.asked != "" && (err != nil || len(asked) == 0 || asked[0] != tt.asked):
			t.Errorf("%s %s: %v, asked %q", tt.verb, tt.unit, err, asked)
		}
	}
}

// TestService_OneSubjectHoweverItIsCalled: what locks, limits and leaves alone is the
// unit, whichever of its names an act was asked for by.
func TestService_OneSubjectHoweverItIsCalled(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	p.Alias("www.service", "web.service")
	s := build(t, actions.Config{Bus: p.Address, Heal: heal.Config{Units: true}}, actions.Deps{})
	ctx, stop := context.WithCancel(t.Context())
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Units().Watch(ctx, func() { close(up) }, func(units.Change) {}) }()
	<-up
	for _, kind := range []string{"service", "unit"} {
		for _, name := range []string{"web", "web.service", "www", "www.service"} {
			verb := map[string]string{"service": "restart", "unit": "enable"}[kind]
			if spec, err := action(t, s, kind).Resolve(request(kind, with{"unit": name, "verb": verb})); err != nil || spec.Subject != "systemd:web.service" {
				t.Errorf("%s %s is about %q, %v", kind, name, spec.Subject, err)
			}
		}
	}
	stop()
	<-ended
}
