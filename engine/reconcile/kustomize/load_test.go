package kustomize

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"vigil/engine/document"
	"vigil/engine/reconcile"
	"vigil/engine/reconcile/kind"
	"vigil/engine/reconcile/kustomize/value"
	"vigil/engine/reconcile/load"
)

// read loads a tree for a host, as the daemon would.
func readFor(host string, pairs ...string) (*reconcile.Set, error) {
	var files []load.File
	for i := 0; i < len(pairs); i += 2 {
		files = append(files, load.File{Path: pairs[i], Data: []byte(pairs[i+1])})
	}
	s, is := load.Load(files, load.Host{Name: host}, reconcile.Trust{Kinds: kind.Names(), Paths: []string{"/etc", "/srv"}}, load.Deps{Render: Renderer{}})
	return s, is.Err()
}

// TestLoad_OverlaysOfHosts: from the files of a revision to what a host wants,
// with sources of the base and of the overlay.
func TestLoad_OverlaysOfHosts(t *testing.T) {
	files := []string{
		"base/kustomization.yaml", "resources: [motd.yaml, app.yaml]\n",
		"base/motd.yaml", doc("File", "motd", "path: /etc/motd, source: files/motd"),
		"base/files/motd", "base",
		"base/app.yaml", doc("File", "app", "path: /etc/app, content: x, dependsOn: [File/motd]"),
		"hosts/web1/kustomization.yaml", "namePrefix: w-\nresources: [../../base]\npatches: [{path: p.yaml}]\n",
		"hosts/web1/p.yaml", doc("File", "motd", "source: files/motd"),
		"hosts/web1/files/motd", "web1",
		"hosts/bad/kustomization.yaml", "resources: [../../base]\npatches: [{path: p.yaml}, {patch: '{spec: {content: 1}}', target: {name: app}}]\n",
		"hosts/bad/p.yaml", doc("File", "motd", "source: files/none, contents: x"),
	}
	for host, want := range map[string][3]string{"web1": {"File/w-motd", "web1", "File/w-app"}, "db1": {"File/motd", "base", "File/app"}} {
		s, err := readFor(host, files...)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		item, app := s.Find(want[0]), s.Find(want[2])
		if item == nil || app == nil || len(s.Items) != 2 || !slices.Equal(app.Common.DependsOn, []string{want[0]}) {
			t.Fatalf("%s: %d items, %v, %v", host, len(s.Items), item, app)
		}
		none := reconcile.Observed{State: reconcile.State{"exists": "no"}}
		if got := string(item.Heal(none, item.Differences(nil, none))[0].Content); got != want[1] {
			t.Errorf("%s: %q, want %q", host, got, want[1])
		}
	}
	_, err := readFor("bad", files...)
	for _, says := range []string{
		`hosts/bad/kustomization.yaml (File/motd of base/motd.yaml): unknown field "contents" (did you mean content?)`,
		"hosts/bad/kustomization.yaml (File/motd of base/motd.yaml): there is no file hosts/bad/files/none in the tree",
		"hosts/bad/kustomization.yaml (File/app of base/app.yaml): expected text, found the number 1",
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v\ndoes not say %q", err, says)
		}
	}
}

