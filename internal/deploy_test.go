package internal

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// most is what `systemd-analyze security` may say of the unit. The settings that
// would lower it take away what healing needs; docs/systemd.md names them.
const most = 3.5

// TestUnitKeepsItsPromises: what the daemon relies on stands in the unit, and
// what it would lose by is not there.
func TestUnitKeepsItsPromises(t *testing.T) {
	b, err := os.ReadFile("../deploy/vigild.service")
	if err != nil {
		t.Fatal(err)
	}
	set := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			set[k] = append(set[k], v)
		}
	}
	for k, want := range map[string]string{
		"Type": "notify", "KillMode": "process", "Delegate": "yes", "Restart": "on-failure", "WatchdogSec": "30s",
		"StateDirectory": "vigil", "RuntimeDirectory": "vigil", "RuntimeDirectoryMode": "0700", "NoNewPrivileges": "yes",
		"ExecReload": "/bin/kill -HUP $MAINPID", "NotifyAccess": "main", "WantedBy": "multi-user.target",
	} {
		if got := strings.Join(set[k], " "); got != want {
			t.Errorf("%s=%s, expected %s", k, got, want)
		}
	}
	// A private /tmp is removed under the processes that outlive vigild; compilers at
	// run time need writable code; without the bus and other processes nothing heals.
	for _, k := range []string{"PrivateTmp", "MemoryDenyWriteExecute", "User", "DynamicUser", "PrivateUsers", "PrivateNetwork", "ProtectProc", "ProtectClock", "ProtectControlGroups"} {
		if v := set[k]; v != nil {
			t.Errorf("%s=%s takes away what vigild needs", k, v)
		}
	}
}

