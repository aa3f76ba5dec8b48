package kind_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/sealed"
)

func trusting() kind.Deps {
	return kind.Deps{
		Trust:  reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/"}, Commands: true, Refused: []string{"/etc/vigil"}},
		Source: func(p string) ([]byte, bool) { return []byte("from " + p), p == "web/files/x" },
	}
}

func read(t testing.TB, text string, d kind.Deps) (*reconcile.Item, fault.Issues) {
	t.Helper()
	if rest, flow := strings.CutPrefix(text, "{"); flow {
		text = "{apiVersion: vigil/v1, " + rest
	} else {
		text = "apiVersion: vigil/v1\n" + text
	}
	docs, is := document.Parse("web/a.yaml", []byte(text), document.Git)
	if len(is) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), is)
	}
	return kind.Read(docs[0], d)
}

func item(t testing.TB, text string) *reconcile.Item {
	t.Helper()
	it, is := read(t, text, trusting())
	if len(is) > 0 {
		t.Fatal(is)
	}
	return it
}

// documents is one document or more of every kind, as the properties draw them.
var documents = map[string]string{
	"File":                          `{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: "one\n", permissions: "0640", owner: root, group: adm}}`,
	"File, nothing but its content": `{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x}}`,
	"File, block":                   `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: block, content: "a\nb\n", owner: root}}`,
	"File, lines":                   `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: lines, lines: [one, two]}}`,
	"File, json":                    `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: json, values: {a: {b: 1}, c: [x]}}}`,
	"File, yaml":                    `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: yaml, values: {a: {b: 1}, c: x}}}`,
	"File, toml":                    `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: toml, values: {a: {b: 1.5}, c: x}}}`,
	"File, ini":                     `{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: ini, values: {a: {b: 1}, c: x}}}`,
	"File, source":                  `{kind: File, metadata: {name: f}, spec: {path: /etc/f, source: files/x}}`,
	"File, absent":                  `{kind: File, metadata: {name: f}, spec: {path: /etc/f, mode: absent}}`,
	"Directory":                     `{kind: Directory, metadata: {name: f}, spec: {path: /etc/f, permissions: "0750", owner: root, group: adm}}`,
	"Directory, purge":              `{kind: Directory, metadata: {name: f}, spec: {path: /etc/f, purge: true, keep: ["k*"]}}`,
	"Service":                       `{kind: Service, metadata: {name: web}, spec: {state: running, enabled: true, masked: false}}`,
	"Service, stopped":              `{kind: Service, metadata: {name: web}, spec: {state: stopped, enabled: false}}`,
	"Service, masked":               `{kind: Service, metadata: {name: web}, spec: {state: stopped, masked: true}}`,
	"Service, with its files":       `{kind: Service, metadata: {name: web}, spec: {state: running, enabled: true, file: "[Service]\nExecStart=/bin/true\n", dropIns: {10-a.conf: "[Service]\n"}, config: [/etc/web]}}`,
	"Service, absent":               `{kind: Service, metadata: {name: web}, spec: {mode: absent, file: "[Service]\n"}}`,
	"Timer":                         `{kind: Timer, metadata: {name: web}, spec: {unit: web.service, onCalendar: ["*-*-* 03:00"], every: 1h30m, persistent: true}}`,
	"Cron":                          `{kind: Cron, metadata: {name: web}, spec: {schedule: "30 3 * * *", user: www-data, command: [/bin/x, "a b", "50%"], env: {A: b}}}`,
	"Sysctl":                        `{kind: Sysctl, metadata: {name: fwd}, spec: {name: net.ipv4.ip_forward, value: 1}}`,
	"Process":                       `{kind: Process, metadata: {name: worker}, spec: {}}`,
	"Process, stopped":              `{kind: Process, metadata: {name: worker}, spec: {state: stopped}}`,
	"Process, command":              `{kind: Process, metadata: {name: own}, spec: {argv: [/bin/own, "a b"], user: www-data, env: {A: b, C: ""}, cwd: /srv, ready: {tcp: "127.0.0.1:1", timeout: 5s}, limits: {nofile: 10}}}`,
	"Process, command, stopped":     `{kind: Process, metadata: {name: own}, spec: {argv: [/bin/own], state: stopped, stop_signal: SIGINT, stop_timeout: 3s, log: none}}`,
	"Process, command, absent":      `{kind: Process, metadata: {name: own}, spec: {argv: [/bin/own], mode: absent}}`,
}

