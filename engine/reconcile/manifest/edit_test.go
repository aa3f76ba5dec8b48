package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/document"
	"vigil/engine/reconcile"
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
		{"a list", "apiVersion: vigil/v1\nkind: X\nmetadata: {name: a}\nspec:\n  a: [b]\n", "a.yaml:1:1", set("x", "a"), "", "no single value"},
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

// TestAccept_SaysWhatWasFound, kind by kind.
func TestAccept_SaysWhatWasFound(t *testing.T) {
	diff := func(field, found string) reconcile.Difference {
		return reconcile.Difference{Field: field, Found: found, Class: reconcile.Drift}
	}
	sum := strings.Repeat("a", 64)
	tests := []struct {
		name, kind, spec string
		diffs            []reconcile.Difference
		want             string // sets, sources, left; or an error
	}{
		{"a file", "File", "path: /etc/a, content: x", []reconcile.Difference{diff("sha256", sum), diff("permissions", "0600")}, "content=found permissions=0600"},
		{"a file with a source", "File", "path: /etc/a, source: files/a", []reconcile.Difference{diff("sha256", sum)}, "hosts/h/files/a</etc/a"},
		{"a file with a source from the root", "File", "path: /etc/a, source: /x/a", []reconcile.Difference{diff("sha256", sum)}, "x/a</etc/a"},
		{"a file that is gone", "File", "path: /etc/a, content: x", []reconcile.Difference{diff("exists", "no")}, "mode=absent"},
		{"a link", "File", "path: /etc/a, content: x", []reconcile.Difference{diff("exists", "link")}, "!not about those"},
		{"one that should be gone", "File", "path: /etc/a, mode: absent", []reconcile.Difference{diff("exists", "yes")}, "!vigild adopt"},
		{"a secret", "File", "path: /etc/a, secret: x", []reconcile.Difference{diff("sha256", sum)}, "!sealed"},
		{"sealed content", "File", "path: /etc/a, content: {age: x}", []reconcile.Difference{diff("sha256", sum)}, "!sealed"},
		{"a secret of other permissions", "File", "path: /etc/a, secret: x", []reconcile.Difference{diff("permissions", "0600")}, "permissions=0600"},
		{"no text", "File", "path: /etc/bin, content: x", []reconcile.Difference{diff("sha256", sum)}, "!no text"},
		{"a file that cannot be read", "File", "path: /etc/locked, content: x", []reconcile.Difference{diff("sha256", sum)}, "!locked"},
		{"a part", "File", "path: /etc/a, match: lines, lines: [q]", []reconcile.Difference{diff("line:q", "")}, "!by hand"},
		{"a folder", "Directory", "path: /srv, owner: root", []reconcile.Difference{diff("owner", "www"), diff("entry:x", "file")}, "owner=www left entry:x"},
		{"a service", "Service", "state: running, enabled: true", []reconcile.Difference{diff("active", "failed"), diff("enabled", "no"), diff("reload", "yes")}, "state=stopped enabled:=false left reload"},
		{"a static unit", "Service", "enabled: true", []reconcile.Difference{diff("enabled", "static")}, "!nobody switches"},
		{"a unit file", "Service", "unit: w, file: x, dropIns: {a.conf: y}", []reconcile.Difference{diff("unitfile", sum), diff("dropin:a.conf", sum)}, "file=found dropIns.a.conf=found"},
		{"a unit file that is gone", "Service", "file: x", []reconcile.Difference{diff("unitfile", "")}, "!gone"},
		{"a kernel parameter", "Sysctl", "name: vm.swappiness, value: 1", []reconcile.Difference{diff("running", "60"), diff("persisted", "")}, "value:=60 left persisted"},
		{"one of several values", "Sysctl", "name: a.b, value: 1", []reconcile.Difference{diff("running", "1\t2")}, "value=1 2"},
		{"a process", "Process", "state: running", []reconcile.Difference{diff("running", "no")}, "state=stopped"},
		{"a timer", "Timer", "unit: x", []reconcile.Difference{diff("active", "no")}, "!kind Timer"},
	}
	read := func(p string) ([]byte, error) {
		switch p {
		case "/etc/bin":
			return []byte{0, 1}, nil
		case "/etc/locked":
			return nil, errors.New("locked")
		case "/etc/a", "/etc/systemd/system/w.service", "/etc/systemd/system/w.service.d/a.conf":
			return []byte("found"), nil
		}
		return nil, errors.New("asked for " + p)
	}
	for _, tt := range tests {
		docs, is := document.Parse("hosts/h/a.yaml", []byte(fmt.Sprintf("apiVersion: vigil/v1\nkind: %s\nmetadata: {name: x}\nspec: {%s}\n", tt.kind, tt.spec)), document.Git)
		if len(is) > 0 {
			t.Fatal(is)
		}
		a, err := manifest.Accept(docs[0], tt.diffs, read)
		var got []string
		if err != nil {
			if !strings.HasPrefix(tt.want, "!") || !strings.Contains(err.Error(), tt.want[1:]) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		for _, s := range a.Sets {
			sign := "="
			if s.Word {
				sign = ":="
			}
			got = append(got, strings.Join(s.Path, ".")+sign+s.Value)
		}
		for _, s := range a.Sources {
			got = append(got, s.InTree+"<"+s.Path)
		}
		for _, l := range a.Left {
			field, _, _ := strings.Cut(strings.Replace(l, "entry:", "entry-", 1), ":")
			got = append(got, "left "+strings.Replace(field, "entry-", "entry:", 1))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// TestSealed finds what is sealed wherever it stands.
func TestSealed(t *testing.T) {
	for spec, want := range map[string]bool{
		"content: x": false, "secret: x": true, "content: {age: x}": true, "dropIns: {a.conf: {age: x}}": true, "values: {a: [b, {c: '-----BEGIN AGE ENCRYPTED FILE-----'}]}": true, "values: {a: [b]}": false,
	} {
		docs, is := document.Parse("a.yaml", []byte("apiVersion: vigil/v1\nkind: File\nmetadata: {name: x}\nspec: {"+spec+"}\n"), document.Git)
		if len(is) > 0 || manifest.Sealed(docs[0]) != want {
			t.Errorf("%s: %v", spec, is)
		}
	}
}
