package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/series"
)

// These are the bugs of the field that this room can have, each by its name.

// watch is one policy over one series, looked at as the engine does.
type watch struct {
	c    *Condition
	in   *Instance
	f    Firing
	wake clock.Stamp
	told []string
}

func watching(t testing.TB, s Spec) *watch {
	c := must(t, s)
	return &watch{c: c, in: c.Instance(web)}
}

func (w *watch) sample(now clock.Stamp, at int64, v float64) {
	w.in.Observe(0, 1, series.Point{T: at, V: v})
	w.look(now, at)
}

func (w *watch) look(now clock.Stamp, at int64) {
	firing, _ := now.Sub(w.f.Fired)
	ev := w.in.Evaluate(at, !w.f.Fired.IsZero(), firing)
	var tr Transition
	if w.f, tr, w.wake = Advance(w.c, w.f, ev, "", now); tr.Changed() {
		w.told = append(w.told, tr.Reason)
	}
}

// timer looks at every wake until end.
func (w *watch) timer(t testing.TB, end clock.Stamp) {
	for n := 0; !w.wake.IsZero() && end.Reached(w.wake); n++ {
		if n > 1000 {
			t.Fatal("the timer never comes to rest")
		}
		now := w.wake
		w.look(now, w.f.LookAt(now))
	}
}

func TestBar_NoDataIsNotOK(t *testing.T) {
	w := watching(t, Spec{Match: "lat", Fire: "value > 1"})
	w.look(stamp(1000), 1000)
	if w.f.State != StateUnknown {
		t.Errorf("never any data, and it is %s", w.f.State)
	}
	w.sample(stamp(2000), 2000, 0.5)
	w.sample(stamp(3000), 3000, 0.5)
	if w.f.State != StateOK {
		t.Errorf("in order, and it is %s", w.f.State)
	}
	w.timer(t, stamp(10*60_000))
	if w.f.State != StateUnknown || !strings.HasPrefix(w.told[len(w.told)-1], "no_data: no sample for 1m") {
		t.Errorf("silent for 10 min, and it is %s: %v", w.f.State, w.told)
	}
	// A breach that falls silent has not recovered.
	w.sample(stamp(700_000), 700_000, 5)
	w.timer(t, stamp(2_000_000))
	if w.f.State != StateUnknown || w.f.Before != StateFiring {
		t.Errorf("a silent breach is %s over %s", w.f.State, w.f.Before)
	}
	w.sample(stamp(2_000_001), 2_000_001, 0.5)
	if w.f.State != StateOK || w.told[len(w.told)-1] != "recovered: clear is true" {
		t.Errorf("%s: %v", w.f.State, w.told)
	}
}

func TestBar_RecoveredNeedsFailed(t *testing.T) {
	w := watching(t, Spec{Match: "lat", Fire: "value > 1", For: document.Duration(10 * time.Second)})
	for i, v := range []float64{0, 2, 2, 0, 2, 0, 0} {
		at := int64(i+1) * 1000
		w.sample(stamp(at), at, v)
	}
	for _, r := range w.told {
		if strings.HasPrefix(r, ReasonRecovered) {
			t.Errorf("it never fired and recovered: %v", w.told)
		}
	}
}

// Two looks at the very same moment are two looks: the breach in between is not
// lost, whichever comes first.
func TestBar_SameMillisecondEvents(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: "value > 1"})
	now := stamp(5000)
	f, _, _ := Advance(c, Firing{}, Evaluation{At: 5000, Newest: 4000, Fire: False, Clear: True}, "", now)
	f, fired, _ := Advance(c, f, Evaluation{At: 5000, Newest: 5000, Fire: True, Clear: False}, "", now)
	f, recovered, _ := Advance(c, f, Evaluation{At: 5000, Newest: 5001, Fire: False, Clear: True}, "", now)
	if fired.To != StateFiring || recovered.To != StateOK || len(f.Changes) != 2 {
		t.Errorf("%+v %+v %+v", fired, recovered, f)
	}
	// Two series of one policy in one millisecond are two instances.
	one, two := c.Instance(web), c.Instance(web.With("host", "b"))
	one.Observe(0, 1, series.Point{T: 5000, V: 2})
	two.Observe(0, 2, series.Point{T: 5000, V: 0})
	if one.Evaluate(5000, false, 0).Fire != True || two.Evaluate(5000, false, 0).Fire != False {
		t.Error("one instance hides the other")
	}
}

