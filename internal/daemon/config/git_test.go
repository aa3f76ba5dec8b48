package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGitSettings: what a push may do is small by default, and each mistake is
// told with its line.
func TestGitSettings(t *testing.T) {
	load := func(t *testing.T, text string, env ...string) (*Loaded, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "vigil.toml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return Load(From{File: file, Places: rootPlaces, Env: env})
	}
	for _, tt := range []struct{ name, text, want string }{
		{"relative path", "[git]\npaths = [\"etc\"]\n", `vigil.toml:2: git.paths: "etc"`},
		{"path that is not plain", "[git]\npaths = [\"/etc/../srv\"]\n", `vigil.toml:2: git.paths:`},
		{"kind", "[git]\nkinds = [\"File\", \"Fiel\"]\n", "vigil.toml:2: git.kinds: there is no kind Fiel"},
		{"commands without signatures", "[git]\ntrust_commands = true\n", "vigil.toml:2: git.trust_commands:"},
		{"actions without signatures", "[git]\ntrust_actions = true\n", "vigil.toml:2: git.trust_actions: actions are taken from Git only when require_signed is true (set require_signed = true"},
		{"signatures without a list", "[git]\nrequire_signed = true\n", "git.allowed_signers: signatures are required"},
		{"source", "[git]\nsource = \"pull\"\n", "vigil.toml:2: git.source:"},
		{"path source", "[git]\nsource = \"path\"\n", "git.path:"},
		{"remote that runs a program", "[git]\nsource = \"remote\"\nurl = \"ext::sh -c x\"\n", "vigil.toml:3: git.url:"},
		{"ssh without known hosts", "[git]\nsource = \"remote\"\nurl = \"ssh://git@h/r\"\n", "vigil.toml:3: git.url:"},
		{"mode", "[git]\nmode = \"watch\"\n", "vigil.toml:2: git.mode:"},
		{"resync", "[git]\nresync = \"1ms\"\n", "vigil.toml:2: git.resync:"},
		{"identity in plain sight", "[git]\nage_identity = \"AGE-SECRET-KEY-1X\"\n", "vigil.toml:2: git.age_identity:"},
		{"secret in plain sight", "[git]\nwebhook_secret = \"hunter2\"\n", "vigil.toml:2: git.webhook_secret:"},
		{"host name", "[git]\nhostname = \"../web1\"\n", "vigil.toml:2: git.hostname:"},
		{"unknown", "[git]\npathes = []\n", `did you mean "paths"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to hold %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "SECRET-KEY")) {
				t.Error("the secret is in the error")
			}
		})
	}
	l, err := load(t, "[git]\nlabels = {region = \"eu\"}\nhostname = \"web1\"\n", "VIGIL_GIT_MODE=detect", "VIGIL_GIT_PACK_BYTES=1MiB")
	if err != nil {
		t.Fatal(err)
	}
	if h, err := l.Chosen(); err != nil || h.Name != "web1" || h.Labels["region"] != "eu" || l.Git.Mode != "detect" || l.GitConfig().Pack.Bytes != 1<<20 {
		t.Errorf("%+v, %v, %+v", h, err, l.Git)
	}
	if tr := l.Trust(); len(tr.Paths) > 0 || tr.Commands || slices.Contains(tr.Kinds, "Service") {
		t.Errorf("not small by default: %+v", tr)
	}
	if off, err := load(t, "[git]\nenabled = false\nmode = \"x\"\npaths = [\"/srv\"]\n"); err != nil || len(off.HealConfig().Paths) > 0 {
		t.Errorf("where git is off nothing of it counts: %v", err)
	}
	if _, err := load(t, "", "VIGIL_GIT_PATHS=/etc"); err == nil {
		t.Error("a list of what may be touched came from the environment")
	}
}

// TestOwnIsRefusedByItsRealPath: a link in the way does not make vigild's data
// anybody's, nor what its config names; the programs of the catalogue are closed
// until commands from Git are trusted.
func TestOwnIsRefusedByItsRealPath(t *testing.T) {
	dir := t.TempDir()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"real/data", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	at := func(p string) string { return filepath.Join(dir, p) }
	text := strings.NewReplacer("DIR", dir).Replace(`data_dir = "DIR/link/data"
[git]
paths = ["DIR"]
allowed_signers = "DIR/etc/signers"
age_identity = "file:DIR/etc/age"
[policies]
dirs = ["DIR/etc/policies"]
[actions.x]
kind = "exec"
argv = ["DIR/etc/tool"]
[actions.y]
kind = "exec"
argv = ["/usr/bin/env", "A=1", "/bin/sh", "-e", "DIR/etc/fix.sh", "DIR/etc/other"]
[actions.z]
kind = "exec"
argv = ["/bin/ls", "DIR/etc/other"]
[[process]]
name = "w"
argv = ["DIR/etc/worker"]
[[token]]
name = "ci"
role = "viewer"
secret = "file:DIR/etc/ci"
`)
	file := at("etc/vigil.toml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(From{File: file, Places: rootPlaces})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tr := l.Trust()
	tr.Paths = []string{"/"}
	for _, p := range []string{"real/data/ledger.db", "link/data/token", "real", "etc/vigil.toml", "etc", "etc/signers", "etc/age", "etc/policies/x.yaml", "etc/ci", "etc/tool", "etc/worker", "etc/fix.sh", exe} {
		if !filepath.IsAbs(p) {
			p = at(p)
		}
		if why, _ := tr.Path(p); !strings.Contains(why, "belongs to vigild") {
			t.Errorf("%s may be touched: %q", p, why)
		}
	}
	if why, _ := tr.Path(at("etc/other")); why != "" {
		t.Errorf("etc/other: %s", why)
	}
	l.Git.TrustCommands = true
	tr = l.Trust()
	if why, _ := tr.Path(at("etc/tool")); why != "" {
		t.Errorf("a trusted commit may not bring the tool: %s", why)
	}
	if h := l.HealConfig(); !slices.Equal(h.Refused, tr.Refused) || !h.Commands || h.Sysctl || h.Units {
		t.Errorf("%+v", h)
	}
}