// places are the files of documents, all of which somebody may touch.
var places = []string{"/etc/f", "/etc/web", "/etc/cron.d/web", "/etc/sysctl.d/90-vigil-net-ipv4-ip_forward.conf",
	"/etc/systemd/system/web.service", "/etc/systemd/system/web.timer", "/etc/systemd/system/web.service.d/10-a.conf"}

// touch draws what somebody may have done to everything a document speaks of.
func touch(t *rapid.T, m *model) {
	perm, owner := rapid.SampledFrom([]string{"0644", "0640", "4755"}), rapid.SampledFrom([]string{"root", "adm", "bob"})
	text := rapid.SampledFrom([]string{"", "one\n", "x", "# BEGIN vigil f\nq\n# END vigil f\n", "two\nz"})
	maybe := func(label string) bool { return rapid.Bool().Draw(t, label) }
	for _, p := range places {
		switch rapid.IntRange(0, 3).Draw(t, p) {
		case 0:
			delete(m.files, p)
		case 1:
			m.files[p] = &entry{kind: "file", content: text.Draw(t, "text"), perm: perm.Draw(t, "perm"), owner: owner.Draw(t, "owner"), group: owner.Draw(t, "group"), changed: m.now.Add(time.Minute)}
		case 2:
			m.files[p] = &entry{kind: "link", perm: "0777", owner: "bob", group: "bob"}
		}
	}
	for _, n := range []string{"web.service", "web.timer"} {
		m.units[n] = &unit{active: rapid.SampledFrom([]string{"active", "inactive", "failed"}).Draw(t, n), masked: maybe("masked"), stale: maybe("stale"),
			enabled: rapid.SampledFrom([]string{"enabled", "disabled"}).Draw(t, "enabled"), started: m.now}
	}
	m.sysctl["net/ipv4/ip_forward"] = rapid.SampledFrom([]string{"0", "1"}).Draw(t, "sysctl")
	m.procs["worker"] = &proc{running: maybe("process")}
	if maybe("declared") {
		m.procs["own"] = &proc{running: maybe("own"), stale: maybe("another command"), command: &reconcile.Command{
			Argv: rapid.SampledFrom([][]string{{"/bin/own"}, {"/bin/own", "a b"}}).Draw(t, "argv"), User: rapid.SampledFrom([]string{"", "www-data"}).Draw(t, "user"),
			Env: rapid.SampledFrom([]map[string]string{nil, {"A": "b", "C": ""}, {"A": "x", "B": "b", "C": ""}}).Draw(t, "env")}}
	}
	m.now = m.now.Add(2 * time.Minute)
}

// round looks, compares, and carries out what heals; it returns what was done.
func round(t testing.TB, m *model, r reconcile.Resource, last reconcile.State) ([]reconcile.Step, []reconcile.Difference) {
	t.Helper()
	seen, err := r.Observe(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	ds := r.Compare(last, seen)
	steps := r.Heal(seen, ds)
	for _, s := range steps {
		m.act(t, s)
	}
	return steps, ds
}

// TestKinds_AnyDriftIsGoneInOneRound: for every kind, whatever was done to what
// it speaks of. A second round has no difference and no step.
func TestKinds_AnyDriftIsGoneInOneRound(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		t.Run(name, func(t *testing.T) {
			it := item(t, documents[name])
			rapid.Check(t, func(rt *rapid.T) {
				m := newModel()
				touch(rt, m)
				if e := m.files["/etc/f"]; e != nil && strings.HasPrefix(name, "File, ") && e.kind == "file" {
					switch name[6:] { // a file of another format is not understood, which is another story
					case "json", "yaml", "toml", "ini":
						e.content = ""
					case "block":
						e.content = strings.Repeat(e.content, 1)
					}
				}
				if strings.HasPrefix(name, "Directory") {
					if e := m.files["/etc/f"]; e != nil {
						e.kind = "directory"
					}
					for _, n := range []string{"keep", "a", "b"} {
						if rapid.Bool().Draw(rt, n) && m.files["/etc/f"] != nil {
							m.files["/etc/f/"+n] = &entry{kind: rapid.SampledFrom([]string{"file", "directory", "link"}).Draw(rt, "kind"), perm: "0644"}
						}
					}
				}
				round(t, m, it.Resource, nil)
				steps, ds := round(t, m, it.Resource, nil)
				if len(steps) > 0 || len(ds) > 0 {
					rt.Fatalf("a second round finds %v and does %v in\n%s", ds, steps, m.dump())
				}
				if strings.Contains(name, "purge") && m.files["/etc/f/a"] != nil {
					rt.Fatal("what no document names is still there")
				}
			})
		})
	}
}

