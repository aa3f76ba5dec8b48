package manifest_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
	"vigil/engine/reconcile/manifest"
)

// trust takes everything.
func trust() reconcile.Trust {
	return reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/"}, Commands: true}
}

// differs loads a manifest as a tree of its own and compares it with a machine.
func differs(t fatal, m *manifest.Manifest, w reconcile.World) []reconcile.Difference {
	t.Helper()
	files := []load.File{{Path: m.Path, Data: []byte(m.Text)}}
	for _, f := range m.Files {
		files = append(files, load.File(f))
	}
	set, is := load.Load(files, load.Host{Name: "web1"}, trust(), load.Deps{})
	if len(is) > 0 {
		t.Fatalf("%v\n%s", is, m.Text)
	}
	it := set.Find(m.Kind + "/" + m.Name)
	if it == nil {
		t.Fatalf("there is no %s/%s in\n%s", m.Kind, m.Name, m.Text)
	}
	seen, err := it.Observe(nil, w)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return it.Differences(nil, seen)
}

type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// anyText is bytes of files as they are: text with all that is hard in YAML, and
// bytes that are none.
func anyText() *rapid.Generator[[]byte] {
	piece := rapid.SampledFrom([]string{"a", "b: c", " ", "  ", "\n", "\n\n", "\t", "#", "# x", "- ", ": ", "'", "\"", "\\", "|", ">", "%", "---\n", "...\n", "{", "}", "é", "漢", "😀",
		"\r\n", "\r", "\x00", "\x7f", "\u0085", "\u2028", "\u202e", "\ufeff", "\xff", "\ufffd", "\uffff", "true", "1e3", "~", "null", "key = value\n", "-----BEGIN AGE ENCRYPTED FILE-----\n"})
	return rapid.Custom(func(t *rapid.T) []byte {
		return []byte(strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

// TestAdopt_DiffersInNothing: whatever stands on a machine, the document that says
// so differs from it in nothing but what a warning names.
func TestAdopt_DiffersInNothing(t *testing.T) {
	owners := []string{"root", "www-data", "", "Domain Users", "1000x"}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{files: map[string]reconcile.File{}, units: map[string]reconcile.Unit{}, sysctl: map[string]string{}, procs: map[string]reconcile.Process{}}
		o := manifest.Options{Folder: "hosts/web1", Trust: trust()}
		if rapid.Bool().Draw(t, "named") {
			o.Name = rapid.SampledFrom([]string{"x", "true", "a b", "a/b", ".git", "é", "1", "web.service"}).Draw(t, "name")
		}
		p := rapid.SampledFrom([]string{"/etc/motd", "/srv/with space/a: b", "/srv/é", "/srv/-x", "/srv/.hidden", "/srv/#"}).Draw(t, "path")
		f := reconcile.File{Type: rapid.SampledFrom([]string{"file", "directory"}).Draw(t, "type"), Mode: uint32(rapid.IntRange(0, 0o7777).Draw(t, "mode")),
			Owner: rapid.SampledFrom(owners).Draw(t, "owner"), Group: rapid.SampledFrom(owners).Draw(t, "group"), UID: 7, GID: 8}
		if f.Type == "file" {
			f.Content = anyText().Draw(t, "content")
		}
		w.files[p] = f
		m, err := manifest.OfPath(p, f, o)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if ds := differs(t, m, w); len(ds) > 0 {
			t.Fatalf("%v\n%s", ds, m.Text)
		}

		unit := rapid.SampledFrom([]string{"web.service", "getty@tty1.service", "a.timer", "b.socket"}).Draw(t, "unit")
		u := reconcile.Unit{Load: rapid.SampledFrom([]string{"loaded", "masked", "bad-setting"}).Draw(t, "load"),
			Active:     rapid.SampledFrom([]string{"active", "inactive", "failed", "activating", "deactivating"}).Draw(t, "active"),
			FileState:  rapid.SampledFrom([]string{"enabled", "enabled-runtime", "disabled", "masked", "static", "generated", "", "indirect"}).Draw(t, "state"),
			NeedReload: rapid.Bool().Draw(t, "reload")}
		w.units[unit] = u
		own := map[string][]byte{}
		for _, at := range []string{"/etc/systemd/system/" + unit, "/etc/systemd/system/" + unit + ".d/10-a.conf", "/etc/systemd/system/" + unit + ".d/true.conf"} {
			if rapid.Bool().Draw(t, at) {
				own[at] = anyText().Draw(t, "unit file")
				w.files[at] = reconcile.File{Type: "file", Content: own[at]}
			}
		}
		if m, err = manifest.OfUnit(unit, u, own, o); err != nil {
			t.Fatalf("%v", err)
		}
		for _, d := range differs(t, m, w) {
			if d.Field != "reload" || !strings.Contains(strings.Join(m.Warnings, " "), "daemon-reload") {
				t.Fatalf("%v\n%s", d, m.Text)
			}
		}

		w.procs["worker"] = reconcile.Process{Known: true, Running: rapid.Bool().Draw(t, "running")}
		if rapid.Bool().Draw(t, "declared") {
			w.procs["worker"] = declared(t)
		}
		if m, err = manifest.OfProcess("worker", w.procs["worker"], o); err != nil {
			t.Fatalf("%v", err)
		}
		if ds := differs(t, m, w); len(ds) > 0 {
			t.Fatalf("%v\n%s", ds, m.Text)
		}

		v := rapid.SampledFrom([]string{"1", "4096\t87380\t6291456", "true", "a: b # c", "0644"}).Draw(t, "value")
		w.sysctl["net/ipv4/tcp_rmem"] = v
		if m, err = manifest.OfSysctl("net.ipv4.tcp_rmem", v, o); err != nil {
			t.Fatalf("%v", err)
		}
		for _, d := range differs(t, m, w) {
			if d.Field != "persisted" {
				t.Fatalf("%v\n%s", d, m.Text)
			}
		}
	})
}

// declared draws a process that a document brought.
func declared(t *rapid.T) reconcile.Process {
	word := rapid.SampledFrom([]string{"/x", "a b", "true", "1", `"`, "# no", "é: ü", ""})
	some := func(label string) bool { return rapid.Bool().Draw(t, label) }
	c := &reconcile.Command{Argv: []string{"/bin/own", word.Draw(t, "arg")}}
	if some("all") {
		c.User, c.Group, c.Cwd, c.StopSignal, c.StopTimeout, c.LogMax, c.Hold, c.Limits = "www-data", "adm", "/srv/a b", "SIGINT", 90*time.Second, 100, 2*time.Second, map[string]uint64{"nofile": 10, "core": 0}
		c.Env = map[string]string{"A": word.Draw(t, "a"), "B": word.Draw(t, "b"), "C": "two\nlines\n"}
	}
	switch rapid.IntRange(0, 4).Draw(t, "ready") {
	case 0:
		c.Ready = reconcile.Ready{Exec: []string{"/bin/ask", word.Draw(t, "ask")}, Timeout: time.Minute}
	case 1:
		c.Ready.TCP, c.Log = "[::1]:80", "none"
	case 2:
		c.Ready.HTTP, c.Log = "http://127.0.0.1:80/a?b=c#d", "/var/log/own"
	case 3:
		c.Ready.File, c.Ready.After = "/run/own", time.Second
	}
	return reconcile.Process{Known: true, Running: some("runs"), Command: c, Current: true}
}

// TestAdopt_Reads as a person would write it.
func TestAdopt_Reads(t *testing.T) {
	m, err := manifest.OfPath("/etc/motd", reconcile.File{Type: "file", Mode: 0o644, Owner: "root", Group: "root", Content: []byte("Welcome.\n\n  Be kind.\n")},
		manifest.Options{Folder: "hosts/web1", Trust: trust()})
	want := `apiVersion: vigil/v1
kind: File
metadata:
  name: etc-motd
spec:
  path: /etc/motd
  content: |
    Welcome.

      Be kind.
  permissions: "0644"
  owner: root
  group: root
`
	if err != nil || m.Text != want || m.Path != "hosts/web1/etc-motd.yaml" || len(m.Warnings) > 0 {
		t.Errorf("%v %v\n%s", err, m.Warnings, m.Text)
	}
}

// TestAdopt_WarnsAndRefuses.
func TestAdopt_WarnsAndRefuses(t *testing.T) {
	small := reconcile.TrustDefaults()
	small.Paths = []string{"/srv"}
	small.Refused = []string{"/srv/vigil"}
	file := func(text string, mode uint32) reconcile.File {
		return reconcile.File{Type: "file", Mode: mode, Owner: "root", Group: "root", Content: []byte(text)}
	}
	o := manifest.Options{Trust: small}
	all := func(m *manifest.Manifest, err error) string {
		if err != nil {
			return err.Error()
		}
		return strings.Join(m.Warnings, "\n")
	}
	tests := []struct {
		name, got, says string
	}{
		{"a path outside", all(manifest.OfPath("/etc/motd", file("a", 0o644), o)), "git.paths"},
		{"vigild's own", all(manifest.OfPath("/srv/vigil/x", file("a", 0o644), o)), "belongs to vigild itself"},
		{"setuid", all(manifest.OfPath("/srv/x", file("a", 0o4755), o)), "git.trust_commands"},
		{"not for all", all(manifest.OfPath("/srv/x", file("a", 0o640), o)), "not readable by everybody"},
		{"a private key", all(manifest.OfPath("/srv/x", file("-----BEGIN RSA PRIVATE KEY-----\n", 0o644), o)), "a private key"},
		{"a password", all(manifest.OfPath("/srv/x", file("[db]\npassword = hunter22\n", 0o644), o)), "a password"},
		{"a password in a URL", all(manifest.OfPath("/srv/x", file("url = postgres://app:hunter2@db/x\n", 0o644), o)), "a password in a URL"},
		{"a hash", all(manifest.OfPath("/srv/x", file("ada:$6$abcdefgh$0123456789012345678901:1:2\n", 0o644), o)), "the hash of a password"},
		{"no password", all(manifest.OfPath("/srv/x", file("# password = \npassword_file = \n", 0o644), o)), ""},
		{"a link", all(manifest.OfPath("/srv/x", reconcile.File{Type: "link"}, o)), "realpath"},
		{"nothing", all(manifest.OfPath("/srv/x", reconcile.File{}, o)), "there is nothing at /srv/x"},
		{"a socket", all(manifest.OfPath("/srv/x", reconcile.File{Type: "other"}, o)), "neither a file nor a folder"},
		{"a kind that is not taken", all(manifest.OfUnit("web.service", reconcile.Unit{Load: "loaded", Active: "active", FileState: "enabled"}, nil, o)), "git.kinds"},
		{"unit files without trust", all(manifest.OfUnit("web.service", reconcile.Unit{Load: "loaded", Active: "active", FileState: "enabled"}, map[string][]byte{"/etc/systemd/system/web.service": []byte("x")}, o)), "left out: documents are trusted"},
		{"no unit", all(manifest.OfUnit("web.service", reconcile.Unit{Load: "not-found"}, nil, o)), "no unit web.service"},
		{"no process", all(manifest.OfProcess("x", reconcile.Process{}, o)), "no process"},
		{"no value", all(manifest.OfSysctl("kernel.x", "", o)), "no value"},
		{"a bad name", all(manifest.OfProcess("x", reconcile.Process{Known: true}, manifest.Options{Name: "a\nb", Trust: small})), "the name holds a control character"},
	}
	for _, tt := range tests {
		if !strings.Contains(tt.got, tt.says) || tt.says == "" && tt.got != "" {
			t.Errorf("%s: %q does not say %q", tt.name, tt.got, tt.says)
		}
	}
	if _, err := manifest.OfPath("/x", reconcile.File{}, o); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// TestFirst_LoadsAnywhere: the first commit has no issue on a host that trusts
// nothing, changes nothing, and its examples are right once they are no comments.
func TestFirst_LoadsAnywhere(t *testing.T) {
	for _, host := range []string{"web1", "", "..", "a/b", "web1.example.org"} {
		var files, live []load.File
		for _, f := range manifest.First(host) {
			files = append(files, load.File(f))
			if strings.HasSuffix(f.Path, "motd.yaml") || strings.HasSuffix(f.Path, "disk.yaml") {
				text := string(f.Data)
				text = text[strings.Index(text, "# apiVersion"):]
				f.Data = []byte(strings.ReplaceAll(strings.ReplaceAll(text, "\n# ", "\n"), "# apiVersion", "apiVersion"))
			}
			live = append(live, load.File(f))
		}
		set, is := load.Load(files, load.Host{Name: host}, reconcile.TrustDefaults(), load.Deps{})
		if len(is) > 0 || len(set.Items)+len(set.Documents) != 0 {
			t.Errorf("%q: %v %v", host, set, is)
		}
		set, is = load.Load(live, load.Host{Name: host}, trust(), load.Deps{})
		if want := host == "web1" || host == "web1.example.org"; len(is) > 0 || (len(set.Items) == 1 && len(set.Documents) == 1) != want {
			t.Errorf("%q, live: %v %v", host, set, is)
		}
	}
}
