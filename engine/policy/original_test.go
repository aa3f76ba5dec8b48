package policy

import (
	"strings"
	"testing"

	"vigil/engine/document"
	"vigil/engine/series"
)

func fromText(t testing.TB, text string) (Spec, string) {
	t.Helper()
	n, issues := document.ParseJSON("body", []byte(text))
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	s, issues := FromOriginal(n)
	return s, issues.Error()
}

func TestOriginalConditions(t *testing.T) {
	leaf := func(kind, metric, threshold string) string {
		return `{"type":"` + kind + `","metric":"` + metric + `","threshold":` + threshold + `}`
	}
	a, b, m := leaf("metric_exceeds", "cpu_percent", "80"), leaf("metric_below", "disk_free_percent", "5"), leaf("metric_exceeds", "memory_percent", "80")
	tests := []struct{ name, text, match, fire string }{
		{"exceeds", leaf("metric_exceeds", "cpu_percent", "90"), `cpu_percent`, `value > 90`},
		{"below", b, `disk_free_percent`, `value < 5`},
		{"negative", leaf("metric_below", "t", "-0.5"), `t`, `value < -0.5`},
		{"odd name", leaf("metric_exceeds", `cpu.per\"cent`, "1e3"), `{__name__="cpu.per\"cent"}`, `value > 1000`},
		{"all", `{"type":"all","conditions":[` + a + `,` + m + `]}`, `cpu_percent`, `(value > 80) and (last("5m", "memory_percent") > 80)`},
		{"all of one metric", `{"type":"all","conditions":[` + a + `,` + leaf("metric_below", "cpu_percent", "90") + `]}`, `cpu_percent`, `(value > 80) and (value < 90)`},
		{"any", `{"type":"any","conditions":[` + a + `,` + b + `]}`, `{__name__=~"cpu_percent|disk_free_percent"}`,
			`(name == "cpu_percent" and (name == "cpu_percent" ? value : last("5m", "cpu_percent")) > 80) or (name == "disk_free_percent" and (name == "disk_free_percent" ? value : last("5m", "disk_free_percent")) < 5)`},
		{"all of one", `{"type":"all","conditions":[` + a + `]}`, `cpu_percent`, `value > 80`},
		{"any in all", `{"type":"all","conditions":[` + a + `,{"type":"any","conditions":[` + b + `,` + m + `]}]}`, `cpu_percent`,
			`(value > 80) and ((last("5m", "disk_free_percent") < 5) or (last("5m", "memory_percent") > 80))`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, issues := fromText(t, tt.text)
			if issues != "" || s.Match != tt.match || s.Fire != tt.fire {
				t.Errorf("%s\n%s\n%s", issues, s.Match, s.Fire)
			}
		})
	}
}

func TestOriginalFaultsAreRefused(t *testing.T) {
	tests := []struct{ text, want string }{
		{`{"type":"metric_exceed","metric":"a","threshold":1}`, `body:1:9: unknown condition type "metric_exceed" (did you mean metric_exceeds?)`},
		{`{"type":"custom"}`, `unknown condition type "custom" (one of metric_exceeds`},
		{`{"metric":"a","threshold":1}`, `condition has no type`},
		{`{"type":"metric_exceeds","metric":"a","threshold":"90"}`, `body:1:51: condition.threshold must be a number`},
		{`{"type":"metric_exceeds","metric":"a","threshold":true}`, `must be a number`},
		{`{"type":"metric_exceeds","metric":"a","threshold":1e999}`, `must be a number`},
		{`{"type":"metric_exceeds","metric":"a"}`, `condition.threshold is missing`},
		{`{"type":"metric_exceeds","threshold":1}`, `condition.metric must be the name of a metric`},
		{`{"type":"metric_exceeds","metric":"","threshold":1}`, `must be the name of a metric`},
		{`{"type":"all","conditions":[]}`, `condition of type all needs a list of conditions that is not empty`},
		{`{"type":"any"}`, `needs a list of conditions`},
		{`{"type":"all","conditions":[{"type":"metric_exceeds","metric":"a","threshold":"x"}]}`, `condition.conditions[0].threshold must be a number`},
		{`{"type":"metric_exceeds","metric":"a","threshold":1,"duration":5}`, `has no field "duration"`},
		{`"cpu > 3"`, `condition must be a mapping`},
		{`{"type":"all","conditions":[` + strings.Repeat(`{"type":"metric_exceeds","metric":"a","threshold":1},`, 100) + `{}]}`, `more than 64 conditions`},
		{strings.Repeat(`{"type":"all","conditions":[`, 14) + "{}" + strings.Repeat("]}", 14), `has no type`},
		{`{"type":"all","conditions":[` + strings.Repeat(`{"type":"metric_exceeds","metric":"a`+strings.Repeat("x", 60)+`","threshold":1},`, 30) + `{"type":"metric_exceeds","metric":"b` + strings.Repeat("y", 2000) + `","threshold":1}]}`, `the condition is too large`},
	}
	for _, tt := range tests {
		if s, issues := fromText(t, tt.text); !strings.Contains(issues, tt.want) {
			t.Errorf("%.100s:\n got %s %+v\nwant %s", tt.text, issues, s, tt.want)
		}
	}
}

