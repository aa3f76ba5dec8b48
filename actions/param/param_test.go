package param_test

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/actions/param"
	"vigil/engine/fault"
)

func TestPattern_MatchesTheWholeValue(t *testing.T) {
	for _, tc := range []struct {
		pattern, value, says string
	}{
		{"a|b", "a", ""}, {"a|b", "ab", "does not match"}, {"^a$", "a", ""}, {"(?m)^a$", "a\nb", "control"},
		{".*", "-x", "option"}, {"-x", "-x", ""}, {`\-x`, "-x", ""}, {"^-x", "-x", ""}, {"[-a]x", "-x", "option"},
		{".*", "a\x1bb", "control"}, {".*", "a\u0085b", "control"}, {".*", "\xff", "UTF-8"}, {".*", strings.Repeat("a", 5000), "bytes"}, {".*", "", ""},
	} {
		p, err := param.NewPattern(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Check(tc.value)
		if (err == nil) != (tc.says == "") || !strings.Contains(fmt.Sprint(err), tc.says) && tc.says != "" {
			t.Errorf("%q against %q: %v, want %q", tc.value, tc.pattern, err, tc.says)
		}
	}
	for _, bad := range []string{"", "(", "a)|(?:b", strings.Repeat("a", 2000)} {
		if _, err := param.NewPattern(bad); err == nil {
			t.Errorf("%.20q was taken for a pattern", bad)
		}
	}
}

// TestPattern_IsBounded: what a short text would take in memory is counted before it
// is compiled, and what people write is far from the bound.
func TestPattern_IsBounded(t *testing.T) {
	for _, good := range []string{`^[a-z0-9][a-z0-9-]{0,40}$`, `\p{L}{1,200}`, `(?i)[a-z0-9._-]{1,1000}`, `(\pL+\.)*\pL+`, `(a+)+b`, strings.Repeat("a", 1000)} {
		if _, err := param.NewPattern(good); err != nil {
			t.Errorf("%.30q: %v", good, err)
		}
	}
	for _, bad := range []string{"(" + strings.Repeat("a", 100) + "){1000}", "(((" + strings.Repeat("ab?", 200) + "){10}){10}){10}", strings.Repeat(`(abc){900}`, 20)} {
		if _, err := param.NewPattern(bad); err == nil || param.Size(bad) <= 20_000 {
			t.Errorf("%.30q of %d steps: %v", bad, param.Size(bad), err)
		}
	}
	p, err := param.NewPattern(`(a+)+b`) // no backtracking: linear in the value
	if err != nil {
		t.Fatal(err)
	}
	if p.Check(strings.Repeat("a", param.MaxValue)) == nil {
		t.Error("it matched")
	}
}

// TestPattern_SizeIsNotLessThanItIs: what is counted bounds what the library makes of
// it, whatever is repeated, grouped or left open.
func TestPattern_SizeIsNotLessThanItIs(t *testing.T) {
	atom := rapid.SampledFrom([]string{"a", "abc", "[a-z]", `\pL`, ".", "(?i)k", `\b`, "^", ""})
	var pattern *rapid.Generator[string]
	pattern = rapid.Custom(func(rt *rapid.T) string {
		s := atom.Draw(rt, "atom")
		for range rapid.IntRange(0, 4).Draw(rt, "times") {
			switch rapid.IntRange(0, 3).Draw(rt, "how") {
			case 0:
				s = "(?:" + s + "){" + rapid.SampledFrom([]string{"0", "1", "40", "2,30", "40,", "0,50"}).Draw(rt, "count") + "}"
			case 1:
				s = "(" + s + ")" + rapid.SampledFrom([]string{"*", "+", "?", "*?", ""}).Draw(rt, "op")
			case 2:
				s += "|" + atom.Draw(rt, "other")
			case 3:
				s += atom.Draw(rt, "next")
			}
		}
		return s
	})
	rapid.Check(t, func(rt *rapid.T) {
		text := pattern.Draw(rt, "pattern")
		re, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			return
		}
		prog, err := syntax.Compile(re.Simplify())
		if err != nil {
			rt.Fatal(err)
		}
		if n := param.Size(text); len(prog.Inst) > 4*n+8 {
			rt.Fatalf("%q takes %d steps, %d are counted", text, len(prog.Inst), n)
		}
	})
}

func TestReader(t *testing.T) {
	p := param.Read(map[string]any{"text": "x", "n": 3.0, "d": "1h30m", "verb": "stat", "odd": []any{1}, "unkown": true})
	if p.Text("text", true) != "x" || p.Whole("n") != 3 || p.Span("d", 0, 2*time.Hour) != 90*time.Minute || !p.OK() {
		t.Error("what is there is not read")
	}
	p.Text("odd", true)
	p.Text("missing", true)
	p.Text("unknown", false)
	p.Choice("verb", "start", "start", "stop")
	err := p.Err()
	for _, want := range []string{"with.odd: expected text, found a list", "with.missing: missing is missing", `with.verb: "stat" is none of start, stop (did you mean start?)`,
		"with.unkown: there is no parameter", "did you mean unknown?"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if fault.KindOf(err) != fault.Unprocessable {
		t.Errorf("kind %v", fault.KindOf(err))
	}
}
