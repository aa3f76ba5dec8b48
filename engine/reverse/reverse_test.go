package reverse_test

import (
	"strings"
	"testing"

	"vigil/engine"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
)

const tree = `# read by all
apiVersion: vigil/v1
kind: File
metadata: {name: first}
spec: {path: /etc/first, content: "1"}
---
apiVersion: vigil/v1
kind: File
metadata: {name: motd}
spec:
  path: /etc/motd
  content: |
    hello
  permissions: "0644"
  owner: root
---
apiVersion: vigil/v1
kind: File
metadata: {name: bin}
spec: {path: /srv/bin, source: files/bin}
---
apiVersion: vigil/v1
kind: File
metadata: {name: one}
spec: {path: /srv/one, source: files/shared}
---
apiVersion: vigil/v1
kind: File
metadata: {name: two}
spec: {path: /srv/two, source: files/shared}
---
apiVersion: vigil/v1
kind: Service
metadata: {name: web}
spec: {state: running}
---
apiVersion: vigil/v1
kind: Sysctl
metadata: {name: forward}
spec: {name: net.ipv4.ip_forward, value: 0}
---
apiVersion: vigil/v1
kind: File
metadata: {name: key}
spec: {path: /etc/key, source: files/bin, mode: detect, ignore: [sha256]}
`

func files() []string {
	return []string{"base.yaml", tree, "files/bin", "\x00\x01", "files/shared", "s\n"}
}

// TestDrift_MergingTheCommitAcceptsIt: the document says what was found, nothing
// else of the tree changed, the differences are gone for who applies the commit,
// and the audit has who asked.
func TestDrift_MergingTheCommitAcceptsIt(t *testing.T) {
	s := setup(t, files()...)
	s.m.put("/etc/first", "1")
	s.m.put("/etc/motd", "by hand\nindeed\n")
	f := s.m.files["/etc/motd"]
	f.Mode = 0o600
	s.m.files["/etc/motd"] = f
	got, err := s.CommitDrift(t.Context(), "token:ada", engine.DriftRequest{Ref: "File/motd", Reason: "it is right\nso"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Branch != "drift/file-motd" || s.repo.refs[got.Branch] != got.Commit || strings.Join(got.Fields, " ") != "permissions sha256" || strings.Join(got.Changed, " ") != "base.yaml" {
		t.Errorf("%+v", got)
	}
	want := strings.Replace(strings.Replace(tree, "    hello\n", "    by hand\n    indeed\n", 1), `"0644"`, `"0600"`, 1)
	if text := string(s.repo.commits[got.Commit][0].Data); text != want {
		t.Errorf("got\n%s", text)
	}
	note := s.repo.notes[got.Commit]
	for _, says := range []string{"drift: File/motd as it stands on web1\n\n", "Asked for by token:ada: it is right so", "- permissions: wanted 0644, found 0600", "- sha256: wanted ", "read by other hosts too"} {
		if !strings.Contains(note, says) {
			t.Errorf("the message does not say %q:\n%s", says, note)
		}
	}
	if len(s.records) != 1 || s.records[0].Actor != "token:ada" || s.records[0].Verb != "drift.commit" || s.records[0].Object != "resource:File/motd" {
		t.Errorf("%+v", s.records)
	}
	s.keeper.applied = got.Commit
	if _, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: "File/motd"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("there is still a difference: %v", err)
	}
}

// TestDrift_EachKind: what is accepted, what is left, and what is refused.
func TestDrift_EachKind(t *testing.T) {
	tests := []struct {
		name, ref string
		world     func(*machine)
		secrets   bool
		fields    string
		says      string // an error
		kind      fault.Kind
	}{
		{name: "a source of bytes", ref: "File/bin", world: func(m *machine) { m.put("/srv/bin", "\x00\x02") }, says: "files/bin is the source of File/key too", kind: fault.Conflict},
		{name: "a source that two share", ref: "File/one", world: func(m *machine) { m.put("/srv/one", "x") }, says: "files/shared is the source of File/two too", kind: fault.Conflict},
		{name: "a file that is gone", ref: "File/first", world: func(*machine) {}, fields: "exists"},
		{name: "a service", ref: "Service/web", world: func(m *machine) {
			m.units["web.service"] = reconcile.Unit{Load: "loaded", Active: "inactive", FileState: "enabled", NeedReload: true}
		}, fields: "active"},
		{name: "a service that nobody describes", ref: "Service/web", world: func(*machine) {}, says: "no document can say", kind: fault.Unprocessable},
		{name: "masked and running", ref: "Service/web", world: func(m *machine) {
			m.units["web.service"] = reconcile.Unit{Load: "masked", Active: "active", FileState: "masked"}
		}, says: "what is masked can neither run", kind: fault.Unprocessable},
		{name: "a parameter", ref: "Sysctl/forward", world: func(m *machine) { m.sysctl["net/ipv4/ip_forward"] = "1" }, fields: "running"},
		{name: "a secret", ref: "File/first", world: func(m *machine) { m.put("/etc/first", "-----BEGIN PRIVATE KEY-----\n") }, says: "--allow-secrets", kind: fault.Unprocessable},
		{name: "a secret, allowed", ref: "File/first", world: func(m *machine) { m.put("/etc/first", "-----BEGIN PRIVATE KEY-----\n") }, secrets: true, fields: "sha256"},
		{name: "a file that moves", ref: "File/first", world: func(m *machine) { m.put("/etc/first", "a\n"); m.moving = "/etc/first" }, says: "changes while it is looked at", kind: fault.Conflict},
		{name: "what does not differ", ref: "File/first", world: func(m *machine) { m.put("/etc/first", "1") }, says: "stands as its document says", kind: fault.Conflict},
		{name: "nothing", ref: "File/none", world: func(*machine) {}, says: "no document speaks of File/none", kind: fault.NotFound},
	}
	for _, tt := range tests {
		s := setup(t, files()...)
		tt.world(s.m)
		got, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: tt.ref, Secrets: tt.secrets})
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) || fault.KindOf(err) != tt.kind {
				t.Errorf("%s: %v (%v)", tt.name, err, fault.KindOf(err))
			}
			if len(s.repo.refs) > 0 || len(s.records) > 0 {
				t.Errorf("%s: refused, and there is a commit", tt.name)
			}
			continue
		}
		if err != nil || strings.Join(got.Fields, " ") != tt.fields {
			t.Errorf("%s: %+v %v", tt.name, got, err)
			continue
		}
		for _, l := range got.Left {
			if !strings.Contains(s.repo.notes[got.Commit], l) {
				t.Errorf("%s: the message does not say what is left: %s", tt.name, l)
			}
		}
	}
	if _, err := setup(t).CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: "File/a"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("nothing was applied: %v", err)
	}
}

