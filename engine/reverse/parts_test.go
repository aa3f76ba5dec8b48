package reverse_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

// after loads what a commit holds, compares it with the machine and names what
// differs still.
func (s *scene) after(t fataler, commit, ref string) (out []string) {
	set, err := s.repo.Read(s.repo.commits[commit])
	if err != nil {
		t.Fatalf("the commit cannot be read: %v\n%s", err, s.text(commit))
	}
	it := set.Find(ref)
	if it == nil {
		t.Fatalf("%s is not in the commit\n%s", ref, s.text(commit))
	}
	seen, err := it.Observe(t.Context(), s.m)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, d := range it.Ignore.Without(it.Compare(nil, seen)) {
		out = append(out, d.Field)
	}
	return out
}

func (s *scene) text(commit string) string {
	var b strings.Builder
	for _, f := range s.repo.commits[commit] {
		fmt.Fprintf(&b, "-- %s --\n%s\n", f.Path, f.Data)
	}
	return b.String()
}

const parts = `apiVersion: vigil/v1
kind: File
metadata: {name: hosts}
spec:
  path: /etc/hosts
  match: lines
  lines:
  - 10.0.0.1 one   # the first
  # the second is
  - "10.0.0.2 two"
  - 10.0.0.3 three
---
apiVersion: vigil/v1
kind: File
metadata: {name: block}
spec: {path: /etc/blocked, match: block, content: "a\nb\n"}
---
apiVersion: vigil/v1
kind: File
metadata: {name: sourced}
spec: {path: /etc/sourced, match: block, source: files/block}
---
apiVersion: vigil/v1
kind: File
metadata: {name: json}
spec:
  path: /etc/app.json
  match: json
  values:
    port: 80       # of the web
    tls: {min: "1.2", max: "1.3"}
    list: [1, 2]
---
apiVersion: vigil/v1
kind: File
metadata: {name: ini}
spec:
  path: /etc/app.ini
  match: ini
  permissions: "0640"
  values:
    main:
      level: info
      user: app
---
apiVersion: vigil/v1
kind: File
metadata: {name: keyed}
spec: {path: /etc/keyed.ini, match: ini, values: {db: {password: given}}}
---
apiVersion: vigil/v1
kind: Directory
metadata: {name: d}
spec:
  path: /srv/d
  purge: true
  keep:
    - mine   # by hand
---
apiVersion: vigil/v1
kind: Cron
metadata: {name: nightly}
spec:
  schedule: "30 3 * * *"
  command: [/usr/bin/nightly, --all]
---
apiVersion: vigil/v1
kind: Timer
metadata: {name: tick}
spec:
  unit: tick.service
  every: 1h
`

