package story

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/policy"
	"vigil/engine/series"
)

const told = `# the story of policy.md, and more
every 10s
  cpu{host="web1"}  0.2x3 0.95x12 0.3x6   # a comment
every 1s from 1m
  mem{host="web 1",x="a#b"}	1+0.5x3 _x2 10-2x2 _ nan 1e-3 -inf stale

policy hot
policy cold cold.yaml
at 200s  hot{host="web1"} ok no remedy
at 80s   hot{host="web1"} pending
at 100s  hot{host="web1"} firing     remedy service web1
at 80s   cold unknown
`

func TestStoriesAreRead(t *testing.T) {
	s, issues := Parse("f", []byte(told))
	if len(issues) > 0 {
		t.Fatal(issues)
	}
	if len(s.Series) != 2 || len(s.Series[0].Points) != 21 || s.End != 200*time.Second {
		t.Fatalf("%+v", s)
	}
	p := s.Series[0].Points
	if p[0] != (series.Point{T: 0, V: 0.2}) || p[3] != (series.Point{T: 30_000, V: 0.95}) || p[20] != (series.Point{T: 200_000, V: 0.3}) {
		t.Errorf("%v", p)
	}
	want := []series.Point{{T: 60_000, V: 1}, {T: 61_000, V: 1.5}, {T: 62_000, V: 2}, {T: 65_000, V: 10}, {T: 66_000, V: 8},
		{T: 68_000, V: math.NaN()}, {T: 69_000, V: 1e-3}, {T: 70_000, V: math.Inf(-1)}}
	got := s.Series[1].Points
	if !series.IsStale(got[len(got)-1].V) || got[len(got)-1].T != 71_000 {
		t.Errorf("%v", got)
	}
	for i, w := range want {
		if got[i].T != w.T || got[i].V != w.V && !math.IsNaN(w.V) {
			t.Errorf("value %d is %v, want %v", i, got[i], w)
		}
	}
	if s.Series[1].Labels.Get("host") != "web 1" || s.Series[1].Labels.Get("x") != "a#b" || s.Series[1].Place != "f:5:3" {
		t.Errorf("%+v", s.Series[1])
	}
	if diff := cmp.Diff([]Policy{{"hot", "", "f:7:8"}, {"cold", "cold.yaml", "f:8:8"}}, s.Policies); diff != "" {
		t.Error(diff)
	}
	host := series.FromMap("", map[string]string{"host": "web1"})
	expect := []Expectation{
		{At: 80 * time.Second, Policy: "hot", Labels: host, State: policy.StatePending, Place: "f:10:10"},
		{At: 80 * time.Second, Policy: "cold", State: policy.StateUnknown, Place: "f:12:10"},
		{At: 100 * time.Second, Policy: "hot", Labels: host, State: policy.StateFiring, Remedy: &Remedy{"service", "web1"}, Place: "f:11:10"},
		{At: 200 * time.Second, Policy: "hot", Labels: host, State: policy.StateOK, None: true, Place: "f:9:10"},
	}
	if diff := cmp.Diff(expect, s.Expect); diff != "" {
		t.Error(diff)
	}
}

func TestStoriesAreRefusedWithPlace(t *testing.T) {
	tail := "\npolicy hot\nat 1s hot ok\n"
	tests := []struct{ text, want string }{
		{"evry 10s" + tail, `f:1:1: a line cannot begin with "evry" (did you mean every?)`},
		{"cpu 1 2" + tail, `the series of every are indented`},
		{"every" + tail, `f:1:1: every needs one length`},
		{"every 10" + tail, `f:1:7: "10" has no unit`},
		{"every 0s" + tail, `longer than nothing`},
		{"every 10s from" + tail, `every needs one length`},
		{"  cpu 1" + tail, `f:1:3: a series needs to know its interval`},
		{"every 1s\n  cpu{a!=\"b\"} 1" + tail, `f:2:3: cpu{a!="b"} is no series`},
		{"every 1s\n  cpu" + tail, `has no values`},
		{"every 1s\n  cpu 1 two 3" + tail, `f:2:9: "two" is no value`},
		{"every 1s\n  cpu 1x0" + tail, `cannot be repeated "0" times`},
		{"every 1s\n  cpu stalex2" + tail, `a series ends once`},
		{"every 1s\n  cpu 1x999999 1x2" + tail, `more than 1000000 values`},
		{"every 300d\n  cpu 1x3" + tail, `longer than a year`},
		{"every 1s\n  cpu 1\n  cpu 2" + tail, `f:3:3: the series stands at f:2:3 already`},
		{"policy hot" + tail, `takes part already`},
		{"policy" + tail, `policy needs a name`},
		{"policy hot\nat 1s hot", `an expectation has a time`},
		{"policy hot\nat 1s hot hotter", `f:2:11: "hotter" is no state`},
		{"policy hot\nat 1s hot{a=~\"b\"} ok", `must be label="value"`},
		{"policy hot\nat 1s hot ok remedy service", `f:2:14: "remedy" was not understood`},
		{"at 1s hot ok", `f:1:7: the policy "hot" takes no part`},
		{"policy hot", `the story expects nothing`},
		{"\xff", `not UTF-8`},
		{strings.Repeat("#", MaxBytes+1), `at most`},
	}
	for _, tt := range tests {
		if s, issues := Parse("f", []byte(tt.text)); s != nil || !strings.Contains(issues.Error(), tt.want) {
			t.Errorf("%.60q:\n got %v\nwant %s", tt.text, issues, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(told)
	f.Add("every 1s\n  a{b=\"c\\\"} 0x1 1e+5-2x3 '")
	f.Fuzz(func(t *testing.T, text string) {
		s, issues := Parse("f", []byte(text))
		if (s == nil) != (len(issues) > 0) {
			t.Fatalf("%v beside %v", s, issues)
		}
		if s == nil {
			return
		}
		for _, x := range s.Series {
			for i, p := range x.Points {
				if i > 0 && p.T <= x.Points[i-1].T {
					t.Fatal("points out of order")
				}
			}
		}
	})
}
