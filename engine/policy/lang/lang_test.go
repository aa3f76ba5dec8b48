package lang

import (
	"math"
	"strings"
	"testing"

	"vigil/engine/series"
)

func compile(t testing.TB, src string) (*Code, *Tree) {
	t.Helper()
	var b Builder
	tree, issues := b.Condition("fire", src)
	if len(issues) > 0 {
		t.Fatalf("%s: %v", src, issues)
	}
	return b.Code(), tree
}

var shop = series.FromMap("http_latency_seconds", map[string]string{"service": "web", "zone": "eu-1"})

func TestMeaning(t *testing.T) {
	unknown := math.NaN()
	in := Inputs{Value: 0.5, Age: 3, Firing: 1, FiringFor: 60, Hour: 13, Weekday: 2}
	tests := []struct {
		src  string
		call float64 // of every window call
		want float64
	}{
		{`true`, 0, 1},
		{`value > 0.4`, 0, 1},
		{`value >= 0.5 and value <= 0.5`, 0, 1},
		{`0.4 < value < 0.6`, 0, 1},
		{`avg("5m") > 0.9 and labels.service == "web"`, 0.95, 1},
		{`avg("5m") > 0.9 and labels.service == "db"`, 0.95, 0},
		{`avg("5m") > 0.9`, unknown, unknown},
		{`not (avg("5m") < 1)`, unknown, unknown},
		{`avg("5m") > 0.9 and false`, unknown, 0},
		{`avg("5m") > 0.9 or true`, unknown, 1},
		{`avg("5m") > 0.9 or false`, unknown, unknown},
		{`avg("5m") / 0 > 1`, 1, unknown},
		{`(avg("5m") > 1 ? true : false) or value > 0`, unknown, 1},
		{`(value > 0 ? avg("5m") : 2) == 7`, 7, 1},
		{`-value == -0.5 and +value == 0.5`, 0, 1},
		{`2 ** 3 ** 2 == 512 and 7 % 4 == 3 and 7 / 2 == 3.5 and 2 ^ 2 == 4`, 0, 1},
		{`abs(-2) == 2 and round(2.5) == 3 and floor(-0.5) == -1 and ceil(0.2) == 1`, 0, 1},
		{`clamp(value, 1, 2) == 1 and min2(1, 2) == 1 and max2(1, 2) == 2`, 0, 1},
		{`now_hour() == 13 and weekday() in [1, 2, 3]`, 0, 1},
		{`value in [0.1, 0.5]`, 0, 1},
		{`value not in [0.1]`, 0, 1},
		{`avg("5m") in [1]`, unknown, unknown},
		{`labels.zone in ["eu-1", 'us-1'] and labels["zone"] startsWith "eu" and labels.zone endsWith "1" and labels.zone contains "-"`, 0, 1},
		{`labels.zone matches "^eu-[0-9]$" and not (labels.zone matches "us")`, 0, 1},
		{`labels.gone == ""`, 0, 1},
		{`name == "http_latency_seconds" and target == "web"`, 0, 1},
		{`age > 2 and firing and firing_for >= 60`, 0, 1},
		{`firing == true and firing != false`, 0, 1},
		{`absent("5m")`, 1, 1},
		{`absent("5m", "up")`, unknown, unknown},
		{`quantile(0.95, "5m") > 1 and predict("1h", "4h", "other{a='b'}") > 1 and rate("1m", "x") > 1`, 2, 1},
		{"value > 0.1 and\n  value < 1 // a comment", 0, 1},
		{`value > 1_000 or value > 0x10 or value > .5e1 or value < 1`, 0, 1},
		{`!(value > 1) && (value > 0 || value > 3)`, 0, 1},
	}
	for _, tt := range tests {
		code, tree := compile(t, tt.src)
		m := code.Machine(shop, "web")
		in.Calls = make([]float64, len(code.Calls))
		for i := range in.Calls {
			in.Calls[i] = tt.call
		}
		m.Run(&in)
		if got := m.Value(tree); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s is %v, want %v", tt.src, got, tt.want)
		}
	}
}

