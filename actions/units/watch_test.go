package units_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/actions/units"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
)

// listen starts a watch and returns what it told so far, when asked.
func listen(t *testing.T, m *units.Manager) (told chan units.Change, ended chan error) {
	t.Helper()
	told, ended = make(chan units.Change, 100), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	up := make(chan struct{})
	go func() { ended <- m.Watch(ctx, func() { close(up) }, func(c units.Change) { told <- c }) }()
	select {
	case <-up:
	case err := <-ended:
		t.Fatalf("the watch ended: %v", err)
	}
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return told, ended
}

func next(t *testing.T, told chan units.Change) units.Change {
	t.Helper()
	select {
	case c := <-told:
		return c
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
		return units.Change{}
	}
}

// TestWatch_OnlyAStopJobIsAWord: what others asked for is told; everything
// that is no word is followed by a start of another unit, which is told, so that
// silence is seen without waiting.
func TestWatch_OnlyAStopJobIsAWord(t *testing.T) {
	for _, tc := range []struct {
		name    string
		unit    string
		do      func(p *unitstest.PID1, m *units.Manager, unit string)
		told    bool
		stopped bool
	}{
		{"a stop", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StopUnit", u, "done", false) }, true, true},
		{"a stop that was over before its kind could be asked", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StopUnit", u, "done", true) }, true, true},
		{"a stop of a failed unit", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) {
			p.Set(u, "ActiveState", "failed")
			p.Order("StopUnit", u, "done", false)
		}, true, true},
		{"a start", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StartUnit", u, "done", false) }, true, false},
		{"a restart", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("RestartUnit", u, "done", true) }, true, false},
		{"a death", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Set(u, "ActiveState", "failed") }, false, false},
		{"a start that failed", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) {
			p.Set(u, "ActiveState", "failed")
			p.Order("StartUnit", u, "failed", true)
		}, false, false},
		{"a oneshot that ran", "once.service", func(p *unitstest.PID1, _ *units.Manager, u string) {
			p.Set(u, "Type", "oneshot")
			p.Set(u, "ActiveState", "inactive")
			p.Order("StartUnit", u, "done", true)
		}, false, false},
		{"our own stop", "web.service", func(_ *unitstest.PID1, m *units.Manager, u string) { _, _ = m.Do(context.Background(), "stop", u, nil) }, false, false},
		{"our own stop that is over before its kind can be asked", "web.service", func(p *unitstest.PID1, m *units.Manager, u string) {
			p.Quick()
			_, _ = m.Do(context.Background(), "stop", u, nil)
		}, false, false},
		{"the host goes down", "web.service", func(p *unitstest.PID1, _ *units.Manager, u string) {
			p.System("stopping")
			p.Order("StopUnit", u, "done", false)
		}, false, false},
		{"a transient unit", "run-1.service", func(p *unitstest.PID1, _ *units.Manager, u string) {
			p.Set(u, "Transient", true)
			p.Order("StopUnit", u, "done", false)
		}, false, false},
		{"vigild itself", "own.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StopUnit", u, "done", false) }, false, false},
		{"a logout", "user@1000.service", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StopUnit", u, "done", false) }, false, false},
		{"a scope", "session-1.scope", func(p *unitstest.PID1, _ *units.Manager, u string) { p.Order("StopUnit", u, "done", false) }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := unitstest.Start(t)
			p.Unit(tc.unit, "loaded", "active", 1)
			if tc.unit == "own.service" {
				p.Unit(tc.unit, "loaded", "active", 9)
			}
			p.Unit("after.service", "loaded", "inactive", 1)
			m := manager(t, units.Config{Bus: p.Address, Own: strings.Repeat("0a", 16)})
			p.Result("StopUnit", tc.unit, "done")
			told, _ := listen(t, m)
			tc.do(p, m, tc.unit)
			p.Order("StartUnit", "after.service", "done", false)
			var got []units.Change
			for c := next(t, told); c.Unit != "after.service"; c = next(t, told) {
				got = append(got, c)
			}
			var want []units.Change
			if tc.told {
				want = append(want, units.Change{Unit: tc.unit, Stopped: tc.stopped})
			}
			if !slices.Equal(got, want) {
				t.Errorf("told %v, expected %v", got, want)
			}
		})
	}
}

// TestWatch_SaysWhenItIsDeaf: a connection that breaks is an error, a host
// without systemd another, the end of its context none.
func TestWatch_SaysWhenItIsDeaf(t *testing.T) {
	p := unitstest.Start(t)
	_, ended := listen(t, manager(t, units.Config{Bus: p.Address}))
	p.Break()
	err := <-ended
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "broke") {
		t.Errorf("a broken connection: %v", err)
	}
	ended <- nil // for the clean-up
	nothing := func() {}
	if err := manager(t, units.Config{Root: t.TempDir()}).Watch(t.Context(), nothing, nil); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("no systemd: %v", err)
	}
	if err := manager(t, units.Config{Bus: "unix:path=/no/such/private"}).Watch(t.Context(), nothing, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no socket: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	if err := manager(t, units.Config{Bus: p.Address}).Watch(ctx, stop, nil); err != nil {
		t.Errorf("told to end: %v", err)
	}
}

// TestWatch_AnActInFlightDoesNotUndoAStop: what was decided before the hold was
// written is refused, until somebody starts the unit.
func TestWatch_AnActInFlightDoesNotUndoAStop(t *testing.T) {
	p := unitstest.Start(t)
	p.Unit("web.service", "loaded", "active", 1)
	m := manager(t, units.Config{Bus: p.Address})
	told, _ := listen(t, m)
	p.Result("RestartUnit", "web.service", "done")
	p.Order("StopUnit", "web.service", "done", false)
	if c := next(t, told); !c.Stopped {
		t.Fatalf("told %v", c)
	}
	if d, err := m.Do(t.Context(), "restart", "web.service", nil); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("%+v, %v", d, err)
	}
	p.Order("StartUnit", "web.service", "done", false)
	if c := next(t, told); c.Stopped {
		t.Fatalf("told %v", c)
	}
	p.Set("web.service", "ActiveState", "failed")
	if d, err := m.Do(t.Context(), "restart", "web.service", nil); err != nil || !d.OK {
		t.Errorf("after the start: %+v, %v", d, err)
	}
}

// TestDial_IsNotLeftLying: a first call that systemd does not look at hangs
// neither an act nor the watch.
func TestDial_IsNotLeftLying(t *testing.T) {
	p := unitstest.Start(t)
	p.Lazy()
	p.Unit("web.service", "loaded", "active", 1)
	p.Result("RestartUnit", "web.service", "done")
	m := manager(t, units.Config{Bus: p.Address})
	told, _ := listen(t, m)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if d, err := m.Do(ctx, "restart", "web.service", nil); err != nil || !d.OK {
		t.Errorf("%+v, %v", d, err)
	}
	if c := next(t, told); c.Unit != "web.service" || c.Stopped {
		t.Errorf("told %v", c)
	}
}

func TestRunning(t *testing.T) {
	p := unitstest.Start(t)
	m := manager(t, units.Config{Bus: p.Address})
	for active, want := range map[string]bool{"active": true, "activating": true, "reloading": true, "inactive": false, "failed": false, "deactivating": false} {
		p.Unit("web.service", "loaded", active, 1)
		if got, err := m.Running(t.Context(), "web.service"); got != want || err != nil {
			t.Errorf("%s: %v, %v", active, got, err)
		}
	}
}
