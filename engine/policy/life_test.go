package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/document"
)

// life drives one firing through looks, one second apart unless told otherwise.
type life struct {
	t     testing.TB
	c     *Condition
	f     Firing
	now   clock.Stamp
	seen  int64
	wake  clock.Stamp
	last  clock.Stamp // of the last fresh sample
	cause string
	told  []string // "from>to reason"
}

func newLife(t testing.TB, s Spec) *life {
	s.Match, s.Fire = "lat", "value > 1"
	if s.StaleAfter == nil {
		s.StaleAfter = dur(time.Minute)
	}
	return &life{t: t, c: must(t, s), now: stamp(1_000_000)}
}

// look advances with a fresh sample and these truths.
func (l *life) look(fire, clear Truth) Transition {
	l.seen++
	return l.advance(Evaluation{At: l.now.Millis(), Newest: l.seen, Fire: fire, Clear: clear, Value: 1, Gap: l.gap()})
}

// gap is how long the series was silent before a sample now.
func (l *life) gap() time.Duration {
	d, _ := l.now.Sub(l.last)
	if l.last.IsZero() {
		d = 0
	}
	l.last = l.now
	return d
}

// tick advances without a sample: what was last true is still true.
func (l *life) tick(fire, clear Truth) Transition {
	return l.advance(Evaluation{At: l.now.Millis(), Newest: l.seen, Fire: fire, Clear: clear, Value: 1})
}

func (l *life) advance(ev Evaluation) Transition {
	var tr Transition
	full, fullTr, fullWake := move(l.c, l.f, ev, l.cause, l.now)
	defer func() {
		if !reflect.DeepEqual(full, l.f) || fullTr != tr || fullWake != l.wake {
			panic(fmt.Sprintf("the quiet look differs:\n%+v %v\n%+v %v", l.f, l.wake, full, fullWake))
		}
	}()
	l.f, tr, l.wake = Advance(l.c, l.f, ev, l.cause, l.now)
	if tr.Changed() {
		l.told = append(l.told, string(tr.From)+">"+string(tr.To)+" "+tr.Reason)
	}
	return tr
}

func (l *life) later(d time.Duration) *life { l.now = l.now.Add(d); return l }

