package actions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vigil/actions"
	"vigil/actions/actiontest"
	"vigil/actions/catalogue"
	"vigil/actions/detach"
	"vigil/actions/supervise"
	"vigil/actions/units/unitstest"
	"vigil/engine/fault"
	"vigil/engine/remedy"
	"vigil/engine/remedy/decide"
)

func TestMain(m *testing.M) { unitstest.Main(m, detach.Attempt) }

var _ remedy.Actions = (*actions.Set)(nil)

// script writes a program for a test.
func script(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func build(t testing.TB, c actions.Config, d actions.Deps) *actions.Set {
	t.Helper()
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	s, err := actions.New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		for _, i := range s.Processes().List() {
			if i.Running {
				_, _ = s.Processes().Stop(context.Background(), i.Name)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func action(t testing.TB, s *actions.Set, name string) remedy.Action {
	t.Helper()
	a, ok := s.Action(name)
	if !ok {
		t.Fatalf("no action %s in %v", name, s.Names())
	}
	return a
}

func bad(with map[string]any, says string) actiontest.Bad {
	return actiontest.Bad{With: with, Says: says}
}

func request(name string, with map[string]any) remedy.Request {
	return remedy.Request{Attempt: "1-7-1", Action: name, With: with, Target: "web", Policy: "hot",
		Labels: map[string]string{"host": "web1", "service": "web"}, Reason: "avg(5m) > 0.9", Timeout: 10 * time.Second}
}

// TestActions_Suite holds every kind to what remedy.Action promises.
func TestActions_Suite(t *testing.T) {
	end := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			select {
			case <-end:
			case <-r.Context().Done():
			}
		}
	}))
	defer srv.Close()
	defer close(end)

	root := t.TempDir()
	script(t, root, "etc/init.d/web", "#!/bin/sh\necho \"$1\"\n")
	script(t, root, "etc/init.d/slow", "#!/bin/sh\ntrap '' TERM\nread x </dev/tty || exec /bin/sleep 1000\n")
	other := exec.Command("/bin/sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	pidfile := filepath.Join(t.TempDir(), "x.pid")
	if err := os.WriteFile(pidfile, fmt.Appendln(nil, other.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	auto := false
	s := build(t, actions.Config{
		Root: root,
		Catalogue: map[string]catalogue.Entry{
			"purge": {Kind: "exec", Argv: []string{"/bin/echo", "--site", "{site}"}, Params: map[string]string{"site": "[a-z]+"}},
			"sleep": {Kind: "exec", Argv: []string{"/bin/sleep", "{s}"}, Params: map[string]string{"s": "[0-9]+"}, Class: remedy.Convergent, KillAfter: 100 * time.Millisecond},
			"sure":  {Kind: "exec", Argv: []string{"/bin/true"}, Probe: []string{"/bin/test", "{n}", "-gt", "5"}, Params: map[string]string{"n": "[0-9]"}, Class: remedy.Probed},
			"gone":  {Kind: "exec", Argv: []string{"/no/such/program"}},
			"hook":  {Kind: "http", URL: srv.URL + "/do/{what}", Params: map[string]string{"what": "[a-z]+"}, Allow: []string{"127.0.0.1"}},
			"keyed": {Kind: "http", URL: srv.URL + "/do", Idempotent: true, Allow: []string{"127.0.0.1"}},
			"local": {Kind: "http", URL: srv.URL},
		},
		Notify: map[string]actions.Receiver{
			"oncall": {URL: srv.URL, Allow: []string{"127.0.0.1"}},
			"slow":   {URL: srv.URL + "/slow", Allow: []string{"127.0.0.1"}},
			"here":   {URL: srv.URL},
		},
		Processes: []supervise.Process{
			{Name: "web", Argv: []string{"/bin/sleep", "1000"}, Autostart: &auto},
			{Name: "slow", Argv: []string{"/bin/sleep", "1000"}, Autostart: &auto, Ready: supervise.Ready{File: "/no/such/file"}},
			{Name: "gone", Argv: []string{"/no/such/program"}, Autostart: &auto},
		},
	}, actions.Deps{})

	slow := func(name string, with map[string]any) *remedy.Request {
		r := request(name, with)
		r.Timeout = 200 * time.Millisecond
		return &r
	}
	ask := func(name string, with map[string]any) *remedy.Request { r := request(name, with); return &r }
	type m = map[string]any
	cases := map[string]actiontest.Case{
		"wait": {
			Good: request("wait", m{"for": "10ms"}), Needs: []string{"for"},
			Spec: remedy.Spec{Subject: "wait:hot/web", Kind: "wait", Class: remedy.Convergent, Waits: true},
			Bad:  []actiontest.Bad{bad(m{"for": "0s"}, "zero"), bad(m{"for": "30"}, "unit"), bad(m{"for": "2h"}, "longer"), bad(m{"for": "20s"}, "timeout")},
		},
		"process": {
			Good: request("process", m{"process": "web"}), Needs: []string{"process"},
			Spec: remedy.Spec{Subject: "process:web", Kind: "process", Class: remedy.Convergent},
			Bad:  []actiontest.Bad{bad(m{"process": "wep"}, "did you mean web?"), bad(m{"process": "web", "verb": "stat"}, "did you mean start?")},
			Slow: slow("process", m{"process": "slow", "verb": "restart"}), Refused: ask("process", m{"process": "gone"}),
		},
		"service": {
			Good: request("service", m{"unit": "web", "verb": "restart"}), Needs: []string{"unit"},
			Spec: remedy.Spec{Subject: "systemd:web.service", Kind: "service", Class: remedy.Probed, Cost: 2, Capture: true},
			Bad: []actiontest.Bad{bad(m{"unit": "../x"}, "not the name"), bad(m{"unit": "-x"}, "not the name"), bad(m{"unit": "a b"}, "not the name"), bad(m{"unit": "a\nb"}, "not the name"),
				bad(m{"unit": "getty@.service"}, "template"), bad(m{"unit": "web", "verb": "restat"}, "did you mean restart?")},
			Slow: slow("service", m{"unit": "slow", "verb": "start"}), Refused: ask("service", m{"unit": "none"}),
		},
		"signal": {
			Good: request("signal", m{"pidfile": pidfile, "signal": "SIGCONT"}),
			Spec: remedy.Spec{Subject: "pidfile:" + pidfile, Kind: "signal", Class: remedy.Unsafe, Cost: 2, Capture: true},
			Bad: []actiontest.Bad{bad(m{}, "exactly one"), bad(m{"name": "a", "exe": "/b"}, "exactly one"), bad(m{"pid": 5.0}, "another process by now"),
				bad(m{"pid": 1.0, "start": 5.0}, "may be signalled"), bad(m{"pid": float64(os.Getpid()), "start": 1.0}, "may be signalled"), bad(m{"pid": -5.0, "start": 1.0}, "with.pid"),
				bad(m{"pidfile": "x"}, "absolute"), bad(m{"exe": "x"}, "absolute"), bad(m{"name": "x", "signal": "SIGFOO"}, "SIGFOO"), bad(m{"pid": 5.5, "start": 1.0}, "whole number")},
			Slow: slow("signal", m{"pidfile": pidfile, "signal": "CONT", "wait": "1h"}), Refused: ask("signal", m{"name": "no-such-process"}),
		},
		"notify": {
			Good: request("notify", m{"to": "oncall"}), Needs: []string{"to"},
			Spec: remedy.Spec{Subject: "notify:oncall/hot/web", Kind: "notify", Class: remedy.Convergent, Waits: true},
			Bad:  []actiontest.Bad{bad(m{"to": "oncal"}, "did you mean oncall?"), bad(m{"to": "oncall", "status": "broken"}, "resolved")},
			Slow: slow("notify", m{"to": "slow"}), Refused: ask("notify", m{"to": "here"}),
		},
		"purge": {
			Good: request("purge", m{"site": "a"}), Needs: []string{"site"},
			Spec: remedy.Spec{Subject: "exec:purge{site=a}", Kind: "exec", Class: remedy.Unsafe, Cost: 1},
			Bad:  []actiontest.Bad{bad(m{"site": "A"}, "does not match"), bad(m{"site": "a\n"}, "control"), bad(m{"site": ""}, "does not match"), bad(m{"site": "-a"}, "option"), bad(m{"site": "a b"}, "does not match")},
		},
		"sleep": {
			Good: request("sleep", m{"s": "0"}), Needs: []string{"s"},
			Spec: remedy.Spec{Subject: "exec:sleep{s=0}", Kind: "exec", Class: remedy.Convergent, Cost: 1},
			Slow: slow("sleep", m{"s": 1000.0}),
		},
		"sure": {
			Good: request("sure", m{"n": 9.0}), Needs: []string{"n"},
			Spec: remedy.Spec{Subject: "exec:sure{n=9}", Kind: "exec", Class: remedy.Probed, Cost: 1},
		},
		"hook": {
			Good: request("hook", m{"what": "a"}), Needs: []string{"what"},
			Spec: remedy.Spec{Subject: "http:hook{what=a}", Kind: "http", Class: remedy.Unsafe, Waits: true, Cost: 1},
			Bad:  []actiontest.Bad{bad(m{"what": "../x"}, "does not match"), bad(m{"what": "a/b"}, "does not match")},
		},
		"keyed": {
			Good: request("keyed", nil),
			Spec: remedy.Spec{Subject: "http:keyed", Kind: "http", Class: remedy.Probed, Waits: true, Cost: 1},
		},
	}
	for _, kind := range build(t, actions.Config{}, actions.Deps{}).Names() {
		if _, there := cases[kind]; !there {
			t.Errorf("the kind %s is not held to the suite", kind)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.Action = action(t, s, name)
			if strings.HasPrefix(name, "hook") {
				c.Slow = slow("hook", m{"what": "slow"})
			}
			actiontest.Run(t, c)
			// What only waits has a lane of its own, by its name alone, before anybody
			// asks the kind: the two have to agree. An entry of the catalogue waits for
			// somebody too, but it may be what heals.
			spec, err := c.Action.Resolve(c.Good)
			lane := decide.Idle(&remedy.Remediation{Plan: remedy.Plan{Ladder: []remedy.Rung{{Action: name}}}})
			if only := spec.Waits && spec.Kind == name; err != nil || lane != only {
				t.Errorf("it only waits: %v by its kind, %v by its lane (%v)", only, lane, err)
			}
		})
	}
	for _, name := range []string{"gone", "local"} {
		if res, err := action(t, s, name).Run(t.Context(), request(name, nil)); err == nil {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func TestSet_NamesEveryKindAndEntry(t *testing.T) {
	s := build(t, actions.Config{Catalogue: map[string]catalogue.Entry{"a": {Kind: "exec", Argv: []string{"/bin/true"}}}}, actions.Deps{})
	if got := s.Names(); !slices.Equal(got, []string{"a", "notify", "process", "service", "signal", "wait"}) {
		t.Errorf("names %v", got)
	}
	for _, n := range []string{"exec", "http", "A", ""} { // a bare exec would be a free command
		if _, ok := s.Action(n); ok {
			t.Errorf("%q can be named", n)
		}
	}
}

// TestSet_CatalogueThatOthersCanWriteIsRefused: with it goes the whole start.
func TestSet_CatalogueThatOthersCanWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := actions.Config{Source: file, DataDir: dir, Catalogue: map[string]catalogue.Entry{"a": {Kind: "exec", Argv: []string{"/bin/true"}}}}
	if _, err := actions.New(c, actions.Deps{}); err != nil {
		t.Fatalf("a good file: %v", err)
	}
	for name, harm := range map[string]func() error{
		"file":   func() error { return os.Chmod(file, 0o622) },
		"folder": func() error { return os.Chmod(dir, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.Chmod(file, 0o600); _ = os.Chmod(dir, 0o700) }()
			if _, err := actions.New(c, actions.Deps{}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("got %v", err)
			}
			trusting := actions.Config{Source: file, DataDir: dir, Own: []string{dir}} // whoever writes it says who signs
			if _, err := actions.New(trusting, actions.Deps{}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("with a catalogue from the repository: %v", err)
			}
			bare := c
			bare.Catalogue = nil
			if _, err := actions.New(bare, actions.Deps{}); err != nil {
				t.Errorf("without a catalogue: %v", err)
			}
		})
	}
}

func TestSet_ReloadIsAllOrNothing(t *testing.T) {
	entry := func(argv ...string) map[string]catalogue.Entry {
		return map[string]catalogue.Entry{"a": {Kind: "exec", Argv: argv}}
	}
	c := actions.Config{DataDir: t.TempDir(), Catalogue: entry("/bin/echo", "one")}
	s := build(t, c, actions.Deps{})
	says := func() string {
		res, err := action(t, s, "a").Run(t.Context(), request("a", nil))
		if err != nil {
			t.Fatal(err)
		}
		return res.Output
	}
	bad := c
	bad.Catalogue = map[string]catalogue.Entry{"a": {Kind: "exec", Argv: []string{"/bin/echo", "two"}}, "b": {Kind: "shell"}}
	if err := s.Reload(bad); fault.KindOf(err) != fault.Unprocessable || says() != "one\n" {
		t.Errorf("a bad reload: %v, then %q", err, says())
	}
	good := c
	good.Catalogue = entry("/bin/echo", "two")
	if err := s.Reload(good); err != nil || says() != "two\n" {
		t.Errorf("a good reload: %v, then %q", err, says())
	}
	good.Processes = []supervise.Process{{Name: "x", Argv: []string{"/bin/true"}}}
	if err := s.Reload(good); fault.KindOf(err) != fault.Conflict {
		t.Errorf("processes changed: %v", err)
	}
}

func TestConfig_ValidateNamesTheKey(t *testing.T) {
	cost := 1000.0
	c := actions.Config{
		Catalogue: map[string]catalogue.Entry{
			"ok":      {Kind: "exec", Argv: []string{"/bin/find", "{}", "{p}"}, Params: map[string]string{"p": ".*"}},
			"Bad":     {Kind: "exec", Argv: []string{"/bin/true"}},
			"notify":  {Kind: "exec", Argv: []string{"/bin/true"}},
			"none":    {},
			"shell":   {Kind: "shell"},
			"noargv":  {Kind: "exec"},
			"rel":     {Kind: "exec", Argv: []string{"true"}},
			"first":   {Kind: "exec", Argv: []string{"{p}"}, Params: map[string]string{"p": "/bin/.*"}},
			"part":    {Kind: "exec", Argv: []string{"/bin/x", "--a={p}"}, Params: map[string]string{"p": "a"}},
			"unknown": {Kind: "exec", Argv: []string{"/bin/x", "{q}"}},
			"pattern": {Kind: "exec", Argv: []string{"/bin/x"}, Params: map[string]string{"p": "("}},
			"probed":  {Kind: "exec", Argv: []string{"/bin/x"}, Class: remedy.Probed},
			"class":   {Kind: "exec", Argv: []string{"/bin/x"}, Class: "safe"},
			"cost":    {Kind: "exec", Argv: []string{"/bin/x"}, Cost: &cost},
			"env":     {Kind: "exec", Argv: []string{"/bin/x"}, Env: map[string]string{"VIGIL_ATTEMPT": "x"}},
			"sum":     {Kind: "exec", Argv: []string{"/bin/x"}, SHA256: "abc"},
			"mixed":   {Kind: "exec", Argv: []string{"/bin/x"}, URL: "http://x"},
			"host":    {Kind: "http", URL: "http://{h}/", Params: map[string]string{"h": ".*"}},
			"user":    {Kind: "http", URL: "http://a:b@x/"},
			"query":   {Kind: "http", URL: "http://x/?a=b"},
			"seg":     {Kind: "http", URL: "http://x/a{p}", Params: map[string]string{"p": "a"}},
			"json":    {Kind: "http", URL: "http://x/", JSON: map[string]any{"a": []any{"x{p}"}}, Params: map[string]string{"p": "a"}},
			"scheme":  {Kind: "http", URL: "file:///etc/passwd"},
			"secret":  {Kind: "http", URL: "http://x/", Headers: map[string]string{"A": "Bearer file:rel"}},
			"header":  {Kind: "http", URL: "http://x/", Headers: map[string]string{"A:": "x"}},
			"key":     {Kind: "http", URL: "http://x/", Class: remedy.Probed},
			"allow":   {Kind: "http", URL: "http://x/", Allow: []string{"http://y/"}},
		},
		Notify: map[string]actions.Receiver{"r": {URL: "ftp://x"}, "s": {}, "t": {URL: "http://x", Kind: "pager"}},
	}
	err := c.Validate()
	text := fmt.Sprint(err)
	for _, want := range []string{"actions.Bad:", "actions.notify:", "actions.none.kind:", "actions.shell.kind:", "actions.noargv.argv:", "actions.rel.argv:", "actions.first.argv:",
		"actions.part.argv[1]:", "actions.unknown.argv[1]:", "actions.pattern.params.p:", "actions.probed.probe:", "actions.class.class:", "actions.cost.cost:", "actions.env.env:",
		"actions.sum.sha256:", "actions.mixed:", "actions.host.url:", "actions.user.url:", "actions.query.url:", "actions.seg.url:", "actions.json.json.a[0]:", "actions.scheme.url:",
		"actions.secret.headers.A:", "actions.header.headers:", "actions.key.class:", "actions.allow.allow:", "notify.r.url:", "notify.s.url:", "notify.t.kind:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no word of %s in:\n%v", want, text)
		}
	}
	if strings.Contains(text, "actions.ok") {
		t.Errorf("a good entry is blamed:\n%v", text)
	}
}
