package units_test

import (
	"testing"

	"vigil/actions/units"
	"vigil/actions/units/unitstest"
)

// TestNames_AnAliasIsItsUnit: by what systemd lists while it is watched, and again
// whenever its files change; without a watch by what a call met.
func TestNames_AnAliasIsItsUnit(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	p.Unit("getty@.service", "loaded", "active", 2)
	p.Alias("www.service", "web.service")
	p.Alias("autovt@.service", "getty@.service")
	p.Result("RestartUnit", "web.service", "done")
	m := manager(t, units.Config{Bus: p.Address})
	call := func(name string, want string) {
		t.Helper()
		if got := m.Name(name); got != want {
			t.Errorf("%s is called %s, not %s", name, got, want)
		}
	}
	call("www.service", "www.service")
	if d, err := m.Do(t.Context(), "restart", "www.service", nil); err != nil || !d.OK {
		t.Fatal(d, err)
	}
	call("www.service", "web.service")

	m = manager(t, units.Config{Bus: p.Address})
	told, _ := listen(t, m)
	for name, want := range map[string]string{"www.service": "web.service", "web.service": "web.service", "autovt@.service": "autovt@.service", "none.service": "none.service"} {
		call(name, want)
	}
	for s, want := range map[string]string{"systemd:www.service": "systemd:web.service", "process:www.service": "process:www.service", "systemd": "systemd", "": ""} {
		if got := m.Subject(s); got != want {
			t.Errorf("%q is %q, not %q", s, got, want)
		}
	}
	settled := func() { // what is told after it was taken in after it
		p.Order("StopUnit", "web.service", "done", false)
		next(t, told)
		p.Order("StartUnit", "web.service", "done", false)
		next(t, told)
	}
	p.Alias("shop.service", "web.service")
	p.Say("UnitFilesChanged")
	settled()
	call("shop.service", "web.service")
	p.Unit("shop.service", "loaded", "active", 3)
	p.Say("Reloading", true)
	settled()
	call("shop.service", "web.service")
	p.Say("Reloading", false)
	settled()
	call("shop.service", "shop.service")
	call("www.service", "web.service")
}

// TestNames_ACallUnlearns: what was an alias and is a unit of its own by now is called so
// from the next call on, though nobody watches systemd.
func TestNames_ACallUnlearns(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	p.Alias("www.service", "web.service")
	p.Result("RestartUnit", "web.service", "done")
	p.Result("RestartUnit", "www.service", "done")
	m := manager(t, units.Config{Bus: p.Address})
	for _, want := range []string{"web.service", "www.service"} {
		if d, err := m.Do(t.Context(), "restart", "www.service", nil); err != nil || !d.OK {
			t.Fatal(d, err)
		}
		if got := m.Name("www.service"); got != want {
			t.Errorf("www.service is called %s, not %s", got, want)
		}
		p.Unit("www.service", "loaded", "active", 2)
	}
}
