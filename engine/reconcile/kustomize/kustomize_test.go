package kustomize

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vigil/engine/document"
	"vigil/engine/reconcile/load"
)

// tree makes a tree from pairs of path and text.
func tree(pairs ...string) load.Tree {
	var files []load.File
	for i := 0; i < len(pairs); i += 2 {
		files = append(files, load.File{Path: pairs[i], Data: []byte(pairs[i+1])})
	}
	return load.NewTree(files)
}

func doc(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: vigil/v1\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n", kind, name, spec)
}

// show writes a document in one line: where, what, labels, spec.
func show(t *testing.T, d document.Document) string {
	t.Helper()
	var spec any
	if is := d.Spec.Decode(&spec); len(is) > 0 {
		t.Errorf("%s: %v", d.Place, is)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	labels := ""
	if len(d.Labels) > 0 {
		labels = fmt.Sprint(d.Labels)
	}
	return fmt.Sprintf("%s: %s/%s %s%s", d.Place, d.Kind, d.Name, labels, text)
}

// wide is a document, and a patch for it, with as many keys in one mapping.
func wide(keys int) string {
	var b strings.Builder
	b.WriteString("apiVersion: vigil/v1\nkind: File\nmetadata: {name: a}\nspec:\n  values:\n")
	for i := range keys {
		fmt.Fprintf(&b, "    k%d: 1\n", i)
	}
	return b.String()
}

// TestRender_Overlays: what comes out of small trees, with the place of each.
func TestRender_Overlays(t *testing.T) {
	base := []string{
		"base/kustomization.yaml", "resources: [motd.yaml, web.yaml]\n",
		"base/motd.yaml", "apiVersion: vigil/v1\nkind: File\nmetadata: {name: motd, labels: {team: web}}\nspec:\n  path: /etc/motd\n  content: hello\n  values: {a: [1, 2], b: {c: true}}\n",
		"base/web.yaml", doc("Service", "web", "unit: web, state: running, dependsOn: [File/motd]"),
	}
	const motd = `{"content":"hello","path":"/etc/motd","values":{"a":[1,2],"b":{"c":true}}}`
	const web = `{"dependsOn":["File/motd"],"state":"running","unit":"web"}`
	for _, tt := range []struct {
		name   string
		files  []string
		folder string
		want   []string
	}{
		{"nothing changed keeps its places", base, "base", []string{
			"base/motd.yaml:1:1: File/motd map[team:web]" + motd, "base/web.yaml:1:1: Service/web " + web}},
		{"a patch to merge", append(base, "hosts/web1/kustomization.yaml", "resources: [../../base]\npatches: [{path: motd.yaml}]",
			"hosts/web1/motd.yaml", "apiVersion: vigil/v1\nkind: File\nmetadata: {name: motd}\nspec: {content: web1, values: {a: [3], b: {c: null, d: x}}}"), "hosts/web1", []string{
			`hosts/web1/kustomization.yaml (File/motd of base/motd.yaml): File/motd map[team:web]{"content":"web1","path":"/etc/motd","values":{"a":[3],"b":{"d":"x"}}}`,
			"base/web.yaml:1:1: Service/web " + web}},
		{"operations, labels, a prefix, and what leads to them", append(base, "overlays/prod/kustomization.yaml", `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namePrefix: prod-
labels: [{pairs: {env: prod}}]
resources: [../../base]
patches:
  - target: {kind: File, name: mo.*}
    patch: |-
      - {op: replace, path: /spec/content, value: "0644"}
      - {op: add, path: /spec/values/a/-, value: 12345678901}
`), "overlays/prod", []string{
			`overlays/prod/kustomization.yaml (File/prod-motd of base/motd.yaml): File/prod-motd map[env:prod team:web]{"content":"0644","path":"/etc/motd","values":{"a":[1,2,12345678901],"b":{"c":true}}}`,
			`base/web.yaml:1:1: Service/prod-web map[env:prod]{"dependsOn":["File/prod-motd"],"state":"running","unit":"web"}`}},
		{"operations on labels", append(base, "o/kustomization.yaml", `
resources: [../base]
patches:
  - target: {kind: File}
    patch: '[{op: test, path: /metadata/labels/team, value: web}, {op: add, path: /metadata/labels/env, value: "0644"}, {op: move, from: /spec/content, path: /metadata/labels/was}]'
  - {target: {labelSelector: env=0644}, patch: '{spec: {path: /etc/found}}'}
`), "o", []string{
			`o/kustomization.yaml (File/motd of base/motd.yaml): File/motd map[env:0644 team:web was:hello]{"path":"/etc/found","values":{"a":[1,2],"b":{"c":true}}}`,
			"base/web.yaml:1:1: Service/web " + web}},
		{"a name that was one on the way", append(base, "a/kustomization.yaml", "namePrefix: a-\nresources: [../base]", "b/kustomization.yaml", "namePrefix: b-\nresources: [../a]", "o/kustomization.yaml",
			"resources: [../b]\npatches: [{patch: '{apiVersion: vigil/v1, kind: File, metadata: {name: a-motd}, spec: {values: null}}'}]"), "o", []string{
			`o/kustomization.yaml (File/b-a-motd of base/motd.yaml): File/b-a-motd map[team:web]{"content":"hello","path":"/etc/motd"}`,
			`base/web.yaml:1:1: Service/b-a-web {"dependsOn":["File/b-a-motd"],"state":"running","unit":"web"}`}},
		{"alike, and patched apart", []string{"kustomization.yaml", "resources: [a.yaml]\npatches: [{patch: '{apiVersion: vigil/v1, kind: File, metadata: {name: a}, spec: {content: x}}'}, {target: {name: '[ac]'}, patch: '[{op: add, path: /spec/y, value: q}]'}, {target: {labelSelector: l}, patch: '{spec: {z: r}}'}]",
			"a.yaml", doc("File", "a", "path: /etc/a, content: q") + "---\n" + doc("File", "b", "path: /etc/b, content: q") + "---\n" + doc("File", "c", "path: /etc/c, content: p") + "---\n" + strings.Replace(doc("File", "d", "path: /etc/d, content: p"), "{name: d}", "{name: d, labels: {l: m}}", 1)}, "", []string{
			`kustomization.yaml (File/a of a.yaml): File/a {"content":"x","path":"/etc/a","y":"q"}`,
			`a.yaml:6:1: File/b {"content":"q","path":"/etc/b"}`,
			`kustomization.yaml (File/c of a.yaml): File/c {"content":"p","path":"/etc/c","y":"q"}`,
			`kustomization.yaml (File/d of a.yaml): File/d map[l:m]{"content":"p","path":"/etc/d","z":"r"}`}},
		{"a test of a value that another document has", []string{"kustomization.yaml", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '[{op: test, path: /spec/content, value: q}, {op: replace, path: /spec/content, value: s}]'}]",
			"a.yaml", doc("File", "a", "path: /etc/a, content: q") + "---\n" + doc("File", "b", "path: /etc/b, content: q")}, "", []string{
			`kustomization.yaml (File/a of a.yaml): File/a {"content":"s","path":"/etc/a"}`, `kustomization.yaml (File/b of a.yaml): File/b {"content":"s","path":"/etc/b"}`}},
		{"a name that looks like a number", []string{"kustomization.yaml", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '{spec: {x: 1}}'}]", "a.yaml", doc("File", "'123'", "path: /etc/a")}, "", []string{
			`kustomization.yaml (File/123 of a.yaml): File/123 {"path":"/etc/a","x":1}`}},
		{"the old words", append(base, "o/kustomization.yml", `
bases: [../base]
commonLabels: {env: prod}
patchesStrategicMerge:
  - p.yaml
  - |-
    apiVersion: vigil/v1
    kind: Service
    metadata: {name: web}
    $patch: delete
patchesJson6902: [{target: {kind: File, name: motd}, path: ops.json}]
`, "o/p.yaml", "apiVersion: vigil/v1\nkind: File\nmetadata: {name: motd}\nspec: {values: null}", "o/ops.json", `[{"op":"move","from":"/spec/content","path":"/spec/text"}]`), "o", []string{
			`o/kustomization.yml (File/motd of base/motd.yaml): File/motd map[env:prod team:web]{"path":"/etc/motd","text":"hello"}`}},
		{"a component", append(base, "c/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\npatches: [{target: {kind: Service}, patch: '{spec: {state: stopped}}'}]\n",
			"c/extra.yaml", doc("File", "extra", "path: /etc/extra"), "o/Kustomization", "resources: [../base]\ncomponents: [../c]\n"), "o", []string{
			"base/motd.yaml:1:1: File/motd map[team:web]" + motd,
			`o/Kustomization (Service/web of base/web.yaml): Service/web {"dependsOn":["File/motd"],"state":"stopped","unit":"web"}`,
			`c/extra.yaml:1:1: File/extra {"path":"/etc/extra"}`}},
		{"one base under two names", append(base, "o/a/kustomization.yaml", "namePrefix: a-\nresources: [../../base]", "o/b/kustomization.yaml", "nameSuffix: -b\nresources: [../../base]",
			"o/kustomization.yaml", "resources: [a, b]"), "o", []string{
			"base/motd.yaml:1:1: File/a-motd map[team:web]" + motd, `base/web.yaml:1:1: Service/a-web {"dependsOn":["File/a-motd"],"state":"running","unit":"web"}`,
			"base/motd.yaml:1:1: File/motd-b map[team:web]" + motd, `base/web.yaml:1:1: Service/web-b {"dependsOn":["File/motd-b"],"state":"running","unit":"web"}`}},
		{"sources stay beside who names them", []string{"b/kustomization.yaml", "resources: [a.yaml]", "b/a.yaml", doc("File", "a", "path: /etc/a, source: files/a"), "b/files/a", "1",
			"o/kustomization.yaml", "resources: [../b]\npatches: [{path: x/p.yaml}]", "o/x/p.yaml", doc("File", "a", "source: files/b")}, "o", []string{
			`o/kustomization.yaml (File/a of b/a.yaml): File/a {"path":"/etc/a","source":"/o/x/files/b"}`}},
		{"lists are replaced, whatever is in them", []string{"kustomization.yaml", "resources: [a.yaml]\npatches: [{patch: '{apiVersion: vigil/v1, kind: Service, metadata: {name: a}, spec: {containers: [{name: x, b: 2}], ports: [{port: 1, q: 2}]}}'}]",
			"a.yaml", doc("Service", "a", "containers: [{name: x, a: 1}, {name: y}], ports: [{port: 1, p: 1}], kept: [{name: x}]")}, "", []string{
			`kustomization.yaml (Service/a of a.yaml): Service/a {"containers":[{"b":2,"name":"x"}],"kept":[{"name":"x"}],"ports":[{"port":1,"q":2}]}`}},
		{"words of Kubernetes in documents of ours", []string{"kustomization.yaml", "resources: [a.yaml]\nnamePrefix: x-\nlabels: [{pairs: {l: v}}]",
			"a.yaml", doc("Service", "a", "unit: a, selector: {app: a}, template: {metadata: {labels: {}}}, serviceName: a, containers: [{image: a}]")}, "", []string{
			`a.yaml:1:1: Service/x-a map[l:v]{"containers":[{"image":"a"}],"selector":{"app":"a"},"serviceName":"a","template":{"metadata":{"labels":{}}},"unit":"a"}`}},
	} {
		docs, is := Renderer{}.Render(tree(tt.files...), tt.folder)
		var got []string
		for _, d := range docs {
			got = append(got, show(t, d))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || len(is) > 0 {
			t.Errorf("%s: %v\n%s", tt.name, is, diff)
		}
	}
	if got := (Renderer{}).Bases(tree(append(base, "o/kustomization.yaml", "resources: [../p]", "p/kustomization.yaml", "resources: [../base, x.yaml]")...), "o"); !slices.Equal(got, []string{"p", "base"}) {
		t.Errorf("bases %v", got)
	}
}

