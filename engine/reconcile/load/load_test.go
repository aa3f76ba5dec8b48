package load_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"vigil/engine/document"
	"vigil/engine/fault"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/load"
)

func trust() reconcile.Trust {
	return reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/etc", "/srv"}, Refused: []string{"/etc/vigil"}}
}

func doc(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n", kind, name, spec)
}

func file(name, path, content string) string {
	return doc("File", name, fmt.Sprintf("path: %s, content: %q", path, content))
}

// tree makes files from pairs of path and text.
func tree(pairs ...string) (out []load.File) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, load.File{Path: pairs[i], Data: []byte(pairs[i+1])})
	}
	return out
}

func refs(s *reconcile.Set) (out []string) {
	if s == nil {
		return []string{"none"}
	}
	for _, it := range s.Items {
		out = append(out, it.Key().Ref())
	}
	for _, d := range s.Documents {
		out = append(out, d.Kind+"/"+d.Name)
	}
	return out
}

// TestLoad_ChoosesForTheHost: a plain folder, roots, environments, hosts; a later
// layer replaces a document of the same name.
func TestLoad_ChoosesForTheHost(t *testing.T) {
	plain := tree("b.yaml", file("b", "/etc/b", "1")+"---\n"+doc("Policy", "p", "x: 1"), "a/a.yml", file("a", "/etc/a", "1"),
		"README.md", "no document", ".hidden/x.yaml", "broken: [", "a/files/x.yaml", "not: ours", "notes.json", "",
		"hosts/web1/x.yaml", file("a", "/etc/a", "web1"), "hosts/web2/x.yaml", file("c", "/etc/c", "web2"))
	root := `apiVersion: vigil/v1
kind: Vigil
metadata: {name: x}
spec:
  roots: [base]
  environments:
    - {name: prod, hosts: ["web*"], roots: [env/prod]}
    - {name: eu, labels: {region: eu}, roots: [env/eu]}
  signers: {required: true, file: signers}
`
	rooted := tree("vigil.yaml", root, "base/a.yaml", file("a", "/etc/a", "base"), "env/prod/a.yaml", file("a", "/etc/a", "prod"), "env/eu/b.yaml", file("b", "/etc/b", "eu"),
		"elsewhere/x.yaml", "broken: [", "hosts/db1/c.yaml", file("c", "/etc/c", "db1"))
	for _, tt := range []struct {
		name  string
		files []load.File
		host  load.Host
		want  []string
		a     string // content of File/a
	}{
		{"plain folder", plain, load.Host{Name: "other"}, []string{"File/a", "File/b", "Policy/p"}, "1"},
		{"plain folder, its host", plain, load.Host{Name: "web1"}, []string{"File/a", "File/b", "Policy/p"}, "web1"},
		{"roots", rooted, load.Host{Name: "x"}, []string{"File/a"}, "base"},
		{"environment by name", rooted, load.Host{Name: "web7"}, []string{"File/a"}, "prod"},
		{"environment by label, and a host", rooted, load.Host{Name: "db1", Labels: map[string]string{"region": "eu"}}, []string{"File/a", "File/b", "File/c"}, "base"},
		{"a host name that is a path", rooted, load.Host{Name: "../elsewhere"}, []string{"File/a"}, "base"},
		{"the whole tree as a root", slices.Concat(tree("vigil.yaml", doc("Vigil", "x", `roots: ["."]`)), plain), load.Host{Name: "other"}, []string{"File/a", "File/b", "Policy/p"}, "1"},
		{"nothing", nil, load.Host{}, nil, ""},
	} {
		s, is := load.Load(tt.files, tt.host, trust(), load.Deps{})
		if len(is) > 0 || !slices.Equal(refs(s), tt.want) {
			t.Errorf("%s: %v, %v", tt.name, refs(s), is)
			continue
		}
		if a := s.Find("File/a"); a != nil {
			st := a.Heal(reconcile.Observed{State: reconcile.State{"exists": "no"}}, a.Differences(nil, reconcile.Observed{State: reconcile.State{"exists": "no"}}))
			if string(st[0].Content) != tt.a {
				t.Errorf("%s: File/a holds %q, want %q", tt.name, st[0].Content, tt.a)
			}
		}
		if strings.HasPrefix(tt.name, "env") && (!s.Signers.Required || s.Signers.File != "signers") {
			t.Errorf("%s: signers %+v", tt.name, s.Signers)
		}
	}
}

