package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	DataDir string `toml:"data_dir"`
	API     struct {
		Listen   string        `toml:"listen"`
		MaxBody  int64         `toml:"max_body"`
		Timeout  time.Duration `toml:"timeout"`
		Enabled  bool          `toml:"enabled"`
		Origins  []string      `toml:"allowed_origins"`
		TLSCert  string
		Fraction float64
	} `toml:"api"`
	Actions map[string]struct {
		Argv   []string          `toml:"argv"`
		Params map[string]string `toml:"params"`
	} `toml:"actions"`
	Process []struct {
		Name  string `toml:"name"`
		Ready *struct {
			TCP string `toml:"tcp"`
		} `toml:"ready"`
		Limits map[string]uint64 `toml:"limits"`
	} `toml:"process"`
	Hidden string `toml:"-"`
}

func TestDecodeFills(t *testing.T) {
	var s sample
	s.API.Listen = "kept"
	is := Decode("v.toml", []byte(`
data_dir = "/d"
[api]
max_body = "8MiB"
timeout = "1h30m"
allowed_origins = [
  "a", # with a note
  "b",
]
tls_cert = "c"
fraction = 2
[actions.purge-cache]
argv = ["/bin/x", "{site}"]
params.site = '^[a-z]+$'
[[process]]
name = "one"
[[process]]
name = "two"
ready = {tcp = ":80"}
limits.nofile = 10
`), &s)
	if len(is) > 0 {
		t.Fatal(is)
	}
	if s.DataDir != "/d" || s.API.Listen != "kept" || s.API.MaxBody != 8<<20 || s.API.Timeout != 90*time.Minute || s.API.TLSCert != "c" || s.API.Fraction != 2 {
		t.Errorf("%+v", s)
	}
	if d := cmp.Diff([]string{"a", "b"}, s.API.Origins); d != "" {
		t.Error(d)
	}
	if s.Actions["purge-cache"].Params["site"] != "^[a-z]+$" || len(s.Process) != 2 || s.Process[1].Ready.TCP != ":80" || s.Process[1].Limits["nofile"] != 10 {
		t.Errorf("%+v", s)
	}
}

// Every mistake has its line, and all are told at once.
func TestDecodeNamesTheLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "\n[api]\nlisten = \"x\"\nlissten = 1\n", `v.toml:4: api.lissten: unknown key (did you mean "listen"?)`},
		{"unknown table", "[apy]\n", `v.toml:1: apy: unknown key (did you mean "api"?)`},
		{"top level", "data-dir = \"x\"\n", `v.toml:1: data-dir: unknown key (did you mean "data_dir"?)`},
		{"wrong type", "[api]\nlisten = 8000\n", "v.toml:2: api.listen: expected a string, found the number 8000"},
		{"a duration without its unit", "[api]\n\ntimeout = 30\n", `v.toml:3: api.timeout: expected a duration with its unit`},
		{"no duration", "[api]\ntimeout = \"soon\"\n", `v.toml:2: api.timeout: "soon" is not a duration`},
		{"in the second process", "[[process]]\nname = \"a\"\n[[process]]\nnam = \"b\"\n", `v.toml:4: process[1].nam: unknown key (did you mean "name"?)`},
		{"in a catalogue entry", "[actions.'a b']\nargv = [\n\"x\",\n]\nargs = 1\n", `v.toml:5: actions.a b.args: unknown key (did you mean "argv"?)`},
		{"inside an inline table", "[[process]]\nready = {\ntcq = \":80\"}\n", `v.toml:2: process[0].ready.tcq: unknown key (did you mean "tcp"?)`},
		{"in a list", "[api]\nallowed_origins = [1]\n", "v.toml:2: api.allowed_origins[0]: expected a string"},
		{"after a long string", "data_dir = '''\n[api]\nx = 1\n'''\n[api]\ny = 1\n", "v.toml:6: api.y: unknown key"},
		{"syntax", "[api\n", "v.toml:2:"},
		{"hidden fields cannot be set", "hidden = \"x\"\n", "v.toml:1: hidden: unknown key"},
		{"a negative size", "[[process]]\nlimits.nofile = -1\n", "v.toml:2: process[0].limits.nofile: -1 is out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s sample
			got := Decode("v.toml", []byte(tt.text), &s).Error()
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	var s sample
	if is := Decode("v.toml", []byte("a = 1\nb = 2\n"), &s); len(is) != 2 {
		t.Errorf("%d issues, want both: %v", len(is), is)
	}
}

func TestEnvironReachesScalarsOnly(t *testing.T) {
	var s sample
	used, is := Environ([]string{
		"VIGIL_DATA_DIR=/e", "VIGIL_API_LISTEN=:1", "VIGIL_API_TIMEOUT=5s", "VIGIL_API_ENABLED=true", "VIGIL_API_FRACTION=0.5",
		"VIGIL_API_TLS_CERT=", "HOME=/root", "VIGIL_TOKEN=x",
	}, &s, []string{"VIGIL_TOKEN"})
	if len(is) > 0 || len(used) != 5 {
		t.Fatalf("%v %v", used, is)
	}
	if s.DataDir != "/e" || s.API.Listen != ":1" || s.API.Timeout != 5*time.Second || !s.API.Enabled || s.API.Fraction != 0.5 {
		t.Errorf("%+v", s)
	}
	for _, kv := range []string{"VIGIL_API_LISTENN=x", "VIGIL_API_ALLOWED_ORIGINS=x", "VIGIL_PROCESS=x", "VIGIL_API_MAX_BODY=lots", "VIGIL_API_ENABLED=perhaps"} {
		if _, is := Environ([]string{kv}, &s, nil); len(is) != 1 {
			t.Errorf("%s was taken: %v", kv, is)
		}
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	f.Add("[api]\nlisten = \"x\"\n")
	f.Add("[[process]]\nname = '''\n\n")
	f.Add("a.\"b\".c = [[{}]]")
	f.Fuzz(func(t *testing.T, text string) {
		var s sample
		Decode("v.toml", []byte(text), &s)
		index(text)
	})
}