// The table of (state, event): every state meets every event, and goes where the
// drawing above Advance says.
func TestEveryStateMeetsEveryEvent(t *testing.T) {
	spec := Spec{For: document.Duration(10 * time.Second), ClearFor: document.Duration(10 * time.Second)}
	reach := map[State]func(*life){
		StateOK:         func(l *life) { l.look(False, True) },
		StatePending:    func(l *life) { l.look(False, True); l.later(time.Second).look(True, False) },
		StateFiring:     func(l *life) { l.look(True, False); l.later(10*time.Second).look(True, False) },
		StateRecovering: func(l *life) { l.look(True, False); l.later(10*time.Second).look(True, False); l.look(False, True) },
		StateUnknown:    func(l *life) { l.look(False, True); l.later(time.Minute).tick(False, True) },
		StateFlapping: func(l *life) {
			for range 3 {
				l.look(True, False)
				l.later(10*time.Second).look(True, False)
				l.look(False, True)
			}
		},
		StateSuppressed: func(l *life) {
			l.cause = "db-down"
			l.look(True, False)
			l.later(10*time.Second).look(True, False)
		},
	}
	type event struct {
		name string
		do   func(*life) Transition
	}
	events := []event{
		{"fire", func(l *life) Transition { return l.later(time.Second).look(True, False) }},
		{"clear", func(l *life) Transition { return l.later(time.Second).look(False, True) }},
		{"neither", func(l *life) Transition { return l.later(time.Second).look(False, False) }},
		{"unknown", func(l *life) Transition { return l.later(time.Second).look(Unknown, Unknown) }},
		{"both", func(l *life) Transition { return l.later(time.Second).look(True, True) }},
		{"fire lasted", func(l *life) Transition { return l.later(10*time.Second).look(True, False) }},
		{"clear lasted", func(l *life) Transition { return l.later(10*time.Second).look(False, True) }},
		{"silence", func(l *life) Transition { return l.later(time.Minute).tick(False, True) }},
		{"ended", func(l *life) Transition {
			return l.advance(Evaluation{Newest: l.seen + 1, Ended: true})
		}},
		{"cause", func(l *life) Transition { l.cause = "db-down"; return l.later(time.Second).look(True, False) }},
		{"no cause", func(l *life) Transition { l.cause = ""; return l.later(time.Second).look(True, False) }},
		{"calm", func(l *life) Transition { return l.later(10*time.Minute).look(False, True) }},
	}
	// A blank stays. The order is that of the events above.
	table := map[State][]string{
		StateOK:         {"pending", "", "", "", "pending", "pending", "", "unknown", "unknown", "pending", "pending", ""},
		StatePending:    {"", "ok", "ok", "", "", "firing", "ok", "unknown", "unknown", "", "", "ok"},
		StateFiring:     {"", "recovering", "", "", "", "", "recovering", "unknown", "unknown", "suppressed", "", "recovering"},
		StateRecovering: {"firing", "", "firing", "", "firing", "firing", "ok", "unknown", "unknown", "suppressed", "firing", "ok"},
		StateUnknown:    {"pending", "ok", "ok", "", "pending", "pending", "ok", "", "", "pending", "pending", "ok"},
		StateFlapping:   {"", "", "", "", "", "", "", "unknown", "unknown", "", "", "ok"},
		StateSuppressed: {"", "", "", "", "", "", "", "unknown", "unknown", "", "firing", ""},
	}
	if len(table) != len(reach) {
		t.Fatal("a state is missing")
	}
	for from, row := range table {
		for i, e := range events {
			t.Run(string(from)+" meets "+e.name, func(t *testing.T) {
				s := spec
				s.Flapping = &Flapping{Changes: 6, Within: document.Duration(10 * time.Minute), Calm: document.Duration(10 * time.Minute)}
				l := newLife(t, s)
				reach[from](l)
				if l.f.State != from {
					t.Fatalf("%s was not reached but %s: %v", from, l.f.State, l.told)
				}
				want := State(row[i])
				if want == "" {
					want = from
				}
				tr := e.do(l)
				if l.f.State != want {
					t.Fatalf("went to %s, want %s: %v", l.f.State, want, l.told)
				}
				if tr.Changed() != (want != from) || tr.Changed() && (tr.From != from || tr.To != want || !named(tr.Reason)) {
					t.Fatalf("the transition is told as %+v", tr)
				}
			})
		}
	}
}

var reasons = []string{ReasonPending, ReasonSubsided, ReasonFired, ReasonRecovering, ReasonRelapsed, ReasonRecovered,
	ReasonNoData, ReasonFirstData, ReasonDataBack, ReasonFlapping, ReasonCalm, ReasonSuppressed, ReasonReleased}

func named(reason string) bool {
	word, words, _ := strings.Cut(reason, ": ")
	return slices.Contains(reasons, word) && (words != "" || word == ReasonFirstData || word == ReasonDataBack)
}

func TestNoDataChoices(t *testing.T) {
	for choice, want := range map[NoData]State{"": StateUnknown, NoDataUnknown: StateUnknown, NoDataKeep: StateFiring, NoDataOK: StateOK, NoDataFire: StateFiring} {
		l := newLife(t, Spec{NoData: choice})
		l.look(True, False)
		l.later(59*time.Second).tick(True, False)
		if l.f.State != StateFiring {
			t.Errorf("%s: not silent for long enough, and it is %s", choice, l.f.State)
		}
		l.later(time.Second).tick(True, False)
		if l.f.State != want {
			t.Errorf("%s: firing went to %s, want %s: %v", choice, l.f.State, want, l.told)
		}
	}
	l := newLife(t, Spec{NoData: NoDataFire, For: document.Duration(30 * time.Second)})
	l.look(False, True)
	l.later(time.Minute).tick(False, True)
	if l.f.State != StatePending || l.wake != l.now.Add(30*time.Second) {
		t.Errorf("silence that fires: %s, wake %v", l.f.State, l.wake)
	}
	if l.now = l.wake; l.tick(False, True).To != StateFiring {
		t.Errorf("silence did not fire: %v", l.told)
	}
}

