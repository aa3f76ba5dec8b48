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
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
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
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
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
		"web": false, "poweroff-button.service": false, "multi-user.target": false,
	} {
		for _, verb := range []string{"start", "stop", "restart"} {
			// To stop what opens a shell is no danger, and a document may ask for it.
			no := refused && (verb != "stop" || strings.HasPrefix(unit, "vigil"))
			if _, err := a.Resolve(request("service", with{"unit": unit, "verb": verb})); (err != nil) != no {
				t.Errorf("%s %s: %v", verb, unit, err)
			}
		}
	}
}