// What the original could not do: all over two metrics of one host fires, and a
// metric that is missing never does.
func TestOriginalAllAndAnyReallyFire(t *testing.T) {
	host := func(name, h string) series.Labels { return series.FromMap(name, map[string]string{"host": h}) }
	s, _ := fromText(t, `{"type":"all","conditions":[{"type":"metric_exceeds","metric":"cpu","threshold":80},{"type":"metric_below","metric":"free","threshold":5}]}`)
	c := must(t, s)
	in := c.Instance(host("cpu", "a"))
	in.Observe(0, 1, series.Point{T: 1000, V: 90})
	if ev := in.Evaluate(1000, false, 0); ev.Fire == True {
		t.Error("a missing metric fired")
	}
	if !c.Joins(1, in.Labels, host("free", "a")) || c.Joins(1, in.Labels, host("free", "b")) {
		t.Error("the other metric of the same host does not join, or that of another does")
	}
	in.Observe(1, 2, series.Point{T: 1000, V: 4})
	if ev := in.Evaluate(1000, false, 0); ev.Fire != True {
		t.Error("both hold and it does not fire")
	}

	s, _ = fromText(t, `{"type":"any","conditions":[{"type":"metric_exceeds","metric":"cpu","threshold":80},{"type":"metric_below","metric":"free","threshold":5}]}`)
	c = must(t, s)
	for name, v := range map[string]float64{"cpu": 90, "free": 4} {
		in := c.Instance(host(name, "a"))
		if !c.Selects(in.Labels) {
			t.Errorf("any does not match %s", name)
		}
		in.Observe(0, 1, series.Point{T: 1000, V: v})
		if ev := in.Evaluate(1000, false, 0); ev.Fire != True {
			t.Errorf("any with %s alone: %+v", name, ev)
		}
		in.Observe(0, 1, series.Point{T: 2000, V: 50})
		if ev := in.Evaluate(2000, false, 0); ev.Fire == True {
			t.Errorf("any with %s in order: %+v", name, ev)
		}
	}
}

func TestOriginalMatchMetric(t *testing.T) {
	docs, _ := document.Parse("f", []byte("name: a\nmatch_metric: cpu\nthreshold: 0.8\n"), document.Folder)
	s, issues := FromMatchMetric(docs[0].Spec)
	if len(issues) > 0 || s.Match != "cpu" || s.Fire != "value > 0.8" {
		t.Errorf("%+v %v", s, issues)
	}
	docs, _ = document.Parse("f", []byte("name: a\nmatch_metric: cpu\nthreshold: high\n"), document.Folder)
	if _, issues := FromMatchMetric(docs[0].Spec); !strings.Contains(issues.Error(), "f:3:12: threshold must be a number") {
		t.Errorf("%v", issues)
	}
}
