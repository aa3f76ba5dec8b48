package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/internal/daemon/settings"
)

var rootPlaces = Places{Config: "/etc/vigil/vigil.toml", Data: "/var/lib/vigil", Socket: "/run/vigil/vigil.sock"}

func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../vigil.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// uncomment takes the # away from settings, and from the indented examples too
// when shapes is true. Prose has a space after its #.
func uncomment(text string, shapes bool) string {
	setting := regexp.MustCompile(`(?m)^#([a-z\[])`)
	text = setting.ReplaceAllString(text, "$1")
	if shapes {
		text = regexp.MustCompile(`(?m)^#   (\S)`).ReplaceAllString(text, "$1")
	}
	return text
}

// The example is the defaults: as it stands it says nothing, and with every
// setting taken in it changes nothing.
func TestExampleEqualsDefaults(t *testing.T) {
	text := example(t)
	for _, tt := range []struct{ name, text string }{{"as it stands", text}, {"every setting", uncomment(text, false)}} {
		t.Run(tt.name, func(t *testing.T) {
			got, want := Defaults(rootPlaces), Defaults(rootPlaces)
			if is := settings.Decode("vigil.example.toml", []byte(tt.text), &got); len(is) > 0 {
				t.Fatal(is)
			}
			for i, k := range settings.Scalars(&want) {
				if have := settings.Scalars(&got)[i]; k.Text() != have.Text() {
					t.Errorf("%s = %s, the default is %s", k, have.Text(), k.Text())
				}
			}
			for i, k := range settings.Lists(&want) {
				have := settings.Lists(&got)[i].Value
				if k.Value.Len() == 0 && have.Len() == 0 {
					continue
				}
				if d := cmp.Diff(k.Value.Interface(), have.Interface()); d != "" {
					t.Errorf("%s: %s", k, d)
				}
			}
		})
	}
}

// Every setting stands in the example, under its section.
func TestExampleNamesEverySetting(t *testing.T) {
	text := uncomment(example(t), false)
	c := Defaults(rootPlaces)
	for _, k := range settings.Scalars(&c) {
		if settings.Place("f", []byte(text), k.String()) == settings.Place("f", []byte(text), strings.Join(k.Path[:len(k.Path)-1], ".")) {
			t.Errorf("%s is not in the example", k)
		}
	}
	for _, k := range settings.Lists(&c) {
		if k.Value.Kind() == reflect.Map || k.Value.Type().Elem().Kind() == reflect.Struct {
			if !strings.Contains(text, "["+k.String()) {
				t.Errorf("%s has no shape in the example", k)
			}
			continue
		}
		if settings.Place("f", []byte(text), k.String()) == settings.Place("f", []byte(text), strings.Join(k.Path[:len(k.Path)-1], ".")) {
			t.Errorf("%s is not in the example", k)
		}
	}
}

func TestExampleShapesAreGood(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	if err := os.WriteFile(file, []byte(uncomment(example(t), true)), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(From{File: file, Places: rootPlaces})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Processes) != 1 || len(l.Catalogue) != 2 || len(l.Notify) != 1 || len(l.Tokens) != 1 {
		t.Errorf("read %d processes, %d entries, %d receivers, %d tokens", len(l.Processes), len(l.Catalogue), len(l.Notify), len(l.Tokens))
	}
}