// bad finds every document that is vigild's own bad.
func bad(ds []document.Document) (is fault.Issues) {
	for _, d := range ds {
		is.Add(d.Place, "a bad policy")
	}
	return is
}

// TestLoad_ActionsAreTrustedOrRefused: a document that defines an action of the
// catalogue is refused by name, with the way to mend it, unless the local config trusts
// documents with that and lists the kind; those that are taken are judged together.
func TestLoad_ActionsAreTrustedOrRefused(t *testing.T) {
	files := tree("a.yaml", doc("Action", "purge", "kind: exec"), "p.yaml", doc("Policy", "p", "a: 1"))
	for _, tt := range []struct {
		kinds  []string
		trusts bool
		says   string
	}{
		{[]string{"Policy"}, false, "a.yaml:1:1: Action/purge defines an action of the catalogue, and documents are not trusted with that here (the local config allows that with git.trust_actions = true"},
		{[]string{"Policy", "Action"}, false, "git.trust_actions = true"},
		{[]string{"Policy"}, true, "a.yaml:1:1: documents of kind Action are not taken on this host (the local config lists the kinds in git.kinds)"},
		{[]string{"Policy", "Action"}, true, ""},
	} {
		var together []string
		s, is := load.Load(files, load.Host{}, reconcile.Trust{Kinds: tt.kinds, Actions: tt.trusts}, load.Deps{Validate: func(ds []document.Document) fault.Issues {
			for _, d := range ds {
				together = append(together, d.Kind)
			}
			return nil
		}})
		if tt.says == "" {
			if len(is) > 0 || len(s.Documents) != 2 || !slices.Equal(together, []string{"Action", "Policy"}) {
				t.Errorf("%+v: %v, judged %v", tt, is, together)
			}
		} else if s != nil || !strings.Contains(is.Error(), tt.says) {
			t.Errorf("%+v: %v", tt, is)
		}
	}
}

// TestLoad_MistakesOfOneDocumentHideNoneOfAnother: what a document depends on and what
// it calls health are judged beside the mistakes of others; that it depends on one
// that could not be read is no mistake of its own.
func TestLoad_MistakesOfOneDocumentHideNoneOfAnother(t *testing.T) {
	files := tree("a.yaml", file("a", "/root/a", "1"), "b.yaml", doc("File", "b", "path: /etc/b, content: x, dependsOn: [File/a, File/none], health: {check: none}"),
		"c.yaml", doc("File", "c", "path: /etc/c, content: x, dependsOn: [File/d]")+"---\n"+doc("File", "d", "path: /etc/d, content: x, dependsOn: [File/c]"), "p.yaml", doc("Policy", "p", "a: 1"))
	deps := load.Deps{
		Validate: bad,
		Health:   func(h reconcile.Health) error { return errors.New("no check " + h.Check) },
	}
	unknown := "File/b depends on File/none, which is not there"
	for _, tt := range []struct {
		name  string
		more  []load.File
		named bool // all names are known, and File/none is not among them
	}{
		{"all names are read", nil, true},
		{"a file is not YAML", tree("x.yaml", "a: ["), false},
		{"a document of no kind", tree("x.yaml", doc("Fiel", "none", "a: 1")), false},
		{"a chart", tree("x/Chart.yaml", "name: x", "x/x.yaml", "{{ x }}"), false},
		{"folders that are not there", tree("vigil.yaml", doc("Vigil", "x", "roots: [., none]")), false},
	} {
		s, is := load.Load(slices.Concat(files, tt.more), load.Host{Name: "h"}, trust(), deps)
		text := is.Error()
		for _, says := range []string{"/root/a is under none", "b.yaml:1:1: health: no check none", "circle: File/c -> File/d -> File/c", "p.yaml:1:1: a bad policy"} {
			if s != nil || !strings.Contains(text, says) {
				t.Errorf("%s: not said: %q\n%s", tt.name, says, text)
			}
		}
		if strings.Contains(text, unknown) != tt.named || strings.Contains(text, "depends on File/a") {
			t.Errorf("%s:\n%s", tt.name, text)
		}
	}
}

