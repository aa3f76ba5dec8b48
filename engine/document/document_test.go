package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const good = `apiVersion: vigil/v1
kind: Policy
metadata: {name: web-slow, labels: {team: shop}}
spec:
  match: http_latency_seconds{service="web"}
  for: 1m
  times: {x: 3, of: 5}
  tags: [a, b]
  extra: {deep: [1, 2.5, yes, true, null, "3"]}
---
# nothing here
---
apiVersion: vigil/v1
kind: Check
metadata:
  name: second
spec: {every: 10s}
`

type spec struct {
	Match string    `yaml:"match"`
	For   Duration  `yaml:"for"`
	Wait  *Duration `yaml:"wait"`
	Times *struct {
		X  int `yaml:"x"`
		Of int `yaml:"of"`
	} `yaml:"times"`
	Tags   []string       `yaml:"tags"`
	Extra  map[string]any `yaml:"extra"`
	On     bool           `yaml:"on"`
	At     time.Time      `yaml:"at"`
	Ratio  float64        `yaml:"ratio"`
	Hidden string         `yaml:"-"`
}

func TestDocumentsAreReadWithPlaceAndOwner(t *testing.T) {
	docs, issues := Parse("web.yaml", []byte(good), Git)
	if len(issues) > 0 || len(docs) != 2 {
		t.Fatalf("%d documents, issues %v", len(docs), issues)
	}
	d := docs[0]
	if d.Kind != "Policy" || d.Name != "web-slow" || d.Labels["team"] != "shop" || d.Owner != Git || d.Place != "web.yaml:1:1" || d.Flat {
		t.Errorf("%+v", d)
	}
	if docs[1].Place != "web.yaml:13:1" {
		t.Errorf("second document stands at %s", docs[1].Place)
	}
	s := spec{Ratio: 0.5}
	if is := d.Spec.Decode(&s); len(is) > 0 {
		t.Fatal(is)
	}
	if s.For.Std() != time.Minute || s.Wait != nil || s.Times.Of != 5 || s.Ratio != 0.5 || len(s.Tags) != 2 {
		t.Errorf("%+v", s)
	}
	want := map[string]any{"deep": []any{1.0, 2.5, "yes", true, nil, "3"}}
	if diff := cmp.Diff(want, s.Extra); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{"match": "web.yaml:5:10", "times.of": "web.yaml:7:21", "tags.1": "web.yaml:8:13", "nope.x": "web.yaml:5:3", "extra.deep.9": "web.yaml:9:17"} {
		if got := d.Spec.Place(strings.Split(path, ".")...); got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
}

// Every issue names its place and what was expected; all come at once.
func TestStrictnessIsNamedWithPlace(t *testing.T) {
	head := "apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: x}\nspec:\n"
	tests := []struct{ name, text, want string }{
		{"unknown field", head + "  fore: 1m", `f:5:3: unknown field "fore" (did you mean for?)`},
		{"far field", head + "  zzzzzz: 1m", `f:5:3: unknown field "zzzzzz" (known here: `},
		{"nested unknown field", head + "  times: {x: 1, off: 2}", `f:5:17: unknown field "off" in times (did you mean of?)`},
		{"duplicate key", head + "  match: a\n  match: b", `f:6:3: the key "match" is given twice, first at line 5`},
		{"anchor", head + "  match: &a b", `f:5:10: anchors are not allowed (&a)`},
		{"alias", head + "  match: *a", `f:5:10:`},
		{"merge key", head + "  <<: {match: a}", `f:5:3: merge keys are not allowed`},
		{"tag", head + "  match: !!binary aGk=", `the tag !!binary is not allowed`},
		{"bare number as duration", head + "  for: 30", `f:5:8: for: expected a duration such as 90s, 5m or 1h30m, found the number 30 (a number has no unit: write 30s for seconds`},
		{"a word as a moment", head + "  at: tomorrow", `f:5:7: at: expected a moment with its zone such as 2006-01-02T15:04:05Z, found the text "tomorrow"`},
		{"a day as a moment", head + "  at: 2026-12-01", `at: expected a moment with its zone`},
		{"quoted number as duration", head + "  for: '30'", `"30" has no unit`},
		{"unknown unit", head + "  for: 3y", `unknown unit "y"`},
		{"number as text", head + "  match: 12", `expected text, found the number 12 (put it in quotes: "12")`},
		{"text as bool", head + "  on: yes", `expected true or false, found the text "yes"`},
		{"float as int", head + "  times: {x: 1.5}", `times.x: expected a whole number, found the number 1.5`},
		{"text as number", head + "  ratio: high", `expected a number, found the text "high"`},
		{"infinite", head + "  ratio: .inf", `expected a number`},
		{"null", head + "  match:", `expected text, found nothing (give a value or leave the field out)`},
		{"scalar as list", head + "  tags: a", `expected a list, found the text "a"`},
		{"item", head + "  tags: [a, 2]", `tags[1]: expected text`},
		{"no name", "apiVersion: vigil/v1\nkind: P\nspec: {}", `metadata.name is missing`},
		{"empty name", "apiVersion: vigil/v1\nkind: P\nmetadata: {name: ' '}\nspec: {}", `f:3:18: the name is empty`},
		{"a name that reads from the right", "apiVersion: vigil/v1\nkind: P\nmetadata: {name: \"\\u202ex\"}\nspec: {}", `f:3:18: the name holds a control character`},
		{"a tab", head + "\tmatch: up", "f:5:1: cannot be read as YAML: found character that cannot start any token (YAML is indented by blanks and never by tabs"},
		{"no kind", "apiVersion: vigil/v1\nmetadata: {name: a}\nspec: {}", `kind is missing`},
		{"other version", "apiVersion: v1\nkind: P\nmetadata: {name: a}\nspec: {}", `f:1:13: apiVersion "v1" is not spoken here (write vigil/v1)`},
		{"no version", "kind: P\nmetadata: {name: a}\nspec: {}", `apiVersion is missing`},
		{"outer field", "apiVersion: vigil/v1\nkind: P\nmetadata: {name: a}\nspecs: {}", `unknown field "specs" (did you mean spec?)`},
		{"a list", "- a", `a document must be a mapping`},
		{"broken", "a: [", `f:`},
		{"tab", "a:\n\t- b", `f:2:`},
		{"not UTF-8", "a: b\nc: \xff", `f:2: the text is not UTF-8`},
		{"key of a mapping", "? {a: b}\n: c", `a key must be text`},
		{"json place", "{\"apiVersion\": \"vigil/v1\",\n \"kind\": 3}", `f:2:10: kind: expected text`},
		{"json duplicate", `{"a":1,"a":2}`, `f:1:8: the key "a" is given twice`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, issues := Parse("f", []byte(tt.text), API)
			for _, d := range docs {
				var s spec
				issues = append(issues, d.Spec.Decode(&s)...)
			}
			if !strings.Contains(issues.Error(), tt.want) {
				t.Errorf("got  %s\nwant %s", issues.Error(), tt.want)
			}
		})
	}
	_, issues := Parse("f", []byte(head+"  a: &x 1\n  b: *x\n---\nkind: 3\n"), API)
	if len(issues) < 5 {
		t.Errorf("not all issues at once:\n%v", issues)
	}
}