func TestNoConfigAtAllWorks(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home}
	p := PlacesFor(1000, func(n string) (string, bool) { return lookup(env, n) })
	l, err := Load(From{Env: env, Places: p})
	if err != nil {
		t.Fatal(err)
	}
	if l.File != "" || l.DataDir != filepath.Join(home, ".local/state/vigil") || l.API.Listen != "127.0.0.1:8000" {
		t.Errorf("%q %q %q", l.File, l.DataDir, l.API.Listen)
	}
	if want := []string{filepath.Join(home, ".config/vigil/policies")}; !slices.Equal(l.Sources, want) {
		t.Errorf("sources %v", l.Sources)
	}
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		name string
		uid  int
		env  []string
		want Places
	}{
		{"root", 0, []string{"XDG_STATE_HOME=/x"}, rootPlaces},
		{"a user", 7, []string{"HOME=/h"}, Places{"/h/.config/vigil/vigil.toml", "/h/.local/state/vigil", "/h/.local/state/vigil/run/vigil.sock"}},
		{"a user with XDG", 7, []string{"HOME=/h", "XDG_CONFIG_HOME=/c", "XDG_STATE_HOME=/s", "XDG_RUNTIME_DIR=/r"}, Places{"/c/vigil/vigil.toml", "/s/vigil", "/r/vigil/vigil.sock"}},
		{"relative XDG is ignored", 7, []string{"HOME=/h", "XDG_STATE_HOME=s"}, Places{"/h/.config/vigil/vigil.toml", "/h/.local/state/vigil", "/h/.local/state/vigil/run/vigil.sock"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := PlacesFor(tt.uid, func(n string) (string, bool) { return lookup(tt.env, n) }); got != tt.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Later words win: defaults, the original's names, the file, VIGIL_ names.
func TestOrderOfWords(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	if err := os.WriteFile(file, []byte("data_dir = \"data\"\n[host]\nevery = \"20s\"\n[log]\nlevel = \"warn\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(From{File: file, Places: rootPlaces, Env: []string{"AGENT_INTERVAL=7", "COLLECTOR_PORT=9000", "API_HOST=::1", "LOG_LEVEL=DEBUG", "VIGIL_LOG_LEVEL=error"}})
	if err != nil {
		t.Fatal(err)
	}
	var over []string
	for _, o := range l.Legacy {
		over = append(over, o.Name+" "+o.Over)
	}
	if want := []string{"COLLECTOR_PORT ", "API_HOST ", `AGENT_INTERVAL "20s"`, `LOG_LEVEL "error"`}; !slices.Equal(over, want) {
		t.Errorf("what became of the original's names: %q, want %q", over, want)
	}
	if l.Host.Every.String() != "20s" || l.API.Listen != "[::1]:9000" || l.Log.Level != "error" || l.DataDir != filepath.Join(dir, "data") {
		t.Errorf("%s %s %s %s", l.Host.Every, l.API.Listen, l.Log.Level, l.DataDir)
	}
}

func TestLoadNamesThePlace(t *testing.T) {
	tests := []struct {
		name, text string
		env        []string
		want       string
	}{
		{"unknown key", "[api]\nlissten = \"x\"\n", nil, `vigil.toml:2: api.lissten: unknown key (did you mean "listen"?)`},
		{"bad value", "\n[log]\nlevel = \"loud\"\n", nil, `vigil.toml:3: log.level: "loud" is not one of`},
		{"a room's own rule", "[api]\nauth = \"open\"\nlisten = \"0.0.0.0:1\"\n", nil, "vigil.toml:2: api.auth:"},
		{"from the environment", "", []string{"VIGIL_LOG_LEVEL=loud"}, "VIGIL_LOG_LEVEL: log.level:"},
		{"unknown environment name", "", []string{"VIGIL_API_LISTENN=x"}, "VIGIL_API_LISTENN: this environment name is no setting"},
		{"the original's name", "", []string{"COLLECTOR_PORT=many"}, "COLLECTOR_PORT:"},
		{"a secret in plain sight", "[[token]]\nname = \"a\"\nrole = \"admin\"\nsecret = \"hunter2hunter2hunter2\"\n", nil, "vigil.toml:4: token[0].secret: a secret is file:PATH or env:NAME"},
		{"a process without argv", "[[process]]\nname = \"x\"\n", nil, "vigil.toml:1: process.x.argv:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "vigil.toml")
			if err := os.WriteFile(file, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(From{File: file, Env: tt.env, Places: rootPlaces})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to hold %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the secret is in the error")
			}
		})
	}
	_, err := Load(From{File: filepath.Join(t.TempDir(), "none.toml"), Places: rootPlaces})
	if err == nil {
		t.Error("a named file that does not exist was accepted")
	}
}

// Every environment name of the original is mapped or refused with a word, and
// what it is mapped to exists.
func TestLegacyNamesAreMappedOrRefused(t *testing.T) {
	// seed: the collector's, the agent's, gitopsd's and the remediator's names.
	seed := strings.Fields(`DATABASE_URL REDIS_URL COLLECTOR_PORT REMEDIATOR_URL AGENT_INTERVAL GITOPSD_INTERVAL SERVICE_NAME LOG_LEVEL
		API_TITLE API_DESCRIPTION API_VERSION ENVIRONMENT DEBUG RETRY_MAX_ATTEMPTS RETRY_BACKOFF RETRY_BASE_DELAY RETRY_MAX_DELAY
		RATE_LIMIT_ENABLED RATE_LIMIT_REQUESTS RATE_LIMIT_PERIOD RATE_LIMIT_INGEST_REQUESTS RATE_LIMIT_INGEST_WINDOW
		RATE_LIMIT_ACTIONS_REQUESTS RATE_LIMIT_ACTIONS_WINDOW AUDIT_LOGGING_ENABLED METRICS_ENABLED METRICS_ENDPOINT
		POLICY_RUNNER_ENABLED POLICY_RUNNER_INTERVAL POLICY_RUNNER_BATCH_SIZE API_HOST API_PORT GITOPSD_MANIFESTS_PATH
		GITOPSD_COLLECTOR_URL REMEDIATOR_PORT MAX_CONCURRENT TASK_QUEUE_SIZE POLLING_INTERVAL`)
	c := Defaults(rootPlaces)
	for _, name := range seed {
		i := slices.IndexFunc(legacies, func(l legacy) bool { return l.name == name })
		if i < 0 {
			t.Errorf("%s is neither mapped nor refused", name)
			continue
		}
		l := legacies[i]
		if _, ok := settings.Find(&c, l.key); l.key != "" && !ok {
			t.Errorf("%s is mapped to %s, which does not exist", name, l.key)
		}
		if (l.key == "") == (l.why == "") {
			t.Errorf("%s must be mapped or refused with a reason, and not both", name)
		}
	}
	tests := []struct{ env, key, want string }{
		{"COLLECTOR_PORT=9001", "api.listen", `"127.0.0.1:9001"`},
		{"COLLECTOR_PORT=tcp://10.0.0.9:8000", "api.listen", `"127.0.0.1:8000"`},
		{"API_HOST=::1", "api.listen", `"[::1]:8000"`},
		{"AGENT_INTERVAL=30", "host.every", `"30s"`},
		{"LOG_LEVEL=WARNING", "log.level", `"warn"`},
		{"RATE_LIMIT_ENABLED=False", "api.rate_limit.enabled", "false"},
		{"RATE_LIMIT_PERIOD=120", "api.rate_limit.period", `"2m"`},
		{"RATE_LIMIT_REQUESTS=5", "api.rate_limit.requests", "5"},
		{"METRICS_ENDPOINT=/m", "api.metrics_path", `"/m"`},
		{"MAX_CONCURRENT=9", "remedy.workers", "9"},
	}
	for _, tt := range tests {
		t.Run(tt.env, func(t *testing.T) {
			l, err := Load(From{Env: []string{tt.env, "HOME=/nowhere"}, Places: Places{Config: "/nowhere/vigil.toml", Data: "/d", Socket: "/s"}})
			if err != nil {
				t.Fatal(err)
			}
			if k, _ := settings.Find(&l.Config, tt.key); k.Text() != tt.want {
				t.Errorf("%s = %s, want %s", tt.key, k.Text(), tt.want)
			}
		})
	}
	l, err := Load(From{Env: []string{"DATABASE_URL=postgresql://x", "CONFIG_PATH=/app/config.yaml"}, Places: Places{Config: "/nowhere/v.toml", Data: "/d", Socket: "/s"}})
	if err != nil || len(l.Legacy) != 2 || l.Legacy[0].Key != "" || l.Legacy[1].Key != "" {
		t.Errorf("%v %+v", err, l)
	}
}

func TestDiffSaysWhatCanChange(t *testing.T) {
	a, b := Defaults(rootPlaces), Defaults(rootPlaces)
	b.Log.Level, b.API.Listen, b.Policies.Dirs = "debug", ":1", []string{"/x"}
	got := map[string]bool{}
	for _, c := range Diff(&a, &b) {
		got[c.Key] = c.Live
	}
	if want := (map[string]bool{"log.level": true, "api.listen": false, "policies.dirs": false}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if d := Diff(&a, &a); len(d) > 0 {
		t.Errorf("a configuration differs from itself: %v", d)
	}
}

func TestDescribeHidesSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	text := "[[token]]\nname = \"ci\"\nrole = \"pusher\"\nsecret = \"file:/s3cret\"\n[notify.x]\nurl = \"https://hooks.example/s3cret\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(From{File: file, Places: rootPlaces})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Describe(l).Settings {
		if strings.Contains(s.Value, "s3cret") {
			t.Errorf("%s shows %s", s.Key, s.Value)
		}
	}
}