// TestLoad_AllErrorsAtOnceAndNothingElse: every issue has its place, and beside
// one issue there is no set.
func TestLoad_AllErrorsAtOnceAndNothingElse(t *testing.T) {
	small := trust()
	small.Kinds = []string{"File", "Policy"}
	tests := []struct {
		name  string
		files []load.File
		says  []string
	}{
		{"several files", tree("a.yaml", file("a", "/etc/a", "1")+"---\nkind: File\n", "b.yaml", file("b", "/root/b", "1"), "c.yaml", "a: [", "d.yaml", doc("Fiel", "x", "a: 1")),
			[]string{"a.yaml:6:1: apiVersion is missing", "b.yaml:4:14: /root/b is under none", "c.yaml:", "d.yaml:1:1: there is no kind \"Fiel\" (did you mean File?)"}},
		{"two names for one file", tree("a.yaml", file("a", "/etc/x", "1"), "b.yaml", file("b", "/etc/x", "1")), []string{"b.yaml:1:1: the document at a.yaml:1:1 speaks of /etc/x too"}},
		{"one name twice", tree("a.yaml", file("a", "/etc/x", "1"), "b.yaml", file("a", "/etc/y", "1")), []string{"b.yaml:1:1: File/a stands at a.yaml:1:1 too"}},
		{"a part beside the whole", tree("a.yaml", file("a", "/etc/x", "1"), "b.yaml", doc("File", "b", "path: /etc/x, match: lines, lines: [q]")), []string{"speaks of /etc/x line:q too"}},
		{"the whole beside a part", tree("a.yaml", doc("File", "b", "path: /etc/x, match: lines, lines: [q]"), "b.yaml", file("a", "/etc/x", "1")), []string{"the document at a.yaml:1:1 speaks of /etc/x too"}},
		{"one part twice", tree("a.yaml", doc("File", "a", "path: /etc/x, match: lines, lines: [q, r]"), "b.yaml", doc("File", "b", "path: /etc/x, match: lines, lines: [r]")), []string{"line:r too"}},
		{"a circle", tree("a.yaml", doc("File", "a", "path: /etc/x, content: x, dependsOn: [File/b]")+"---\n"+doc("File", "b", "path: /etc/y, content: x, dependsOn: [File/a]")), []string{"circle: File/a -> File/b -> File/a"}},
		{"a kind not taken", tree("a.yaml", doc("Service", "a", "")+"---\n"+doc("Check", "a", "a: 1")), []string{"a.yaml:1:1: documents of kind Service are not taken", "kind Check are not taken", "git.kinds"}},
		{"a kustomization", tree("k/kustomization.yaml", "resources: [a.yaml]", "k/a.yaml", "broken: ["), []string{"k/kustomization.yaml: a kustomization cannot be rendered"}},
		{"a root file of another kind", tree("vigil.yaml", file("a", "/etc/a", "1")), []string{"one document of kind Vigil"}},
		{"roots outside", tree("vigil.yaml", doc("Vigil", "x", "roots: [../etc, none]")), []string{"no folder ../etc"[:9], "there is no folder none"}},
		{"aliases and anchors", tree("a.yaml", "a: &x 1\nb: *x\n"), []string{"anchors are not allowed", "aliases are not allowed"}},
	}
	for _, tt := range tests {
		s, is := load.Load(tt.files, load.Host{Name: "h"}, small, load.Deps{})
		if s != nil || len(is) == 0 {
			t.Errorf("%s: there is a set %v", tt.name, refs(s))
		}
		for _, says := range tt.says {
			if !strings.Contains(is.Error(), says) {
				t.Errorf("%s:\n%v\ndoes not say %q", tt.name, is, says)
			}
		}
	}
	// Two parts of one file, in two documents, are no conflict.
	s, is := load.Load(tree("a.yaml", doc("File", "a", "path: /etc/x, match: lines, lines: [q]")+"---\n"+doc("File", "b", "path: /etc/x, match: block, content: z")), load.Host{}, trust(), load.Deps{})
	if len(is) > 0 || len(s.Items) != 2 || s.Items[0].Key().Subject == s.Items[1].Key().Subject {
		t.Errorf("%v %v", refs(s), is)
	}
}

// renderer is a Renderer that reads lines: "base X" and "file X".
type renderer struct {
	t        *testing.T
	rendered []string
}

func (r *renderer) lines(t load.Tree, folder string) (bases, names []string) {
	file, ok := t.Kustomization(folder)
	text, _ := t.Source(file)
	if !ok {
		r.t.Errorf("%s is no kustomization", folder)
	}
	for _, l := range strings.Fields(string(text)) {
		if b, ok := strings.CutPrefix(l, "base:"); ok {
			more, below := r.lines(t, b)
			bases, names = append(append(bases, b), more...), append(names, below...)
		} else {
			names = append(names, l)
		}
	}
	return bases, names
}

func (r *renderer) Bases(t load.Tree, folder string) []string {
	bases, _ := r.lines(t, folder)
	return bases
}