// TestRender_TextSurvives: whatever a value is, it comes out of the library as it
// went in, beside one that a patch changed.
func TestRender_TextSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~\n\t]{0,40}`), rapid.SampledFrom([]string{"0644", "yes", "null", "~", "1e3", "2020-01-01", "0x1f", "\u0085\u2028\ufeff\u007f", "😀", "|\n a", "--- a", "{{x}}", "1_000", "=", "<<", "\r\n"})).Draw(t, "text")
		number := rapid.Float64Range(-1e15, 1e15).Draw(t, "number") + 0 // no -0, which is a whole number in YAML
		spec := value.Encode(map[string]any{"content": text, "n": number, text + "k": []any{text, nil, true}})
		a := fmt.Sprintf(`{"apiVersion":"vigil/v1","kind":"File","metadata":{"name":"a"},"spec":%s}`, spec)
		tr := tree("kustomization.yaml", "resources: [a.json]\npatches: [{target: {kind: File}, path: p.json}, {target: {kind: File}, path: q.json}]", "a.json", a,
			"p.json", string(value.Encode([]any{map[string]any{"op": "add", "path": "/spec/patched", "value": text}, map[string]any{"op": "add", "path": "/spec/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(text) + "k/0", "value": number}})), "q.json", string(value.Encode(map[string]any{"spec": map[string]any{"merged": text}})))
		docs, is := Renderer{}.Render(tr, "")
		if _, bad := document.Parse("a.json", []byte(a), document.Git); len(bad) > 0 {
			if len(is) == 0 {
				t.Fatalf("%q was taken", a)
			}
			return
		}
		if len(is) > 0 || len(docs) != 1 {
			t.Fatalf("%q: %v", a, is)
		}
		var got map[string]any
		if is := docs[0].Spec.Decode(&got); len(is) > 0 {
			t.Fatal(is)
		}
		want := map[string]any{"content": text, "n": number, text + "k": []any{number, text, nil, true}, "patched": text, "merged": text}
		if string(value.Encode(want)) != string(value.Encode(got)) {
			t.Fatalf("\n%s\n%s", value.Encode(want), value.Encode(got))
		}
	})
}

// TestRender_TakesTurns: renderings at once, and the same documents in the same
// order every time.
func TestRender_TakesTurns(t *testing.T) {
	tr := many(100, true)
	show := func() string {
		docs, is := Renderer{}.Render(tr, "o")
		var b strings.Builder
		for _, d := range docs {
			fmt.Fprintln(&b, d.Place, d.Name, d.Labels)
		}
		return b.String() + fmt.Sprint(is)
	}
	want := show()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := show(); got != want || strings.Count(got, "\n") != 101 {
				t.Errorf("%s\nand then\n%s", want, got)
			}
		})
	}
	wg.Wait()
}

// many is a base of n documents under an overlay with two patches for each; each
// with a key of its own, if they are not alike.
func many(n int, alike bool) load.Tree {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: vigil/v1\nkind: File\nmetadata:\n  name: f%d\n  labels: {team: web}\nspec:\n  path: /etc/d/%d\n  permissions: \"0644\"\n  owner: root\n  content: |\n    a line of text %d\n    another line of text\n", i, i, i)
		if !alike {
			fmt.Fprintf(&b, "  key%d: x\n", i)
		}
	}
	return tree("base/kustomization.yaml", "resources: [all.yaml]", "base/all.yaml", b.String(), "o/kustomization.yaml",
		"resources: [../base, x.yaml]\nlabels: [{pairs: {env: prod}}]\npatches: [{target: {kind: File}, patch: '{spec: {owner: web}}'}, {target: {kind: File}, patch: '[{op: replace, path: /spec/permissions, value: \"0600\"}]'}]\n",
		"o/x.yaml", doc("File", "x", "permissions: '0644'"))
}

func benchmarkRender(b *testing.B, n int, alike bool) {
	tr := many(n, alike)
	for b.Loop() {
		docs, is := Renderer{}.Render(tr, "o")
		if len(is) > 0 || len(docs) != n+1 {
			b.Fatal(is)
		}
		b.StopTimer()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-held")
		b.ReportMetric(float64(m.Sys)/1e6, "MB-sys")
		runtime.KeepAlive(docs)
		b.StartTimer()
	}
}

func BenchmarkRender25(b *testing.B)   { benchmarkRender(b, 25, true) }
func BenchmarkRender500(b *testing.B)  { benchmarkRender(b, 500, true) }
func BenchmarkRender4500(b *testing.B) { benchmarkRender(b, 4500, true) }
func BenchmarkUnlike4500(b *testing.B) { benchmarkRender(b, 4500, false) }

// FuzzRender: whatever stands in a kustomization and in a patch, there are
// documents of ours or there are issues with places.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"resources: [a.yaml]", "resources: [../b]\nnamePrefix: x-", "resources: [https://example.com/x]", "components: [../c]\nlabels: [{pairs: {a: b}}]\npatches: [{path: p.yaml}]",
		"bases: [../b]\npatchesStrategicMerge: [p.yaml]\ncommonLabels: {a: b}", "resources: [a.yaml]\npatches: [{target: {kind: F.*, labelSelector: 'a in (b)'}, path: p.yaml}]", "generators: [x]", "resources: [..]\nnameSuffix: .x"} {
		f.Add(s, "apiVersion: vigil/v1\nkind: File\nmetadata: {name: a}\nspec: {content: x, l: [1]}\n")
		f.Add(s, "- {op: add, path: /spec/l/-, value: {a: b}}\n- {op: move, from: /spec/l, path: /spec/m}\n- {op: test, path: /spec/path, value: /etc/a}\n")
		f.Add(s, "spec: {l: [{$patch: delete}], content: null, m: {$patch: replace, x: 1}}\n$patch: delete\n")
	}
	f.Fuzz(func(t *testing.T, text, patch string) {
		tr := tree("o/kustomization.yaml", text, "o/p.yaml", patch, "o/a.yaml", doc("File", "a", "path: /etc/a, l: [1, 2]"), "b/kustomization.yaml", "resources: [b.yaml]",
			"b/b.yaml", doc("File", "b", "path: /etc/b, dependsOn: [File/b]"), "c/kustomization.yaml", "kind: Component\nresources: [c.yaml]", "c/c.yaml", doc("Policy", "c", "x: 1"))
		docs, is := Renderer{}.Render(tr, "o")
		if docs != nil && len(is) > 0 {
			t.Errorf("%d documents beside %v", len(docs), is)
		}
		for _, i := range is {
			if i.Place == "" || i.Msg == "" {
				t.Errorf("an issue without place or words: %+v", i)
			}
		}
		for _, d := range docs {
			if d.Name == "" || d.Owner != document.Git || d.Spec.Absent() || d.Place == "" || !slices.Contains([]string{"File", "Policy"}, d.Kind) {
				t.Errorf("no document of ours: %+v", d)
			}
		}
	})
}

// TestRender_ThroughTheLibraryAndBeside: documents without patches do not go
// through the library; with a patch that changes nothing they do, and it is the
// same names, labels, order and places.
func TestRender_ThroughTheLibraryAndBeside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.SampledFrom([]string{"", "{a: b}", "{a: c, d: e}", "{d: f}"})
		affix := rapid.SampledFrom([]string{"", "p-", "q", "x."})
		folders := []string{"a", "b", "c", "o"}
		var plain, patched []string
		for i, dir := range folders {
			text := "resources: [d.yaml"
			for _, below := range folders[:i] {
				if rapid.Bool().Draw(t, "base") {
					text += ", ../" + below
				}
			}
			text += "]\n"
			if l := label.Draw(t, "labels"); l != "" {
				text += "labels: [{pairs: " + l + "}]\n"
			}
			if l := label.Draw(t, "common"); l != "" {
				text += "commonLabels: " + l + "\n"
			}
			text += fmt.Sprintf("namePrefix: %q\nnameSuffix: %q\n", affix.Draw(t, "prefix"), affix.Draw(t, "suffix"))
			noop := "patches: [{target: {kind: .*}, patch: '{metadata: {labels: {}}}'}]\n"
			docs := ""
			for n := range rapid.IntRange(1, 6).Draw(t, "n") {
				docs += fmt.Sprintf("---\napiVersion: vigil/v1\nkind: File\nmetadata: {name: %s%d, labels: {own: %q}}\nspec: {x: [1, 'yes'], dependsOn: [File/%s0]}\n", dir, n, dir, dir)
			}
			plain = append(plain, dir+"/kustomization.yaml", text, dir+"/d.yaml", docs)
			patched = append(patched, dir+"/kustomization.yaml", text+noop, dir+"/d.yaml", docs)
		}
		say := func(files []string) string {
			docs, is := Renderer{}.Render(tree(files...), "o")
			var b strings.Builder
			for _, d := range docs {
				var spec any
				is = append(is, d.Spec.Decode(&spec)...)
				fmt.Fprintln(&b, d.Place, d.Kind, d.Name, d.Labels, spec)
			}
			fmt.Fprintln(&b, is)
			return b.String()
		}
		if a, b := say(plain), say(patched); a != b {
			t.Fatalf("beside the library\n%s\nthrough it\n%s", a, b)
		}
	})
}
