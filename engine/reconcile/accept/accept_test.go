package accept_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/accept"
	"vigil/engine/reconcile/manifest"
)

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
		{"all lines", "File", "path: /etc/a, match: lines, lines: [q]", []reconcile.Difference{diff("line:q", ""), diff("owner", "www")}, "mode=absent owner=www"},
		{"some lines", "File", "path: /etc/a, match: lines, lines: [p, q, r]", []reconcile.Difference{diff("line:p", ""), diff("line:r", "")}, "-lines.2 -lines.0"},
		{"a block", "File", "path: /etc/part, match: block, content: x", []reconcile.Difference{diff("block:x", sum)}, "content=in\n"},
		{"a block with a source", "File", "path: /etc/part, match: block, source: files/b", []reconcile.Difference{diff("block:x", sum)}, "hosts/h/files/b</etc/part(in\n)"},
		{"a block that is gone", "File", "path: /etc/part, match: block, content: x", []reconcile.Difference{diff("block:x", "")}, "mode=absent"},
		{"a sealed block", "File", "path: /etc/part, match: block, secret: x", []reconcile.Difference{diff("block:x", sum)}, "!sealed"},
		{"a block that should be gone", "File", "path: /etc/part, match: block, content: x, mode: absent", []reconcile.Difference{diff("block:x", sum)}, "!should not be"},
		{"keys of JSON", "File", "path: /etc/json, match: json, values: {a: 1, b: {c: x, d: y}, e: f, n: 1}", []reconcile.Difference{diff("json:/a", "2"), diff("json:/b/c", ""), diff("json:/b/d", ""), diff("json:/e", "[]"), diff("json:/n", "1.0")}, `values.a=2 values.e=[1 <nil>] -values.b.c -values.b left json`},
		{"all keys", "File", "path: /etc/json, match: json, values: {a: 1, b: {c: x}}", []reconcile.Difference{diff("json:/a", ""), diff("json:/b/c", "")}, "mode=absent"},
		{"keys of TOML", "File", "path: /etc/toml, match: toml, values: {s: {a: 1, d: x}}", []reconcile.Difference{diff("toml:/s/a", "2"), diff("toml:/s/d", "2026-01-02")}, "values.s.a=2 left toml"},
		{"keys of INI", "File", "path: /etc/ini, match: ini, values: {s: {a: 1, b: x}}", []reconcile.Difference{diff("ini:/s/a", "007"), diff("ini:/s/b", "8")}, "values.s.a=007 values.s.b:=8"},
		{"a folder", "Directory", "path: /srv, owner: root", []reconcile.Difference{diff("owner", "www"), diff("entry:x", "file"), diff("entry:a*", "file")}, "owner=www +keep=x left entry:a*"},
		{"a folder with far too much", "Directory", "path: /srv, purge: true", []reconcile.Difference{diff("entries", "400")}, "!too many"},
		{"a file of cron", "Cron", "schedule: '@daily', command: [/bin/a]", []reconcile.Difference{diff("sha256", sum), diff("owner", "ada")}, "schedule=30 3 * * * user=ada command=[/bin/a b c] env=map[A:b] left owner"},
		{"a file of cron that is gone", "Cron", "schedule: '@daily', command: [/bin/a]", []reconcile.Difference{diff("exists", "no")}, "mode=absent"},
		{"a timer's file", "Timer", "unit: w, every: 1h, persistent: true", []reconcile.Difference{diff("unitfile", sum)}, "onCalendar=[daily] every=30m -persistent"},
		{"a timer's file of another hand", "Timer", "timer: hand, unit: w, every: 1h", []reconcile.Difference{diff("unitfile", sum)}, "!no Timer writes"},
		{"a timer that is gone", "Timer", "unit: w, every: 1h", []reconcile.Difference{diff("active", "no"), diff("enabled", "no"), diff("unitfile", "")}, "state=stopped enabled:=false mode=absent"},
		{"a timer whose file is gone", "Timer", "unit: w, every: 1h", []reconcile.Difference{diff("unitfile", ""), diff("enabled", "no")}, "enabled:=false left unitfile"},
		{"a timer that runs again", "Timer", "unit: w, every: 1h, state: stopped", []reconcile.Difference{diff("active", "yes")}, "-state"},
		{"a service", "Service", "state: running, enabled: true", []reconcile.Difference{diff("active", "failed"), diff("enabled", "no"), diff("reload", "yes")}, "state=stopped enabled:=false left reload"},
		{"a static unit", "Service", "enabled: true", []reconcile.Difference{diff("enabled", "static")}, "!nobody switches"},
		{"a unit file", "Service", "unit: w, file: x, dropIns: {a.conf: y}", []reconcile.Difference{diff("unitfile", sum), diff("dropin:a.conf", sum)}, "file=found dropIns.a.conf=found"},
		{"a unit file that is gone", "Service", "file: x", []reconcile.Difference{diff("unitfile", "")}, "!gone"},
		{"a kernel parameter", "Sysctl", "name: vm.swappiness, value: 1", []reconcile.Difference{diff("running", "60"), diff("persisted", "")}, "value:=60 left persisted"},
		{"one of several values", "Sysctl", "name: a.b, value: 1", []reconcile.Difference{diff("running", "1\t2")}, "value=1 2"},
		{"a process", "Process", "state: running", []reconcile.Difference{diff("running", "no")}, "state=stopped"},
		{"a timer", "Timer", "unit: x", []reconcile.Difference{diff("active", "no")}, "state=stopped"},
		{"what vigild has for itself", "Policy", "a: b", []reconcile.Difference{diff("active", "no")}, "!kind Policy"},
	}
	others := map[string]string{
		"/etc/part":     "a\n# BEGIN vigil x\nin\n# END vigil x\nz\n",
		"/etc/json":     `{"a": 2, "e": [1, null], "n": 1.0}`,
		"/etc/toml":     "[s]\na = 2\nd = 2026-01-02\n",
		"/etc/ini":      "[s]\na = 007\nb = 8\n",
		"/etc/cron.d/x": "# kept by vigild: Cron/x\nA=\"b\"\n30 3 * * * ada /bin/a 'b c'\n",
		"/etc/systemd/system/x.timer": "# kept by vigild: Timer/x\n[Unit]\nDescription=starts w.service\n\n[Timer]\nUnit=w.service\nOnCalendar=daily\n" +
			"OnActiveSec=30m\nOnUnitActiveSec=30m\n\n[Install]\nWantedBy=timers.target\n",
		"/etc/systemd/system/hand.timer": "[Timer]\nOnCalendar=daily\n",
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
		if text, ok := others[p]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("asked for " + p)
	}
	for _, tt := range tests {
		docs, is := document.Parse("hosts/h/a.yaml", []byte(fmt.Sprintf("apiVersion: vigil/v1\nkind: %s\nmetadata: {name: x}\nspec: {%s}\n", tt.kind, tt.spec)), document.Git)
		if len(is) > 0 {
			t.Fatal(is)
		}
		a, err := accept.Accept(docs[0], tt.diffs, read)
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
			path := strings.Join(s.Path, ".")
			switch {
			case s.Op == manifest.Remove:
				got = append(got, "-"+path)
			case s.Op == manifest.Append:
				got = append(got, "+"+path+"="+s.Value)
			case s.Whole != nil:
				got = append(got, fmt.Sprint(path, "=", s.Whole))
			default:
				got = append(got, path+sign+s.Value)
			}
		}
		for _, s := range a.Sources {
			from := s.InTree + "<" + s.Path
			if s.Part != nil {
				from += "(" + string(s.Part) + ")"
			}
			got = append(got, from)
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
		if len(is) > 0 || accept.Sealed(docs[0]) != want {
			t.Errorf("%s: %v", spec, is)
		}
	}
}
