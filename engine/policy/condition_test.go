package policy

import (
	"math"
	"strings"
	"testing"
	"time"

	"vigil/engine/document"
	"vigil/engine/series"
)

func must(t testing.TB, s Spec) *Condition {
	t.Helper()
	c, issues := Compile(s)
	if len(issues) > 0 {
		t.Fatalf("%+v: %v", s, issues)
	}
	return c
}

func dur(d time.Duration) *document.Duration { x := document.Duration(d); return &x }

var web = series.FromMap("lat", map[string]string{"service": "web", "host": "a"})

func TestSpecIssuesNameFieldAndColumn(t *testing.T) {
	tests := []struct {
		spec Spec
		want string
	}{
		{Spec{}, "match:1: match is missing"},
		{Spec{Match: "lat"}, "fire:1: fire is missing"},
		{Spec{Match: `lat{a="b"`, Fire: "true"}, "match:"},
		{Spec{Match: `lat{a=~"("}`, Fire: "true"}, "match:"},
		{Spec{Match: `{a!="b"}`, Fire: "true"}, "match:1: the selector matches every series"},
		{Spec{Match: "lat", Fire: "value > 1 and foo > 2"}, `fire:15: unknown name "foo"`},
		{Spec{Match: "lat", Fire: "true", Clear: "1"}, "clear:1: expected true or false"},
		{Spec{Match: "lat", Fire: `last("5m", "x{") > 1`}, "fire:12: the selector cannot be parsed"},
		{Spec{Match: "lat", Fire: "true", Times: &Times{3, 2}}, "times: times needs 1 <= x <= of <= 64"},
		{Spec{Match: "lat", Fire: "true", NoData: "nodata"}, `no_data: no_data cannot be "nodata"`},
		{Spec{Match: "lat", Fire: "true", StaleAfter: dur(time.Millisecond)}, "stale_after must be at least 1s"},
		{Spec{Match: "lat", Fire: "true", For: document.Duration(1000 * 24 * time.Hour)}, "for must be at most 366 days"},
		{Spec{Match: "lat", Fire: "true", Flapping: &Flapping{Changes: 1}}, "flapping.changes must lie between 2 and 100"},
		{Spec{Match: "lat", Fire: "true", On: []string{"__name__"}}, "on names labels"},
		{Spec{Match: "lat", Fire: "true", Target: "a[z-a]"}, "is no name and no glob"},
	}
	for _, tt := range tests {
		if _, issues := Compile(tt.spec); !strings.Contains(issues.Error(), tt.want) {
			t.Errorf("%+v:\n got %v\nwant %s", tt.spec, issues, tt.want)
		}
	}
}

func TestSelectors(t *testing.T) {
	for text, want := range map[string]string{
		`lat`:                             `lat`,
		`lat{service="web",host!~"b|c"}`:  `lat{service="web",host!~"b|c"}`,
		`{__name__=~"a.*", x!="y"}`:       `{__name__=~"a.*",x!="y"}`,
		`{__name__="cpu.percent"}`:        `cpu.percent`,
		`lat{service='w\'eb', zone=~"e"}`: `lat{service="w'eb",zone=~"e"}`,
	} {
		sel, err := ParseSelector(text)
		if err != nil || !sameMatchers(sel.String(), want) {
			t.Errorf("%s: %s, %v", text, sel, err)
		}
	}
	for _, text := range []string{"", "{}", `{a=""}`, `{a=~".*"}`, "lat[5m]", "lat offset 5m", "rate(lat[5m])", "a{b}", strings.Repeat("a", 4000), "lat{" + strings.Repeat(`a!="b",`, 40) + "}"} {
		if sel, err := ParseSelector(text); err == nil {
			t.Errorf("%.40s was read as %v", text, sel)
		}
	}
}

// sameMatchers compares selectors whatever the order of their matchers.
func sameMatchers(a, b string) bool {
	split := func(s string) map[string]bool {
		m := map[string]bool{}
		name, rest, _ := strings.Cut(s, "{")
		m[name] = true
		for _, x := range strings.Split(strings.TrimSuffix(rest, "}"), ",") {
			m[x] = true
		}
		return m
	}
	x, y := split(a), split(b)
	for k := range x {
		if !y[k] {
			return false
		}
	}
	return len(x) == len(y)
}

func TestTargetsAndGlobs(t *testing.T) {
	tests := []struct {
		target string
		labels map[string]string
		want   bool
		named  string
	}{
		{"", nil, true, ""},
		{"all", map[string]string{"host": "x"}, true, "x"},
		{"web-*", map[string]string{"service": "web-1"}, true, "web-1"},
		{"web-*", map[string]string{"service": "db-1"}, false, "db-1"},
		{"web-*", nil, false, ""},
		{"api-server", map[string]string{"service": "api-server"}, true, "api-server"},
		{"api-server", map[string]string{"service": "other"}, false, "other"},
		{"api-server", nil, true, "api-server"},
		{"w?b[0-9]", map[string]string{"unit": "wab7"}, true, "wab7"},
		{"w?b[!0-9]", map[string]string{"unit": "wab7"}, false, "wab7"},
		{"a.c", map[string]string{"unit": "abc"}, false, "abc"},
		{"*", map[string]string{"target": "t", "service": "s"}, true, "t"},
	}
	for _, tt := range tests {
		c := must(t, Spec{Match: "lat", Fire: "value > 1", Target: tt.target})
		ls := series.FromMap("lat", tt.labels)
		if got := c.Selects(ls); got != tt.want {
			t.Errorf("%q selects %v: %v", tt.target, tt.labels, got)
		}
		if got := c.Instance(ls).Target; got != tt.named {
			t.Errorf("%q over %v has target %q, want %q", tt.target, tt.labels, got, tt.named)
		}
	}
}

