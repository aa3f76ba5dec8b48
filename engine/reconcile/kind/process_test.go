package kind_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/sealed"
)

// TestProcess_EachSettingIsADifference: whatever of the command is another than the
// running one's is named by its field, as a change that is pending; the same command
// is none.
func TestProcess_EachSettingIsADifference(t *testing.T) {
	const whole = `argv: [/bin/own, a], user: bob, group: adm, env: {A: b}, cwd: /srv, ready: {exec: [/bin/ask], timeout: 9s}, hold: 2s, stop_signal: SIGINT, stop_timeout: 3s, log: none, log_max: 100, limits: {nofile: 10}`
	doc := func(spec string) *reconcile.Item {
		return item(t, `{kind: Process, metadata: {name: own}, spec: {`+spec+`}}`)
	}
	m, it := newModel(), doc(whole)
	round(t, m, it.Resource, nil)
	seen, err := it.Observe(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	last := reconcile.Written(seen.State, nil)
	if ds := it.Differences(last, seen); len(ds) > 0 {
		t.Fatalf("right, and differs in %+v", ds)
	}
	for was, tt := range map[string]struct{ is, fields string }{
		"[/bin/own, a]": {"[/bin/own, b]", "argv"}, "user: bob, ": {"", "user"}, "group: adm": {"group: web", "group"}, "A: b": {"A: c", "env:A"},
		"{A: b}": {"{A: b, C: d}", "env env:C"}, ", env: {A: b}": {"", "env"}, "cwd: /srv, ": {"", "cwd"}, "timeout: 9s": {"timeout: 8s", "ready"},
		"SIGINT": {"SIGHUP", "stop_signal"}, "hold: 2s": {"hold: 3s", "hold"}, "stop_timeout: 3s": {"stop_timeout: 4s", "stop_timeout"}, "log: none": {"log: /etc/f", "log"},
		"log_max: 100": {"log_max: 200", "log_max"}, ", limits: {nofile: 10}": {"", "limits"},
		"argv:": {"state: stopped, argv:", "running"}, "argv: [": {"mode: absent, argv: [", "exists"},
	} {
		other := doc(strings.Replace(whole, was, tt.is, 1))
		ds := other.Differences(last, seen)
		var fields []string
		for _, d := range ds {
			fields = append(fields, d.Field)
			if d.Class != reconcile.Pending {
				t.Errorf("%q: %+v", was, d)
			}
		}
		if got := strings.Join(fields, " "); got != tt.fields || other.Hash == it.Hash {
			t.Errorf("%q is now %q: differs in %q, want %q", was, tt.is, got, tt.fields)
		}
		fresh := seen
		fresh.Rising = true
		if got := other.Differences(last, fresh); len(got) != len(ds) || got[0].Field != ds[0].Field {
			t.Errorf("%q, and started just now: %+v", was, got)
		}
		steps, _ := other.Plan(seen, ds)
		if len(steps) != 1 || steps[0].Action != "declare" {
			t.Errorf("%q: %+v", was, steps)
		}
	}
	// Started just now: what was never written as it is proves nothing yet.
	rising := seen
	rising.Rising = true
	for name, tt := range map[string]struct {
		last   reconcile.State
		differ bool
	}{"written so": {last, false}, "never written": {nil, true}, "written otherwise": {reconcile.State{reconcile.Exists: reconcile.Yes, "running": reconcile.Yes, "argv": "[]"}, true}} {
		ds := it.Differences(tt.last, rising)
		steps, _ := it.Plan(rising, ds)
		if tt.differ && (len(ds) != 1 || ds[0].Found != "starting" || len(steps) != 1 || steps[0].Action != "declare") || !tt.differ && len(ds) > 0 {
			t.Errorf("%s, and started just now: %+v, %+v", name, ds, steps)
		}
	}
	m.procs["own"].stale = true
	if seen, err = it.Observe(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if ds := it.Differences(last, seen); len(ds) != 1 || ds[0].Field != "current" || ds[0].Class != reconcile.Drift {
		t.Errorf("runs by another command: %+v", ds)
	}
}

// TestProcess_WhoseNameItIs: a name of the local config and one of a document are
// never taken for each other.
func TestProcess_WhoseNameItIs(t *testing.T) {
	m := newModel()
	m.procs["local"], m.procs["own"] = &proc{running: true}, &proc{running: true, command: &reconcile.Command{Argv: []string{"/bin/own"}}}
	for spec, says := range map[string]string{
		`process: local, argv: [/bin/x]`: "is a [[process]] of the local config", `process: own`: `there is no [[process]] "own"`,
		`process: none`: `there is no [[process]] "none"`, `process: local`: "", `process: own, argv: [/bin/x]`: "", `process: none, argv: [/bin/x]`: "",
		`process: local, argv: [/bin/x], mode: absent`: "", `process: none, mode: absent`: "",
	} {
		it := item(t, `{kind: Process, metadata: {name: p}, spec: {`+spec+`}}`)
		if _, err := it.Observe(t.Context(), m); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", spec, err, says)
		}
	}
	// An orphan whose name the local config took since is left alone.
	own := item(t, `{kind: Process, metadata: {name: local}, spec: {argv: [/bin/x]}}`)
	r, ok := kind.Retire(own.Key(), reconcile.State{"exists": "yes", "argv": `["/bin/x"]`})
	if steps, ds := round(t, m, r, nil); !ok || len(steps)+len(ds) > 0 {
		t.Errorf("the local config's is taken away: %v %v", ds, steps)
	}
}

// TestProcess_Refused: by name, with the place, before anything is done.
func TestProcess_Refused(t *testing.T) {
	d := trusting()
	d.Trust.Refused = []string{"/usr/local/bin/vigild", "/var/lib/vigild"}
	for spec, says := range map[string]string{
		`argv: [sh]`: "whole path", `argv: []`: "whole path", `argv: "/bin/sh -c x"`: "list", `argv: [/usr/local/bin/vigild]`: "belongs to vigild itself",
		`argv: [/bin/x], ready: {exec: [/var/lib/vigild/x]}`: "belongs to vigild itself", `argv: [/bin/x], ready: {exec: [x]}`: "whole path",
		`argv: [/bin/x], user: "a b"`: "no account", `argv: [/bin/x], env: {VIGIL_HOME: x}`: "vigild's", `argv: [/bin/x], env: {"A=B": x}`: "variable",
		`argv: [/bin/x], cwd: srv`: "whole path", `argv: [/bin/x], stop_signal: INT`: "SIGINT", `argv: [/bin/x], stop_timeout: 2h`: "longer than",
		`argv: [/bin/x], log: /var/lib/vigild/ledger.db`: "vigild itself", `argv: [/bin/x], log_max: 99999999999`: "bytes", `argv: [/bin/x], restart: always`: "restart",
		`argv: [/bin/x], process: "../x"`: "not the name", `argv: [/bin/x, {age: x}]`: "argv", `argv: [/bin/x, "` + strings.Repeat("x", 70_000) + `"]`: "are kept",
		`argv: [/bin/x], env: {A: {age: nonsense}}`: "cannot be opened",
	} {
		if it, is := read(t, `{kind: Process, metadata: {name: p}, spec: {`+spec+`}}`, d); it != nil || !strings.Contains(is.Error(), says) {
			t.Errorf("%.80s: %.300v, want %q", spec, is, says)
		}
	}
}

// TestProcess_WhatIsSealedIsNotTold: neither the value of a variable nor its sum is
// in what is told of a process, whichever side has it sealed; the program gets it.
func TestProcess_WhatIsSealedIsNotTold(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	box, err := sealed.New(key.String())
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	a := armor.NewWriter(&buf)
	w, err := age.Encrypt(a, key.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("canary"))
	if w.Close() != nil || a.Close() != nil {
		t.Fatal("it cannot be sealed")
	}
	secret, err := json.Marshal(map[string]string{"age": buf.String()})
	if err != nil {
		t.Fatal(err)
	}
	d := trusting()
	d.Box = box
	doc := func(value string) *reconcile.Item {
		it, is := read(t, `{kind: Process, metadata: {name: own}, spec: {argv: [/bin/own], env: {TOKEN: `+value+`, PLAIN: seen}}}`, d)
		if len(is) > 0 {
			t.Fatal(is)
		}
		return it
	}
	hidden, open := doc(string(secret)), doc("open")
	m := newModel()
	round(t, m, hidden.Resource, nil)
	if got := m.procs["own"].command; got.Env["TOKEN"] != "canary" || len(got.Sealed) != 1 || got.Sealed[0] != "TOKEN" {
		t.Fatalf("declared with %+v", got)
	}
	seen, err := hidden.Observe(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if ds := hidden.Differences(seen.State, seen); len(ds) > 0 {
		t.Errorf("right, and differs in %+v", ds)
	}
	look := func(it *reconcile.Item) {
		t.Helper()
		ds := it.Differences(seen.State, seen)
		steps, _ := it.Plan(seen, ds)
		if len(ds) != 1 || ds[0].Field != "env:TOKEN" || ds[0].Class != reconcile.Pending || len(steps) != 1 {
			t.Errorf("%+v %+v", ds, steps)
		}
		steps[0].Content = nil
		told, err := json.Marshal([]any{ds, steps})
		if err != nil || bytes.Contains(told, []byte("canary")) || bytes.Contains(told, []byte(digest("canary"))) {
			t.Errorf("told is %s, %v", told, err)
		}
	}
	look(open)
	round(t, m, open.Resource, nil)
	if seen, err = open.Observe(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	look(hidden)
}