// TestDrift_PartsTimersCronsAndFolders: what somebody changed of them is said by
// the commit, so that nothing differs once it is applied, and no byte beside it
// changed.
func TestDrift_PartsTimersCronsAndFolders(t *testing.T) {
	cron := "# kept by vigild: Cron/nightly\n30 3 * * * root /usr/bin/nightly --all\n"
	timer := "# kept by vigild: Timer/tick\n[Unit]\nDescription=starts tick.service\n\n[Timer]\nUnit=tick.service\nOnActiveSec=1h\nOnUnitActiveSec=1h\n\n[Install]\nWantedBy=timers.target\n"
	tests := []struct {
		name, ref string
		change    func(m *machine)
		from, to  string // in the documents
		secrets   bool
		says      string // of a refusal
	}{
		{"a line that is gone", "File/hosts", func(m *machine) { m.put("/etc/hosts", "10.0.0.1 one\n10.0.0.3 three\n") }, "  - \"10.0.0.2 two\"\n", "", false, ""},
		{"all lines gone", "File/hosts", func(m *machine) { m.put("/etc/hosts", "other\n") }, "  path: /etc/hosts\n", "  mode: absent\n  path: /etc/hosts\n", false, ""},
		{"the whole file gone", "File/hosts", func(m *machine) { delete(m.files, "/etc/hosts") }, "  path: /etc/hosts\n", "  mode: absent\n  path: /etc/hosts\n", false, ""},
		{"a block", "File/block", func(m *machine) { m.put("/etc/blocked", "# BEGIN vigil block\nc\n# END vigil block\n") }, `"a\nb\n"`, `"c\n"`, false, ""},
		{"a block that is empty", "File/block", func(m *machine) { m.put("/etc/blocked", "# BEGIN vigil block\n# END vigil block\n") }, `"a\nb\n"`, `""`, false, ""},
		{"a block that is gone", "File/block", func(m *machine) { m.put("/etc/blocked", "x\n") }, "{path: /etc/blocked", `{"mode": "absent", path: /etc/blocked`, false, ""},
		{"a secret beside a block", "File/block", func(m *machine) {
			m.put("/etc/blocked", "password = hunter22\n# BEGIN vigil block\nc\n# END vigil block\n")
		}, `"a\nb\n"`, `"c\n"`, false, ""},
		{"a secret in a block", "File/block", func(m *machine) {
			m.put("/etc/blocked", "# BEGIN vigil block\npassword = hunter22\n# END vigil block\n")
		}, "", "", false, "--allow-secrets"},
		{"a secret in a block that a file of the tree holds", "File/sourced", func(m *machine) {
			m.put("/etc/sourced", "# BEGIN vigil sourced\npassword = hunter22\n# END vigil sourced\n")
		}, "", "", false, "--allow-secrets"},
		{"a secret by its key", "File/keyed", func(m *machine) { m.put("/etc/keyed.ini", "[db]\npassword = hunter22\n") }, "", "", false, "--allow-secrets"},
		{"keys", "File/json", func(m *machine) {
			m.put("/etc/app.json", `{"port": 8080, "tls": {"min": "1.2", "max": "1.3"}, "list": [1, "x"]}`)
		}, "", "", false, ""},
		{"a key", "File/json", func(m *machine) {
			m.put("/etc/app.json", `{"port": 8080, "tls": {"min": "1.2", "max": "1.3"}, "list": [1, 2], "more": 1}`)
		}, "port: 80 ", "port: 8080 ", false, ""},
		{"a mapping that is gone", "File/json", func(m *machine) { m.put("/etc/app.json", `{"port": 80, "list": [1, 2]}`) }, "    tls: {min: \"1.2\", max: \"1.3\"}\n", "", false, ""},
		{"a list became a mapping", "File/json", func(m *machine) {
			m.put("/etc/app.json", `{"port": 80, "tls": {"min": "1.2", "max": "1.3"}, "list": {"a": null}}`)
		}, "[1, 2]", `{"a": null}`, false, ""},
		{"a key of a closed file", "File/ini", func(m *machine) {
			m.put("/etc/app.ini", "[main]\nlevel = debug\nuser = app\n")
			m.chmod("/etc/app.ini", 0o640)
		}, "", "", false, "--allow-secrets"},
		{"a key of a closed file, allowed", "File/ini", func(m *machine) {
			m.put("/etc/app.ini", "[main]\nlevel = debug\nuser = app\n")
			m.chmod("/etc/app.ini", 0o640)
		}, "level: info", "level: debug", true, ""},
		{"entries", "Directory/d", func(m *machine) { m.put("/srv/d/b", ""); m.put("/srv/d/a: x", "") }, "    - mine   # by hand\n", "    - mine   # by hand\n    - \"a: x\"\n    - b\n", false, ""},
		{"a schedule", "Cron/nightly", func(m *machine) { m.put("/etc/cron.d/nightly", strings.Replace(cron, "30 3", "0 4", 1)) }, `"30 3 * * *"`, `"0 4 * * *"`, false, ""},
		{"a command", "Cron/nightly", func(m *machine) { m.put("/etc/cron.d/nightly", strings.Replace(cron, "--all", "'--some of it'", 1)) }, "[/usr/bin/nightly, --all]", `["/usr/bin/nightly", "--some of it"]`, false, ""},
		{"a variable", "Cron/nightly", func(m *machine) {
			m.put("/etc/cron.d/nightly", strings.Replace(cron, "\n30", "\nMAILTO=\"ada\"\n30", 1))
		}, "  schedule: ", "  env: {\"MAILTO\": \"ada\"}\n  schedule: ", false, ""},
		{"a job that is gone", "Cron/nightly", func(*machine) {}, "  schedule: ", "  mode: absent\n  schedule: ", false, ""},
		{"a job that was commented out", "Cron/nightly", func(m *machine) { m.put("/etc/cron.d/nightly", strings.Replace(cron, "\n30", "\n#30", 1)) }, "", "", false, "no Cron writes such a file"},
		{"a stopped timer", "Timer/tick", func(m *machine) { m.timer(timer, "inactive", "disabled") }, "  unit: tick.service\n", "  enabled: false\n  state: stopped\n  unit: tick.service\n", false, ""},
		{"another time", "Timer/tick", func(m *machine) { m.timer(strings.ReplaceAll(timer, "=1h", "=1h 30m"), "active", "enabled") }, "every: 1h\n", "every: \"1h30m\"\n", false, ""},
		{"a calendar", "Timer/tick", func(m *machine) {
			m.timer(strings.Replace(timer, "OnActiveSec=1h\nOnUnitActiveSec=1h\n", "OnCalendar=daily\nPersistent=true\n", 1), "active", "enabled")
		}, "  unit: tick.service\n  every: 1h\n", "  persistent: true\n  onCalendar: [\"daily\"]\n  unit: tick.service\n", false, ""},
		{"a timer that is gone", "Timer/tick", func(m *machine) { m.timer("", "inactive", "") }, "  unit: tick.service\n", "  mode: absent\n  enabled: false\n  state: stopped\n  unit: tick.service\n", false, ""},
	}
	for _, tt := range tests {
		s := setup(t, "hosts/web1/parts.yaml", parts, "hosts/web1/files/block", "z\n")
		s.m.files["/srv/d"] = reconcile.File{Type: "directory", Mode: 0o755, Owner: "root", Group: "root"}
		tt.change(s.m)
		got, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: tt.ref, Secrets: tt.secrets})
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) || fault.KindOf(err) != fault.Unprocessable || len(s.repo.refs) > 0 {
				t.Errorf("%s: %+v %v", tt.name, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if left := s.after(t, got.Commit, tt.ref); len(left) > 0 || len(got.Left) > 0 {
			t.Errorf("%s: %v differ still (left %v)\n%s", tt.name, left, got.Left, s.text(got.Commit))
		}
		if want := strings.Replace(parts, tt.from, tt.to, 1); tt.from != "" && string(s.repo.commits[got.Commit][0].Data) != want {
			t.Errorf("%s: the document is\n%s", tt.name, s.text(got.Commit))
		}
	}
	s := setup(t, "hosts/web1/parts.yaml", parts, "hosts/web1/files/block", "z\n")
	s.m.put("/etc/sourced", "# BEGIN vigil sourced\nnew\n# END vigil sourced\nrest\n")
	got, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: "File/sourced"})
	if err != nil || string(s.repo.commits[got.Commit][1].Data) != "new\n" || len(s.after(t, got.Commit, "File/sourced")) > 0 {
		t.Errorf("a block with a source: %+v %v\n%s", got, err, s.text(got.Commit))
	}
}