// What is not on the allow-list is refused, with position and a hint.
func TestRefusals(t *testing.T) {
	tests := []struct{ src, want string }{
		{``, `fire:1: the expression is empty`},
		{`value`, `fire:1: expected true or false here, value is a number (compare it`},
		{`valeu > 1`, `fire:1: unknown name "valeu" (did you mean value?)`},
		{`value > 1 and avgg("5m") > 2`, `fire:15: unknown function "avgg" (did you mean avg?)`},
		{`average("5m") > 2`, `fire:1: unknown function "average" (did you mean avg?)`},
		{`avg_over_time("5m") > 2`, `unknown function "avg_over_time" (did you mean avg?)`},
		{`upper("x") > 2`, `unknown function "upper" (the functions are abs, absent, avg,`},
		{"value > 1 and\nfoo > 1", `fire:2:1: unknown name "foo"`},
		{`avg > 1`, `avg is a function and needs a window (write avg("5m"))`},
		{`avg(5m) > 1`, `a window is written in quotes`},
		{`avg(300) > 1`, `a window must be a constant duration in quotes (write avg("5m"))`},
		{`avg("300") > 1`, `fire:5: "300" has no unit`},
		{`avg(labels.w) > 1`, `a window must be a constant duration`},
		{`avg("5m" + "1m") > 1`, `a window must be a constant duration`},
		{`avg("33d") > 1`, `a window may be at most 4w4d`},
		{`avg("0s") > 1`, `a window must be at least 1ms`},
		{`avg() > 1`, `avg takes one argument and may take a selector, 0 given`},
		{`avg("5m", value) > 1`, `a selector must be constant text`},
		{`quantile("5m") > 1`, `quantile takes 2 arguments`},
		{`quantile(value, "5m") > 1`, `the quantile must be a constant`},
		{`quantile(1.5, "5m") > 1`, `a quantile lies between 0 and 1`},
		{`median("5m") > 1`, `median comes later`},
		{`promql("up") > 1`, `promql comes later`},
		{`value == "a"`, `value is a number and "a" is text: they cannot be compared`},
		{`labels.a < labels.b`, `only numbers have an order`},
		{`labels.a + labels.b == "x"`, `expected a number here, labels.a is text`},
		{`value and true`, `expected true or false here, value is a number`},
		{`labels == 1`, `labels needs the name of one label`},
		{`labels[name] == "x"`, `the name of a label must be constant text`},
		{`labels?.a == "x"`, `?. is not part of this language`},
		{`value.x == 1`, `value has no parts`},
		{`labels.a.b == "x"`, `labels.a has no parts`},
		{`labels.a.upper() == "x"`, `methods are not part`},
		{`upper(labels.a) == "x"`, `unknown function "upper"`},
		{`len("abc") > 1`, `unknown function "len"`},
		{`all([1], # > 0)`, `fire:10: `},
		{`filter([1], {true}) == 1`, `fire:`},
		{`map(1..9, {#}) == 1`, `fire:`},
		{`(1..9) == 1`, `the operator .. is not part`},
		{`[1,2] == 1`, `a list may only stand after in`},
		{`value in 1..9`, `in needs a constant list`},
		{`value in [value]`, `a list holds constants only`},
		{`value in ["a"]`, `expected a number here`},
		{`{"a": 1} == 1`, `a map is not part`},
		{`let x = 1; x > 0`, `let is not part`},
		{`true; false`, `a sequence with ; is not part`},
		{`(value ?? 1) > 0`, `?? is not part`},
		{`nil == 1`, `nil is not part of this language`},
		{`labels.a[1:2] == "x"`, `a slice is not part`},
		{`b"abc" == 1`, `a text of bytes is not part`},
		{`labels.a matches labels.b`, `the pattern of matches must be constant text`},
		{`labels.a matches "("`, `missing closing )`},
		{`labels.a matches "` + strings.Repeat("a", 600) + `"`, `the pattern is longer`},
		{`1 / 0 > value`, `1 / 0 is not a finite number`},
		{`(value > 1 ? labels.a : "x") == "x"`, `the sides of ?: must be numbers or conditions`},
		{`(value > 1 ? 1 : true) == 1`, `expected a number here, true is true or false`},
		{`value > 1 and`, `the expression ends too early`},
		{`value = 1`, `equality is written ==`},
		{`value > 1 )`, `fire:11:`},
		{`abs(1, 2) > 1`, `abs takes one argument, 2 given`},
		{`if value > 1 { true } else { false } | abs()`, `fire:`},
		{`env("HOME") == ""`, `unknown function "env"`},
		{`$env == 1`, `fire:1: unknown name "$env"`},
		{`value > 1e999`, `fire:`},
		{`value > 99999999999999999999`, `fire:`},
		{"value > 1 \x00", `fire:`},
		{strings.Repeat("a", MaxSource+1), `the expression has 2049 bytes`},
		{strings.Repeat("(", 65) + "true" + strings.Repeat(")", 65), `fire:65: brackets are nested deeper than 64`},
		{strings.Repeat("not ", 400) + "true", `nested deeper than 256`},
		{"value in [" + strings.Repeat("1,", 600) + "1]", `more than 500 parts`},
		{strings.Repeat("-", 2000) + "1 > 0", `fire:`},
	}
	for _, tt := range tests {
		var b Builder
		tree, issues := b.Condition("fire", tt.src)
		if tree != nil || len(issues) == 0 {
			t.Errorf("%.80s was accepted", tt.src)
			continue
		}
		if !strings.Contains(issues.Error(), tt.want) {
			t.Errorf("%.80s:\n got %s\nwant %s", tt.src, issues.Error(), tt.want)
		}
	}
}

func TestAllIssuesAtOnce(t *testing.T) {
	var b Builder
	_, issues := b.Condition("clear", `foo > 1 and avgg("5m") > 2 or labels == 3`)
	if len(issues) != 3 || issues[0].Place != "clear:1" || issues[1].Place != "clear:13" {
		t.Errorf("%v", issues)
	}
}

// Equal parts of fire and clear are computed once.
func TestPartsAreShared(t *testing.T) {
	var b Builder
	b.Condition("fire", `avg("5m") > 0.5 and value > 0.4 and max("300s", "x") > 1`)
	b.Condition("clear", `avg("300s") < 0.3 or max("5m", "x") > 1`)
	if n := len(b.Code().Calls); n != 2 {
		t.Errorf("%d distinct calls: %+v", n, b.Code().Calls)
	}
}

func TestUsesOfTime(t *testing.T) {
	code, _ := compile(t, `age > 60 and 30 <= age and firing_for > 2 * 60 and now_hour() > 3 and absent("5m")`)
	u := code.Uses
	if len(u.Age.Bounds) != 2 || u.Age.Bounds[0] != 60 || u.Age.Free || u.FiringFor.Bounds[0] != 120 || !u.Hour || !u.Absent || u.Value {
		t.Errorf("%+v", u)
	}
	code, _ = compile(t, `age + 1 > 60 and firing_for > value`)
	if u := code.Uses; !u.Age.Free || !u.FiringFor.Free {
		t.Errorf("%+v", u)
	}
}
