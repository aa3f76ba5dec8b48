package nagios

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, out, text string
		perf            []Perf
		bad             int
	}{
		{"plain", "OK - load average: 0.1|load1=0.100;5.000;10.000;0; load5=2\n", "OK - load average: 0.1", []Perf{{"load1", "", 0.1}, {"load5", "", 2}}, 0},
		{"no perfdata", "PING OK", "PING OK", nil, 0},
		{"empty", "", "", nil, 0},
		{"time", "x|time=12.5ms;;;0 t2=3us rta=0,042s", "x", []Perf{{"time", "s", 0.0125}, {"t2", "s", 3e-6}, {"rta", "s", 0.042}}, 0},
		{"bytes", "x|/=2643MB;5948;5958;0;5968 b=7B k=1KB", "x", []Perf{{"/", "B", 2643 << 20}, {"b", "B", 7}, {"k", "B", 1024}}, 0},
		{"quoted", "x|'a label'=1 'it''s'=2% '='=3 'a|b'=4c", "x", []Perf{{"a label", "", 1}, {"it's", "%", 2}, {"=", "", 3}, {"a|b", "c", 4}}, 0},
		{"unknown value", "x|a=U b=1", "x", []Perf{{"b", "", 1}}, 0},
		{"comma and thousands", "x|a=1,5 b=1.234,5 c=1,234.5", "x", []Perf{{"a", "", 1.5}, {"b", "", 1234.5}, {"c", "", 1234.5}}, 0},
		{"negative and exponent", "x|a=-3;1;2 b=1.5e3B c=2E-3s", "x", []Perf{{"a", "", -3}, {"b", "B", 1500}, {"c", "s", 0.002}}, 0},
		{"own unit", "x|t=21.5C v=12V", "x", []Perf{{"t", "C", 21.5}, {"v", "V", 12}}, 0},
		{"long text", "one|a=1\nlong text\nmore | b=2\nc=3 d=4\n", "one", []Perf{{"a", "", 1}, {"b", "", 2}, {"c", "", 3}, {"d", "", 4}}, 0},
		{"twice", "x|a=1 a=2", "x", []Perf{{"a", "", 1}}, 0},
		{"garbage", "x|a= b=hello =5 c=1", "x", []Perf{{"c", "", 1}}, 3},
		{"stray word", "x|foo a=1", "x", []Perf{{"a", "", 1}}, 0},
		{"open quote", "x|'a=1", "x", nil, 1},
		{"quote without equals", "x|a=1 'b' c=2", "x", []Perf{{"a", "", 1}}, 1},
		{"nothing but bars", "|||", "", nil, 1},
		{"not a number", "x|a=NaN b=Inf c=1.2.3 d=--1", "x", nil, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Parse([]byte(c.out))
			if o.Text != c.text || o.Bad != c.bad {
				t.Errorf("text %q bad %d, want %q and %d", o.Text, o.Bad, c.text, c.bad)
			}
			near := cmp.Comparer(func(a, b float64) bool { d := a - b; return d < 1e-9 && d > -1e-9 })
			if d := cmp.Diff(c.perf, o.Perf, near); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for exit, want := range map[int]int{0: OK, 1: Warning, 2: Critical, 3: Unknown, 4: Unknown, 127: Unknown, -1: Unknown} {
		if got := Status(exit); got != want {
			t.Errorf("Status(%d) = %d, want %d", exit, got, want)
		}
	}
}

// FuzzParse: whatever is printed, the bounds hold and nothing is not a number.
func FuzzParse(f *testing.F) {
	f.Add("OK|'a b'=1,5ms;1;2;3;4 c=U\nlong|d=1")
	f.Add(strings.Repeat("|a=1 ", 2000))
	f.Fuzz(func(t *testing.T, s string) {
		o := Parse([]byte(s))
		if len(o.Perf) > MaxPerf {
			t.Fatalf("%d values", len(o.Perf))
		}
		for _, p := range o.Perf {
			if len(p.Label) > MaxLabel || len(p.Unit) > MaxLabel || p.Label == "" || p.Value != p.Value {
				t.Fatalf("bad value %+v", p)
			}
		}
	})
}
