package units_test

import (
	"slices"
	"testing"
	"time"

	"vigil/actions/units"
	"vigil/actions/units/unitstest"
)

// TestHear_EveryChangeIsTold: deaths too, which are no word for hands-off, and
// what concerns all units as "". Hands-off hears what it heard without it.
func TestHear_EveryChangeIsTold(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web@a-b.service", "loaded", "active", 1)
	p.Unit("end.service", "loaded", "active", 1)
	m := manager(t, units.Config{Bus: p.Address})
	heard, second := make(chan string, 100), make(chan string, 100)
	m.Hear(func(u string) { heard <- u })
	stop := m.Hear(func(u string) { second <- u })
	until := func(c chan string, unit string) (before []string) {
		t.Helper()
		for late := time.After(time.Minute); ; {
			select {
			case u := <-c:
				if u == unit {
					return before
				}
				before = append(before, u)
			case <-late:
				t.Fatalf("not told of %q, but of %q", unit, before)
			}
		}
	}
	told, _ := listen(t, m)
	until(heard, "") // it has begun to listen
	until(second, "")
	p.Set("web@a-b.service", "ActiveState", "failed")
	p.Tell("web@a-b.service")
	if before := until(heard, "web@a-b.service"); len(before) > 0 {
		t.Errorf("told of %q", before)
	}
	until(second, "web@a-b.service")
	stop()
	p.Say("Reloading", true)
	p.Tell("end.service")
	if before := until(heard, "end.service"); slices.Contains(before, "") {
		t.Error("told of all units before systemd had read its files")
	}
	p.Say("Reloading", false)
	until(heard, "")
	p.Say("UnitFilesChanged")
	until(heard, "")
	p.Order("StopUnit", "end.service", "done", false)
	until(heard, "end.service")
	if c := next(t, told); c != (units.Change{Unit: "end.service", Stopped: true}) {
		t.Errorf("hands-off was told %+v", c)
	}
	if len(second) > 0 {
		t.Errorf("told after it was stopped: %q", <-second)
	}
}