func (r *renderer) Render(t load.Tree, folder string) (docs []document.Document, is fault.Issues) {
	r.rendered = append(r.rendered, folder)
	_, names := r.lines(t, folder)
	for _, n := range names {
		if n == "broken" {
			return nil, fault.Issues{{Place: folder, Msg: "a remote base"}}
		}
		d, _ := document.Parse("k.yaml", []byte(file(n, "/etc/"+n, folder)), document.Git)
		docs = append(docs, d...)
	}
	return docs, nil
}

// TestLoad_RendersFolders: a folder with a kustomization is rendered, once and
// instead of being read; a base is read through the folder that holds it, for the
// hosts that have that folder.
func TestLoad_RendersFolders(t *testing.T) {
	root := doc("Vigil", "x", "environments: [{name: prod, hosts: [web*], roots: [overlays/prod]}, {name: dev, hosts: [dev*], roots: [overlays/dev]}]")
	both := tree("vigil.yaml", root, "base/kustomization.yaml", "a b", "base/a.yaml", "broken: [", "base/sub/b.yaml", "broken: [", "plain/z.yaml", file("z", "/etc/z", "1"),
		"overlays/prod/kustomization.yaml", "base:base p", "overlays/dev/Kustomization", "base:base d")
	for _, tt := range []struct {
		name     string
		files    []load.File
		host     string
		want     []string
		rendered []string
	}{
		{"beside plain documents", tree("k/kustomization.yml", "a", "k/sub/x.yaml", "broken: [", "k-1/y.yaml", file("y", "/etc/y", "1"), "p.yaml", doc("Policy", "p", "x: 1")), "h", []string{"File/a", "File/y", "Policy/p"}, []string{"k"}},
		{"at the root", tree("kustomization.yaml", "a", "x.yaml", "broken: [", "y/kustomization.yaml", "broken"), "h", []string{"File/a"}, []string{""}},
		{"at the root, with a host", tree("kustomization.yaml", "a", "hosts/h/kustomization.yaml", "b"), "h", []string{"File/a", "File/b"}, []string{"", "hosts/h"}},
		{"an environment takes its base", both, "web1", []string{"File/a", "File/b", "File/p", "File/z"}, []string{"overlays/prod"}},
		{"another environment", both, "dev1", []string{"File/a", "File/b", "File/d", "File/z"}, []string{"overlays/dev"}},
		{"no environment: the base is for everybody", both, "db", []string{"File/a", "File/b", "File/z"}, []string{"base"}},
		{"a base without a folder of its own in the way", tree("lib/base/kustomization.yaml", "a", "lib/x.yaml", file("x", "/etc/x", "1"), "hosts/h/kustomization.yaml", "base:lib/base b"), "h", []string{"File/a", "File/b", "File/x"}, []string{"hosts/h"}},
		{"of another host", tree("base/kustomization.yaml", "a", "hosts/other/kustomization.yaml", "base:base b"), "h", []string{"File/a"}, []string{"base"}},
		{"a base that is a root too", tree("vigil.yaml", doc("Vigil", "x", "roots: [base]"), "base/kustomization.yaml", "a", "hosts/h/kustomization.yaml", "base:base b"), "h", []string{"File/a", "File/b"}, []string{"base", "hosts/h"}},
		{"folders that hold none", tree("files/kustomization.yaml", "broken", ".x/kustomization.yaml", "broken", "a/files/Kustomization", "broken"), "h", nil, nil},
	} {
		r := &renderer{t: t}
		s, is := load.Load(tt.files, load.Host{Name: tt.host}, trust(), load.Deps{Render: r})
		if len(is) > 0 || !slices.Equal(refs(s), tt.want) || !slices.Equal(r.rendered, tt.rendered) {
			t.Errorf("%s: %v, rendered %v, %v", tt.name, refs(s), r.rendered, is)
		}
	}
	for _, tt := range []struct {
		name  string
		files []load.File
		says  []string
	}{
		{"issues of both", tree("k/kustomization.yaml", "broken", "p.yaml", doc("Policy", "p", "x: 1")), []string{"k: a remote base", "p.yaml:1:1: a bad policy"}},
		{"two overlays for everybody", tree("dev/kustomization.yaml", "a", "prod/kustomization.yaml", "a"), []string{"k.yaml:1:1 through prod/kustomization.yaml: File/a stands at k.yaml:1:1 through dev/kustomization.yaml too (one of the two has to go; overlays for some hosts"}},
		{"a chart", tree("c/Chart.yaml", "name: x", "c/values.yaml", "a: 1", "c/templates/x.yaml", "{{ broken"), []string{"c/Chart.yaml: a Helm chart cannot be rendered here"}},
		{"a release", tree("r.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {}\n"), []string{"r.yaml:1:1: a HelmRelease cannot be rendered here (write the documents out"}},
	} {
		s, is := load.Load(tt.files, load.Host{}, trust(), load.Deps{Render: &renderer{t: t}, Validate: bad})
		if s != nil || len(is) != len(tt.says) {
			t.Errorf("%s: %v", tt.name, is)
		}
		for _, says := range tt.says {
			if !strings.Contains(is.Error(), says) {
				t.Errorf("%s:\n%v\ndoes not say %q", tt.name, is, says)
			}
		}
	}
}

