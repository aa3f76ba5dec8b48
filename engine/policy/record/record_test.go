package record

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/clock"
	"vigil/engine/document"
	"vigil/engine/policy"
	"vigil/engine/series"
)

var web = series.FromMap("lat", map[string]string{"service": "web", "host": "a"})

func must(t testing.TB, s policy.Spec) *policy.Condition {
	t.Helper()
	c, issues := policy.Compile(s)
	if len(issues) > 0 {
		t.Fatalf("%+v: %v", s, issues)
	}
	return c
}

func TestReplayRefusesWhatDoesNotFit(t *testing.T) {
	c := must(t, policy.Spec{Match: "lat", Fire: `avg("5m") > 0.5`})
	in := c.Instance(web)
	in.Evaluate(0, false, 0)
	for name, spoil := range map[string]func(*policy.Explanation){
		"another expression":  func(e *policy.Explanation) { e.Expr.Fire = `max("5m") > 0.5` },
		"a broken expression": func(e *policy.Explanation) { e.Expr.Fire = "(" },
		"a window less":       func(e *policy.Explanation) { e.Windows = nil },
		"a value of no kind":  func(e *policy.Explanation) { e.Windows[0].Value = "many" },
		"no inputs":           func(e *policy.Explanation) { e.Inputs = nil },
	} {
		e := in.Explain()
		spoil(&e)
		if _, _, err := Replay(e); err == nil {
			t.Errorf("%s was replayed", name)
		}
	}
}

// Re-evaluating a stored explanation offline gives the same truths, always.
func TestReplayGivesTheSameTruths(t *testing.T) {
	fires := []string{
		`avg("5m") > 0.5 and value > 0.4`, `quantile(0.9, "1m") / min("1m") >= 1.5 or firing`, `rate("1m") * 60 > 1 and labels.service == "web"`,
		`predict("1m", "1h") > stddev("1m") and target matches "w.b"`, `age > 3 or absent("10s")`, `last("1m", "other") - value > 0 ? firing_for > 5 : now_hour() in [0, 1]`,
		`not (deriv("1m") < 0) and weekday() != 3`, `changes("1m") + resets("1m") + count("1m") > delta("1m")`,
	}
	rapid.Check(t, func(t *rapid.T) {
		spec := policy.Spec{Match: "lat", Fire: rapid.SampledFrom(fires).Draw(t, "fire")}
		if rapid.Bool().Draw(t, "has clear") {
			spec.Clear = rapid.SampledFrom(fires).Draw(t, "clear")
		}
		c, issues := policy.Compile(spec)
		if len(issues) > 0 {
			t.Fatal(issues)
		}
		in := c.Instance(web)
		at := int64(1000)
		for range rapid.IntRange(0, 40).Draw(t, "points") {
			at += rapid.Int64Range(1, 9000).Draw(t, "step")
			v := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-2, 2), rapid.SampledFrom([]float64{math.NaN(), math.Inf(-1)})).Draw(t, "v")
			in.Observe(rapid.IntRange(0, len(c.Sources)-1).Draw(t, "source"), 1, series.Point{T: at, V: v})
			ev := in.Evaluate(at, rapid.Bool().Draw(t, "firing"), 7e9)
			b, err := json.Marshal(in.Explain())
			if err != nil {
				t.Fatal(err)
			}
			var e policy.Explanation
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(in.Explain(), e); diff != "" {
				t.Fatal(diff)
			}
			fire, clear, err := Replay(e)
			if err != nil || fire != ev.Fire || clear != ev.Clear {
				t.Fatalf("%v: replayed %v %v, was %v %v: %s", err, fire, clear, ev.Fire, ev.Clear, b)
			}
		}
	})
}

// The last bit decides, and it is stored.
func TestReplayKeepsTheLastBit(t *testing.T) {
	in := must(t, policy.Spec{Match: "lat", Fire: `value > 0.3 and avg("1m") > 0.3`}).Instance(web)
	v := 0.1
	in.Observe(0, 1, series.Point{T: 1000, V: v + 0.2})
	if ev := in.Evaluate(1000, false, 0); ev.Fire != policy.True {
		t.Fatalf("%+v", ev)
	}
	if fire, _, err := Replay(in.Explain()); err != nil || fire != policy.True {
		t.Errorf("%v %v", fire, err)
	}
}