func TestEvaluate(t *testing.T) {
	c := must(t, Spec{Match: `lat{service="web"}`, Fire: `avg("5m") > 0.5 and value > 0.4`, Clear: `avg("5m") < 0.3`})
	in := c.Instance(web)
	if ev := in.Evaluate(1000, false, 0); ev.Fire != Unknown || ev.Clear != Unknown || !ev.NoData || ev.Newest != 0 || !math.IsNaN(ev.Value) {
		t.Errorf("with no sample: %+v", ev)
	}
	for i := range 10 {
		in.Observe(0, 7, series.Point{T: int64(i) * 10_000, V: 0.6})
	}
	ev := in.Evaluate(90_000, false, 0)
	if ev.Fire != True || ev.Clear != False || ev.NoData || ev.Newest != 90_000 || ev.Value != 0.6 || ev.Interval != 10*time.Second || ev.StaleAt != 90_000+60_001 {
		t.Errorf("%+v", ev)
	}
	if in.Observe(0, 7, series.Point{T: 90_000, V: 0}) || in.Late() != 1 {
		t.Error("a late sample was taken or not counted")
	}
	if ev := in.Evaluate(150_001, false, 0); !ev.NoData || ev.Fire != True {
		t.Errorf("silent: %+v", ev)
	}
	in.Observe(0, 7, series.Point{T: 100_000, V: series.Stale()})
	if ev := in.Evaluate(100_000, false, 0); !ev.Ended || ev.Fire != Unknown || !ev.NoData {
		t.Errorf("ended: %+v", ev)
	}
	in.Observe(0, 7, series.Point{T: 110_000, V: math.Inf(1)})
	if ev := in.Evaluate(110_000, false, 0); ev.Fire != Unknown || ev.Ended {
		t.Errorf("infinite: %+v", ev)
	}
	in.NewEra()
	if !in.Observe(0, 7, series.Point{T: -5000, V: 1}) {
		t.Error("a new era did not take an earlier time")
	}
}

func TestJoins(t *testing.T) {
	c := must(t, Spec{Match: "cpu", Fire: `value > 80 and last("5m", "mem") > 80`})
	host := func(name, h string) series.Labels { return series.FromMap(name, map[string]string{"host": h}) }
	if !c.Joins(1, host("cpu", "a"), host("mem", "a")) || c.Joins(1, host("cpu", "a"), host("mem", "b")) || !c.Joins(1, host("cpu", "a"), host("mem", "")) {
		t.Error("joins do not compare the labels both have")
	}
	on := must(t, Spec{Match: "cpu", Fire: `last("5m", "mem") > 80`, On: []string{"zone"}})
	if !on.Joins(1, host("cpu", "a"), host("mem", "b")) {
		t.Error("joins on a label compare others")
	}
	in := c.Instance(host("cpu", "a"))
	look := func() Truth { return in.Evaluate(0, false, 0).Fire }
	in.Observe(0, 1, series.Point{T: 10_000, V: 90})
	if look() != Unknown {
		t.Error("no series joins, and the truth is known")
	}
	in.Observe(1, 2, series.Point{T: 9_000, V: 95})
	if look() != True {
		t.Error("both are over and it does not fire")
	}
	in.Observe(1, 3, series.Point{T: 9_000, V: 95})
	if look() != Unknown {
		t.Error("two series join, and the truth is known")
	}
	in.Forget(1, 3)
	if look() != True {
		t.Error("one of two left, and the truth is not known")
	}
	in.Observe(1, 3, series.Point{T: 9_000, V: 95})
	in.Observe(1, 3, series.Point{T: 9_500, V: series.Stale()})
	if look() != True {
		t.Error("one of two ended, and the truth is not known")
	}
	in.Observe(0, 1, series.Point{T: 320_000, V: 90})
	if look() != Unknown {
		t.Error("the joined sample is older than the window, and the truth is known")
	}
}