// TestLoad_ChildrenAreKeptByAPurge.
func TestLoad_ChildrenAreKeptByAPurge(t *testing.T) {
	s, is := load.Load(tree("a.yaml", doc("Directory", "d", "path: /srv/d, purge: true")+"---\n"+file("a", "/srv/d/a", "1")), load.Host{}, trust(), load.Deps{})
	if len(is) > 0 {
		t.Fatal(is)
	}
	d := s.Find("Directory/d")
	seen := reconcile.Observed{State: reconcile.State{"exists": "yes", "entry:b": "file"}}
	if ds := d.Differences(nil, seen); len(ds) != 1 || ds[0].Field != "entry:b" {
		t.Errorf("%v", ds)
	}
	if s2, _ := load.Load(tree("a.yaml", doc("Directory", "d", "path: /srv/d, purge: true")), load.Host{}, trust(), load.Deps{}); s2.Find("Directory/d").Hash == d.Hash {
		t.Error("another document in the folder, and the hash is the same")
	}
}

// many is a tree of n documents, 50 a file.
func many(n int) (files []load.File) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: vigil/v1\nkind: File\nmetadata:\n  name: f%d\n  labels: {team: web}\nspec:\n  path: /etc/d/%d\n  permissions: \"0644\"\n  owner: root\n  content: |\n    a line of text %d\n    another line of text\n", i, i, i)
		if i%50 == 49 || i == n-1 {
			files = append(files, load.File{Path: fmt.Sprintf("d/%05d.yaml", i), Data: []byte(b.String())})
			b.Reset()
		}
	}
	return files
}

// TestLoad_OneInvalidAmongTwentyThousand: nothing is taken and that one is named.
func TestLoad_OneInvalidAmongTwentyThousand(t *testing.T) {
	files := many(20_000)
	s, is := load.Load(files, load.Host{}, trust(), load.Deps{})
	if len(is) > 0 || len(s.Items) != 20_000 {
		t.Fatal(is)
	}
	at := len(files) / 2
	files[at].Data = []byte(strings.Replace(string(files[at].Data), "content: |", "contents: |", 1))
	s, is = load.Load(files, load.Host{}, trust(), load.Deps{})
	if s != nil || len(is) != 2 || !strings.HasPrefix(is[1].Place, files[at].Path+":11:3") || !strings.Contains(is[1].String(), "did you mean content?") {
		t.Errorf("%v", is)
	}
}

func benchmarkLoad(b *testing.B, n int) {
	files := many(n)
	for b.Loop() {
		s, is := load.Load(files, load.Host{}, trust(), load.Deps{})
		if len(is) > 0 {
			b.Fatal(is)
		}
		b.StopTimer()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-held")
		runtime.KeepAlive(s)
		b.StartTimer()
	}
}

func BenchmarkLoad5000(b *testing.B)  { benchmarkLoad(b, 5_000) }
func BenchmarkLoad20000(b *testing.B) { benchmarkLoad(b, 20_000) }

// FuzzLoad: whatever stands in a tree, there is a set or there are issues.
func FuzzLoad(f *testing.F) {
	f.Add("a.yaml", []byte(file("a", "/etc/a", "1")))
	f.Add("vigil.yaml", []byte("apiVersion: vigil/v1\nkind: Vigil\nmetadata: {name: x}\nspec: {roots: ['']}\n"))
	f.Add("x/kustomization.yaml", []byte("{}"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		s, is := load.Load([]load.File{{Path: name, Data: data}, {Path: "b/b.yaml", Data: []byte(file("b", "/etc/b", "1"))}}, load.Host{Name: "h"}, trust(), load.Deps{})
		if (s == nil) == (len(is) == 0) {
			t.Errorf("%v beside %v", s, is)
		}
	})
}