// TestRender_RefusedByName: what would fetch, run, read elsewhere or grow without
// bound is refused before the library is asked, and each refusal has its place.
func TestRender_RefusedByName(t *testing.T) {
	a := doc("File", "a", "path: /etc/a")
	many := func(n int, f func(int) string) (s string) {
		for i := range n {
			s += f(i)
		}
		return s
	}
	for _, tt := range []struct {
		name, text string
		files      []string
		says       []string
	}{
		{"remote bases", `resources:
  - https://example.com/x.yaml
  - github.com/owner/repo
  - git::https://example.com/x
  - git@github.com:owner/repo
  - ssh://git@example.com/x
  - github.com/owner/repo?ref=v1
  - host:path
  - owner.example.org/x//y`, nil, []string{
			"o/kustomization.yaml:2:5: https://example.com/x.yaml is fetched from elsewhere (copy it into the tree", ":3:5: github.com/owner/repo is fetched", ":4:5: git::", ":5:5: git@", ":6:5: ssh:", ":7:5: github", ":8:5: host:path", ":9:5: owner.example.org/x//y is fetched"}},
		{"a remote patch and a remote component", "resources: [a.yaml]\npatches: [{path: 'https://example.com/p.yaml'}]\ncomponents: ['https://example.com/c']", nil, []string{":2:11: https://example.com/p.yaml is fetched", ":3:14: https://example.com/c is fetched"}},
		{"a folder of the tree named like a host", "resources: [github.com/owner/repo]", []string{"o/github.com/owner/repo/x.yaml", a}, []string{"the folder o/github.com/owner/repo has no kustomization.yaml"}},
		{"paths that leave", "resources: [../../etc/passwd, /etc/passwd, ~/x, ../b/a.yaml, ../../../../o/a.yaml, \"a\\\\b\", '']", []string{"b/a.yaml", a}, []string{
			"../../etc/passwd lies outside the tree", `"/etc/passwd" is no path within the tree`, `"~/x" is no path`, "b/a.yaml lies outside the folder of this kustomization", "../../../../o/a.yaml lies outside", `"" is no path`}},
		{"plug-ins", "generators: [g.yaml]\ntransformers:\n- |-\n  kind: X\nvalidators: [v]", nil, []string{":1:1: generators runs plug-ins", ":2:1: transformers runs plug-ins", ":5:1: validators runs plug-ins"}},
		{"helm", "helmCharts: [{name: x, repo: 'https://example.com'}]\nhelmGlobals: {}", nil, []string{":1:1: helmCharts needs Helm", ":2:1: helmGlobals needs Helm"}},
		{"generators", "configMapGenerator: [{name: a, files: [/etc/passwd]}]\nsecretGenerator: []", nil, []string{"configMapGenerator makes Kubernetes objects, and a host has no use for them (write a File", "secretGenerator makes"}},
		{"schemas", "openapi: {path: x}\ncrds: [x]\nconfigurations: [x]", nil, []string{"openapi changes how", "crds changes", "configurations changes"}},
		{"copies", "vars: []\nreplacements: []", nil, []string{"vars copies values", "replacements copies values"}},
		{"of no use", "images: []\nreplicas: []\nnamespace: x\ncommonAnnotations: {}\nsortOptions: {}\nbuildMetadata: []", nil, []string{"images means nothing", "namespace means nothing", "commonAnnotations means", "buildMetadata means"}},
		{"another case", "Resources: ['https://example.com/x.yaml']", nil, []string{`:1:1: unknown field "Resources" (did you mean resources?)`}},
		{"twice", "resources: [a.yaml]\nresources: ['https://example.com']", nil, []string{`the key "resources" is given twice`}},
		{"anchors", "resources: &x [a.yaml]\ncomponents: *x", nil, []string{"anchors are not allowed", "aliases are not allowed"}},
		{"empty", "{}", nil, []string{"the kustomization says nothing"}},
		{"a list", "[a]", nil, []string{"a kustomization is one mapping"}},
		{"another kind", "kind: HelmRelease\napiVersion: x\nresources: [a.yaml]", nil, []string{`kind "HelmRelease" is neither`, "apiVersion is not spoken"}},
		{"two files", "resources: [a.yaml]", []string{"o/Kustomization", "{}"}, []string{"o/Kustomization: o/kustomization.yaml is a kustomization of the same folder"}},
		{"missing", "resources: [b.yaml, ../none]", nil, []string{"there is no o/b.yaml in the tree", "there is no none in the tree"}},
		{"itself", "resources: [.]", nil, []string{"o goes in a circle"}},
		{"above", "resources: [..]", []string{"kustomization.yaml", "resources: [o]"}, []string{"the root of the tree goes in a circle"}},
		{"a circle", "resources: [../p]", []string{"p/kustomization.yaml", "resources: [../o]"}, []string{"p/kustomization.yaml:1:13: o goes in a circle"}},
		{"deep", "resources: [../n1]", slices.Concat(func() (f []string) {
			for i := 1; i < 12; i++ {
				f = append(f, fmt.Sprintf("n%d/kustomization.yaml", i), fmt.Sprintf("resources: [../n%d]", i+1))
			}
			return f
		}()), []string{"bases are nested deeper than 8"}},
		{"bases of bases of bases", "resources: [../n1a, ../n1b]", func() (f []string) { // 60 folders wide, 2 ways at each of 7 levels
			for i := 1; i < 7; i++ {
				for _, x := range "abcdefgh" {
					next := "resources: [../z.yaml]"
					if i < 6 {
						next = "resources: [" + many(8, func(j int) string { return fmt.Sprintf("../n%d%c,", i+1, 'a'+j) }) + "]"
					} else {
						next = "namePrefix: x"
					}
					f = append(f, fmt.Sprintf("n%d%c/kustomization.yaml", i, x), next)
				}
			}
			return f
		}(), []string{"bases are reached more than 2000 times"}},
		{"a component as a base", "resources: [../c]\ncomponents: [../d, a.yaml]", []string{"c/kustomization.yaml", "kind: Component\nresources: []", "d/kustomization.yaml", "resources: []"}, []string{"c/kustomization.yaml is a Component", "d/kustomization.yaml is no Component", "a component is a folder"}},
		{"documents of others", "resources: [c.yaml, f.yaml]", []string{"o/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nspec: {}", "o/f.yaml", "policies: [{name: x}]"}, []string{`o/c.yaml:1:13: apiVersion "v1" is not spoken here`, "o/f.yaml:1:12: a policy in the short form"}},
		{"annotations that the library obeys", "resources: [c.yaml]", []string{"o/c.yaml", "apiVersion: vigil/v1\nkind: File\nmetadata: {name: c, annotations: {config.kubernetes.io/local-config: 'true'}}\nspec: {}"}, []string{`unknown field "annotations"`}},
		{"patches of bad shape", `resources: [a.yaml]
patches:
- {}
- {patch: a, path: b}
- {path: p.yaml, options: {allowNameChange: true}}
- {path: ../b/a.yaml}
- {path: x}
- {patch: '[{op: add, path: /spec/x, value: 1}]'}
- {patch: 'a', target: {kind: File}}
- {patch: '', target: {kind: File}}
- {patch: '{}', target: {}}
- {patch: '{}', target: {kind: '['}}
- {patch: '{}', target: {kind: File, group: apps, version: v2}}`, []string{"b/a.yaml", a, "o/x/y.yaml", a}, []string{
			`unknown field "options"`}},
		{"patches of bad content", `resources: [a.yaml]
patches:
- {}
- {patch: a, path: b}
- {path: ../b/a.yaml}
- {path: x}
- {patch: '[{op: add, path: /spec/x, value: 1}]'}
- {patch: 'a', target: {kind: File}}
- {patch: '{}', target: {}}
- {patch: '{}', target: {kind: '['}}
- {patch: '{}', target: {kind: File, group: apps, version: v2}}
- {patch: 'kind: File'}
- {patch: '{apiVersion: vigil/v1, kind: File, metadata: {name: a, annotations: {}}, data: {}, $patch: replace}'}
- {patch: '{apiVersion: v1, kind: File, metadata: {name: a}, spec: {$setElementOrder/x: []}}'}
- {patch: '[{op: copy, from: /spec/a, path: /spec/b}, {op: grow, path: /spec/x, value: 1}, {op: add, path: /metadata/name, value: x}, {op: add, path: /spec/x}, {op: move, from: /kind, path: /spec/x}, {op: remove, path: /spec}, {op: add, path: /spec/x, values: 1}]', target: {kind: File}}`,
			[]string{"b/a.yaml", a, "o/x/y.yaml", a}, []string{
				":3:3: a patch has one of path and patch", ":4:3: a patch has one of", "b/a.yaml lies outside the folder", "o/x is a folder", "a patch of operations needs a target", "a patch is a document to merge, or",
				"the target is empty", `"[" is no regular expression`, "no document is of the group apps", "version v2", "a patch names the document that it changes", "not replaced", `"annotations" cannot be patched`, `"data" is no part`,
				"a patch is for documents of vigild (write apiVersion: vigil/v1)", "$setElementOrder/x is not understood", "copy is not taken", `op "grow" is not known`, "reaches the spec and the labels of a document alone", "add needs a value", `unknown field "values"`}},
		{"a patch of nobody", "resources: [a.yaml, m.yaml]\npatches:\n- patch: '{apiVersion: vigil/v1, kind: File, metadata: {name: mote}, spec: {x: 1}}'\n- {patch: '{spec: {x: 1}}', target: {kind: Fil, name: a}}", []string{"o/m.yaml", doc("File", "motd", "")}, []string{
			"o/kustomization.yaml:3:3 patch:1:1: there is no File/mote to patch (did you mean File/motd?)", "the patch changes nothing: no document is Fil/a"}},
		{"an affix", "resources: [a.yaml]\nnamePrefix: \"a/b\"", nil, []string{":2:13: namePrefix takes at most 63 letters"}},
		{"selectors", "resources: [a.yaml]\nlabels: [{pairs: {a: b}, includeSelectors: true}]", nil, []string{"documents have no selectors"}},
		{"a name that is somebody's in the world", "resources: [s.yaml]\nnamePrefix: x-", []string{"o/s.yaml", doc("Service", "web", "state: running")}, []string{"o/s.yaml:1:1: o/kustomization.yaml gives Service/web another name, and without spec.unit it would be another unit (write spec.unit: web)"}},
		{"an operation that fails", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '[{op: remove, path: /spec/none}]'}]", nil, []string{"o/kustomization.yaml: cannot be rendered: ", "/spec/none"}},
		{"one name twice", "resources: [a.yaml, ../b]", []string{"b/kustomization.yaml", "resources: [a.yaml]", "b/a.yaml", a}, []string{"b/a.yaml:1:1: File/a comes out of o/kustomization.yaml twice; it stands at o/a.yaml:1:1 too"}},
		{"a failure below", "resources: [../b]", []string{"b/kustomization.yaml", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '[{op: test, path: /spec/path, value: x}]'}]", "b/a.yaml", a}, []string{"b/kustomization.yaml: cannot be rendered: File/a: "}},
		{"patched to death", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '{spec: null}'}]", nil, []string{"the patches left no spec"}},
		{"a billion patches", "resources: [m.yaml]\npatches: [{target: {kind: File}, path: p.json}]", []string{"o/m.yaml", many(3000, func(i int) string { return "---\n" + doc("File", fmt.Sprint("f", i), "path: /etc/a") }), "o/p.json", `[{"op":"add","path":"/spec/x","value":"` + strings.Repeat("x", 100_000) + `"}]`}, []string{"its patches are too much work for 3000 documents"}},
		{"many documents", "resources: [m.yaml]", []string{"o/m.yaml", many(5001, func(i int) string { return "---\n" + doc("File", fmt.Sprint("f", i), "a: 1") })}, []string{"more than 5000 documents"}},
		{"a wide patch", "resources: [a.yaml]\npatches: [{path: p.yaml}]", []string{"o/p.yaml", wide(10_000)}, []string{"its patches are too much work for 1 documents"}},
		{"a wide document", "resources: [w.yaml]\npatches: [{target: {kind: File}, patch: '{spec: {x: 1}}'}]", []string{"o/w.yaml", wide(10_000)}, []string{"its patches are too much work for 1 documents"}},
		{"many operations", "resources: [a.yaml]\npatches: [{target: {kind: File}, path: p.yaml}]", []string{"o/p.yaml", many(12_000, func(i int) string { return fmt.Sprintf("- {op: add, path: /spec/k%d, value: 1}\n", i) })}, []string{"its patches are too much work for 1 documents"}},
		{"deep patches", "resources: [a.yaml]\npatches: [{target: {kind: File}, path: p.json}]", []string{"o/p.json", "[" + strings.TrimSuffix(many(40, func(i int) string {
			return `{"op":"add","path":"/spec` + strings.Repeat("/x", i+1) + `","value":{}},`
		}), ",") + "]"}, []string{"nested deeper than 32"}},
	} {
		docs, is := Renderer{}.Render(tree(append([]string{"o/kustomization.yaml", tt.text, "o/a.yaml", a}, tt.files...)...), "o")
		if docs != nil || len(is) == 0 {
			t.Errorf("%s: %d documents", tt.name, len(docs))
		}
		for _, says := range tt.says {
			if !strings.Contains(is.Error(), says) {
				t.Errorf("%s:\n%v\ndoes not say %q", tt.name, is, says)
			}
		}
		for _, i := range is {
			if i.Place == "" {
				t.Errorf("%s: %v has no place", tt.name, i)
			}
		}
	}
}