func TestSilenceCanBeTheCondition(t *testing.T) {
	c := must(t, Spec{Match: `beat{job="backup"}`, Fire: `absent("1m") or age > 50`})
	anchor, _ := c.Match.Anchor()
	in := c.Instance(anchor)
	if ev := in.Evaluate(1000, false, 0); ev.Fire != True || ev.NoData {
		t.Errorf("no series at all: %+v", ev)
	}
	in.Observe(0, 1, series.Point{T: 10_000, V: 1})
	ev := in.Evaluate(10_000, false, 0)
	if ev.Fire != False || ev.Next != 60_000 {
		t.Errorf("%+v", ev)
	}
	if ev = in.Evaluate(ev.Next, false, 0); ev.Fire != False || ev.Next != 60_001 {
		t.Errorf("at the bound: %+v", ev)
	}
	if ev = in.Evaluate(ev.Next, false, 0); ev.Fire != True || ev.NoData || ev.Next != 70_000 {
		t.Errorf("after the bound: %+v", ev)
	}
}

func TestTimeOfDay(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: "now_hour() == 22 and weekday() == 0"})
	in := c.Instance(web)
	sunday := time.Date(2026, 11, 29, 22, 15, 0, 0, time.UTC)
	if ev := in.Evaluate(sunday.UnixMilli(), false, 0); ev.Fire != True || ev.Next != sunday.Truncate(time.Hour).Add(time.Hour).UnixMilli() {
		t.Errorf("%+v", ev)
	}
	if ev := in.Evaluate(-1, false, 0); in.in.Hour != 23 || in.in.Weekday != 3 || ev.Fire != False {
		t.Errorf("before 1970: hour %v, weekday %v", in.in.Hour, in.in.Weekday)
	}
}

func TestFiringForWakesAtItsBound(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: "value > 1 and not (firing_for > 60)"})
	in := c.Instance(web)
	in.Observe(0, 1, series.Point{T: 1000, V: 2})
	if ev := in.Evaluate(1000, true, 20*time.Second); ev.Fire != True || ev.Next != 41_000 {
		t.Errorf("%+v", ev)
	}
}

func TestInstancesStayUnderTheirBytes(t *testing.T) {
	c := must(t, Spec{Match: "lat", Fire: `avg("5m") > 0.5 and quantile(0.9, "1h") > 1 and max("5m", "other") > 2`})
	in := c.Instance(web)
	for i := range 20_000 {
		in.Observe(0, 1, series.Point{T: int64(i) * 500, V: 1})
		for ref := range 6 {
			in.Observe(1, series.Ref(ref), series.Point{T: int64(i) * 500, V: 1})
		}
	}
	if in.Bytes() > c.Bytes() {
		t.Errorf("%d bytes held, at most %d promised", in.Bytes(), c.Bytes())
	}
	small := c.Instance(web)
	small.Observe(0, 1, series.Point{T: 1, V: 1})
	if small.Bytes() > 3000 {
		t.Errorf("an instance with one sample holds %d bytes", small.Bytes())
	}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	in, at := asked(t)
	if n := testing.AllocsPerRun(100, func() {
		at += 1000
		in.Observe(0, 1, series.Point{T: at, V: 0.95})
		if in.Evaluate(at, false, 0).Fire != True {
			t.Fatal("not true")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// asked is the expression the figures are given for, with full windows.
func asked(t testing.TB) (in *Instance, at int64) {
	in = must(t, Spec{Match: "lat", Fire: `avg("5m") > 0.9 and labels.service == "web"`}).Instance(web)
	for at < 1_000_000 {
		at += 10_000
		in.Observe(0, 1, series.Point{T: at, V: 0.95})
	}
	return in, at
}

// One evaluation of avg("5m") > 0.9 and labels.service == "web" with windows;
// lang's BenchmarkEvaluate sets the bare code beside the library's machine.
func BenchmarkInstance(b *testing.B) {
	b.Run("evaluate", func(b *testing.B) {
		in, at := asked(b)
		b.ReportAllocs()
		for b.Loop() {
			in.Evaluate(at, false, 0)
		}
	})
	b.Run("observe and evaluate", func(b *testing.B) {
		in, at := asked(b)
		b.ReportAllocs()
		for b.Loop() {
			at += 10_000
			in.Observe(0, 1, series.Point{T: at, V: 0.95})
			in.Evaluate(at, false, 0)
		}
	})
	b.Run("and advance", func(b *testing.B) {
		in, at := asked(b)
		var f Firing
		b.ReportAllocs()
		for b.Loop() {
			at += 10_000
			in.Observe(0, 1, series.Point{T: at, V: 0.95})
			f, _, _ = Advance(in.c, f, in.Evaluate(at, false, 0), "", stamp(at))
		}
	})
}

func TestAdvanceDoesNotAllocate(t *testing.T) {
	in, at := asked(t)
	var f Firing
	truth := 0.5
	look := func() {
		at += 10_000
		in.Observe(0, 1, series.Point{T: at, V: truth})
		f, _, _ = Advance(in.c, f, in.Evaluate(at, false, 0), "", stamp(at))
	}
	for range 50 {
		look()
	}
	if n := testing.AllocsPerRun(100, look); n > 0 || f.State != StateOK {
		t.Errorf("%v allocations in %s", n, f.State)
	}
	truth = 5
	for range 50 {
		look()
	}
	if n := testing.AllocsPerRun(100, look); n > 0 || f.State != StateFiring {
		t.Errorf("%v allocations in %s", n, f.State)
	}
}
