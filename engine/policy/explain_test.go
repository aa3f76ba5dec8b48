package policy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/series"
)

func TestExplainShowsEveryValue(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: `avg("5m") > 0.5 and labels.service == "web" and max("1m", "other") > 1`, Clear: `value < 0.3`})
	in := c.Instance(web)
	for i := range 30 {
		in.Observe(0, 1, series.Point{T: int64(i+1) * 1000, V: 0.75})
	}
	in.Observe(0, 1, series.Point{T: 31_000, V: math.Inf(1)})
	in.Evaluate(31_000, false, 0)
	e := in.Explain()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"text":"avg(\"5m\")","value":"unknown"`, `"text":"labels.service","value":"\"web\""`,
		`"text":"labels.service == \"web\"","value":"true"`, `"call":"max(\"1m\", \"other\")","value":"unknown","count":0`, `{"t":31000,"v":"+Inf"}`,
		`"series":"lat{host=\"a\",service=\"web\"}"`, `"text":"value \u003c 0.3","value":"unknown"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in\n%s", want, b)
		}
	}
	if n := len(e.Windows[0].Samples); n != maxEvidence || e.Windows[0].Count != 31 || e.Windows[0].Last != 31_000 {
		t.Errorf("%+v", e.Windows[0])
	}
}

func TestReplayRefusesWhatDoesNotFit(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: `avg("5m") > 0.5`})
	in := c.Instance(web)
	in.Evaluate(0, false, 0)
	for name, spoil := range map[string]func(*Explanation){
		"another expression":  func(e *Explanation) { e.Expr.Fire = `max("5m") > 0.5` },
		"a broken expression": func(e *Explanation) { e.Expr.Fire = "(" },
		"a window less":       func(e *Explanation) { e.Windows = nil },
		"a value of no kind":  func(e *Explanation) { e.Windows[0].Value = "many" },
		"no inputs":           func(e *Explanation) { e.Inputs = nil },
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
		spec := Spec{Match: "lat", Fire: rapid.SampledFrom(fires).Draw(t, "fire")}
		if rapid.Bool().Draw(t, "has clear") {
			spec.Clear = rapid.SampledFrom(fires).Draw(t, "clear")
		}
		c, issues := Compile(spec)
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
			var e Explanation
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
	in := must(t, Spec{Match: "lat", Fire: `value > 0.3 and avg("1m") > 0.3`}).Instance(web)
	v := 0.1
	in.Observe(0, 1, series.Point{T: 1000, V: v + 0.2})
	if ev := in.Evaluate(1000, false, 0); ev.Fire != True {
		t.Fatalf("%+v", ev)
	}
	if fire, _, err := Replay(in.Explain()); err != nil || fire != True {
		t.Errorf("%v %v", fire, err)
	}
}