func TestBar_TwoPoliciesOnOneTargetDoNotMask(t *testing.T) {
	hot := watching(t, Spec{Match: "lat", Fire: "value > 1"})
	calm := watching(t, Spec{Match: "lat", Fire: "value > 100"})
	for _, w := range []*watch{calm, hot, calm} {
		w.sample(stamp(1000), 1000, 5)
	}
	if hot.f.State != StateFiring || calm.f.State != StateOK {
		t.Errorf("%s beside %s", hot.f.State, calm.f.State)
	}
}

// Pending and firing are not forgotten by a restart, their clocks go on, and the
// windows refilled from storage say what they said.
func TestBar_RestartForgetsNothing(t *testing.T) {
	spec := Spec{Match: "lat", Fire: `avg("1m") > 1`, For: document.Duration(30 * time.Second), ClearFor: document.Duration(30 * time.Second)}
	lived := watching(t, spec)
	var points []series.Point
	for i := range 60 {
		at := int64(i+1) * 10_000
		v := 0.5
		if i/10%2 == 1 {
			v = 3
		}
		points = append(points, series.Point{T: at, V: v})
		lived.sample(stamp(at), at, v)

		again := watching(t, spec)
		for _, p := range points {
			if p.T > at-10_000-lived.c.Widest.Milliseconds() && p.T < at {
				again.in.Observe(0, 1, p)
			}
		}
		b, err := json.Marshal(previous(t, spec, points[:i]))
		if err == nil {
			err = json.Unmarshal(b, &again.f)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			again.sample(stamp(at), at, v)
			if again.f.State != lived.f.State || again.f.Since != lived.f.Since {
				t.Fatalf("restarted before sample %d: %s since %v, lived: %s since %v", i, again.f.State, again.f.Since, lived.f.State, lived.f.Since)
			}
		}
	}
	if len(lived.told) < 8 {
		t.Errorf("the story is too dull to prove it: %v", lived.told)
	}
}

func previous(t *testing.T, spec Spec, points []series.Point) Firing {
	w := watching(t, spec)
	for _, p := range points {
		w.sample(stamp(p.T), p.T, p.V)
	}
	return w.f
}

// The wall clock steps by ten years while a series is quiet: nothing looks
// silent or old before its time.
func TestBar_WallClockStepExpiresNothing(t *testing.T) {
	for _, years := range []int64{-10, 10} {
		w := watching(t, Spec{Match: "lat", Fire: `age > 60 or absent("2m")`, StaleAfter: dur(5 * time.Minute)})
		w.sample(stamp(1_000_000), 1_000_000, 1)
		stepped := stamp(1_030_000)
		stepped.Wall += years * 365 * 24 * 3600 * 1e6
		w.look(stepped, w.f.LookAt(stepped))
		if w.f.State != StateOK {
			t.Errorf("%d years: %s: %v", years, w.f.State, w.told)
		}
		late := stepped.Add(31 * time.Second)
		w.look(late, w.f.LookAt(late))
		if w.f.State != StateFiring {
			t.Errorf("%d years, and a minute of silence on the boot clock: %s", years, w.f.State)
		}
	}
}

// After a reboot `for` begins anew.
func TestBar_ForStartsAgainAfterReboot(t *testing.T) {
	w := watching(t, Spec{Match: "lat", Fire: "value > 1", For: document.Duration(time.Minute)})
	w.sample(stamp(1_000_000), 1_000_000, 2)
	booted := clock.Stamp{Wall: 1_000_000_000 + 3600*1e6, Boot: 5e9, BootID: "next"}
	w.sample(booted, booted.Millis(), 2)
	if w.f.State != StatePending || w.wake != booted.Add(time.Minute) {
		t.Errorf("%s, wake %v", w.f.State, w.wake)
	}
	w.timer(t, booted.Add(time.Minute))
	if w.f.State != StateFiring {
		t.Errorf("%s: %v", w.f.State, w.told)
	}
}
