package manifest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/document"
	"vigil/engine/reconcile/manifest"
)

const before = `# the first
apiVersion: vigil/v1
kind: File
metadata: {name: a}
spec: {path: /etc/a, content: a}
---
# ours
apiVersion: vigil/v1
kind: File
metadata:
  name: motd   # said at login
spec:
  path: /etc/motd
  content: |
    one
      two

  permissions: "0644"   # for everybody
  owner: root
  # and its group
  group: root


---
apiVersion: vigil/v1
kind: File
metadata: {name: z}
spec:
    path: /etc/z
    content: "z"
`

// TestEdit_ChangesOneValueAndNothingElse.
func TestEdit_ChangesOneValueAndNothingElse(t *testing.T) {
	set := func(v string, path ...string) manifest.Set { return manifest.Set{Path: path, Value: v} }
	whole := func(v any, path ...string) manifest.Set { return manifest.Set{Path: path, Whole: v} }
	remove := func(path ...string) manifest.Set { return manifest.Set{Path: path, Op: manifest.Remove} }
	more := func(v string, path ...string) manifest.Set {
		return manifest.Set{Path: path, Value: v, Op: manifest.Append}
	}
	const short = "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec:\n"
	tests := []struct {
		name, text, place string
		set               manifest.Set
		from, to          string // what is replaced in the text by what; from "" is an error that says to
	}{
		{"a block by a block", before, "a.yaml:8:1", set("three\n", "content"), "    one\n      two\n", "    three\n"},
		{"a block by a line", before, "a.yaml:8:1", set("three", "content"), "|\n    one\n      two\n", "three\n"},
		{"a block by nothing", before, "a.yaml:8:1", set("", "content"), "|\n    one\n      two\n", "\"\"\n"},
		{"a block by one that begins with blanks", before, "a.yaml:8:1", set("  x\ny", "content"), "|\n    one\n      two\n", "|2-\n      x\n    y\n"},
		{"a block by one that ends with empty lines", before, "a.yaml:8:1", set("x\n\n\n", "content"), "|\n    one\n      two\n\n", "|+\n    x\n\n\n"},
		{"a line by a block", before, "a.yaml:25:1", set("x\ny\n", "content"), "\"z\"\n", "|\n      x\n      y\n"},
		{"a quoted word, with its comment", before, "a.yaml:8:1", set("0600", "permissions"), `"0644"`, `"0600"`},
		{"a plain word", before, "a.yaml:8:1", set("www-data", "owner"), "owner: root", "owner: www-data"},
		{"the last of a mapping", before, "a.yaml:8:1", set("adm", "group"), "group: root", "group: adm"},
		{"one that was not there", before, "a.yaml:8:1", set("absent", "mode"), "  path: /etc/motd\n", "  mode: absent\n  path: /etc/motd\n"},
		{"in braces", before, "a.yaml:2:1", set("b, c\nd", "content"), "content: a}", `content: "b, c\nd"}`},
		{"in braces, one that was not there", before, "a.yaml:2:1", set("absent", "mode"), "spec: {path", `spec: {"mode": "absent", path`},
		{"JSON", `{"apiVersion": "vigil/v1", "kind": "File", "metadata": {"name": "é"}, "spec": {"path": "/a\"b", "content": "é\n"}}`, "a.yaml:1:1", set("x\"\n", "content"), `"é\n"}`, `"x\"\n"}`},
		{"Windows line ends", strings.ReplaceAll(before, "\n", "\r\n"), "a.yaml:8:1", set("adm", "owner"), "owner: root", "owner: adm"},
		{"a value over several lines", "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec:\n  a: b\n    c\n  d: e\n", "a.yaml:1:1", set("x", "a"), "", "a.yaml:5:6: a cannot be changed in place"},
		{"a block that keeps its empty lines", "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec:\n  a: |+\n    b\n\n\n  d: e\n", "a.yaml:1:1", set("x\n", "a"), "|+\n    b\n\n\n", "|\n    x\n"},
		{"quotes over several lines", "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec:\n  a: \"b\n\n    c\" # why\n  d: e\n", "a.yaml:1:1", set("x", "a"), "\"b\n\n    c\"", "x"},
		{"single quotes", "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec: {a: 'it''s, {', d: e}\n", "a.yaml:1:1", set("x", "a"), "'it''s, {'", `"x"`},
		{"a list by a word", short + "  a: [b]\n", "a.yaml:1:1", set("x", "a"), "[b]", "x"},
		{"a list of lines by a word", short + "  a:\n  - b\n  - c # d\n  # e\n  f: g\n", "a.yaml:1:1", set("x", "a"), "a:\n  - b\n  - c # d\n", "a: x\n"},
		{"a mapping by a text of lines", short + "  a:\n    b: c\n\n  f: g\n", "a.yaml:1:1", set("x\ny\n", "a"), "a:\n    b: c\n", "a: |\n    x\n    y\n"},
		{"a word by a list", short + "  a: b # c\n", "a.yaml:1:1", whole([]any{"x", 1.5, true, nil, map[string]any{"k": "v: w"}}, "a"), "a: b", `a: ["x", 1.5, true, null, {"k": "v: w"}]`},
		{"a list by a list", short + "  a: [b, c] # d\n", "a.yaml:1:1", whole([]any{"x"}, "a"), "[b, c]", `["x"]`},
		{"in braces, a list", short + "  s: {a: [b, {c: ']'}], d: e}\n", "a.yaml:1:1", whole([]any{}, "s", "a"), "[b, {c: ']'}]", "[]"},
		{"a list that was not there", short + "  a: b\n", "a.yaml:1:1", whole(map[string]any{"k": "v"}, "m"), "  a: b\n", "  m: {\"k\": \"v\"}\n  a: b\n"},
		{"deep below", short + "  a:\n    b:\n      c: d\n", "a.yaml:1:1", set("x", "a", "b", "c"), "c: d", "c: x"},
		{"a key less", short + "  a: b # c\n  # d\n  e: f\n", "a.yaml:1:1", remove("a"), "  a: b # c\n", ""},
		{"the last key less", short + "  a: b\n  e: |\n    f\n\n    g\n", "a.yaml:1:1", remove("e"), "  e: |\n    f\n\n    g\n", ""},
		{"a mapping less", short + "  a: b\n  e:\n    f: [1,\n      2]\n  g: h\n", "a.yaml:1:1", remove("e"), "  e:\n    f: [1,\n      2]\n", ""},
		{"a key less in braces", short + "  s: {a: b, c: d}\n", "a.yaml:1:1", remove("s", "a"), "a: b, ", ""},
		{"the last key less in braces", short + "  s: {a: b, c: 'd, }'}\n", "a.yaml:1:1", remove("s", "c"), ", c: 'd, }'", ""},
		{"an item less", short + "  l:\n  - a\n  # why\n  - b # b\n  - c\n", "a.yaml:1:1", remove("l", "1"), "  - b # b\n", ""},
		{"the last item less, deeper", short + "  l:\n    - a\n    - \"b\"\n  m: n\n", "a.yaml:1:1", remove("l", "1"), "    - \"b\"\n", ""},
		{"an item less in brackets", short + "  l: [a, 'b, c', d]\n", "a.yaml:1:1", remove("l", "1"), "'b, c', ", ""},
		{"the last item less in brackets", short + "  l: [a, \"b]\"]\n", "a.yaml:1:1", remove("l", "1"), ", \"b]\"", ""},
		{"the only key", short + "  a: b\n", "a.yaml:1:1", remove("a"), "", "cannot be changed in place"},
		{"a key that is not there", short + "  a: b\n", "a.yaml:1:1", remove("c"), "", "not there"},
		{"an item more", short + "  l:\n  - a # b\n  m: n\n", "a.yaml:1:1", more("y: z", "l"), "  - a # b\n", "  - a # b\n  - \"y: z\"\n"},
		{"an item more in brackets", short + "  l: [a]\n", "a.yaml:1:1", more("b", "l"), "[a]", `[a, "b"]`},
		{"the first item", short + "  l: []\n", "a.yaml:1:1", more("b", "l"), "[]", `["b"]`},
		{"an item of a list that is not there", short + "  a: b\n", "a.yaml:1:1", more("b", "l"), "  a: b\n", "  l: [\"b\"]\n  a: b\n"},
		{"an item more of what is no list", short + "  l: a\n", "a.yaml:1:1", more("b", "l"), "", "cannot be changed in place"},
		{"below what is not there", before, "a.yaml:8:1", set("x", "dropIns", "a.conf"), "", "cannot be changed in place"},
		{"no such document", before, "a.yaml:9:1", set("x", "a"), "", "no document begins at"},
	}
	for _, tt := range tests {
		got, err := manifest.Edit("a.yaml", []byte(tt.text), tt.place, []manifest.Set{tt.set})
		if tt.from == "" {
			if err == nil || !strings.Contains(err.Error(), tt.to) {
				t.Errorf("%s: %v does not say %q\n%s", tt.name, err, tt.to, got)
			}
			continue
		}
		at := strings.Index(tt.text, strings.ReplaceAll(tt.from, "\n", "\n"))
		if tt.name == "a plain word" || tt.name == "the last of a mapping" {
			at = strings.LastIndex(tt.text, tt.from)
		}
		if want := tt.text[:at] + tt.to + tt.text[at+len(tt.from):]; err != nil || string(got) != want {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", tt.name, err, got, want)
		}
	}
}