// A breach that is kept through a silence has not lasted across it.
func TestKeptSilenceStartsForAgain(t *testing.T) {
	l := newLife(t, Spec{NoData: NoDataKeep, For: document.Duration(30 * time.Second)})
	l.look(True, False)
	l.later(10*time.Minute).tick(True, False)
	l.look(True, False)
	if l.f.State != StatePending || l.wake != l.now.Add(30*time.Second) {
		t.Errorf("%s, wake %v: %v", l.f.State, l.wake, l.told)
	}
	// A restart whose row is old is no silence: the series went on.
	l = newLife(t, Spec{NoData: NoDataKeep, For: document.Duration(time.Hour)})
	l.look(True, False)
	row := l.f
	for range 70 {
		l.later(time.Minute/2).look(True, False)
	}
	l.f = row
	began := l.f.True
	if l.later(time.Minute/2).look(True, False); l.f.True != began {
		t.Errorf("the restart began it anew at %v", l.f.True)
	}
}

func TestNeverLookedAtIsNotOK(t *testing.T) {
	for _, f := range []Firing{{}, {State: StateOK}} {
		l := newLife(t, Spec{})
		l.f = f
		if tr := l.tick(Unknown, Unknown); tr.Changed() || l.f.State != StateUnknown || l.f.Since != l.now {
			t.Errorf("%+v: %+v", tr, l.f)
		}
		if tr := l.later(time.Second).look(False, True); tr.To != StateOK || !named(tr.Reason) {
			t.Errorf("%+v", tr)
		}
		l.f = f
		if tr := l.tick(True, False); tr.From != StateOK || tr.To != StateFiring {
			t.Errorf("%+v", tr)
		}
	}
}

func TestTimesOfLooks(t *testing.T) {
	l := newLife(t, Spec{Times: &Times{X: 3, Of: 5}})
	for i, step := range []struct {
		fire Truth
		want State
	}{{True, StateOK}, {False, StateOK}, {True, StateOK}, {Unknown, StateOK}, {True, StateFiring}, {False, StateFiring}, {False, StateOK}, {False, StateOK}, {True, StateOK}} {
		l.later(time.Second).look(step.fire, -step.fire)
		l.tick(True, False) // a look without a sample is not counted
		if l.f.State != step.want {
			t.Fatalf("after look %d it is %s: %v", i, l.f.State, l.told)
		}
	}
}

func TestWakeIsTheEndOfWhatLasts(t *testing.T) {
	l := newLife(t, Spec{For: document.Duration(20 * time.Second), ClearFor: document.Duration(90 * time.Second)})
	l.look(False, True)
	if want := l.now.Add(time.Minute); l.wake != want {
		t.Errorf("ok wakes at %v, want the end of patience %v", l.wake, want)
	}
	began := l.later(time.Second).now
	l.look(True, False)
	l.later(5*time.Second).look(True, False)
	if want := began.Add(20 * time.Second); l.wake != want {
		t.Errorf("pending wakes at %v, want %v", l.wake, want)
	}
	l.now = l.wake
	if tr := l.tick(True, False); tr.To != StateFiring || tr.Reason != "fired: fire is true, for 20s" {
		t.Errorf("%+v", tr)
	}
	began = l.now
	l.look(False, True)
	l.later(50*time.Second).look(False, True)
	if want := began.Add(90 * time.Second); l.wake != want {
		t.Errorf("recovering wakes at %v, want %v", l.wake, want)
	}
	// time-driven clauses
	ev := Evaluation{At: 5000, Newest: l.seen, Fire: False, Clear: True, Next: 5010}
	if _, _, wake := Advance(l.c, l.f, ev, "", l.now); wake != l.now.Add(10*time.Millisecond) {
		t.Errorf("a clause that changes in 10 ms wakes at %v", wake)
	}
}

