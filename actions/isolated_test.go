package actions_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/catalogue"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func isolating(t *testing.T, p *unitstest.PID1, data string, entries map[string]catalogue.Entry) *actions.Set {
	t.Helper()
	for name, e := range entries {
		e.Kind, e.Isolation = "exec", "unit"
		entries[name] = e
	}
	return build(t, actions.Config{Bus: p.Address, DataDir: data, Wrapper: unitstest.Wrapper(t), Catalogue: entries}, actions.Deps{})
}

// TestIsolated_Suite holds entries that run as a unit of their own to what
// remedy.Action promises.
func TestIsolated_Suite(t *testing.T) {
	p := unitstest.Start(t)
	s := isolating(t, p, "", map[string]catalogue.Entry{
		"purge": {Argv: []string{"/bin/echo", "--site", "{site}"}, Params: map[string]string{"site": "[a-z]+"}},
		"sleep": {Argv: []string{"/bin/sleep", "{s}"}, Params: map[string]string{"s": "[0-9]+"}, KillAfter: 100 * time.Millisecond},
		"sure":  {Argv: []string{"/bin/true"}, Probe: []string{"/bin/test", "{n}", "-gt", "5"}, Params: map[string]string{"n": "[0-9]"}, Class: remedy.Probed},
		"gone":  {Argv: []string{"/no/such/program"}},
	})
	slow, gone := request("sleep", with{"s": "1000"}), request("gone", nil)
	slow.Timeout = 200 * time.Millisecond
	for name, c := range map[string]actiontest.Case{
		"purge": {Good: request("purge", with{"site": "shop"}), Needs: []string{"site"}, Bad: []actiontest.Bad{bad(with{"site": "-x"}, "site")},
			Spec: remedy.Spec{Subject: "exec:purge{site=shop}", Kind: "exec", Class: remedy.Unsafe, Cost: 1}},
		"sleep": {Good: request("sleep", with{"s": "0"}), Slow: &slow, Spec: remedy.Spec{Subject: "exec:sleep{s=0}", Kind: "exec", Class: remedy.Unsafe, Cost: 1}},
		"sure":  {Good: request("sure", with{"n": "7"}), Spec: remedy.Spec{Subject: "exec:sure{n=7}", Kind: "exec", Class: remedy.Probed, Cost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Action = action(t, s, name)
			actiontest.Run(t, c)
		})
	}
	if _, err := action(t, s, "gone").Run(t.Context(), gone); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a program that is not there: %v", err)
	}
}

// TestIsolated_IsFoundAgain: by another vigild, which holds the entry's mutex for
// it as long as it runs.
func TestIsolated_IsFoundAgain(t *testing.T) {
	p := unitstest.Start(t)
	data, gate, begun := t.TempDir(), filepath.Join(t.TempDir(), "go"), filepath.Join(t.TempDir(), "begun")
	entries := func() map[string]catalogue.Entry {
		return map[string]catalogue.Entry{
			"long":  {Argv: []string{"/bin/sh", "-c", "> " + begun + "; while ! test -e " + gate + "; do :; done; echo done; exit 3"}, Mutex: "m"},
			"other": {Argv: []string{"/bin/true"}, Mutex: "m"},
		}
	}
	first := isolating(t, p, data, entries())
	ctx, leave := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := action(t, first, "long").Run(ctx, request("long", nil))
		ended <- err
	}()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := os.Stat(begun); err == nil { // before, who comes to ask keeps it from ever beginning
			break
		}
		<-time.After(time.Millisecond)
	}
	leave(remedy.ErrLeft)
	if err := <-ended; !errors.Is(err, remedy.ErrLeft) {
		t.Fatal(err)
	}
	second := isolating(t, p, data, entries())
	wait, err := action(t, second, "long").(remedy.Rejoiner).Rejoin(request("long", nil))
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	r := request("other", nil)
	r.Attempt = "1-8-1"
	if res, err := action(t, second, "other").Run(short, r); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("the mutex was free: %+v %v", res, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	res, ran, err := wait(t.Context())
	if err != nil || !ran || res.OK || *res.Exit != 3 || res.Output != "done\n" || res.Error != "/bin/sh exited with 3" {
		t.Errorf("%+v %v %v", res, ran, err)
	}
	if res, err := action(t, second, "other").Run(t.Context(), r); err != nil || !res.OK {
		t.Errorf("the mutex is still held: %+v %v", res, err)
	}
}

// TestIsolated_NeedsSystemd: nothing runs as something else instead.
func TestIsolated_NeedsSystemd(t *testing.T) {
	s := build(t, actions.Config{Root: t.TempDir(), Wrapper: []string{"/bin/false"},
		Catalogue: map[string]catalogue.Entry{"x": {Kind: "exec", Isolation: "unit", Argv: []string{"/bin/true"}}}}, actions.Deps{})
	if _, err := action(t, s, "x").Run(t.Context(), request("x", nil)); fault.KindOf(err) != fault.Unsupported {
		t.Error(err)
	}
	if _, err := actions.New(actions.Config{Catalogue: map[string]catalogue.Entry{"x": {Kind: "exec", Isolation: "vm", Argv: []string{"/bin/true"}}}}, actions.Deps{}); fault.KindOf(err) != fault.Unprocessable {
		t.Error(err)
	}
}