// TestKinds_StepsGoInTheOrderThatSystemdNeeds.
func TestKinds_StepsGoInTheOrderThatSystemdNeeds(t *testing.T) {
	m := newModel()
	m.units["web.service"] = &unit{active: "inactive", enabled: "disabled", masked: true}
	it := item(t, `{kind: Service, metadata: {name: web}, spec: {state: running, enabled: true, masked: false, file: "[Service]\n", dropIns: {10-a.conf: "x"}}}`)
	steps, _ := round(t, m, it.Resource, nil)
	var got []string
	for _, s := range steps {
		got = append(got, s.Summary)
	}
	want := []string{"unmask web.service", "write /etc/systemd/system/web.service.d/10-a.conf", "write /etc/systemd/system/web.service",
		"daemon-reload web.service", "enable web.service", "start web.service"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What systemd has read it does not forget again, and the plan says so.
	for _, s := range steps {
		if (s.With["verb"] == "daemon-reload") != (s.Final != "") {
			t.Errorf("%s: cannot be undone: %q", s.Summary, s.Final)
		}
	}
	// What it reads changed after it started: a restart, and it says what that costs.
	it = item(t, `{kind: Service, metadata: {name: web}, spec: {state: running, config: [/etc/web]}}`)
	m.files["/etc/web"] = &entry{kind: "file", changed: m.now.Add(time.Second)}
	steps, ds := round(t, m, it.Resource, nil)
	if len(steps) != 1 || steps[0].With["verb"] != "restart" || steps[0].Final == "" || ds[0].Field != "fresh" {
		t.Errorf("%v for %v", steps, ds)
	}
	// What cannot be switched is told and not fought.
	m.units["web.service"].enabled = "static"
	it = item(t, `{kind: Service, metadata: {name: web}, spec: {enabled: true}}`)
	if steps, ds := round(t, m, it.Resource, nil); len(steps) != 0 || len(ds) != 1 || ds[0].Found != "static" {
		t.Errorf("a static unit: %v for %v", steps, ds)
	}
	it = item(t, `{kind: Service, metadata: {name: nowhere}, spec: {state: running}}`)
	if steps, ds := round(t, m, it.Resource, nil); len(steps) != 0 || len(ds) != 1 || ds[0].Field != "exists" {
		t.Errorf("a unit that nobody describes: %v for %v", steps, ds)
	}
}

// TestFile_TouchesWhatDiffersAndNoMore.
func TestFile_TouchesWhatDiffersAndNoMore(t *testing.T) {
	m := newModel()
	it := item(t, documents["File"])
	round(t, m, it.Resource, nil)
	m.files["/etc/f"].perm = "0666"
	steps, ds := round(t, m, it.Resource, reconcile.State{"exists": "yes", "permissions": "0640"})
	want := map[string]any{"path": "/etc/f", "permissions": "0640"}
	if len(steps) != 1 || !maps.Equal(steps[0].With, want) || steps[0].Content != nil {
		t.Errorf("a chmod is healed by %+v", steps)
	}
	if len(ds) != 1 || ds[0].Class != reconcile.Drift || ds[0].Found != "0666" {
		t.Errorf("it is told as %v", ds)
	}
	part := item(t, documents["File, block"])
	m.files["/etc/f"] = &entry{kind: "file", content: "theirs\n", owner: "root"}
	steps, _ = round(t, m, part.Resource, nil)
	if steps[0].With["was"] != digest("theirs\n") || !strings.HasPrefix(m.files["/etc/f"].content, "theirs\n#") {
		t.Errorf("a part of a file: %v gives %q", steps, m.files["/etc/f"].content)
	}
}

// TestRetire_TakesAwayJustWhatWasWritten.
func TestRetire_TakesAwayJustWhatWasWritten(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		if strings.Contains(name, "absent") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := newModel()
			m.units["web.service"] = &unit{active: "active", enabled: "enabled"}
			m.sysctl["net/ipv4/ip_forward"] = "0"
			m.procs["worker"] = &proc{}
			m.files["/etc/other"] = &entry{kind: "file", content: "theirs"}
			it := item(t, documents[name])
			partly := len(it.Claims) > 0 && strings.Contains(it.Claims[0], "#") // of a file that is not the document's
			if partly {
				m.files[it.Paths()[0]] = &entry{kind: "file", owner: "root"}
			}
			round(t, m, it.Resource, nil)
			seen, err := it.Observe(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			last := reconcile.Written(seen.State, nil)
			r, ok := kind.Retire(it.Key(), last)
			if strings.HasPrefix(name, "Process") && !strings.Contains(name, "command") {
				if ok {
					t.Error("a process of the local config is not the documents' to take away")
				}
				return
			}
			if _, ds := round(t, m, r, last); slices.ContainsFunc(ds, func(d reconcile.Difference) bool { return d.Class != reconcile.Orphan }) {
				t.Errorf("an orphan is told as %v", ds)
			}
			if steps, ds := round(t, m, r, last); len(steps)+len(ds) > 0 {
				t.Errorf("a second round finds %v and does %v", ds, steps)
			}
			for p, e := range m.files { // a mapping stays, empty
				if empty := strings.Trim(e.content, "[]{}a:\" \n") == ""; p != "/etc/other" && (!partly || !empty) {
					t.Errorf("%s is left: %q", p, e.content)
				}
			}
			if m.procs["worker"] == nil || m.procs["own"] != nil {
				t.Errorf("left are %v", m.procs)
			}
			if strings.HasPrefix(name, "Service") && last["unitfile"] == "" && !strings.Contains(name, "stopped") && !strings.Contains(name, "masked") && m.units["web.service"].active != "active" {
				t.Error("a service that came from elsewhere was stopped")
			}
		})
	}
	// What somebody has made their own since stays.
	m := newModel()
	it := item(t, documents["File"])
	round(t, m, it.Resource, nil)
	m.files["/etc/f"].content = "now theirs"
	r, _ := kind.Retire(it.Key(), reconcile.State{"exists": "yes", "sha256": digest("one\n")})
	if steps, _ := round(t, m, r, reconcile.State{"exists": "yes", "sha256": digest("one\n")}); len(steps) > 0 {
		t.Errorf("a file that was changed since is removed: %v", steps)
	}
}