// TestDrift_ReplacesASource of a document that has it alone.
func TestDrift_ReplacesASource(t *testing.T) {
	doc := "apiVersion: vigil/v1\nkind: File\nmetadata: {name: ../x y.lock}\nspec: {path: /srv/x, source: files/x}\n"
	s := setup(t, "hosts/web1/x.yaml", doc, "hosts/web1/files/x", "old")
	s.m.put("/srv/x", "\x00new")
	got, err := s.CommitDrift(t.Context(), "ada", engine.DriftRequest{Ref: "File/../x y.lock"})
	if err != nil || strings.Join(got.Changed, " ") != "hosts/web1/files/x" || string(s.repo.commits[got.Commit][1].Data) != "\x00new" || string(s.repo.commits[got.Commit][0].Data) != doc {
		t.Fatalf("%+v %v", got, err)
	}
	if strings.ContainsAny(got.Branch, " ") || strings.Contains(got.Branch, "..") || strings.HasSuffix(got.Branch, ".lock") || strings.Contains(s.repo.notes[got.Commit], "other hosts") {
		t.Errorf("%q\n%s", got.Branch, s.repo.notes[got.Commit])
	}
}

// TestContents_ShowsTextAndHidesSecrets.
func TestContents_ShowsTextAndHidesSecrets(t *testing.T) {
	s := setup(t, append(files(), "s.yaml", "apiVersion: vigil/v1\nkind: Service\nmetadata: {name: app}\nspec:\n  file: |\n    [Service]\n    ExecStart=/bin/app\n")...)
	s.m.put("/etc/motd", "other\n")
	s.m.put("/srv/bin", "text")
	s.m.units["app.service"] = reconcile.Unit{Load: "loaded", Active: "inactive", FileState: "disabled"}
	for ref, want := range map[string]engine.Contents{
		"File/motd":   {Path: "/etc/motd", Wanted: "hello\n", Found: "other\n"},
		"File/first":  {Path: "/etc/first", Wanted: "1"},
		"File/bin":    {Path: "/srv/bin", Note: "its bytes are no text"},
		"Service/app": {Path: "/etc/systemd/system/app.service", Wanted: "[Service]\nExecStart=/bin/app\n"},
	} {
		got, err := s.Contents(t.Context(), ref)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v %v", ref, got, err)
		}
	}
	s.m.put("/etc/first", "1")
	if got, err := s.Contents(t.Context(), "File/first"); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := s.Contents(t.Context(), "File/none"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

// TestAdopt_TellsWhatIsMeant, and keeps vigild's own to itself.
func TestAdopt_TellsWhatIsMeant(t *testing.T) {
	s := setup(t)
	s.m.put("/etc/motd", "a\n")
	s.m.put("/etc/vigil/token", "vgl_x")
	s.m.put("/var/x", "x")
	s.m.put("/etc/systemd/system/web.service", "[Service]\n")
	s.m.put("/etc/systemd/system/web.service.d/a.conf", "[Service]\nNice=5\n")
	s.m.units["web.service"] = reconcile.Unit{Load: "loaded", Active: "active", FileState: "enabled"}
	s.m.units["a.timer"] = reconcile.Unit{Load: "loaded", Active: "active", FileState: "enabled"}
	s.m.sysctl["net/ipv4/ip_forward"] = "1"
	s.m.procs["worker"] = reconcile.Process{Known: true, Running: true}
	tests := []struct {
		in   engine.AdoptRequest
		ref  string
		says string
	}{
		{engine.AdoptRequest{What: "/etc/motd"}, "File/etc-motd", "content: |\n    a\n"},
		{engine.AdoptRequest{What: "web"}, "Service/web", "  file: |\n    [Service]\n"},
		{engine.AdoptRequest{What: "web.service"}, "Service/web", "dropIns:\n    a.conf: |\n      [Service]\n      Nice=5\n"},
		{engine.AdoptRequest{What: "a.timer", Name: "x"}, "Service/x", "unit: a.timer"},
		{engine.AdoptRequest{What: "net.ipv4.ip_forward"}, "Sysctl/net.ipv4.ip_forward", `value: "1"`},
		{engine.AdoptRequest{Kind: "process", What: "worker"}, "Process/worker", "state: running"},
		{engine.AdoptRequest{What: "/var/x", Anywhere: true}, "File/var-x", "path: /var/x"},
		{engine.AdoptRequest{What: "/var/x"}, "", "over the socket alone"},
		{engine.AdoptRequest{What: "/etc/vigil/token", Anywhere: true}, "", "shown to nobody"},
		{engine.AdoptRequest{What: "/etc/vigil", Anywhere: true}, "", "shown to nobody"},
		{engine.AdoptRequest{What: "/proc/1/environ", Anywhere: true}, "", "the kernel's"},
		{engine.AdoptRequest{What: "/etc/../etc/motd"}, "", "no plain absolute path"},
		{engine.AdoptRequest{What: "vigild.service"}, "", "vigild itself"},
		{engine.AdoptRequest{Kind: "unit", What: "a/b"}, "", "no name of a unit"},
		{engine.AdoptRequest{What: "etc/motd"}, "", "a path is written whole, from / on"},
		{engine.AdoptRequest{What: "./motd"}, "", "a path is written whole, from / on"},
		{engine.AdoptRequest{Kind: "sysctl", What: "net/../kernel"}, "", "no kernel parameter"},
		{engine.AdoptRequest{Kind: "sysctl", What: "net.none"}, "", "no parameter net.none"},
		{engine.AdoptRequest{What: "none.service"}, "", "no unit none.service"},
		{engine.AdoptRequest{Kind: "user", What: "x"}, "", "nothing that can be adopted"},
	}
	for _, tt := range tests {
		m, err := s.Adopt(t.Context(), tt.in)
		said := m.Document
		if err != nil {
			said = err.Error()
		}
		if m.Ref != tt.ref || !strings.Contains(said, tt.says) {
			t.Errorf("%+v: %q %s", tt.in, m.Ref, said)
		}
	}
}

// TestFirst_OnceAndAudited.
func TestFirst_OnceAndAudited(t *testing.T) {
	s := setup(t)
	got, err := s.First(t.Context(), "local:uid0")
	if err != nil || got.Branch != "main" || got.Clone == "" || len(got.Files) < 4 || len(s.records) != 1 || s.records[0].Verb != "repository.init" {
		t.Fatalf("%+v %v %v", got, err, s.records)
	}
	set, err := s.repo.Read(s.repo.commits[got.Commit])
	if err != nil || len(set.Items) > 0 {
		t.Errorf("%v %v", set, err)
	}
	if _, err := s.First(t.Context(), "local:uid0"); fault.KindOf(err) != fault.Conflict || len(s.records) != 1 {
		t.Error(err)
	}
}