// What a firing did comes out of its evidence again, for every life: whatever the
// spec says of it, whatever was seen, over silences, ends, reboots and causes.
func TestStepsComeOutOfTheirEvidence(t *testing.T) {
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		length := func(name string) document.Duration {
			return document.Duration(rapid.SampledFrom([]time.Duration{0, 0, time.Second, 20 * time.Second, 2 * time.Minute}).Draw(t, name))
		}
		spec := policy.Spec{Match: "lat", Fire: rapid.SampledFrom([]string{"value > 5", `avg("1m") > 5`, "age > 30", "value > 5 or firing_for > 60"}).Draw(t, "fire"),
			For: length("for"), ClearFor: length("clear for"), NoData: rapid.SampledFrom([]policy.NoData{"", policy.NoDataKeep, policy.NoDataOK, policy.NoDataFire, policy.NoDataUnknown}).Draw(t, "no data")}
		if rapid.Bool().Draw(t, "has clear") {
			spec.Clear = "value < 3"
		}
		if rapid.Bool().Draw(t, "has times") {
			spec.Times = &policy.Times{X: 2, Of: 3}
		}
		if rapid.Bool().Draw(t, "has stale_after") {
			stale := document.Duration(time.Minute)
			spec.StaleAfter = &stale
		}
		if rapid.Bool().Draw(t, "has flapping") {
			spec.Flapping = &policy.Flapping{Changes: 3, Within: document.Duration(10 * time.Minute), Calm: document.Duration(time.Minute)}
		}
		c, issues := policy.Compile(spec)
		if len(issues) > 0 {
			t.Fatal(issues)
		}
		in := c.Instance(web)
		var f policy.Firing
		now := clock.Stamp{Wall: 1_700_000_000_000_000, Boot: int64(time.Hour), BootID: "a"}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.Int64Range(1, 90).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 30).Draw(t, "boots") == 0 {
				now.BootID, now.Boot = now.BootID+"b", int64(time.Minute)
			}
			at := f.LookAt(now)
			switch rapid.IntRange(0, 9).Draw(t, "sees") {
			default:
				at = now.Millis()
				in.Observe(0, 1, series.Point{T: at, V: rapid.SampledFrom([]float64{1, 4, 9, math.NaN()}).Draw(t, "v")})
			case 0:
				at = now.Millis()
				in.Observe(0, 1, series.Point{T: at, V: series.Stale()})
			case 1, 2: // a timer
			}
			var firingFor time.Duration
			firing := f.State == policy.StateFiring || f.State == policy.StateRecovering
			if firing {
				firingFor, _ = now.Sub(f.Fired)
			}
			ev := in.Evaluate(at, firing, firingFor)
			cause := rapid.SampledFrom([]string{"", "", "", "deeper"}).Draw(t, "cause")
			next, tr, _ := policy.Advance(c, f, ev, cause, now)
			if tr.Changed() {
				moved++
				value := ev.Value
				if value-value != 0 {
					value = 0
				}
				b, err := json.Marshal(Evidence{From: tr.From, To: tr.To, Value: value, Cause: cause, Step: StepOf(c, f, ev, now), Explanation: in.Explain()})
				if err != nil {
					t.Fatal(err)
				}
				var e Evidence
				if err := json.Unmarshal(b, &e); err != nil {
					t.Fatal(err)
				}
				if err := e.Again(); err != nil {
					t.Fatalf("%s -> %s: %v\n%s", tr.From, tr.To, err, b)
				}
				e.To = policy.StateSuppressed
				if tr.To == e.To {
					e.To = policy.StateOK
				}
				if e.Again() == nil {
					t.Fatalf("an end that was made up is believed: %s", b)
				}
			}
			f = next
		}
	})
	if moved == 0 {
		t.Error("nothing moved: this shows nothing")
	}
}

// TestWhatTheGatesAreToldOfAConditionComesOut: of any state, silent or not, and also
// of an instance that was never evaluated; another word for it is found.
func TestWhatTheGatesAreToldOfAConditionComesOut(t *testing.T) {
	c := must(t, policy.Spec{Match: "lat", Fire: `avg("1m") > 5`, Clear: "value < 3"})
	said := map[policy.Truth]int{}
	for _, state := range []policy.State{policy.StateOK, policy.StatePending, policy.StateFiring, policy.StateRecovering, policy.StateUnknown, policy.StateFlapping, policy.StateSuppressed} {
		for _, noData := range []policy.NoData{"", policy.NoDataFire} {
			for _, seen := range [][]float64{nil, {9}, {9, 1}, {1}, {9, math.NaN()}} {
				for _, silent := range []bool{false, true} {
					in := c.Instance(web)
					for i, v := range seen {
						in.Observe(0, 1, series.Point{T: int64(1000 + i), V: v})
					}
					h := Held{State: state, Silent: silent, NoData: noData}
					fire, clear := policy.Unknown, policy.Unknown
					if Looks(state) {
						ev := in.Evaluate(2000, true, time.Second)
						fire, clear = ev.Fire, ev.Clear
					}
					h.Explanation = in.Explain()
					holds := h.Holds(fire, clear)
					said[holds]++
					b, err := json.Marshal(h)
					if err != nil {
						t.Fatal(err)
					}
					for other := policy.False; other <= policy.True; other++ {
						if err := HeldAgain(b, other); (err == nil) != (other == holds) {
							t.Fatalf("it is %s, and asked for %s: %v\n%s", holds, other, err, b)
						}
					}
				}
			}
		}
	}
	if len(said) != 3 {
		t.Errorf("only %v came out: this shows little", said)
	}
	if err := HeldAgain([]byte(`{"reason":"the policy or its series is gone"}`), policy.False); err != nil {
		t.Error(err)
	}
}