// TestDirectory_PurgeHasAGuard.
func TestDirectory_PurgeHasAGuard(t *testing.T) {
	m := newModel()
	m.files["/etc/f"] = &entry{kind: "directory"}
	for i := range 11 {
		m.files[fmt.Sprintf("/etc/f/%d", i)] = &entry{kind: "file"}
	}
	it := item(t, documents["Directory, purge"])
	if steps, ds := round(t, m, it.Resource, nil); len(steps) != 0 || len(ds) != 1 || ds[0].Field != "entries" || ds[0].Found != "11" {
		t.Errorf("%v for %v", steps, ds)
	}
	kind.Children(it, []string{"/etc/f/3", "/etc/f/4/deep", "/elsewhere/5"})
	writing := "/etc/f/" + reconcile.Scratch("3") // what is under way is not taken away, what was left of another is
	m.files[writing], m.files["/etc/f/"+reconcile.Scratch("9")] = &entry{kind: "file"}, &entry{kind: "file"}
	if steps, _ := round(t, m, it.Resource, nil); len(steps) != 10 || m.files["/etc/f/3"] == nil || m.files["/etc/f/4"] == nil || m.files[writing] == nil {
		t.Errorf("%d steps", len(steps))
	}
}

// TestRead_WhatIsHardenedIsNoCommand: to mask what gives a shell is no danger.
func TestRead_WhatIsHardenedIsNoCommand(t *testing.T) {
	small := trusting()
	small.Trust = reconcile.Trust{Kinds: kind.Names()}
	for _, text := range []string{
		`{kind: Service, metadata: {name: ctrl-alt-del.target}, spec: {masked: true}}`,
		`{kind: Service, metadata: {name: debug-shell}, spec: {enabled: false, state: stopped}}`,
	} {
		if _, is := read(t, text, small); len(is) > 0 {
			t.Errorf("%s: %v", text, is)
		}
	}
}