func TestFlappingBlocksAndCalmEnds(t *testing.T) {
	l := newLife(t, Spec{Flapping: &Flapping{Changes: 4, Within: document.Duration(time.Minute), Calm: document.Duration(30 * time.Second)}, StaleAfter: dur(time.Hour)})
	for range 2 {
		l.later(time.Second).look(True, False)
		l.later(time.Second).look(False, True)
	}
	if l.f.State != StateFlapping || l.wake != l.now.Add(30*time.Second) {
		t.Fatalf("%s, wake %v: %v", l.f.State, l.wake, l.told)
	}
	l.later(10*time.Second).look(True, False)
	if l.f.State != StateFlapping || l.wake != l.now.Add(30*time.Second) {
		t.Fatalf("a further change: %s, wake %v", l.f.State, l.wake)
	}
	l.now = l.wake
	if tr := l.tick(True, False); tr.To != StateFiring || tr.Reason != "calm: no change for 30s" {
		t.Errorf("%+v", tr)
	}
	if l.later(time.Second).look(True, False); l.f.State != StateFiring {
		t.Errorf("after calm the old changes count again: %v", l.told)
	}
	if tr := l.later(20*time.Second).look(False, True); tr.Reason != "recovered: clear is true" {
		t.Errorf("%+v", tr)
	}
	// slow changes are no flapping
	for range 10 {
		l.later(20*time.Second).look(True, False)
		l.later(21*time.Second).look(False, True)
	}
	if l.f.State != StateOK {
		t.Errorf("slow changes: %s", l.f.State)
	}
}

func TestTheCauseHoldsAndReleases(t *testing.T) {
	l := newLife(t, Spec{})
	l.cause = "db-down"
	if tr := l.look(True, False); tr.To != StateSuppressed || tr.Reason != "suppressed: db-down fires" || l.f.By != "db-down" {
		t.Errorf("%+v %+v", tr, l.f)
	}
	l.cause = "disk-full"
	if l.later(time.Second).look(True, False); l.f.By != "disk-full" {
		t.Errorf("%+v", l.f)
	}
	l.cause = ""
	if tr := l.later(time.Second).look(True, False); tr.To != StateFiring || tr.Reason != "released: disk-full no longer fires" {
		t.Errorf("%+v", tr)
	}
	l.cause = "db-down"
	l.later(time.Second).look(True, False)
	if tr := l.later(time.Second).look(False, True); tr.Reason != "recovered: clear is true" {
		t.Errorf("%+v", tr)
	}
}

// drawn is a random spec and a random run of looks.
type drawn struct {
	spec  Spec
	looks []drawnLook
}

type drawnLook struct {
	after       time.Duration
	fire, clear Truth
	fresh       bool
	ended       bool
	cause       bool
	reboot      bool
	wall        time.Duration // a step of the wall clock before the look
}

func drawRun(t *rapid.T, reboots bool) drawn {
	ms := func(name string) document.Duration {
		return document.Duration(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5, 30}).Draw(t, name)) * time.Second)
	}
	d := drawn{spec: Spec{For: ms("for"), ClearFor: ms("clear_for"), NoData: rapid.SampledFrom([]NoData{"", NoDataKeep, NoDataOK, NoDataFire}).Draw(t, "no_data"),
		StaleAfter: dur(time.Duration(rapid.IntRange(1, 60).Draw(t, "stale")) * time.Second)}}
	if rapid.Bool().Draw(t, "has times") {
		d.spec.Times = &Times{X: rapid.IntRange(1, 3).Draw(t, "x"), Of: rapid.IntRange(3, 5).Draw(t, "of")}
	}
	if rapid.Bool().Draw(t, "flaps early") {
		d.spec.Flapping = &Flapping{Changes: 3, Within: document.Duration(20 * time.Second), Calm: document.Duration(15 * time.Second)}
	}
	truth := rapid.SampledFrom([]Truth{True, True, False, False, Unknown})
	for range rapid.IntRange(1, 60).Draw(t, "looks") {
		k := drawnLook{
			after: time.Duration(rapid.SampledFrom([]int{0, 1, 500, 1000, 3000, 10_000, 70_000}).Draw(t, "after")) * time.Millisecond,
			fire:  truth.Draw(t, "fire"), clear: truth.Draw(t, "clear"),
			fresh: rapid.IntRange(0, 3).Draw(t, "fresh") > 0, ended: rapid.IntRange(0, 19).Draw(t, "ended") == 0,
			cause:  rapid.IntRange(0, 5).Draw(t, "cause") == 0,
			reboot: reboots && rapid.IntRange(0, 9).Draw(t, "reboot") == 0,
		}
		switch n := len(d.looks); {
		case k.ended:
			k.fire, k.clear = Unknown, Unknown // as Evaluate has it, windows and value being gone
		case k.fresh:
		case n == 0:
			k.fire, k.clear = Unknown, Unknown
		case k.fire != Unknown: // without a sample a truth may be lost, not change
			k.fire, k.clear = d.looks[n-1].fire, d.looks[n-1].clear
		}
		if rapid.IntRange(0, 4).Draw(t, "wall steps") == 0 {
			k.wall = time.Duration(rapid.Int64Range(-10*365*24, 10*365*24).Draw(t, "hours")) * time.Hour
		}
		d.looks = append(d.looks, k)
	}
	return d
}