var exposure = regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`)

// TestUnitScore: the score is gated wherever there is a systemd-analyze that can
// read a unit that is not installed.
func TestUnitScore(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "../deploy/vigild.service").CombinedOutput()
	m := exposure.FindSubmatch(out)
	if err != nil || m == nil {
		t.Logf("not scored here: %v %.200s", err, out)
		return
	}
	if score, err := strconv.ParseFloat(string(m[1]), 64); err != nil || score > most {
		t.Errorf("the unit scores %s, over %.1f", m[1], most)
	}
}

// installer runs install.sh against a root of its own.
type installer struct {
	t         *testing.T
	root, kit string
}

func newInstaller(t *testing.T) *installer {
	i := &installer{t, t.TempDir(), t.TempDir()}
	i.put("vigild", "\x7fELF one")
	for _, f := range []string{"../deploy/vigild.service", "../vigil.example.toml"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		i.put(filepath.Base(f), string(b))
	}
	return i
}

// put writes a file of the kit and the sums of all.
func (i *installer) put(name, text string) {
	i.t.Helper()
	if err := os.WriteFile(filepath.Join(i.kit, name), []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(i.kit, "SHA256SUMS"))
	files, err := filepath.Glob(filepath.Join(i.kit, "*"))
	if err != nil {
		i.t.Fatal(err)
	}
	var sums strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			i.t.Fatal(err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), filepath.Base(f))
	}
	if err := os.WriteFile(filepath.Join(i.kit, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

// run is install.sh's exit code and what it said.
func (i *installer) run(args ...string) (int, string) {
	i.t.Helper()
	cmd := exec.Command("sh", append([]string{"../install.sh"}, args...)...)
	cmd.Env = append(os.Environ(), "DESTDIR="+i.root, "VIGIL_BASE_URL=", "HOME=/home/u", "XDG_CONFIG_HOME=", "XDG_STATE_HOME=", "XDG_RUNTIME_DIR=")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		i.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// files is what the root holds, each with its content.
func (i *installer) files() map[string]string {
	i.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(i.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[strings.TrimPrefix(p, i.root)] = string(b)
		return err
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return out
}

// TestInstallIsCheckedAndRepeatable: what has no right sum is not installed; a
// second run changes nothing; configuration that exists is kept; purge leaves no
// file.
func TestInstallIsCheckedAndRepeatable(t *testing.T) {
	i := newInstaller(t)
	if code, out := i.run("--airgap", i.kit, "--dry-run"); code != 0 || len(i.files()) != 0 || !strings.Contains(out, "would: ") {
		t.Errorf("dry run: %d, %q, %v", code, out, i.files())
	}
	if code, out := i.run("--airgap", i.kit); code != 0 {
		t.Fatalf("install: %d, %s", code, out)
	}
	first := i.files()
	for _, f := range []string{"/usr/local/bin/vigild", "/etc/systemd/system/vigild.service", "/etc/vigil/vigil.toml", "/etc/vigil/vigil.example.toml"} {
		if first[f] == "" {
			t.Errorf("%s is not there", f)
		}
	}
	if code, out := i.run("--airgap", i.kit); code != 0 || strings.Contains(out, "installed ") {
		t.Errorf("again: %d, %q", code, out)
	}
	own := "[log]\nlevel = \"debug\"\n"
	if err := os.WriteFile(filepath.Join(i.root, "etc/vigil/vigil.toml"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	i.put("vigild", "\x7fELF two")
	if code, out := i.run("--airgap", i.kit); code != 0 || !strings.Contains(out, "bin/vigild") {
		t.Errorf("upgrade: %d, %q", code, out)
	}
	if now := i.files(); now["/etc/vigil/vigil.toml"] != own || now["/usr/local/bin/vigild"] != "\x7fELF two" {
		t.Errorf("after the upgrade: %q", now["/etc/vigil/vigil.toml"])
	}
	if code, out := i.run("--uninstall"); code != 0 || i.files()["/etc/vigil/vigil.toml"] != own || i.files()["/usr/local/bin/vigild"] != "" {
		t.Errorf("uninstall: %d, %q, %v", code, out, i.files())
	}
	if code, out := i.run("--uninstall", "--purge"); code != 0 || len(i.files()) != 0 {
		t.Errorf("purge: %d, %q, %v", code, out, i.files())
	}
	if code, out := i.run("--airgap", i.kit, "--user", "--prefix", "/home/u/own"); code != 0 || !strings.Contains(i.files()["/home/u/.config/systemd/user/vigild.service"], "/home/u/own/bin/vigild run") {
		t.Errorf("for one user: %d, %q, %v", code, out, i.files())
	}
}

// TestInstallRefuses: each refusal has its exit code and changes nothing.
func TestInstallRefuses(t *testing.T) {
	spoil := func(name, text string) func(*installer) {
		return func(i *installer) {
			if err := os.WriteFile(filepath.Join(i.kit, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name string
		do   func(*installer)
		args []string
		code int
		says string
	}{
		{"another program", spoil("vigild", "\x7fELF evil"), []string{"--airgap", "KIT"}, 5, "is not what SHA256SUMS says"},
		{"another unit", spoil("vigild.service", "[Service]"), []string{"--airgap", "KIT"}, 5, "is not what SHA256SUMS says"},
		{"no sums", func(i *installer) { _ = os.Remove(filepath.Join(i.kit, "SHA256SUMS")) }, []string{"--airgap", "KIT"}, 5, "no SHA256SUMS"},
		{"empty sums", spoil("SHA256SUMS", ""), []string{"--airgap", "KIT"}, 5, "no one sum"},
		{"a page instead of a program", func(i *installer) { i.put("vigild", "<html>busy</html>") }, []string{"--airgap", "KIT"}, 5, "not a program"},
		{"no folder", nil, []string{"--airgap", "/no/such"}, 4, "not a folder"},
		{"nowhere to fetch from", nil, nil, 4, "no place yet"},
		{"a version that is not in the kit", nil, []string{"--airgap", "KIT", "--version", "1.2.3"}, 4, "vigild-1.2.3-linux"},
		{"a version that is a path", nil, []string{"--airgap", "KIT", "--version", "../x"}, 2, "not a version"},
		{"a prefix that is relative", nil, []string{"--airgap", "KIT", "--prefix", "x"}, 2, "absolute"},
		{"a prefix with a blank", nil, []string{"--airgap", "KIT", "--prefix", "/a b"}, 2, "characters"},
		{"an unknown flag", nil, []string{"--force"}, 2, "not known"},
		{"a flag without its value", nil, []string{"--airgap"}, 2, "wants a value"},
		{"purge alone", nil, []string{"--purge"}, 2, "goes with"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i := newInstaller(t)
			if tc.do != nil {
				tc.do(i)
			}
			args := append([]string{}, tc.args...)
			for n, a := range args {
				if a == "KIT" {
					args[n] = i.kit
				}
			}
			code, out := i.run(args...)
			if code != tc.code || !strings.Contains(out, tc.says) || len(i.files()) != 0 {
				t.Errorf("%d, %q, %v", code, out, i.files())
			}
		})
	}
}

// TestInstallIsWholeOrNothing: half a download defines functions and does nothing.
func TestInstallIsWholeOrNothing(t *testing.T) {
	b, err := os.ReadFile("../install.sh")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(b), "\n\nmain \"$@\"\n") {
		t.Error("the last line must be: main \"$@\"")
	}
	for n, line := range strings.Split(string(b), "\n") {
		if line == "" || strings.ContainsAny(line[:1], "#\t }") || strings.HasSuffix(line, "() {") || line == "set -eu" || line == `main "$@"` {
			continue
		}
		if !strings.Contains(line, "() {") && !inHeredoc(string(b), n) {
			t.Errorf("line %d does something outside of a function: %s", n+1, line)
		}
	}
}

// inHeredoc says whether a line (from 0) is text between << and its end.
func inHeredoc(script string, line int) bool {
	end := ""
	for n, l := range strings.Split(script, "\n") {
		if n == line {
			return end != ""
		}
		if _, word, ok := strings.Cut(l, "<<"); ok && end == "" {
			end = strings.Trim(word, "'")
		} else if l == end {
			end = ""
		}
	}
	return false
}