func TestTheRestIsReadBesideABrokenDocument(t *testing.T) {
	docs, issues := Parse("f", []byte("kind: X\n---\n"+good), Folder)
	if len(docs) != 2 || len(issues) == 0 {
		t.Errorf("%d documents, issues %v", len(docs), issues)
	}
}

func TestFlatShapesOfTheOriginal(t *testing.T) {
	text := `policies:
  - name: high-cpu-alert
    severity: critical
    condition: {type: metric_exceeds, metric: cpu_percent, threshold: 90}
  - description: nameless
---
name: auto-restart-web
match_metric: cpu
threshold: 0.8
`
	docs, issues := Parse("policies.yaml", []byte(text), Folder)
	if len(docs) != 2 || len(issues) != 1 || issues[0].Place != "policies.yaml:5:5" {
		t.Fatalf("%+v\n%v", docs, issues)
	}
	if d := docs[0]; !d.Flat || d.Kind != "Policy" || d.Name != "high-cpu-alert" || d.Place != "policies.yaml:2:5" || d.Spec.Get("severity").Text() != "critical" {
		t.Errorf("%+v", d)
	}
	if d := docs[1]; !d.Flat || d.Name != "auto-restart-web" || d.Spec.Get("threshold").Text() != "0.8" {
		t.Errorf("%+v", d)
	}
	docs, issues = Parse("p.json", []byte(`{"policies": [{"name": "a"}], "port": 1}`), Folder)
	if len(docs) != 1 || len(issues) != 1 || !strings.Contains(issues[0].Msg, "port") {
		t.Errorf("%+v %v", docs, issues)
	}
}