// TestFile_ASealedOneIsForItsOwnerAlone, unless the document says for whom it is.
func TestFile_ASealedOneIsForItsOwnerAlone(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d := trusting()
	if d.Box, err = sealed.New(id.String()); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("canary")); errors.Join(err, w.Close(), a.Close()) != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(b.String(), "\n", "\n      ")
	for _, tt := range []struct{ spec, want string }{
		{"  secret:\n    age: |\n      " + text, "0600"},
		{"  content:\n    age: |\n      " + text, "0600"},
		{"  permissions: \"0640\"\n  secret:\n    age: |\n      " + text, "0640"},
		{"  content: plain\n", ""},
	} {
		it, is := read(t, "kind: File\nmetadata: {name: f}\nspec:\n  path: /etc/f\n  validate: [/bin/check, \"{}\"]\n"+tt.spec, d)
		if len(is) > 0 {
			t.Fatal(is)
		}
		steps, _ := round(t, newModel(), it.Resource, nil)
		if len(steps) != 1 {
			t.Fatalf("%d steps", len(steps))
		}
		if got, _ := steps[0].With["permissions"].(string); got != tt.want {
			t.Errorf("%.30q: permissions %q, want %q", tt.spec, got, tt.want)
		}
		if got := steps[0].With["closed"] == true; got != (tt.want != "") { // what a check says of it may quote it
			t.Errorf("%.30q: closed %v", tt.spec, got)
		}
		m := newModel() // the sum of what was sealed is told to nobody: a short secret can be guessed from it
		m.files["/etc/f"] = &entry{kind: "file", content: "changed", perm: "0644"}
		seen, err := it.Observe(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range it.Differences(nil, seen) {
			if d.Field == "sha256" && (d.Wanted == reconcile.Hidden) != (tt.want != "") {
				t.Errorf("%.30q: %+v", tt.spec, d)
			}
		}
	}
}