// run plays a drawn run; seen is told every step.
func (d drawn) run(t *rapid.T, wall, restart bool, seen func(i int, l *life, tr Transition)) {
	s := d.spec
	s.Match, s.Fire, s.Clear = "lat", "value > 1", "value < 1"
	c, issues := Compile(s)
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	l := &life{c: c, now: stamp(1_000_000)}
	for i, k := range d.looks {
		l.now = l.now.Add(k.after)
		if k.reboot {
			l.now = clock.Stamp{Wall: l.now.Wall, Boot: 1e9, BootID: l.now.BootID + "'"}
		}
		if wall {
			l.now.Wall += k.wall.Microseconds()
		}
		if l.cause = ""; k.cause {
			l.cause = "deeper"
		}
		ev := Evaluation{At: l.now.Millis(), Fire: k.fire, Clear: k.clear, Ended: k.ended, Value: 2}
		if k.fresh {
			l.seen++
			ev.Gap = l.gap()
		}
		ev.Newest = l.seen
		if restart {
			b, err := json.Marshal(l.f)
			var back Firing
			if err == nil {
				err = json.Unmarshal(b, &back)
			}
			if err != nil {
				t.Fatal(err)
			}
			l.f = back
		}
		seen(i, l, l.advance(ev))
	}
}

// The state written and read back at every step decides exactly the same.
func TestRestartChangesNoDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRun(t, true)
		var states []Firing
		var wakes []clock.Stamp
		var told []string
		d.run(t, false, false, func(_ int, l *life, _ Transition) {
			states, wakes, told = append(states, l.f), append(wakes, l.wake), l.told
		})
		var again []string
		d.run(t, false, true, func(i int, l *life, _ Transition) {
			if diff := cmp.Diff(states[i], l.f); diff != "" || wakes[i] != l.wake {
				t.Fatalf("after a restart step %d differs: %s", i, diff)
			}
			again = l.told
		})
		if diff := cmp.Diff(told, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A step of the wall clock by years, either way, fires nothing, expires nothing
// and wakes nothing earlier or later.
func TestWallClockStepsDecideNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRun(t, false)
		var told []string
		var states []State
		var wakes []int64
		d.run(t, false, false, func(_ int, l *life, _ Transition) {
			states, wakes, told = append(states, l.f.State), append(wakes, l.wake.Boot), l.told
		})
		d.run(t, true, false, func(i int, l *life, _ Transition) {
			if l.f.State != states[i] || l.wake.Boot != wakes[i] {
				t.Fatalf("step %d is %s, was %s without the clock's step", i, l.f.State, states[i])
			}
			if i == len(states)-1 && !slices.Equal(told, l.told) {
				t.Fatal(cmp.Diff(told, l.told))
			}
		})
	})
}

// Every transition is named, a wake lies ahead, nothing fires before its time,
// and a recovery is told only of what was told to fire.
func TestLifeKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRun(t, true)
		firing := false // shown as firing and not ended
		var quiet clock.Stamp
		last := StateOK
		d.run(t, false, false, func(i int, l *life, tr Transition) {
			k := d.looks[i]
			if k.fire == False || k.reboot || quiet.IsZero() || l.f.State == StateUnknown {
				quiet = l.now // it has not been true for longer than this
			}
			if !l.wake.IsZero() && (l.now.Reached(l.wake) || l.wake.BootID != l.now.BootID) {
				t.Fatalf("step %d wakes at %v, it is %v", i, l.wake, l.now)
			}
			if !tr.Changed() {
				if tr != (Transition{}) && tr.Reason != "" {
					t.Fatalf("no change, and a reason: %+v", tr)
				}
				last = l.f.State
				return
			}
			if tr.To != l.f.State || tr.From != last && !(i == 0 && tr.From == StateOK) || !named(tr.Reason) {
				t.Fatalf("step %d: %+v after %s", i, tr, last)
			}
			last = l.f.State
			switch {
			case strings.HasPrefix(tr.Reason, ReasonRecovered):
				if !firing {
					t.Fatalf("recovered without having fired: %v", l.told)
				}
				firing = false
			case tr.To == StateFiring:
				firing = true
			case tr.To == StateOK && firing:
				t.Fatalf("the end of a firing was told as %q: %v", tr.Reason, l.told)
			}
			if tr.To == StateFiring && strings.HasPrefix(tr.Reason, ReasonFired) && d.spec.Times == nil && d.spec.For > 0 && d.spec.NoData != NoDataFire {
				if since, same := l.now.Sub(quiet); same && since < d.spec.For.Std() {
					t.Fatalf("fired %v after fire was false or nothing was known: %v", since, l.told)
				}
			}
		})
	})
}

