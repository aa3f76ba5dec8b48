package catalogue_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"vigil/actions/catalogue"
	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/remedy"
)

func document1(t *testing.T, spec string) document.Document {
	t.Helper()
	ds, is := document.Parse("a.yaml", []byte("apiVersion: vigil/v1\nkind: Action\nmetadata: {name: a}\nspec:\n"+spec), document.Git)
	if len(is) > 0 || len(ds) != 1 {
		t.Fatal(ds, is)
	}
	return ds[0]
}

// TestDocument_HasTheWordsOfTheConfig: every word of `[actions.NAME]` is one of a
// document, and means the same.
func TestDocument_HasTheWordsOfTheConfig(t *testing.T) {
	words := map[string]string{
		"kind": "exec", "description": "x", "params": "{p: '[a-z]+'}", "timeout": "90s", "class": "probed", "cost": "3", "capture": "true", "subject": "'s:{p}'",
		"concurrency": "2", "mutex": "m", "argv": "[/bin/echo, '{p}']", "probe": "[/bin/true]", "user": "nobody", "group": "nogroup", "env": "{A: b}", "pass_env": "[C]",
		"cwd": "/srv", "kill_after": "1500ms", "output": "1024", "limits": "{nofile: 64}", "sha256": strings.Repeat("a", 64), "isolation": "unit",
		"method": "PUT", "url": "'http://h.example/'", "query": "{q: v}", "headers": "{H: v}", "json": "{a: [1, '{p}', {b: true}]}", "expect": "[204]", "idempotent": "true", "allow": "[127.0.0.1]",
	}
	var spec strings.Builder
	fields := reflect.TypeFor[catalogue.Entry]()
	for i := range fields.NumField() {
		word := fields.Field(i).Tag.Get("toml")
		if words[word] == "" {
			t.Errorf("%s is not tried", word)
		}
		spec.WriteString("  " + word + ": " + words[word] + "\n")
	}
	e, is := catalogue.FromDocument(document1(t, spec.String()), catalogue.Whole())
	if text := is.Error(); len(is) != 1 || !strings.Contains(text, "belong to kind http") { // what the local config says to such an entry
		t.Errorf("issues %v", is)
	}
	cost := 3.0
	want := catalogue.Entry{
		Kind: "exec", Description: "x", Params: map[string]string{"p": "[a-z]+"}, Timeout: 90 * time.Second, Class: remedy.Probed, Cost: &cost, Capture: true, Subject: "s:{p}",
		Concurrency: 2, Mutex: "m", Argv: []string{"/bin/echo", "{p}"}, Probe: []string{"/bin/true"}, User: "nobody", Group: "nogroup", Env: map[string]string{"A": "b"}, PassEnv: []string{"C"},
		Cwd: "/srv", KillAfter: 1500 * time.Millisecond, Output: 1024, Limits: map[string]uint64{"nofile": 64}, SHA256: strings.Repeat("a", 64), Isolation: "unit",
		Method: "PUT", URL: "http://h.example/", Query: map[string]string{"q": "v"}, Headers: map[string]string{"H": "v"}, JSON: map[string]any{"a": []any{1.0, "{p}", map[string]any{"b": true}}},
		Expect: []int{204}, Idempotent: true, Allow: []string{"127.0.0.1"},
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("%+v\nwant\n%+v", e, want)
	}
}

// TestDocument_NamesThePlace: what the local config names by its key a document names
// by its line and column.
func TestDocument_NamesThePlace(t *testing.T) {
	for spec, want := range map[string]string{
		"  kind: exec\n  argv:\n    - /bin/echo\n    - 'x{p}'\n  params: {p: '.*'}\n":  "a.yaml:8:7: \"x{p}\" holds a parameter among other text",
		"  kind: exec\n  argv: [/bin/echo, '{q}']\n":                                   "a.yaml:6:21: {q} is not a parameter of this entry",
		"  kind: exec\n  argv: [/bin/echo]\n  timeout: 5\n":                            "a.yaml:7:12",
		"  kind: exec\n  argv: [/bin/echo]\n  params:\n    p: '['\n":                   "a.yaml:8:8: \"[\" is not a pattern",
		"  kind: http\n  url: 'http://{p}/'\n  params: {p: '.*'}\n":                    "a.yaml:6:8: ",
		"  kind: http\n  url: 'http://h.example/'\n  headers: {A: 'Bearer file:x'}\n":  "a.yaml:7:16",
		"  kind: exec\n  argv: [/bin/echo]\n  comand: x\n":                             "a.yaml:7:3",
		"  kind: exec\n  argv: [/bin/echo]\n  params:\n    p: '(abcdefghi){200}'\n":    "a.yaml:8:5: with this one the patterns",
		"  kind: exec\n  argv: [/bin/echo, \"" + strings.Repeat("x", 70<<10) + "\"]\n": "a.yaml:1:1: an action takes at most 64 KiB",
	} {
		if _, is := catalogue.FromDocument(document1(t, spec), &catalogue.Room{Bytes: 1 << 20, Steps: 1000}); len(is) == 0 || !strings.HasPrefix(is[0].Place+": "+is[0].Msg, want) {
			t.Errorf("%.80q: %v, want %s", spec, is, want)
		}
	}
}

// TestDocument_TakesOfTheRoom: what is left is less by what was read, and nothing more
// is read once it is used up.
func TestDocument_TakesOfTheRoom(t *testing.T) {
	d := document1(t, "  kind: exec\n  argv: [/bin/echo]\n  params: {p: 'a{30}'}\n")
	for _, left := range []*catalogue.Room{{Bytes: 500, Steps: 1000}, {Bytes: 5000, Steps: 100}} {
		n := 0
		for ; n < 10; n++ {
			if _, is := catalogue.FromDocument(d, left); len(is) > 0 {
				if !strings.Contains(is.Error(), "together") {
					t.Error(is)
				}
				break
			}
		}
		if n != 3 || left.Bytes < 0 || left.Steps < 0 {
			t.Errorf("%d were read, %+v is left", n, left)
		}
	}
}

// FuzzDocument: whatever a document says, it is refused with its place or is an entry
// that the local config could have and that can be built.
func FuzzDocument(f *testing.F) {
	f.Add("  kind: exec\n  argv: [/bin/echo, '{p}']\n  params: {p: '.*'}\n")
	f.Add("  kind: http\n  url: 'http://h.example/{p}'\n  params: {p: '(a+)+'}\n  json: {a: [null]}\n")
	f.Fuzz(func(t *testing.T, spec string) {
		ds, _ := document.Parse("a.yaml", []byte("apiVersion: vigil/v1\nkind: Action\nmetadata: {name: a}\nspec:\n"+spec), document.Git)
		for _, d := range ds {
			e, is := catalogue.FromDocument(d, catalogue.Whole())
			if len(is) > 0 {
				if !strings.HasPrefix(is[0].Place, "a.yaml:") {
					t.Fatalf("no place: %v", is)
				}
				continue
			}
			entries := map[string]catalogue.Entry{d.Name: e}
			if is := catalogue.Validate(entries, nil); len(is) > 0 {
				t.Fatal(is)
			}
			if _, err := catalogue.New(entries, catalogue.Deps{Crowd: &catalogue.Crowd{}}); fault.KindOf(err) == fault.Internal {
				t.Fatal(err)
			}
		}
	})
}