func TestHostileFilesAreRefusedBounded(t *testing.T) {
	var before, after runtime.MemStats
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	tests := []struct{ name, text, want string }{
		{"too large", strings.Repeat("a", MaxBytes+1), "at most 1048576"},
		{"deep flow", deep("[", "]", 400_000), "nested deeper than 32"},
		{"deep json objects", deep(`{"a":`, "}", 100_000), "f"},
		{"deep blocks", strings.Repeat("- ", 200_000) + "a", "nested deeper than 32"},
		{"deep block mapping", strings.Repeat("? ", 100_000), "nested deeper than 32"},
		{"bomb", "a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]", "aliases are not allowed"},
		{"many documents", strings.Repeat("---\na: 1\n", MaxDocuments+1), "more than 10000 documents"},
		{"many flat policies", "policies: [" + strings.Repeat("{name: a},", MaxDocuments+1) + "]", "more than 10000 documents"},
		{"many values", "[" + strings.Repeat("1,", 500_000) + "1]", "more than 200000 values"},
		{"many items", "x: [" + strings.Repeat("a,", 500_000) + "a]", "f:1: more than 50000 items in brackets"},
		{"many odd keys", "{" + strings.Repeat("?,", 500_000) + "}", "more than 50000 items in brackets"},
		{"many lines", strings.Repeat("a:\n", 300_000), "f:100001: more than 100000 lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runtime.ReadMemStats(&before)
			docs, issues := Parse("f", []byte(tt.text), API)
			runtime.ReadMemStats(&after)
			if len(docs) > 0 || !strings.Contains(issues.Error(), tt.want) {
				t.Errorf("%d documents, %.300s", len(docs), issues.Error())
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 100 {
				t.Errorf("%d MiB were allocated to refuse it", mb)
			}
		})
	}
}

func TestJSONBodies(t *testing.T) {
	n, issues := ParseJSON("body", []byte(`{"for": "5m", "tags": ["\ud83d\ude00\/"], "times": null, "ratio": 1e2}`))
	var s spec
	if issues = append(issues, n.Decode(&s)...); len(issues) > 0 || s.Tags[0] != "😀/" || s.Times != nil || s.For.Std() != 5*time.Minute || s.Ratio != 100 {
		t.Errorf("%+v %v", s, issues)
	}
	for text, want := range map[string]string{
		`{"a":1} x`:        "text after the end",
		`{"a":`:            "ends too early",
		``:                 "ends too early",
		`{a: 1}`:           "body:1:2: not valid JSON",
		`{"ratio": 1e400}`: "expected a number",
	} {
		n, issues := ParseJSON("body", []byte(text))
		if issues = append(issues, n.Decode(&s)...); !strings.Contains(issues.Error(), want) {
			t.Errorf("%s: %v", text, issues)
		}
	}
}