func (m *machine) chmod(p string, mode uint32) {
	f := m.files[p]
	f.Mode = mode
	m.files[p] = f
}

func (m *machine) timer(text, active, state string) {
	if text != "" {
		m.put("/etc/systemd/system/tick.timer", text)
	}
	m.units["tick.timer"] = reconcile.Unit{Load: "loaded", Active: active, FileState: state}
}

// fataler is what rapid's T and testing's have in common.
type fataler interface {
	Fatalf(string, ...any)
	Context() context.Context
}

// TestDrift_WhateverIsFoundInAPart is in no commit, or is gone with it: but for what
// the commit says is left.
func TestDrift_WhateverIsFoundInAPart(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]string{"json", "yaml", "toml", "ini", "lines"}).Draw(t, "format")
		keys := []string{"a", "b", "c"}
		wanted := func() string {
			return rapid.SampledFrom([]string{"1", "x", "true", `"1"`, `"y: z"`, "2.5"}).Draw(t, "wanted")
		}
		var doc strings.Builder
		fmt.Fprintf(&doc, "apiVersion: vigil/v1\nkind: File\nmetadata: {name: p}\nspec:\n  path: /etc/p\n  match: %s\n", format)
		flow := rapid.Bool().Draw(t, "flow")
		n := rapid.IntRange(1, 3).Draw(t, "n")
		var items []string
		for _, k := range keys[:n] {
			if format == "lines" {
				items = append(items, "line "+k)
			} else {
				items = append(items, k+": "+wanted())
			}
		}
		switch {
		case format == "lines" && flow:
			fmt.Fprintf(&doc, "  lines: [%s]\n", strings.Join(items, ", "))
		case format == "lines":
			fmt.Fprintf(&doc, "  lines:\n    - %s\n", strings.Join(items, " # why\n    - "))
		case flow:
			fmt.Fprintf(&doc, "  values: {s: {%s}}\n", strings.Join(items, ", "))
		default:
			fmt.Fprintf(&doc, "  values:\n    s:\n      %s\n", strings.Join(items, "  # why\n\n      "))
		}
		if rapid.Bool().Draw(t, "more") {
			doc.WriteString("  owner: root\n# the end\n")
		}
		var lines []string
		for _, k := range keys[:rapid.IntRange(0, 3).Draw(t, "found")] {
			v := rapid.SampledFrom([]string{"1", "2", `"x"`, "true", "[1, 2]", `["a", "b"]`, "1.0", "1e3", `""`, `"a, b # c"`}).Draw(t, "value")
			switch format {
			case "lines":
				lines = append(lines, "line "+k)
			case "json":
				lines = append(lines, fmt.Sprintf("%q: %s", k, v))
			case "yaml":
				lines = append(lines, "  "+k+": "+v)
			default:
				lines = append(lines, k+" = "+v)
			}
		}
		text := map[string]string{
			"json": `{"s": {` + strings.Join(lines, ", ") + "}}", "yaml": "s:\n" + strings.Join(lines, "\n") + "\n",
			"lines": strings.Join(lines, "\n") + "\n",
		}[format]
		if text == "" {
			text = "[s]\n" + strings.Join(lines, "\n") + "\n"
		}
		s := setup(outer, "p.yaml", doc.String())
		s.m.put("/etc/p", text)
		got, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: "File/p"})
		if err != nil {
			if k := fault.KindOf(err); k != fault.Conflict && k != fault.Unprocessable || !strings.Contains(err.Error(), "stands as its document says") && !strings.Contains(err.Error(), "no document can say") {
				t.Fatalf("%v\n%s\n%s", err, doc.String(), text)
			}
			return
		}
		still := s.after(t, got.Commit, "File/p")
		for _, f := range still {
			if !strings.Contains(strings.Join(got.Left, "\n"), f+": ") {
				t.Fatalf("%s differs still, and the commit does not say so (%v)\n%s\n%s", f, got.Left, s.text(got.Commit), text)
			}
		}
		if len(got.Fields) == 0 {
			t.Fatalf("a commit that accepts nothing: %+v", got)
		}
	})
}