// TestEdit_LeavesOtherDocumentsByteForByte: whatever the value, the document says
// it and every other document is the same bytes, or there is an error and no text.
func TestEdit_LeavesOtherDocumentsByteForByte(t *testing.T) {
	styles := []string{"content: a\n", "content: 'a'   # why\n", "content: \"a\\n\"\n", "content: |\n    a\n\n    b\n", "content: |-\n    a\n  # after\n", "content: >+\n    a\n\n\n", "content: |2\n      a\n", "content: ''\n"}
	rapid.Check(t, func(t *rapid.T) {
		one := func(name string) string {
			return fmt.Sprintf("%sapiVersion: vigil/v1\nkind: File\nmetadata: {name: %s}\nspec:\n  path: /etc/x\n  %s  owner: root%s", rapid.SampledFrom([]string{"", "# c\n", "\n\n"}).Draw(t, "lead"), name,
				rapid.SampledFrom(styles).Draw(t, "style"), rapid.SampledFrom([]string{"", "\n", "\n\n", "\n# end\n"}).Draw(t, "tail"))
		}
		docs := []string{one("a"), one("b"), one("c")}
		for i, d := range docs[:2] {
			docs[i] = strings.TrimSuffix(d, "\n") + "\n---\n"
		}
		text := strings.Join(docs, "")
		parsed, is := document.Parse("a.yaml", []byte(text), document.Git)
		if len(is) > 0 {
			t.Fatalf("%v\n%s", is, text)
		}
		n := rapid.IntRange(0, 2).Draw(t, "which")
		value := string(bytes.ToValidUTF8(anyText().Draw(t, "value"), nil))
		got, err := manifest.Edit("a.yaml", []byte(text), parsed[n].Place, []manifest.Set{{Path: []string{"content"}, Value: value}, {Path: []string{"mode"}, Value: "detect"}})
		if err != nil {
			if strings.ContainsAny(value, "\x00\u0085\u2028\ufeff\uffff\x7f\r") {
				return // no text that a document takes as it stands
			}
			t.Fatalf("%v\n%q into\n%s", err, value, text)
		}
		rest := string(got)
		for i, d := range docs {
			if i < n {
				if rest = strings.TrimPrefix(rest, d); len(rest) == len(got) {
					t.Fatalf("document %d changed\n%s", i, got)
				}
			}
		}
		if after := strings.Join(docs[n+1:], ""); !strings.HasSuffix(rest, after) {
			t.Fatalf("what follows document %d changed\n%s", n, got)
		}
		again, _ := document.Parse("a.yaml", got, document.Git)
		var is2 string
		if issues := again[n].Spec.Get("content").Decode(&is2); len(issues) > 0 || is2 != value {
			t.Fatalf("%q instead of %q\n%s", is2, value, got)
		}
	})
}