func TestDurationText(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour,
		"2w": 336 * time.Hour, "1.5s": 1500 * time.Millisecond, "250ms": 250 * time.Millisecond, "0": 0, "0s": 0, "1us": 1000, "3ns": 3,
	} {
		if d, err := ParseDuration(text); err != nil || d.Std() != want {
			t.Errorf("%s: %v %v", text, d, err)
		}
	}
	for _, text := range []string{"", "5", "1.5", "-5m", "5 m", "m", "5m5m", "5s1m", "5x", "999999999w", "1e3s", "5m ", "..s", "5M", "292y", "15250w7d24h"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(0, 1<<62).Draw(t, "ns"))
		b, err := json.Marshal(d)
		var back Duration
		if err == nil {
			err = json.Unmarshal(b, &back)
		}
		if err != nil || back != d {
			t.Fatalf("%d is written as %s and read as %d: %v", d, b, back, err)
		}
	})
	var d Duration
	if json.Unmarshal([]byte("30"), &d) == nil {
		t.Error("a bare JSON number passed for a duration")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"match", "fire", "clear", "for", "clear_for", "no_data"}
	for word, want := range map[string]string{"macth": "match", "fires": "fire", "clearfor": "clear_for", "fro": "for", "nodata": "no_data", "zebra": "", "": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// Whatever the text, reading it ends, keeps its bounds and never panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"policies":[{"name":"a","condition":{"type":"all"}}]}`))
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [b]\n: |\n  c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, issues := Parse("f", data, API)
		for _, d := range docs {
			var s spec
			var x any
			issues = append(issues, d.Spec.Decode(&s)...)
			if is := d.Spec.Decode(&x); len(is) == 0 {
				if _, err := json.Marshal(x); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, i := range issues {
			if i.Place == "" || i.Msg == "" {
				t.Fatalf("an issue without place or words: %+v", i)
			}
		}
	})
}

// What JSON says, the decoder says: both ways of writing a value are one.
func TestJSONAndYAMLDecodeAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var gen func(depth int) any
		gen = func(depth int) any {
			switch k := rapid.IntRange(0, 6).Draw(t, "kind"); {
			case k == 0 && depth < 4:
				m := map[string]any{}
				for range rapid.IntRange(0, 4).Draw(t, "n") {
					m[rapid.String().Draw(t, "key")] = gen(depth + 1)
				}
				return m
			case k == 1 && depth < 4:
				s := []any{}
				for range rapid.IntRange(0, 4).Draw(t, "n") {
					s = append(s, gen(depth+1))
				}
				return s
			case k == 2:
				return rapid.Bool().Draw(t, "b")
			case k == 3:
				return float64(rapid.Int32().Draw(t, "f")) / 8
			case k == 4:
				return nil
			}
			return rapid.String().Draw(t, "s")
		}
		want := map[string]any{"x": gen(0)}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		n, issues := ParseJSON("body", text)
		var got any
		if issues = append(issues, n.Decode(&got)...); len(issues) > 0 {
			t.Fatalf("%s: %v", text, issues)
		}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func ExampleNode_Decode() {
	docs, _ := Parse("slow.yaml", []byte("apiVersion: vigil/v1\nkind: Policy\nmetadata: {name: slow}\nspec: {mach: x}\n"), Folder)
	var s struct {
		Match string `yaml:"match"`
	}
	fmt.Println(docs[0].Spec.Decode(&s))
	// Output: slow.yaml:4:8: unknown field "mach" (did you mean match?)
}

type word string

type inner struct {
	Match string `yaml:"match"`
}