// A breach that lasts fires at the wake that pending asked for, not before.
func TestForIsKeptToTheMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wait := time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "for"))
		c, issues := Compile(Spec{Match: "lat", Fire: "value > 1", For: document.Duration(wait), StaleAfter: dur(time.Hour)})
		if len(issues) > 0 {
			t.Fatal(issues)
		}
		now := stamp(5000)
		ev := Evaluation{Newest: 1, Fire: True, Clear: False}
		f, _, wake := Advance(c, Firing{}, ev, "", now)
		if f.State != StatePending || wake != now.Add(wait) {
			t.Fatalf("%s, wake %v", f.State, wake)
		}
		at := time.Duration(rapid.Int64Range(0, int64(wait)+1000).Draw(t, "look after"))
		f, _, _ = Advance(c, f, ev, "", now.Add(at))
		if (f.State == StateFiring) != (at >= wait) {
			t.Fatalf("for %v, after %v it is %s", wait, at, f.State)
		}
	})
}

// Advance is pure: it writes to nothing it was given, and two continuations of
// one firing do not disturb each other.
func TestAdvanceIsPure(t *testing.T) {
	l := newLife(t, Spec{Times: &Times{X: 2, Of: 4}, Flapping: &Flapping{Changes: 3}})
	for i := range 40 {
		before, err := json.Marshal(l.f)
		if err != nil {
			t.Fatal(err)
		}
		evs := []Evaluation{{At: l.now.Millis(), Newest: l.seen + 1, Fire: True, Clear: False}, {At: l.now.Millis(), Newest: l.seen + 1, Fire: False, Clear: True}}
		one, _, _ := Advance(l.c, l.f, evs[0], "", l.now)
		first, _ := json.Marshal(one)
		for _, ev := range evs {
			Advance(l.c, l.f, ev, "", l.now.Add(time.Minute))
		}
		again, _ := json.Marshal(one)
		after, _ := json.Marshal(l.f)
		if string(first) != string(again) || string(before) != string(after) {
			t.Fatalf("look %d wrote to what it was given:\n%s\n%s\n%s\n%s", i, before, after, first, again)
		}
		l.later(time.Second).look(evs[i/3%2].Fire, evs[i/3%2].Clear)
	}
}

// An episode begins once: a relapse, a cause and a silence do not begin it anew,
// so firing_for is the whole of it.
func TestAnEpisodeBeginsOnce(t *testing.T) {
	l := newLife(t, Spec{ClearFor: document.Duration(time.Minute)})
	l.look(True, False)
	began := l.f.Fired
	l.later(time.Second).look(True, False)
	l.later(time.Second).look(False, True) // recovering
	l.later(time.Second).look(True, False) // relapsed
	l.cause = "db-down"
	l.later(time.Second).look(True, False) // suppressed
	l.cause = ""
	l.later(time.Second).look(True, False)    // released
	l.later(2*time.Minute).tick(True, False)  // unknown
	l.later(10*time.Second).look(True, False) // back
	if l.f.State != StateFiring || l.f.Fired != began {
		t.Errorf("%s, since %v, began %v: %v", l.f.State, l.f.Fired, began, l.told)
	}
	l.later(time.Second).look(False, True)
	l.later(time.Minute).look(False, True)
	l.later(time.Second).look(True, False)
	if l.f.Fired != l.now {
		t.Errorf("the next episode began at %v: %v", l.f.Fired, l.told)
	}
}