// TestRead_NamesWhatIsWrong with the place of the very field.
func TestRead_NamesWhatIsWrong(t *testing.T) {
	small := trusting()
	small.Trust = reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/etc"}, Refused: []string{"/etc/vigil"}}
	for _, tt := range []struct {
		text string
		says []string
	}{
		{`{kind: Flie, metadata: {name: f}, spec: {}}`, []string{"did you mean File?"}},
		{"kind: File\nmetadata: {name: f}\nspec:\n  path: etc/f\n  content: x\n  permisions: \"0644\"\n  mode: enforced\n", []string{"web/a.yaml:5:9: \"etc/f\" is no plain absolute path", "web/a.yaml:7:3: unknown field \"permisions\" (did you mean permissions?)", "none of enforce, detect, once, absent"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/../f, content: x}}`, []string{"no plain absolute path"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/vigil/x, content: x}}`, []string{"belongs to vigild itself"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /srv/x, content: x}}`, []string{"git.paths"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/cron.d/x, content: x}}`, []string{"git.trust_commands"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, permissions: "4755"}}`, []string{"runs as its owner"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, permissions: 0644}}`, []string{"expected text"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, validate: [/bin/true]}}`, []string{"is a command"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, mode: enfroce}}`, []string{`mode: "enfroce" is none of enforce, detect, once, absent (did you mean enforce?)`}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f}}`, []string{"one of content, secret and source"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, source: y}}`, []string{"exclude each other", "no file web/y in the tree"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, source: ../../../etc/passwd}}`, []string{"no file"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, secret: hunter2}}`, []string{"secret and stands here in plain text"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, secret: {age: x}}}`, []string{"no age identity"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, match: lines, content: x}}`, []string{"takes no content", "expected 1 to"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, dependsOn: [x], heal: {backoff: 5}}}`, []string{"names no document", "no unit"}},
		{`{kind: File, metadata: {name: f}, spec: {path: /etc/f, content: x, health: {}}}`, []string{"one of expr and check"}},
		{`{kind: Service, metadata: {name: w}, spec: {file: "[Service]"}}`, []string{"a unit file is a command"}},
		{`{kind: Service, metadata: {name: w}, spec: {dropIns: {"../x.conf": a}}}`, []string{"no name of a drop-in"}},
		{`{kind: Service, metadata: {name: "../w"}, spec: {}}`, []string{"no name of a unit"}},
		{`{kind: Service, metadata: {name: vigild}, spec: {state: stopped}}`, []string{"vigild itself"}},
		{`{kind: Service, metadata: {name: poweroff.target}, spec: {state: running}}`, []string{"ends all that runs"}},
		{`{kind: Service, metadata: {name: debug-shell}, spec: {enabled: true}}`, []string{"git.trust_commands"}},
		{`{kind: Service, metadata: {name: x}, spec: {unit: system.slice, state: stopped}}`, []string{"vigild itself"}},
		{`{kind: Timer, metadata: {name: w}, spec: {unit: reboot.target, every: 1h}}`, []string{"ends all that runs"}},
		{`{kind: Directory, metadata: {name: w}, spec: {path: /etc/cron.d, owner: ada}}`, []string{"programs run"}},
		{`{kind: Service, metadata: {name: w}, spec: {masked: true, state: running}}`, []string{"neither run nor be enabled"}},
		{`{kind: Cron, metadata: {name: w}, spec: {schedule: "every day", command: [x]}}`, []string{"no schedule", "is a command", "whole path"}},
		{`{kind: Cron, metadata: {name: w.sh}, spec: {schedule: "@daily", command: ["/x", "a\nb"]}}`, []string{"cron file", "more than one line"}},
		{`{kind: Timer, metadata: {name: w}, spec: {onCalendar: ["a\nExecStart=x"]}}`, []string{"no calendar expression", "unit is missing"}},
		{`{kind: Sysctl, metadata: {name: w}, spec: {name: kernel.core_pattern, value: "|/bin/sh"}}`, []string{"is a command"}},
		{`{kind: Sysctl, metadata: {name: w}, spec: {name: net/../x, value: "1"}}`, []string{"no kernel parameter"}},
		{`{kind: Sysctl, metadata: {name: w}, spec: {name: vm.swappiness, value: "a\nb"}}`, nil},
		{`{kind: Process, metadata: {name: w}, spec: {argv: [/bin/sh]}}`, []string{"/bin/sh is a command", "git.trust_commands", "[[process]]"}},
		{`{kind: Process, metadata: {name: w}, spec: {user: bob, log_max: 1}}`, []string{"user belongs to a command", "log_max belongs to a command"}},
		{`{kind: Directory, metadata: {name: w}, spec: {path: /etc, purge: true}}`, []string{"belongs to vigild itself"}},
	} {
		it, is := read(t, tt.text, small)
		if len(tt.says) > 0 && it != nil {
			t.Errorf("%s was taken", tt.text)
		}
		for _, says := range tt.says {
			if !strings.Contains(is.Error(), says) {
				t.Errorf("%s:\n%v\ndoes not say %q", tt.text, is, says)
			}
		}
	}
}

// TestCron_WritesOneWordPerArgument, whatever is in it.
func TestCron_WritesOneWordPerArgument(t *testing.T) {
	m := newModel()
	it := item(t, `{kind: Cron, metadata: {name: c}, spec: {schedule: "@daily", command: [/bin/x, "it's 5% $(id)", plain-1]}}`)
	round(t, m, it.Resource, nil)
	if got, want := m.files["/etc/cron.d/c"].content, "# kept by vigild: Cron/c\n@daily root /bin/x 'it'\\''s 5'\\%' $(id)' plain-1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestItem_SaysWhatToWatch.
func TestItem_SaysWhatToWatch(t *testing.T) {
	svc := item(t, documents["Service, with its files"])
	if got := svc.Paths(); !slices.Equal(got, []string{"/etc/systemd/system/web.service", "/etc/systemd/system/web.service.d/10-a.conf", "/etc/web"}) {
		t.Errorf("paths %v", got)
	}
	if got := svc.Units(); !slices.Equal(got, []string{"web.service"}) {
		t.Errorf("units %v", got)
	}
	if got := item(t, documents["File, lines"]).Paths(); !slices.Equal(got, []string{"/etc/f"}) {
		t.Errorf("a part of a file: %v", got)
	}
}

// TestTimer_EveryBeginsByItself: systemd counts OnUnitActiveSec from the unit's
// last start; with nothing else a unit that never ran would never be started.
func TestTimer_EveryBeginsByItself(t *testing.T) {
	m := newModel()
	it := item(t, `{kind: Timer, metadata: {name: tick}, spec: {unit: tick.service, every: 1h30m, randomizedDelay: 10s}}`)
	m.units["tick.timer"] = &unit{}
	round(t, m, it.Resource, nil)
	f := m.files["/etc/systemd/system/tick.timer"]
	if f == nil {
		t.Fatal("no unit file was written")
	}
	for _, line := range []string{"OnActiveSec=1h 30m", "OnUnitActiveSec=1h 30m", "RandomizedDelaySec=10s", "Unit=tick.service"} {
		if !strings.Contains(f.content, "\n"+line+"\n") {
			t.Errorf("%s is missing in\n%s", line, f.content)
		}
	}
}