func TestDecodeKnowsTheseShapes(t *testing.T) {
	var v struct {
		inner `yaml:",inline"`
		Kind  word               `yaml:"kind"`
		Waits map[word]*Duration `yaml:"waits"`
		Rungs []struct {
			N int8 `yaml:"n"`
		} `yaml:"rungs"`
		Raw   Node     `yaml:"raw"`
		Any   any      `yaml:"any"`
		Count uint16   `yaml:"count"`
		Hex   int      `yaml:"hex"`
		Kept  string   `yaml:"kept"`
		Gone  []string `yaml:"gone"`
		Limit *struct {
			Max int `yaml:"max"`
		} `yaml:"limit"`
	}
	v.Kept, v.Gone = "before", []string{"x"}
	n, issues := ParseJSON("b", []byte(`{"kind":"k","waits":{"a":"5s","b":null},"rungs":[{"n":-3}],"raw":{"x":[1]},"any":[true,"t",{"a":1.5}],"count":65535,"hex":31,"gone":null,"limit":{"max":4},"match":"m"}`))
	if issues = append(issues, n.Decode(&v)...); len(issues) > 0 {
		t.Fatal(issues)
	}
	if v.Match != "m" || v.Kind != "k" || v.Waits["a"].Std() != 5*time.Second || v.Waits["b"] != nil || v.Rungs[0].N != -3 ||
		v.Raw.Get("x").Items()[0].Text() != "1" || v.Count != 65535 || v.Kept != "before" || v.Gone != nil || v.Limit.Max != 4 || v.Raw.Place() != "b:1:66" {
		t.Errorf("%+v, raw at %s", v, v.Raw.Place())
	}
	for text, want := range map[string]string{
		`{"count":65536}`:           "count: expected a whole number, not negative, found the number 65536",
		`{"count":-1}`:              "expected a whole number, not negative",
		`{"rungs":[{"n":200}]}`:     "rungs[0].n: expected a whole number, found the number 200",
		`{"rungs":{"n":1}}`:         "rungs: expected a list, found a mapping",
		`{"waits":{"a":5}}`:         "waits.a: expected a duration such as 90s",
		`{"any":12345678901234567}`: "cannot be kept exactly",
		`{"any":9007199254740993}`:  "cannot be kept exactly",
		`{"limit":7}`:               "limit: expected a mapping of fields, found the number 7",
		`[]`:                        "expected a mapping of fields, found a list",
	} {
		n, issues := ParseJSON("b", []byte(text))
		if issues = append(issues, n.Decode(&v)...); !strings.Contains(issues.Error(), want) {
			t.Errorf("%s: %v", text, issues)
		}
	}
	if is := n.Decode(v); len(is) != 1 || !strings.Contains(is[0].Msg, "a pointer is needed") {
		t.Errorf("%v", is)
	}
}

// TestTextIsTheSameDocument: what a document's text is read as says what the document
// says, whichever way it was written; a number that JSON cannot hold is an issue.
func TestTextIsTheSameDocument(t *testing.T) {
	for _, spec := range []string{
		"{}",
		"{a: 1, b: 1.5, c: 0x10, d: 1_000, e: -0.1}",
		`{a: "1", b: "true", c: "<a&b>", d: "\u00e4\n", e: ''}`,
		"{a: true, b: null, c: [1, [x, {y: z}]], d: {e: {f: g}}}",
		"{every: 30s, at: 2026-05-01T00:00:00Z}",
		"\n  text: |\n    two\n    lines",
	} {
		text := "apiVersion: vigil/v1\nkind: Check\nmetadata: {name: a, labels: {team: ops}}\nspec: " + spec + "\n"
		ds, is := Parse("a.yaml", []byte(text), Git)
		if len(is) > 0 || len(ds) != 1 {
			t.Fatalf("%s: %v", spec, is)
		}
		b, err := ds[0].Text()
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		again, is := Parse("b", b, Git)
		if len(is) > 0 || len(again) != 1 {
			t.Fatalf("%s is %s: %v", spec, b, is)
		}
		var one, two any
		if is := append(ds[0].Spec.Decode(&one), again[0].Spec.Decode(&two)...); len(is) > 0 {
			t.Fatal(is)
		}
		if !reflect.DeepEqual(one, two) || again[0].Kind != ds[0].Kind || again[0].Name != ds[0].Name || !maps.Equal(again[0].Labels, ds[0].Labels) {
			t.Errorf("%s became %s", spec, b)
		}
	}
	ds, is := Parse("a.yaml", []byte("apiVersion: vigil/v1\nkind: Check\nmetadata: {name: a}\nspec: {n: 90071992547409931}\n"), Git)
	if len(is) > 0 {
		t.Fatal(is)
	}
	if b, err := ds[0].Text(); err == nil {
		t.Errorf("a number that would change became %s", b)
	}
}
