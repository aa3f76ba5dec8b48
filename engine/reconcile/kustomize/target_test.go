package kustomize

import (
	"fmt"
	"strings"
	"testing"
)

// TestTarget_ExpressionsAreBounded: an expression says more than it is long, and all
// of them are held against every document.
func TestTarget_ExpressionsAreBounded(t *testing.T) {
	bomb := strings.Repeat("(.{0,1000})", 90)
	dense := strings.Repeat("(.?.?)", 160)
	for _, tt := range []struct {
		name, kind, expr string
		docs, patches    int
		says             string
	}{
		{"one that is plain", "File", "d-[0-9]*|e.*", 3000, 100, ""},
		{"one that repeats", "File", "(ab?){0,100}d-[0-9]{1,3}", 10, 10, ""},
		{"a repetition of repetitions", "File", bomb, 20, 4, `(.{0,1000})(.{0,1000})`},
		{"of a kind", bomb, "d.*", 20, 4, "is no regular expression that can be used here"},
		{"many dense ones", "File", dense, 1, 500, "the expressions of the targets are too much together"},
		{"dense ones and many documents", "File", dense, 5000, 100, "too many targets for 5000 documents"},
	} {
		var docs, patches strings.Builder
		for i := range tt.docs {
			fmt.Fprintf(&docs, "---\n%s", doc("File", fmt.Sprintf("d-%d", i), "path: /x"))
		}
		for range tt.patches {
			fmt.Fprintf(&patches, "- {target: {kind: '%s', name: '%s', labelSelector: none=here}, patch: '[{op: add, path: /spec/a, value: b}]'}\n", tt.kind, tt.expr)
		}
		p := planner{tree: tree("kustomization.yaml", "resources: [a.yaml]\npatches:\n"+patches.String(), "a.yaml", docs.String()), byDir: map[string]*node{}}
		if root := p.visit("", "", 1, false); root != nil && len(p.issues) == 0 {
			p.expand(root, nil)
		}
		if got := fmt.Sprint(p.issues); (tt.says == "") != (len(p.issues) == 0) || !strings.Contains(got, tt.says) {
			t.Errorf("%s: %.300s", tt.name, got)
		}
	}
}

// TestRender_KeysSurvive: a key that the library would take for something else is
// there after a patch of something else.
func TestRender_KeysSurvive(t *testing.T) {
	for _, key := range []string{"", "<<", "~", "=", "null", "$", "- a", "? a", "a: b", "#", "*a", "vigil-hidden-0"} {
		spec := fmt.Sprintf(`values: {"%s": {b: 1}, c: 2}`, key)
		docs, is := Renderer{}.Render(tree("kustomization.yaml", "resources: [a.yaml]\npatches: [{target: {kind: File}, patch: '[{op: add, path: /spec/x, value: y}]'}]", "a.yaml", doc("File", "a", spec)), "")
		if len(is) > 0 || len(docs) != 1 {
			t.Errorf("%q: %v", key, is)
			continue
		}
		if got := docs[0].Spec.Get("values").Get(key).Get("b").Text(); got != "1" {
			t.Errorf("%q is gone: %s", key, show(t, docs[0]))
		}
	}
}
